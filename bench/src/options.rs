//! The command line. `gen` and `echo` are this program's own helper processes and stay out of the help.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// Measures the gate beside its yardsticks. Exit code 0: it ran, 2: it could not.
#[derive(Debug, Clone, Parser)]
#[command(name = "countersign-bench")]
pub(crate) struct Options {
    /// Five rounds of one second instead of seven of three: about two minutes.
    #[arg(long, env = "QUICK", num_args = 0..=1, default_value = "false", default_missing_value = "true",
          value_parser = clap::builder::FalseyValueParser::new())]
    pub(crate) quick: bool,
    /// The released gate; by default `release/countersign` in Cargo's target directory.
    #[arg(long)]
    pub(crate) gate: Option<PathBuf>,
    /// Cargo's target directory, where the gate is looked for and temporary databases are put.
    #[arg(long, env = "CARGO_TARGET_DIR", default_value = "target")]
    pub(crate) target: PathBuf,
    /// Where databases are put while they are measured. It must be on a real disk.
    #[arg(long)]
    pub(crate) dir: Option<PathBuf>,
    /// Only these figures, such as `P3,P4`.
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<String>,
    /// Pending proposals of the large store of P10, P11 and P14: a million (5 GB of disk), quickly a tenth of it.
    #[arg(long)]
    pub(crate) rows: Option<u64>,
    /// Only the machine's limits: needs no gate.
    #[arg(long)]
    pub(crate) limits: bool,
    /// A helper process of the benchmark itself.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// A helper process of the benchmark itself.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Command {
    /// Reads a load as JSON from standard input, runs it, prints one line of results.
    #[command(hide = true)]
    Gen,
    /// Serves the echo until standard input ends; the first line it prints is its address.
    #[command(hide = true)]
    Echo,
}

/// How long and how often everything is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Rounds of a figure.
    pub(crate) rounds: usize,
    /// One third of a round.
    pub(crate) segment: Duration,
    /// Load that goes before each segment and is not counted.
    pub(crate) warm: Duration,
    /// Syncs of the disk that are timed.
    pub(crate) syncs: usize,
}

impl Options {
    /// The pace that was asked for.
    pub(crate) fn pace(&self) -> Pace {
        if self.quick {
            Pace { rounds: 5, segment: Duration::from_secs(1), warm: Duration::from_millis(150), syncs: 400 }
        } else {
            Pace {
                rounds: 7,
                segment: Duration::from_secs(3),
                warm: Duration::from_millis(300),
                syncs: 2_000,
            }
        }
    }

    /// Pending proposals of the large store.
    pub(crate) fn large_rows(&self) -> u64 {
        self.rows.unwrap_or(if self.quick { 100_000 } else { 1_000_000 })
    }

    /// The gate's binary.
    pub(crate) fn gate_binary(&self) -> PathBuf {
        self.gate.clone().unwrap_or_else(|| self.target.join("release").join("countersign"))
    }

    /// Where databases are put.
    pub(crate) fn work_dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| self.target.join("bench"))
    }

    /// Whether this figure was asked for.
    pub(crate) fn wants(&self, id: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|o| o.eq_ignore_ascii_case(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_wanted_unless_others_were_named() {
        let all = Options::parse_from(["bench"]);
        assert!(all.wants("P4") && !all.limits);
        let some = Options::parse_from(["bench", "--quick", "--only", "P3,p4"]);
        assert!(some.quick && some.wants("P4") && !some.wants("P8"));
        assert_eq!(some.pace().rounds, 5);
    }
}
