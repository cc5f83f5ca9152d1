//! The only file that prints. Text that may come from agents or upstreams is made visible first (T27).

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};

use countersign_core::text::{look_alikes, visible};

/// The deepest indentation of our own lines.
const INDENT_MAX: usize = 12;

/// Standard output and standard error.
#[derive(Debug)]
pub(crate) struct Output {
    out: std::io::Stdout,
    err: std::io::Stderr,
    colour: bool,
}

/// How a line of our own stands out, on a terminal that shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// What it is about.
    Strong,
    /// What to look at twice.
    Caution,
    /// What cannot be taken back.
    Danger,
}

impl Tone {
    /// The parameters of Select Graphic Rendition (ECMA-48, section 8.3.117).
    const fn code(self) -> &'static str {
        match self {
            Self::Strong => "1",
            Self::Caution => "33",
            Self::Danger => "1;31",
        }
    }
}

/// Text that may come from others, as it is printed: everything in it visible, and each letter of another alphabet
/// that passes for a Latin one followed by its code, such as `[U+0430]` (T24).
fn shown(text: &str) -> String {
    let text = visible(text).text;
    let marks = look_alikes(&text);
    if marks.is_empty() {
        return text;
    }
    let mut flagged = String::with_capacity(text.len().saturating_mul(2));
    for (at, letter) in text.chars().enumerate() {
        flagged.push(letter);
        if marks.binary_search_by_key(&at, |(at, _)| *at).is_ok() {
            // Writing to a string cannot fail.
            let _ = write!(flagged, "[U+{:04X}]", u32::from(letter));
        }
    }
    flagged
}

/// JSON with everything beyond ASCII, and DEL, as escapes: outside of strings there is none of it.
fn ascii_json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() && letter != '\x7f' {
            escaped.push(letter);
            continue;
        }
        for unit in letter.encode_utf16(&mut [0; 2]) {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

impl Output {
    /// The process's own.
    pub(crate) fn new() -> Self {
        let out = std::io::stdout();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let colour = out.is_terminal() && !plain;
        Self { out, err: std::io::stderr(), colour }
    }

    /// The columns of the terminal; none when there is no terminal. `COLUMNS` says otherwise.
    pub(crate) fn columns(&self) -> Option<usize> {
        let said = std::env::var_os("COLUMNS").and_then(|columns| columns.to_str()?.parse().ok());
        said.or_else(|| terminal_size::terminal_size_of(&self.out).map(|(width, _)| usize::from(width.0)))
    }

    /// One line that stands out: in colour on a terminal, and otherwise as it is (<https://no-color.org>).
    pub(crate) fn toned(&mut self, tone: Tone, text: &str) {
        let text = shown(text);
        let _ = if self.colour {
            writeln!(self.out.lock(), "\x1b[{}m{text}\x1b[0m", tone.code())
        } else {
            writeln!(self.out.lock(), "{text}")
        };
    }

    /// One line of text; whatever is unusual in it becomes visible. Its indentation is ours and stays.
    pub(crate) fn line(&mut self, text: &str) {
        let rest = text.trim_start_matches(' ');
        let indent = text.len().saturating_sub(rest.len()).min(INDENT_MAX);
        // A closed pipe is the reader's choice and no fault of ours.
        let _ = writeln!(self.out.lock(), "{:indent$}{}", "", shown(rest));
    }

    /// One row of a table: each cell made visible, then padded to its width.
    pub(crate) fn row(&mut self, cells: &[(&str, usize)]) {
        let shown: Vec<String> =
            cells.iter().map(|(text, width)| format!("{:<width$}", shown(text))).collect();
        let _ = writeln!(self.out.lock(), "{}", shown.join("  ").trim_end());
    }

    /// A document for programs. Every letter that is not ASCII is escaped (RFC 8259, section 7), so the document holds
    /// exactly what it should, and a terminal shows nothing hidden.
    pub(crate) fn json(&mut self, document: &impl serde::Serialize) -> anyhow::Result<()> {
        let text = ascii_json(&serde_json::to_string_pretty(document)?);
        let _ = writeln!(self.out.lock(), "{text}");
        Ok(())
    }

    /// Text of our own, as it is.
    pub(crate) fn raw(&mut self, text: &str) {
        let mut out = self.out.lock();
        let _ = out.write_all(text.as_bytes());
        let _ = out.flush();
    }

    /// One line on standard error.
    pub(crate) fn error(&mut self, text: &str) {
        let _ = writeln!(self.err.lock(), "countersign: {}", shown(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_look_alike_is_followed_by_its_code_t24() {
        let greeting = "\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442}";
        let table = [
            ("p\u{430}ypal", "p\u{430}[U+0430]ypal"),
            ("plain", "plain"),
            (greeting, greeting),
            ("a\u{202e}b", "a<U+202E>b"),
        ];
        for (text, expect) in table {
            assert_eq!(shown(text), expect);
        }
    }
}
