//! The `countersign` binary: surfaces over the engine, and process start.

mod cli;
mod config;
mod console;
mod demo;
mod http;
mod import;
mod listen;
mod mcp;
mod reference;
mod reload;
mod serve;
mod shell;
mod surface;
mod telemetry;
mod wire;

/// The hot path makes and frees some hundred small pieces for each proposal.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    cli::run()
}
