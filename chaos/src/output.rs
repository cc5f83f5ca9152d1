//! The only file that prints: the result to standard output, progress to standard error.

use std::io::Write as _;

/// One line of the result.
#[expect(clippy::print_stdout, reason = "the result of this program is what it prints")]
pub(crate) fn line(text: &str) {
    println!("{text}");
    // A closed pipe is the reader's choice and no reason to stop.
    std::io::stdout().flush().unwrap_or_default();
}

/// Progress.
#[expect(clippy::print_stderr, reason = "progress must not mix with the result")]
pub(crate) fn progress(text: &str) {
    eprintln!("{text}");
}
