//! The only file that prints: figures to standard output, remarks to standard error.

use std::io::Write as _;

/// One line of the result. Written at once, so that a long run can be watched through a pipe.
#[expect(clippy::print_stdout, reason = "the result of this program is what it prints")]
pub(crate) fn line(text: &str) {
    println!("{text}");
    // A closed pipe is the reader's choice and no reason to stop measuring.
    std::io::stdout().flush().unwrap_or_default();
}

/// A remark beside the result.
#[expect(clippy::print_stderr, reason = "remarks must not mix with the result")]
pub(crate) fn complain(text: &str) {
    eprintln!("{text}");
}
