//! A process whose output is read, and which is ended when it takes too long or is no longer of interest.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// What runs for longer does not come to an end; without a mutant nothing takes a quarter of this.
const TOO_LONG: Duration = Duration::from_secs(300);

/// What a process said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code; `None` if it was ended.
    pub exit: Option<i32>,
    /// On stdout.
    pub printed: String,
}

/// A process, and the lines that it prints, the last perhaps without an end.
struct Running {
    child: Child,
    lines: Receiver<String>,
    until: Instant,
}

impl Running {
    fn new(mut command: Command) -> Self {
        let mut child = command.spawn().expect("a program of this build can be run");
        let output = child.stdout.take().expect("it is a pipe");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut bytes = Vec::new();
            while output.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
                // Nobody listens any more once a test has failed.
                let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
                bytes.clear();
            }
        });
        Running {
            child,
            lines,
            until: Instant::now() + TOO_LONG,
        }
    }

    /// The next line; what is left of one when the process is ended because it takes too long.
    fn line(&mut self) -> Option<String> {
        let left = self.until.saturating_duration_since(Instant::now());
        match self.lines.recv_timeout(left) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                self.child.kill().expect("a child can be ended");
                self.lines.recv().ok()
            }
        }
    }

    fn exit(&mut self) -> Option<i32> {
        let status = self.child.wait().expect("a child can be waited for");
        status.code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It is no longer of interest, whether it has ended by itself or not.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// All that it says.
pub fn said(command: Command) -> Said {
    let mut running = Running::new(command);
    let printed = std::iter::from_fn(|| running.line()).collect();
    let exit = running.exit();
    Said { exit, printed }
}

/// The test of a test program that fails first, or that the process does not survive; `None` if all pass.
pub fn failure(command: Command) -> Option<String> {
    let mut running = Running::new(command);
    let mut last = String::new();
    while let Some(line) = running.line() {
        if let Some(test) = line.trim_end().strip_suffix(" ... FAILED") {
            return Some(name(test));
        }
        last = line;
    }
    (running.exit() != Some(0)).then(|| match last.strip_suffix(" ... ") {
        Some(test) => name(test),
        None => "the process".to_owned(),
    })
}

/// `test name`, and perhaps that it should panic.
fn name(test: &str) -> String {
    let name = test.strip_prefix("test ").unwrap_or(test);
    name.trim_end_matches(" - should panic").to_owned()
}
