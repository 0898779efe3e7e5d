//! What a user sees while searches run: on a terminal how far they have come, and for each a line when it has ended.
//!
//! All of it goes to stderr: times and rates differ from run to run, stdout does not. The only file that names indicatif.

use std::io::Write;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::job::Watch;
use crate::report::grouped;
use crate::search::{Found, Progress};

/// Draws on stderr if it is a terminal.
pub struct Meter {
    bar: ProgressBar,
    interrupt: &'static AtomicBool,
}

impl Meter {
    /// A meter; `interrupt` is set by Ctrl-C.
    pub fn new(interrupt: &'static AtomicBool) -> Self {
        let style = ProgressStyle::with_template("{elapsed} {prefix}: {msg}")
            .expect("the template is a constant");
        let bar = ProgressBar::new_spinner().with_style(style);
        Meter { bar, interrupt }
    }
}

impl Watch for Meter {
    fn interrupt(&self) -> &AtomicBool {
        self.interrupt
    }

    fn begins(&self, run: &str) {
        self.bar.reset();
        self.bar.set_prefix(run.to_owned());
        self.bar.set_message("begins");
        // The clock goes on while the second search catches up. Before the first run there is nothing to draw.
        self.bar.enable_steady_tick(Duration::from_millis(200));
    }

    fn progress(&self, progress: Progress) {
        let Progress {
            states,
            level,
            frontier,
            ..
        } = progress;
        let rate = per_second(states, self.bar.elapsed());
        let (states, frontier) = (grouped(states), grouped(frontier));
        self.bar.set_message(format!(
            "{states} states, {rate}/s, level {level}, frontier {frontier}"
        ));
    }

    fn ends(&self, run: &str, found: &Found<()>, time: Duration) {
        let end = match &found.stopped {
            None => String::new(),
            Some(why) => format!("; {why}"),
        };
        let states = grouped(found.states);
        let seconds = time.as_secs_f64();
        let rate = per_second(found.states, time);
        self.bar.set_message("ended");
        self.bar.suspend(|| {
            // A closed stderr is no reason to stop.
            let _ = writeln!(
                std::io::stderr(),
                "{run}: {states} states in {seconds:.1} s, {rate}/s{end}"
            );
        });
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

fn per_second(count: u64, time: Duration) -> String {
    let seconds = time.as_secs_f64().max(0.001);
    grouped((count as f64 / seconds) as u64)
}
