//! The outermost layer: Ctrl-C, panics, streams, the exit code. The only file that names ctrlc.

use std::io::{ErrorKind, Write};
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::args::{Args, Check, Command, Format};
use crate::exit::{Error, Exit};
use crate::progress::Meter;
use crate::report::{json, markdown, table};
use crate::{files, job, list, spec};

/// Set by Ctrl-C.
static INTERRUPT: AtomicBool = AtomicBool::new(false);

/// Does what the command line says.
pub fn run(args: &Args) -> Exit {
    std::panic::set_hook(Box::new(fault));
    let result = catch_unwind(AssertUnwindSafe(|| match &args.command {
        Command::Check(check) | Command::Compare(check) => report(check),
        Command::List { what } => Ok((list::render(*what), Exit::AsExpected)),
    }));
    match result {
        Ok(Ok((text, exit))) => print(&text).unwrap_or(exit),
        Ok(Err(error)) => {
            say(&format!("nestcheck: {error}"));
            error.exit()
        }
        // The hook has said what happened.
        Err(_) => Exit::Internal,
    }
}

fn report(check: &Check) -> Result<(String, Exit), Error> {
    interruptible()?;
    let specs = files::named(&check.paths)?
        .iter()
        .map(|path| spec::read(path).map_err(|errors| Error::Usage(errors.to_string())))
        .collect::<Result<Vec<_>, _>>()?;
    let meter = Meter::new(&INTERRUPT);
    let report = job::run(&specs, &check.options(), &meter)?;
    drop(meter);
    let text = match check.format {
        Format::Table => table::render(&report),
        Format::Json => json::render(&report),
        Format::Markdown => markdown::render(&report),
    };
    Ok((text, report.exit()))
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
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
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
    say(&format!(
        "nestcheck: {}",
        Error::Internal(format!("{what}{place}"))
    ));
}
