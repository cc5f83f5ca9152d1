//! Text from agents and upstreams as the pages print it: made visible by core, isolated, and never cut
//! silently. What is too long shows its head and its tail, says how much is between, and opens (T23, T25).
//!
//! These are the only types that templates print without escaping, and each escapes what it holds.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use askama::Template;
use askama::filters::HtmlSafe;
use countersign_core::text::{Shown, is_suspicious, look_alikes, shorten, visible, visible_lines, what_is};
use countersign_core::time::Timestamp;
use serde_json::Value;

/// A value longer than this many characters is shortened.
const CHARS_MAX: usize = 480;
/// Characters shown before the gap.
const CHARS_HEAD: usize = 280;
/// Characters shown after the gap.
const CHARS_TAIL: usize = 120;
/// Characters of a line in a list before what is left out.
const BRIEF_HEAD: usize = 140;
/// Characters of a line in a list after what is left out.
const BRIEF_TAIL: usize = 60;
/// A block with more lines than this is shortened.
const LINES_MAX: usize = 80;
/// Lines shown before the gap.
const LINES_HEAD: usize = 50;
/// Lines shown after the gap.
const LINES_TAIL: usize = 20;

/// Kinds of look-alike letters that one text explains.
const KINDS_MAX: usize = 8;

/// One line of text, ready to print.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "console/text.html")]
pub(crate) struct Text {
    head: Vec<Run>,
    rest: Option<Rest>,
    /// What is odd about it, if anything.
    odd: Option<&'static str>,
    /// What each kind of look-alike letter in it is; empty in lists, where nothing opens.
    letters: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Rest {
    count: usize,
    middle: Vec<Run>,
    tail: Vec<Run>,
}

/// Letters in a row that are all look-alikes, or none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    text: String,
    marked: bool,
}

/// Several lines of text, ready to print.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "console/block.html")]
pub(crate) struct Block {
    head: Vec<Text>,
    rest: Option<Lines>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Lines {
    middle: Vec<Text>,
    tail: Vec<Text>,
}

/// A moment: absolute, with its zone, and how far it is from now (T30).
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "console/time.html")]
pub(crate) struct Time {
    iso: String,
    full: String,
    shown: String,
    relative: String,
}

impl HtmlSafe for Text {}
impl HtmlSafe for Block {}
impl HtmlSafe for Time {}

/// Prepares text for the eye, and counts what it had to shorten or to make visible.
#[derive(Debug, Default)]
pub(crate) struct Eye {
    shortened: Cell<usize>,
    altered: Cell<usize>,
    suspicious: Cell<usize>,
}

impl Eye {
    /// In how many places something is behind "show them".
    pub(crate) fn shortened(&self) -> usize {
        self.shortened.get()
    }

    /// In how many places unusual characters were made visible.
    pub(crate) fn altered(&self) -> usize {
        self.altered.get()
    }

    /// In how many places letters of another alphabet pass for Latin ones (T24).
    pub(crate) fn suspicious(&self) -> usize {
        self.suspicious.get()
    }

    /// One line.
    pub(crate) fn text(&self, text: &str) -> Text {
        self.line("", &visible(text), is_suspicious(text))
    }

    /// One line for a list, where nothing opens: what is left out is named in its place.
    pub(crate) fn brief(&self, text: &str) -> Text {
        let line = self.line("", &shorten(text, BRIEF_HEAD, BRIEF_TAIL), is_suspicious(text));
        Text { letters: Vec::new(), ..line }
    }

    /// Text with line breaks.
    pub(crate) fn block(&self, text: &str) -> Block {
        self.lines(visible_lines(text).iter().map(|l| self.line("", l, is_suspicious(&l.text))).collect())
    }

    /// A JSON value as JSON, so that `"1"`, `1`, `null` and an empty text all look different (T30).
    pub(crate) fn json(&self, value: &Value) -> Block {
        let text = serde_json::to_string_pretty(value).unwrap_or_default();
        // A string's own line breaks are escaped in JSON, so what indents a line is ours and not the value's.
        let line = |line: &str| {
            let rest = line.trim_start_matches(' ');
            let indent = " ".repeat(line.len().saturating_sub(rest.len()));
            self.line(&indent, &visible(rest), is_suspicious(rest))
        };
        self.lines(text.split('\n').map(line).collect())
    }

