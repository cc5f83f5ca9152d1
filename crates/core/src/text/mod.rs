//! Text from agents and upstreams, made safe to look at: unusual characters become visible, nothing is
//! cut silently. The console and the CLI show nothing else (T23-T28).
//!
//! What comes out of here holds no control, format, private-use or unassigned character, so it can neither
//! steer a terminal nor hide or reorder what stands beside it. It is still data: whoever prints it escapes it
//! for HTML.

mod suspicious;

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use unicode_general_category::{GeneralCategory, get_general_category};

use crate::digest::Digest;

pub use suspicious::{is_suspicious, look_alikes, what_is};

/// Combining marks in a row that are shown. Real scripts use up to four; more can cover other lines.
const MARKS_MAX: usize = 4;
/// Spaces in a row that are shown as they are. More can push text out of sight.
const SPACES_MAX: usize = 3;
/// Empty lines in a row that are shown as they are.
const EMPTY_LINES_MAX: usize = 3;

/// A piece of text prepared for the eye.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What to print. Contains no control, format, private-use or unassigned character.
    pub text: String,
    /// Whether anything had to be made visible or was hidden.
    pub altered: bool,
    /// Bytes of the original.
    pub bytes: usize,
}

/// Makes a single line visible: `<U+202E>` for what is invisible or misleading, line feeds and tabs included.
pub fn visible(text: &str) -> Shown {
    let mut writer = Writer::default();
    text.chars().for_each(|c| writer.push(c));
    writer.finish(text.len())
}

/// Makes text of several lines visible, line by line; only the line feed separates.
///
/// A long run of empty lines becomes one line that says how many there were.
pub fn visible_lines(text: &str) -> Vec<Shown> {
    let lines: Vec<&str> = text.split('\n').collect();
    lines
        .chunk_by(|a, b| a.is_empty() && b.is_empty())
        .flat_map(|run| {
            if run.len() > EMPTY_LINES_MAX {
                let text = format!("<empty lines ×{}>", run.len());
                vec![Shown { text, altered: true, bytes: run.len() }]
            } else {
                run.iter().map(|line| visible(line)).collect()
            }
        })
        .collect()
}

/// Makes a single line visible and keeps only its first `head` and last `tail` characters when it is longer.
///
/// What is left out is named in the middle: how many characters, and the start of the SHA-256 of the whole,
/// so that two texts that differ only in the hidden part look different (T25).
pub fn shorten(text: &str, head: usize, tail: usize) -> Shown {
    let count = text.chars().count();
    let keep = head.saturating_add(tail);
    if count <= keep {
        return visible(text);
    }
    let hidden = count.saturating_sub(keep);
    let whole = Digest::from_bytes(Sha256::digest(text.as_bytes()).into()).to_hex();
    let digest: String = whole.chars().take(16).collect();
    let first = visible(&text.chars().take(head).collect::<String>());
    let last = visible(&text.chars().skip(count.saturating_sub(tail)).collect::<String>());
    let text_shown = format!("{} … {hidden} characters hidden, sha256 {digest} … {}", first.text, last.text);
    Shown { text: text_shown, altered: true, bytes: text.len() }
}

/// Writes characters one by one and remembers what the last ones were.
#[derive(Default)]
struct Writer {
    text: String,
    altered: bool,
    spaces: usize,
    /// Marks since the last base character; none when there is nothing that a mark could sit on.
    marks: Option<usize>,
}

impl Writer {
    fn push(&mut self, c: char) {
        if c == ' ' {
            self.spaces = self.spaces.saturating_add(1);
            self.marks = None;
            return;
        }
        self.flush_spaces();
        if is_mark(c) && !is_invisible(c) {
            match self.marks {
                Some(n) if n < MARKS_MAX => {
                    self.marks = Some(n.saturating_add(1));
                    self.text.push(c);
                }
                // A mark without a base would sit on our own text; one too many is a flood.
                _ => self.escape(c),
            }
        } else if is_invisible(c) {
            self.escape(c);
            self.marks = None;
        } else {
            self.text.push(c);
            self.marks = Some(0);
        }
    }

    fn escape(&mut self, c: char) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "<U+{:04X}>", u32::from(c));
        self.altered = true;
    }

    fn flush_spaces(&mut self) {
        if self.spaces > SPACES_MAX {
            let _ = write!(self.text, " <spaces ×{}> ", self.spaces);
            self.altered = true;
        } else {
            self.text.extend(std::iter::repeat_n(' ', self.spaces));
        }
        self.spaces = 0;
    }

    fn finish(mut self, bytes: usize) -> Shown {
        self.flush_spaces();
        Shown { text: self.text, altered: self.altered, bytes }
    }
}

/// Whether a character has no shape of its own, or may change what stands beside it.
fn is_invisible(c: char) -> bool {
    if c == ' ' || c.is_ascii_graphic() {
        return false;
    }
    matches!(
        get_general_category(c),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::PrivateUse
            | GeneralCategory::Surrogate
            | GeneralCategory::Unassigned
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::SpaceSeparator
    ) || is_blank(c)
}

/// Characters that are letters, marks or symbols by category and yet nothing to see: the assigned code points
/// of `Default_Ignorable_Code_Point` that are not `Cf`, and those that are drawn as a blank.
fn is_blank(c: char) -> bool {
    matches!(c,
        '\u{034F}' // combining grapheme joiner
        | '\u{115F}' | '\u{1160}' | '\u{3164}' | '\u{FFA0}' // Hangul fillers
        | '\u{17B4}' | '\u{17B5}' // Khmer inherent vowels
        | '\u{180B}'..='\u{180F}' // Mongolian variation selectors
        | '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}' // variation selectors
        | '\u{E0000}'..='\u{E007F}' // tags
        | '\u{2800}' // Braille pattern blank
        | '\u{FFFC}' // object replacement
        | '\u{16FE4}' // Khitan small script filler
        | '\u{1D159}' // musical symbol null notehead
    )
}

fn is_mark(c: char) -> bool {
    !c.is_ascii()
        && matches!(
            get_general_category(c),
            GeneralCategory::NonspacingMark | GeneralCategory::SpacingMark | GeneralCategory::EnclosingMark
        )
}

#[cfg(test)]
mod tests;
