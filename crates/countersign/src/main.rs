//! The `countersign` binary: surfaces over the engine, and process start.

mod auth;
mod cli;
mod config;
mod console;
mod demo;
mod export;
mod http;
mod listen;
mod reload;
mod serve;
mod telemetry;
mod wire;

fn main() -> std::process::ExitCode {
    cli::run()
}
