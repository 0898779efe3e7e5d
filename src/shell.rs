//! The outermost layer: Ctrl-C, panics, streams, the exit code. The only file that names ctrlc.

use std::io::{ErrorKind, IsTerminal, Write};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::args::{self, Args, Check, Command, Costs, Explain, Format, When};
use crate::cost::bill::{self, Bill};
use crate::cost::kept;
use crate::evidence::{self, Evidence};
use crate::exit::{Error, Exit};
use crate::job::explain::{self, Explained};
use crate::progress::Meter;
use crate::report::{self, json, markdown, table};
use crate::search::Limits;
use crate::spec::{self, Spec};
use crate::{files, job, list, lockstep, necessity, schema};

mod stdout;

/// Set by Ctrl-C.
static INTERRUPT: AtomicBool = AtomicBool::new(false);

/// Does what the command line says.
pub fn run(args: &Args) -> Exit {
    std::panic::set_hook(Box::new(fault));
    finish(|| match &args.command {
        Command::Check(check) => report(check, When::Always, false),
        Command::Compare(check) => report(check, When::Never, true),
        Command::Scopes(asked) => scopes(asked),
        Command::Costs(costs) => bills(costs),
        Command::Necessity(asked) => necessity(asked),
        Command::Explain(about) => tell(about),
        Command::Lockstep(asked) => in_lockstep(asked),
        Command::List { what } => Ok((list::render(*what), Exit::AsExpected)),
        Command::Schema { of } => Ok((schema::render(*of), Exit::AsExpected)),
    })
}

/// Makes an exit code of whatever comes of a job.
fn finish(job: impl FnOnce() -> Result<(String, Exit), Error>) -> Exit {
    match catch_unwind(AssertUnwindSafe(job)) {
        Ok(Ok((text, exit))) => print(&text).unwrap_or(exit),
        Ok(Err(error)) => {
            say(&error.to_string());
            error.exit()
        }
        // The hook has said what happened.
        Err(_) => Exit::Internal,
    }
}

/// Does a job. What variants must remember is asked when they are compared.
fn report(check: &Check, traces: When, keeps: bool) -> Result<(String, Exit), Error> {
    interruptible()?;
    let specs = read(&files::named(&check.paths)?)?;
    let meter = Meter::new(&INTERRUPT);
    let mut report = job::run(&specs, &check.options(), &meter)?;
    drop(meter);
    for (spec, report) in specs.iter().zip(&mut report.specs).filter(|_| keeps) {
        report.kept = Some(kept::of(spec));
    }
    report.tells = check.traces.unwrap_or(traces) == When::Always;
    let text = match check.format {
        Format::Table => table::render(&report),
        Format::Json => json::render(&report),
        Format::Markdown => markdown::render(&report),
    };
    Ok((text, report.exit()))
}

fn scopes(asked: &args::Scopes) -> Result<(String, Exit), Error> {
    interruptible()?;
    let specs = read(&files::named(&asked.paths)?)?;
    let meter = Meter::new(&INTERRUPT);
    let options = asked.options();
    let found = specs
        .iter()
        .map(|spec| evidence::gather(spec, &options, &meter))
        .collect::<Result<Vec<_>, _>>()?;
    drop(meter);
    let exit = match found.iter().any(Evidence::is_interrupted) {
        true => Exit::Incomplete,
        false => Exit::AsExpected,
    };
    let pages: Vec<_> = found.iter().map(evidence::page).collect();
    Ok((pages.join("\n"), exit))
}

/// Makes out bills.
fn bills(costs: &Costs) -> Result<(String, Exit), Error> {
    interruptible()?;
    let specs = read(&files::named(&costs.paths)?)?;
    let limits = Limits {
        max_states: Some(costs.max_states),
        timeout: None,
    };
    let meter = Meter::new(&INTERRUPT);
    let of = |spec| bill::of(spec, costs.scope.as_ref(), &limits, &meter).map_err(Error::Usage);
    let bills: Vec<_> = specs.iter().map(of).collect::<Result<_, _>>()?;
    drop(meter);
    let text = match costs.format {
        Format::Table => report::bill::table(&bills),
        Format::Json => json::bills(&bills),
        Format::Markdown => report::bill::markdown(&bills),
    };
    let exit = match bills.iter().any(Bill::is_interrupted) {
        true => Exit::Incomplete,
        false => Exit::AsExpected,
    };
    Ok((text, exit))
}

