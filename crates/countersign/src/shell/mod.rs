//! What a command needs to speak to a shell and to a gate: output, exit codes, a client, files, log
//! verification. `cli` and `demo` use it; it knows neither of them.

mod client;
mod files;
mod output;
mod verify;

pub(crate) use client::{Client, Reply, keep_session, verdict};
pub(crate) use files::{create_state, write_new_private, write_private, write_public};
pub(crate) use output::{Output, Tone};
pub(crate) use verify::{describe_finding, finding_for_programs, verify_file};

/// Done.
pub(crate) const DONE: u8 = 0;
/// Something went wrong; nothing is known to have been done.
pub(crate) const WRONG: u8 = 1;
/// Not done yet: it waits for people.
pub(crate) const WAITING: u8 = 3;
/// The gate or a person said no.
pub(crate) const REFUSED: u8 = 4;
/// Nobody knows whether it was done.
pub(crate) const UNKNOWN: u8 = 5;
/// A log or a gate directory did not pass its check.
pub(crate) const BROKEN: u8 = 6;

/// Resolves at Ctrl-C or SIGTERM. Both are caught from this call on, not only while somebody waits.
pub(crate) fn stop_signal() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        match (terminate, interrupt) {
            (Ok(mut terminate), Ok(mut interrupt)) => {
                tokio::select! {
                    _ = terminate.recv() => {}
                    _ = interrupt.recv() => {}
                }
            }
            // Without handlers the signals end the process by themselves.
            (Err(_), _) | (_, Err(_)) => std::future::pending().await,
        }
    }
}
