//! The benchmark: what the gate costs, as ratios to yardsticks that are measured beside it in the same run.
//!
//! Absolute numbers belong to one machine, ratios travel. So every figure is taken in rounds of yardstick,
//! subject, yardstick, and the machine's own limits are printed above them. This program must never measure
//! the gate from inside: it starts the released binary and talks to it as an agent and a person would.

mod bulk;
mod client;
mod clock;
mod closed;
mod counters;
mod disk;
mod echo;
mod figure;
mod figures;
mod flood;
mod gatedir;
mod http;
mod large;
mod load;
mod machine;
mod mcp;
mod open;
mod options;
mod output;
mod policies;
mod process;
mod protocol;
mod stats;
mod subject;
mod suite;
mod template;
mod yardstick;

use std::process::ExitCode;

use clap::Parser;

use options::{Command, Options};

fn main() -> ExitCode {
    let options = Options::parse();
    let done = match options.command {
        Some(Command::Gen) => load::serve_one().map(|()| ExitCode::SUCCESS),
        Some(Command::Echo) => echo::serve().map(|()| ExitCode::SUCCESS),
        None => suite::run(&options),
    };
    done.unwrap_or_else(|error| {
        output::complain(&format!("error: {error:#}"));
        ExitCode::from(2)
    })
}