fn necessity(asked: &args::Necessity) -> Result<(String, Exit), Error> {
    interruptible()?;
    // Shows what is wrong with the file, in colour where that is possible.
    read(std::slice::from_ref(&asked.path))?;
    let meter = Meter::new(&INTERRUPT);
    let found = necessity::run(&asked.path, &asked.options(), &meter)?;
    drop(meter);
    let text = match asked.format {
        Format::Table => necessity::render::table(&found),
        Format::Json => necessity::render::json(&found),
        Format::Markdown => necessity::render::markdown(&found),
    };
    Ok((text, found.exit()))
}

/// The story of a violation.
fn tell(about: &Explain) -> Result<(String, Exit), Error> {
    interruptible()?;
    let specs = read(std::slice::from_ref(&about.path))?;
    let spec = specs.first().expect("a file that was read is a spec");
    let meter = Meter::new(&INTERRUPT);
    let told = explain::explain(
        spec,
        about.property,
        !about.unfold,
        &about.options(),
        &meter,
    )?;
    drop(meter);
    match told {
        Explained::Story(mut story) => {
            story.tells_bytes = about.bytes;
            Ok((story.render(about.format), Exit::AsExpected))
        }
        Explained::Nothing(why) => Err(Error::Usage(why)),
        Explained::Interrupted(how) => {
            say(&format!("nestcheck: {how}"));
            Ok((String::new(), Exit::Incomplete))
        }
    }
}

/// The model's graphs, driven through the engine.
fn in_lockstep(asked: &args::Lockstep) -> Result<(String, Exit), Error> {
    let specs = read(&files::named(&asked.paths)?)?;
    let tell = |one: &lockstep::job::Driven| say(&one.rate());
    let driven = lockstep::job::run(&specs, &asked.options(), asked.max_states, tell)
        .map_err(Error::Usage)?;
    let worst = driven.iter().map(lockstep::job::Driven::exit);
    let exit = worst
        .max_by_key(|exit| *exit as u8)
        .unwrap_or(Exit::AsExpected);
    Ok((lockstep::render::table(&driven), exit))
}

/// Reads all files, and says what is wrong with any of them.
fn read(paths: &[PathBuf]) -> Result<Vec<Spec>, Error> {
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (specs, errors): (Vec<_>, Vec<_>) = paths
        .iter()
        .map(|path| spec::read(path))
        .partition(Result::is_ok);
    let errors: Vec<_> = errors
        .into_iter()
        .filter_map(Result::err)
        .map(|errors| errors.render(colour))
        .collect();
    match errors.is_empty() {
        true => Ok(specs.into_iter().flatten().collect()),
        false => Err(Error::Spec(errors.join("\n\n"))),
    }
}

/// The first Ctrl-C asks for what was reached so far, the second ends the process.
fn interruptible() -> Result<(), Error> {
    ctrlc::set_handler(|| {
        if INTERRUPT.swap(true, Ordering::Relaxed) {
            std::process::exit(Exit::Incomplete as i32);
        }
        say("interrupted: reporting what was reached");
    })
    .map_err(|error| Error::Internal(format!("no handler for Ctrl-C: {error}")))
}

/// Writes to stdout. A reader who has seen enough and closed it is no error; anything else is.
fn print(text: &str) -> Option<Exit> {
    match stdout::write(text) {
        Ok(()) if stdout::replaced() => {
            say("nestcheck: stdout is closed: nobody sees the report");
            None
        }
        Ok(()) => None,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => None,
        Err(error) => {
            say(&format!("nestcheck: cannot write the report: {error}"));
            Some(Exit::Usage)
        }
    }
}

/// Writes to stderr. If that is closed there is nobody to tell.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end());
}

/// What is said of a panic: it is always our fault.
fn fault(panic: &PanicHookInfo) {
    let payload = panic.payload();
    let what = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("no reason given");
    let place = panic
        .location()
        .map_or(String::new(), |location| format!(" ({location})"));
    say(&Error::Internal(format!("{what}{place}")).to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_internal_error() {
        assert_eq!(finish(|| panic!("a fault")), Exit::Internal);
        let disagreement = || Err(Error::Internal("both are shown".to_owned()));
        assert_eq!(finish(disagreement), Exit::Internal);
        assert_eq!(finish(|| Err(Error::Spec(String::new()))), Exit::Usage);
    }
}
