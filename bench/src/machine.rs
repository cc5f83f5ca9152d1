//! The machine's own limits, printed above the figures: a slow disk or a busy neighbour then explains itself.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use sha2::{Digest as _, Sha256};

use crate::echo::Echo;
use crate::load::Load;
use crate::options::Pace;
use crate::stats::{Summary, float, rate};
use crate::yardstick::{self, RowSizes};
use crate::{clock, disk, output};

/// Bytes of a log entry's body, as the chain hashes it.
const BODY_BYTES: usize = 700;

/// Measures and prints everything that bounds the figures below.
pub(crate) fn print(dir: &Path, pace: &Pace, echo: &Echo) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    output::line(&format!("machine cores={cores} dir={} filesystem={}", dir.display(), filesystem(dir)));
    output::line(&format!("machine {}", strain()));

    let disk = disk::measure(dir, pace.syncs)?;
    output::line(&format!("limit Y4 fdatasync 4KiB append {}", latency(&disk.append)));
    output::line(&format!("limit Y4 fdatasync 4KiB preallocated {}", latency(&disk.preallocated)));
    output::line(&format!("limit Y5 sha256 chain of {BODY_BYTES} B {:.2}M/s", chain(pace.segment) / 1e6));

    for connections in [1, 16, 64] {
        let load = Load::closed(echo.target(), connections, pace.warm, pace.segment);
        let answers = load.run_one("the echo")?;
        output::line(&format!(
            "limit Y2 echo c={connections} {:.0}/s {}",
            answers.per_second,
            latency(&answers.latency)
        ));
    }
    for submitters in [1, 64, 256] {
        let reached = yardstick::run(dir, RowSizes::USUAL, submitters, (pace.warm, pace.segment))?;
        output::line(&format!(
            "limit Y3 sqlite FULL submitters={submitters} {:.0}/s commit {}",
            reached.per_second,
            latency(&reached.commit)
        ));
    }
    Ok(())
}

/// A latency for the reader.
pub(crate) fn latency(summary: &Summary) -> String {
    format!("p50={:.0}us p90={:.0}us p99={:.0}us", summary.p50_us, summary.p90_us, summary.p99_us)
}

/// Load average and pressure: who else is at work.
pub(crate) fn strain() -> String {
    let average = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let average: Vec<&str> = average.split_whitespace().take(3).collect();
    let pressure = ["cpu", "io", "memory"].map(|what| {
        let text = fs::read_to_string(Path::new("/proc/pressure").join(what)).unwrap_or_default();
        format!("{what}={}", stalled(&text).unwrap_or("?"))
    });
    format!("load={} pressure(some,10s) {}", average.join("/"), pressure.join(" "))
}

/// The share of the last ten seconds in which something waited, from `/proc/pressure/*`.
fn stalled(text: &str) -> Option<&str> {
    text.lines().find(|l| l.starts_with("some "))?.split_whitespace().find_map(|w| w.strip_prefix("avg10="))
}

/// The type of the filesystem that holds a directory, from the longest mount point above it.
fn filesystem(dir: &Path) -> String {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let best = mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            Some((words.next()?, words.next()?))
        })
        .filter(|(point, _)| dir.starts_with(point))
        .max_by_key(|(point, _)| point.len());
    best.map_or_else(|| "unknown".to_owned(), |(_, kind)| kind.to_owned())
}

/// Y5: entries per second of a chain in which each digest covers the one before it.
fn chain(length: Duration) -> f64 {
    let body = [0x5a_u8; BODY_BYTES];
    let mut head = [0_u8; 32];
    let begin = clock::now();
    let mut count = 0_u64;
    while begin.elapsed() < length {
        for _ in 0..256 {
            head = Sha256::new().chain_update(head).chain_update(body).finalize().into();
        }
        count = count.saturating_add(256);
    }
    let took = begin.elapsed();
    // The head is looked at, so that the work cannot be left out.
    if head == [0; 32] { float(0) } else { rate(count, took) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pressure_is_the_share_in_which_something_waited() {
        let text =
            "some avg10=0.61 avg60=6.13 avg300=2.88 total=3\nfull avg10=0.00 avg60=0 avg300=0 total=0\n";
        assert_eq!(stalled(text), Some("0.61"));
        assert_eq!(stalled(""), None);
    }

    #[test]
    fn the_chain_goes_on_for_the_time_asked() {
        assert!(chain(Duration::from_millis(5)) > 0.0);
    }
}
