//! Counts that have no noise: how often a process asked the disk to be durable.
//!
//! The kernel counts, not the process itself. `perf` is asked first because it hardly slows the process; `strace`
//! stops it at each call, which changes how many decisions share a commit, so its numbers are an upper bound.
//! With neither, the figure is inconclusive; it is never guessed.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::NamedTempFile;

use crate::clock;
use crate::process::Guarded;

/// How long a counter may take to attach.
const ATTACH_WITHIN: Duration = Duration::from_secs(5);

/// Who counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Kernel tracepoints.
    Perf,
    /// System call tracing.
    Strace,
}

impl Tool {
    /// The first that works here, tried on a process of no interest.
    pub(crate) fn find() -> Option<Self> {
        [Self::Perf, Self::Strace].into_iter().find(|tool| tool.works())
    }

    /// Its name, for the reader.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Perf => "perf",
            Self::Strace => "strace",
        }
    }

    fn works(self) -> bool {
        let Ok(out) = NamedTempFile::new() else { return false };
        let mut command = self.command(out.path());
        command.arg("true").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|s| s.success())
            && fs::read_to_string(out.path()).is_ok_and(|text| self.read(&text).is_some())
    }

    fn command(self, out: &Path) -> Command {
        let mut command;
        match self {
            Self::Perf => {
                command = Command::new("perf");
                command.args([
                    "stat",
                    "-x,",
                    "-e",
                    "syscalls:sys_enter_fdatasync,syscalls:sys_enter_fsync",
                    "-o",
                ]);
            }
            Self::Strace => {
                command = Command::new("strace");
                command.args(["-f", "-e", "trace=fdatasync,fsync", "-o"]);
            }
        }
        command.arg(out);
        command
    }

    fn read(self, text: &str) -> Option<u64> {
        match self {
            Self::Perf => read_perf(text),
            Self::Strace => Some(read_strace(text)),
        }
    }

    /// Starts to count the syncs of a running process, all its threads included.
    pub(crate) fn attach(self, id: u32) -> Result<Counting> {
        let out = NamedTempFile::new()?;
        let mut command = self.command(out.path());
        command.arg("-p").arg(id.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = Guarded::spawn(&mut command)?;
        self.wait_until_attached(id)?;
        Ok(Counting { tool: self, process, out })
    }

    /// A traced process names its tracer. What `perf` does cannot be seen from outside: it gets a moment.
    fn wait_until_attached(self, id: u32) -> Result<()> {
        match self {
            Self::Perf => std::thread::sleep(Duration::from_millis(500)),
            Self::Strace => {
                let status = Path::new("/proc").join(id.to_string()).join("status");
                let last = clock::after(clock::now(), ATTACH_WITHIN);
                while fs::read_to_string(&status)?.contains("TracerPid:\t0\n") && clock::now() < last {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
        Ok(())
    }
}

/// A counter that is attached.
#[derive(Debug)]
pub(crate) struct Counting {
    tool: Tool,
    process: Guarded,
    out: NamedTempFile,
}

impl Counting {
    /// Stops, and gives how many syncs there were.
    pub(crate) fn stop(self) -> Result<u64> {
        self.process.end("INT")?;
        let text = fs::read_to_string(self.out.path())?;
        self.tool.read(&text).with_context(|| format!("`{}` gave no count: {text}", self.tool.name()))
    }
}

/// `12,,syscalls:sys_enter_fdatasync,…` for each event. None when an event was not counted.
fn read_perf(text: &str) -> Option<u64> {
    let mut sum = None;
    for line in text.lines().filter(|l| l.contains("sys_enter_f")) {
        let count: u64 = line.split(',').next()?.trim().parse().ok()?;
        sum = Some(sum.unwrap_or(0_u64).saturating_add(count));
    }
    sum
}

/// One line for each call; one that was interrupted by another thread has a second line that says `resumed`.
fn read_strace(text: &str) -> u64 {
    let calls = text.lines().filter(|l| !l.contains("resumed>"));
    let count = calls.filter(|l| l.contains(" fdatasync(") || l.contains(" fsync(")).count();
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn perf_counts_are_added_and_an_event_that_was_not_counted_is_no_zero() {
        let text = "# started on Mon\n\n12,,syscalls:sys_enter_fdatasync,836109,100.00,,\n3,,syscalls:sys_enter_fsync,836109,100.00,,\n";
        assert_eq!(read_perf(text), Some(15));
        assert_eq!(read_perf("<not supported>,,syscalls:sys_enter_fdatasync,0,100.00,,\n"), None);
        assert_eq!(read_perf(""), None);
    }

    #[test]
    fn a_call_that_was_interrupted_is_counted_once() {
        let text = "7  fdatasync(9 <unfinished ...>\n8  fsync(3) = 0\n7  <... fdatasync resumed>) = 0\n8  fdatasync(4) = 0\n7  +++ exited with 0 +++\n";
        assert_eq!(read_strace(text), 3);
    }

    #[test]
    fn the_syncs_of_a_process_are_counted_exactly_by_every_tool_that_is_there() {
        for tool in [Tool::Perf, Tool::Strace].into_iter().filter(|tool| tool.works()) {
            let file = NamedTempFile::new().unwrap();
            // One sync for each line it is given, so that nothing happens before the counter is attached.
            let script = format!("while read line; do sync -d {}; done", file.path().display());
            let mut command = Command::new("sh");
            let mut shell = command.args(["-c", &script]).stdin(Stdio::piped()).spawn().unwrap();
            let counting = tool.attach(shell.id()).unwrap();
            let mut lines = shell.stdin.take().unwrap();
            lines.write_all(&b"go\n".repeat(7)).unwrap();
            drop(lines);
            assert!(shell.wait().unwrap().success());
            assert_eq!(counting.stop().unwrap(), 7, "{}", tool.name());
        }
    }
}
