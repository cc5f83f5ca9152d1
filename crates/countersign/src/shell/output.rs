//! The only file that prints. Text that may come from agents or upstreams is made visible first (T27).

use std::io::Write as _;

use countersign_core::text::visible;

/// The deepest indentation of our own lines.
const INDENT_MAX: usize = 12;

/// Standard output and standard error.
#[derive(Debug)]
pub(crate) struct Output {
    out: std::io::Stdout,
    err: std::io::Stderr,
}

impl Output {
    /// The process's own.
    pub(crate) fn new() -> Self {
        Self { out: std::io::stdout(), err: std::io::stderr() }
    }

    /// One line of text; whatever is unusual in it becomes visible. Its indentation is ours and stays.
    pub(crate) fn line(&mut self, text: &str) {
        let rest = text.trim_start_matches(' ');
        let indent = text.len().saturating_sub(rest.len()).min(INDENT_MAX);
        // A closed pipe is the reader's choice and no fault of ours.
        let _ = writeln!(self.out.lock(), "{:indent$}{}", "", visible(rest).text);
    }

    /// One row of a table: each cell made visible, then padded to its width.
    pub(crate) fn row(&mut self, cells: &[(&str, usize)]) {
        let shown: Vec<String> =
            cells.iter().map(|(text, width)| format!("{:<width$}", visible(text).text)).collect();
        let _ = writeln!(self.out.lock(), "{}", shown.join("  ").trim_end());
    }

    /// Several lines, each made visible.
    pub(crate) fn lines(&mut self, text: &str) {
        text.lines().for_each(|line| self.line(line));
    }

    /// Text of our own, as it is.
    pub(crate) fn raw(&mut self, text: &str) {
        let mut out = self.out.lock();
        let _ = out.write_all(text.as_bytes());
        let _ = out.flush();
    }

    /// One line on standard error.
    pub(crate) fn error(&mut self, text: &str) {
        let _ = writeln!(self.err.lock(), "countersign: {}", visible(text).text);
    }
}
