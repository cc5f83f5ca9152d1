//! Processes that the benchmark starts: its own helpers and the gate. Whatever it started ends with it.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::clock;

/// How long a process may take to end when asked to.
const END_WITHIN: Duration = Duration::from_mins(1);

/// A process that is killed when this value goes.
#[derive(Debug)]
pub(crate) struct Guarded(Child);

impl Drop for Guarded {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        self.0.kill().unwrap_or_default();
        self.0.wait().map(|_| ()).unwrap_or_default();
    }
}

impl Guarded {
    /// Starts it.
    pub(crate) fn spawn(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        Ok(Self(command.spawn().with_context(|| format!("failed to start `{name}`"))?))
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(Some(_)) | Err(_))
    }

    /// Asks it to end, as a service manager would, and waits until it has.
    pub(crate) fn end(mut self, signal: &str) -> Result<()> {
        let asked = Command::new("kill").arg(format!("-{signal}")).arg(self.id().to_string()).status();
        if !asked.is_ok_and(|s| s.success()) {
            bail!("failed to send {signal} to process {}", self.id());
        }
        let last = clock::after(clock::now(), END_WITHIN);
        while !self.has_ended() {
            if clock::now() > last {
                bail!("process {} did not end within {END_WITHIN:?} of {signal}", self.id());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

/// Runs this program as a helper, gives it `input`, and waits for what it prints.
pub(crate) fn run_helper(name: &str, input: &[u8]) -> Result<Vec<u8>> {
    let mut child = helper(name)?;
    let mut stdin = child.0.stdin.take().context("the helper has no standard input")?;
    stdin.write_all(input)?;
    drop(stdin);
    let mut printed = Vec::new();
    let mut stdout = child.0.stdout.take().context("the helper has no standard output")?;
    stdout.read_to_end(&mut printed)?;
    let status = child.0.wait()?;
    if !status.success() {
        bail!("the helper `{name}` failed: {status}");
    }
    Ok(printed)
}

/// Starts this program as a helper that serves, and gives the first line it prints.
pub(crate) fn serve_helper(name: &str) -> Result<(Guarded, String)> {
    let mut child = helper(name)?;
    let stdout = child.0.stdout.take().context("the helper has no standard output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    if line.trim().is_empty() {
        bail!("the helper `{name}` did not start");
    }
    Ok((child, line.trim().to_owned()))
}

fn helper(name: &str) -> Result<Guarded> {
    let program = std::env::current_exe().context("failed to find this program's own file")?;
    Guarded::spawn(Command::new(program).arg(name).stdin(Stdio::piped()).stdout(Stdio::piped()))
}

/// What Linux counts for a process, from `/proc/PID/io` and `/proc/PID/status`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Bytes handed to `write` and its relatives, sockets included.
    pub(crate) handed: u64,
    /// Whether it still writes to a disk: it grows with every page dirtied, by a whole folio, so it measures
    /// nothing (see [`crate::disk::written`]).
    pub(crate) written: u64,
    /// Resident memory in KiB.
    pub(crate) resident_kib: u64,
}

/// Reads what Linux counts for a process.
pub(crate) fn usage(id: u32) -> Result<Usage> {
    let read = |name: &str| {
        let path = Path::new("/proc").join(id.to_string()).join(name);
        fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))
    };
    let (io, status) = (read("io")?, read("status")?);
    Ok(Usage {
        handed: field(&io, "wchar"),
        written: field(&io, "write_bytes"),
        resident_kib: field(&status, "VmRSS"),
    })
}

/// The processor time that a process has used so far, to a hundredth of a second.
pub(crate) fn cpu_time(id: u32) -> Result<Duration> {
    let path = Path::new("/proc").join(id.to_string()).join("stat");
    let text = fs::read_to_string(&path).with_context(|| format!("failed to read {}", path.display()))?;
    Ok(ticks(&text))
}

/// User and system time, fields 14 and 15 of `/proc/PID/stat`. The name in field 2 may hold spaces, so they are
/// counted from its closing bracket. Linux gives them in hundredths of a second on every platform.
fn ticks(stat: &str) -> Duration {
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let both = after_name.split_whitespace().skip(11).take(2);
    let ticks = both.filter_map(|t| t.parse().ok()).fold(0_u64, u64::saturating_add);
    Duration::from_millis(ticks.saturating_mul(10))
}

/// The number behind `name:`; 0 when it is not there.
fn field(text: &str, name: &str) -> u64 {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(n, _)| *n == name)
        .and_then(|(_, value)| value.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_both_of_the_forms_that_proc_has() {
        let io = "rchar: 10\nwchar: 20\nwrite_bytes: 4096\ncancelled_write_bytes: 7\n";
        assert_eq!((field(io, "wchar"), field(io, "write_bytes")), (20, 4096));
        assert_eq!(field("Name:\tx\nVmRSS:\t   21344 kB\n", "VmRSS"), 21_344);
        assert_eq!(field(io, "nothing"), 0);
    }

    #[test]
    fn processor_time_is_read_past_a_name_with_spaces() {
        let stat = "12 (a b) c) S 1 2 3 4 5 6 7 8 9 10 30 12 0 0 20 0 1 0 5\n";
        assert_eq!(ticks(stat), Duration::from_millis(420));
        assert_eq!(ticks(""), Duration::ZERO);
    }

    #[test]
    fn this_process_is_resident() {
        assert!(usage(std::process::id()).unwrap().resident_kib > 0);
    }
}
