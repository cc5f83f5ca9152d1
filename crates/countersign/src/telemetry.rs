//! The operator's log. Spans and outcomes, never arguments, never secrets.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

/// Writes the operator's log to standard error. `filter` is a `tracing` filter such as `info`.
pub(crate) fn start(filter: &str) {
    let filter = EnvFilter::try_new(filter).unwrap_or_else(|_| EnvFilter::new("info"));
    // Colours are for terminals: in a file or a collector they are control characters.
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    // A second start in one process (a test) keeps the first.
    let _ = subscriber.try_init();
}