    fn line(&self, indent: &str, shown: &Shown, suspicious: bool) -> Text {
        bump(&self.altered, shown.altered);
        bump(&self.suspicious, suspicious);
        let odd = match (shown.altered, suspicious) {
            (_, true) => Some("Letters of another alphabet that pass for Latin ones"),
            (true, false) => Some("Unusual characters are shown as codes"),
            (false, false) => None,
        };
        let text = format!("{indent}{}", shown.text);
        let marks = if suspicious { look_alikes(&text) } else { Vec::new() };
        let letters = kinds(&marks);
        let count = text.chars().count();
        if count <= CHARS_MAX {
            return Text { head: runs(&text, 0, &marks), rest: None, odd, letters };
        }
        bump(&self.shortened, true);
        let between = count.saturating_sub(CHARS_HEAD).saturating_sub(CHARS_TAIL);
        let mut chars = text.chars();
        let head: String = chars.by_ref().take(CHARS_HEAD).collect();
        let middle: String = chars.by_ref().take(between).collect();
        let tail = runs(chars.as_str(), CHARS_HEAD.saturating_add(between), &marks);
        let rest = Rest { count: between, middle: runs(&middle, CHARS_HEAD, &marks), tail };
        Text { head: runs(&head, 0, &marks), rest: Some(rest), odd, letters }
    }

    fn lines(&self, mut head: Vec<Text>) -> Block {
        if head.len() <= LINES_MAX {
            return Block { head, rest: None };
        }
        bump(&self.shortened, true);
        let mut middle = head.split_off(LINES_HEAD);
        let tail = middle.split_off(middle.len().saturating_sub(LINES_TAIL));
        Block { head, rest: Some(Lines { middle, tail }) }
    }
}

/// Text that begins at this character of its line, divided where look-alikes begin and end.
fn runs(text: &str, begins: usize, marks: &[(usize, char)]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (at, letter) in text.chars().enumerate() {
        let place = begins.saturating_add(at);
        let marked = marks.binary_search_by_key(&place, |(at, _)| *at).is_ok();
        match runs.last_mut() {
            Some(run) if run.marked == marked => run.text.push(letter),
            _ => runs.push(Run { text: letter.to_string(), marked }),
        }
    }
    runs
}

/// What each kind of marked letter is.
fn kinds(marks: &[(usize, char)]) -> Vec<String> {
    let kinds: BTreeSet<char> = marks.iter().map(|(_, letter)| *letter).collect();
    let mut lines: Vec<String> = kinds.iter().take(KINDS_MAX).map(|letter| what_is(*letter)).collect();
    if kinds.len() > KINDS_MAX {
        lines.push(format!("and {} others", kinds.len().saturating_sub(KINDS_MAX)));
    }
    lines
}

fn bump(counter: &Cell<usize>, by: bool) {
    counter.set(counter.get().saturating_add(usize::from(by)));
}

impl Time {
    /// A moment as seen from another.
    pub(crate) fn new(at: Timestamp, now: Timestamp) -> Self {
        let full = format(at, "%-d %b %Y, %H:%M:%S UTC");
        Self { iso: at.to_rfc3339(), shown: full.clone(), full, relative: relative(at, now) }
    }

    /// The same in fewer words, for a list: to the minute, and the year only when it is another one.
    pub(crate) fn brief(at: Timestamp, now: Timestamp) -> Self {
        let same_year = format(at, "%Y") == format(now, "%Y");
        let shown = format(at, if same_year { "%-d %b, %H:%M UTC" } else { "%-d %b %Y, %H:%M UTC" });
        Self { shown, relative: short(at, now), ..Self::new(at, now) }
    }
}

/// How far a moment is, in few letters and by whole units, so that rows below each other line up.
fn short(at: Timestamp, now: Timestamp) -> String {
    let (ahead, length) = distance(at, now);
    let seconds = length.as_secs();
    let length = match seconds {
        0..60 => "1 min".to_owned(),
        60..7_200 => format!("{} min", seconds.div_euclid(60)),
        7_200..172_800 => format!("{} h", seconds.div_euclid(3_600)),
        _ => format!("{} d", seconds.div_euclid(86_400)),
    };
    let length = if seconds < 60 { format!("< {length}") } else { length };
    if ahead { format!("in {length}") } else { format!("{length} ago") }
}

