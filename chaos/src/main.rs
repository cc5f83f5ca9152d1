//! Chaos: real gate processes, a real store and a real upstream, under faults that a seed chooses. Afterwards a
//! checker compares what agents were told with what the upstream did and what the log says.
//!
//! It must never use a crate of the gate: a mistake in shared code would be made on both sides and not be seen.

mod agents;
mod arena;
mod checker;
mod clock;
mod faults;
mod files;
mod gate;
mod http;
mod ledger;
mod mcp;
mod options;
mod output;
mod people;
mod plan;
mod postgres;
mod random;
mod run;
mod settle;
mod shim;
mod summary;
mod upstream;

use std::process::ExitCode;

use options::Options;

/// Any error: it ends the run, and its text says what could not be done.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
/// Its result.
pub(crate) type Result<T> = std::result::Result<T, Error>;

#[tokio::main]
async fn main() -> ExitCode {
    clock::millis();
    let done = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => summary::run_as_asked(&options).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            output::progress(&format!("error: {error}"));
            ExitCode::from(2)
        }
    }
}
