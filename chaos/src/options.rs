//! What the program is asked to do.

use std::path::PathBuf;

use crate::Result;
use crate::plan::Store;

/// How to call it.
pub(crate) const USAGE: &str =
    "usage: countersign-chaos [--store sqlite|postgres] [--seconds N] [--seed N] [--guards] [--guard NAME]
The gate's binary is named by COUNTERSIGN_BIN; without it, target/debug/countersign is taken.";

/// The options of one call.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) store: Store,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
    /// Run once for each weakened guard, and demand that it is caught.
    pub(crate) guards: bool,
    /// Only this guard.
    pub(crate) guard: Option<String>,
    pub(crate) binary: PathBuf,
}

impl Options {
    /// From the command line and the environment.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut options = Self {
            store: Store::Sqlite,
            seconds: 30,
            seed: 1,
            guards: false,
            guard: None,
            binary: std::path::absolute(
                variable("COUNTERSIGN_BIN").unwrap_or("target/debug/countersign".to_owned()),
            )?,
        };
        let mut arguments = arguments;
        while let Some(name) = arguments.next() {
            if name == "--guards" {
                options.guards = true;
                continue;
            }
            let value = arguments.next().ok_or_else(|| format!("`{name}` needs a value\n{USAGE}"))?;
            let wrong = || format!("`{name}` cannot be `{value}`\n{USAGE}");
            match (name.as_str(), value.as_str()) {
                ("--store", "sqlite") => options.store = Store::Sqlite,
                ("--store", "postgres") => options.store = Store::Postgres,
                ("--seconds", number) => options.seconds = number.parse().map_err(|_| wrong())?,
                ("--seed", number) => options.seed = number.parse().map_err(|_| wrong())?,
                ("--guard", guard) => options.guard = Some(guard.to_owned()),
                _ => return Err(wrong().into()),
            }
        }
        if !options.binary.exists() {
            return Err(
                format!("there is no gate at `{}`; run `cargo build`", options.binary.display()).into()
            );
        }
        Ok(options)
    }
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