/// Whether a moment is yet to come, and how far it is.
fn distance(at: Timestamp, now: Timestamp) -> (bool, Duration) {
    match at.age_at(now) {
        Some(age) => (false, age),
        None => (true, now.age_at(at).unwrap_or_default()),
    }
}

fn format(at: Timestamp, pattern: &str) -> String {
    jiff::Timestamp::from_microsecond(at.as_micros())
        .map_or_else(|_| at.to_rfc3339(), |t| t.strftime(pattern).to_string())
}

fn relative(at: Timestamp, now: Timestamp) -> String {
    let (ahead, length) = distance(at, now);
    let seconds = length.as_secs();
    let length = match seconds {
        0..60 => "less than a minute".to_owned(),
        60..5_400 => count(seconds.div_euclid(60), "minute"),
        5_400..172_800 => count(seconds.div_euclid(3_600), "hour"),
        _ => count(seconds.div_euclid(86_400), "day"),
    };
    if ahead { format!("in {length}") } else { format!("{length} ago") }
}

fn count(number: u64, unit: &str) -> String {
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_on_the_page_wherever_in_a_long_text_it_stands_t25() {
        for at in [0, 1, 279, 280, 281, 500, 9_000, 9_990] {
            let mut text = "x".repeat(10_000);
            text.insert_str(at, "PAYLOAD");
            let eye = Eye::default();
            let html = eye.text(&text).to_string();
            let whole: String =
                html.split("<bdi>").skip(1).filter_map(|p| p.split("</bdi>").next()).collect();
            assert_eq!(whole, text, "{at}");
            assert!(html.contains("9607 characters hidden"), "{at}");
            assert_eq!(eye.shortened(), 1);
        }
    }

    #[test]
    fn no_line_of_a_long_block_is_lost_t25() {
        let text: Vec<String> = (0..500).map(|n| format!("line-{n}-")).collect();
        let eye = Eye::default();
        let html = eye.block(&text.join("\n")).to_string();
        assert!(text.iter().all(|line| html.contains(line.as_str())));
        assert!(html.contains("430 lines hidden"));
        assert_eq!(eye.shortened(), 1);
    }

    #[test]
    fn what_fits_is_shown_whole() {
        let eye = Eye::default();
        assert_eq!(eye.text(&"y".repeat(CHARS_MAX)).rest, None);
        assert_eq!(eye.block(&"z\n".repeat(LINES_MAX - 1)).rest, None);
        assert_eq!(eye.shortened(), 0);
    }

    #[test]
    fn a_list_names_the_year_when_it_is_another_one() {
        let time = Time::brief(Timestamp::from_micros(0), Timestamp::from_micros(1_763_900_000_000_000));
        assert_eq!(time.shown, "1 Jan 1970, 00:00 UTC");
    }

    #[test]
    fn a_deadline_in_a_list_is_short_and_in_whole_units() {
        let now = Timestamp::from_micros(1_763_900_000_000_000);
        for (seconds, expect) in [
            (30, "in < 1 min"),
            (60, "in 1 min"),
            (119, "in 1 min"),
            (7_199, "in 119 min"),
            (7_200, "in 2 h"),
            (10_799, "in 2 h"),
            (172_800, "in 2 d"),
        ] {
            assert_eq!(Time::brief(now.plus(Duration::from_secs(seconds)), now).relative, expect);
        }
        assert_eq!(Time::brief(now, now.plus(Duration::from_secs(90))).relative, "1 min ago");
    }

    #[test]
    fn a_time_is_absolute_and_says_how_far_it_is_t30() {
        let at = Timestamp::from_micros(1_763_900_000_000_000);
        for (now, expect) in [
            (1_763_900_000_000_000, "less than a minute ago"),
            (1_763_899_940_000_000, "in 1 minute"),
            (1_763_903_600_000_000, "60 minutes ago"),
            (1_763_892_800_000_000, "in 2 hours"),
            (1_764_158_300_000_000, "2 days ago"),
        ] {
            let time = Time::new(at, Timestamp::from_micros(now));
            assert_eq!(time.relative, expect);
            assert_eq!(time.shown, "23 Nov 2025, 12:13:20 UTC");
            assert_eq!(Time::brief(at, Timestamp::from_micros(now)).shown, "23 Nov, 12:13 UTC");
        }
    }
}
