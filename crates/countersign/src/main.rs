//! The `countersign` binary: surfaces over the engine, and process start.

mod cli;
mod config;
mod console;
mod demo;
mod http;
mod listen;
mod reference;
mod reload;
mod serve;
mod shell;
mod surface;
mod telemetry;
mod wire;

fn main() -> std::process::ExitCode {
    cli::run()
}
