//! A hint that text may not be what it looks like: letters of another alphabet that pass for Latin ones (T24).
//!
//! Only a flag for the card. It never decides, and text that it passes is not thereby what it seems.

use unicode_script::{Script, UnicodeScript as _};
use unicode_security::skeleton;

/// The letters for which [`is_suspicious`] is true, each with the number of characters before it. Empty for other
/// text.
pub fn look_alikes(text: &str) -> Vec<(usize, char)> {
    if text.is_ascii() {
        return Vec::new();
    }
    let all = passes_for_ascii(text);
    let odd = |c: char| !c.is_ascii() && (c.is_alphanumeric() || is_dot(c));
    let mut found = Vec::new();
    let mut begin = 0_usize;
    for word in text.split(char::is_whitespace) {
        let marked = all || mixes_alphabets(word) || has_odd_host(word);
        found.extend(
            word.chars()
                .enumerate()
                .filter(|(_, c)| marked && odd(*c))
                .map(|(at, c)| (begin.saturating_add(at), c)),
        );
        begin = begin.saturating_add(word.chars().count()).saturating_add(1);
    }
    found
}

/// What a letter is and what it passes for: `“а” is Cyrillic (U+0430) and looks like Latin “a”`.
pub fn what_is(letter: char) -> String {
    let name = format!("“{letter}” is {} (U+{:04X})", letter.script().full_name(), u32::from(letter));
    let like: String = skeleton(&letter.to_string()).collect();
    if like.is_empty() || !like.chars().all(|c| c.is_ascii_graphic()) {
        return name;
    }
    format!("{name} and looks like Latin “{like}”")
}

/// Whether text mixes look-alike alphabets in a word, has other than ASCII in what looks like a host name, or
/// consists of letters that all pass for ASCII ones.
///
/// Text in one language, whatever its alphabet, is not suspicious.
pub fn is_suspicious(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    text.split(char::is_whitespace).any(|word| mixes_alphabets(word) || has_odd_host(word))
        || passes_for_ascii(text)
}

/// Latin beside an alphabet whose letters look like Latin.
fn mixes_alphabets(word: &str) -> bool {
    let (mut latin, mut look_alike) = (false, false);
    for c in word.chars() {
        let script = c.script();
        latin |= script == Script::Latin;
        look_alike |= matches!(
            script,
            Script::Cyrillic | Script::Greek | Script::Armenian | Script::Cherokee | Script::Coptic
        );
    }
    latin && look_alike
}

/// A piece of a word with a dot between its letters and anything but ASCII in it, such as `ехample.com`.
fn has_odd_host(word: &str) -> bool {
    let between = |c: char| c.is_ascii() && !c.is_ascii_alphanumeric() && !matches!(c, '.' | '-' | '_');
    word.split(between).any(|piece| {
        let mut labels = piece.split(is_dot);
        let last_is_a_name =
            labels.next_back().is_some_and(|l| l.chars().count() > 1 && l.chars().all(char::is_alphabetic));
        !piece.is_ascii() && last_is_a_name && labels.next_back().is_some_and(|l| !l.is_empty())
    })
}

/// The dots that IDNA takes for one (UTS 46 section 2.3).
fn is_dot(c: char) -> bool {
    matches!(c, '.' | '\u{3002}' | '\u{FF0E}' | '\u{FF61}')
}

/// Whether every letter and digit outside ASCII looks like ASCII (UTS 39 section 4, the skeleton).
///
/// Over the whole text and not by word, because short words of honest Cyrillic or Greek text do so too.
fn passes_for_ascii(text: &str) -> bool {
    let odd: String = text.chars().filter(|c| !c.is_ascii() && c.is_alphanumeric()).collect();
    !odd.is_empty() && skeleton(&odd).all(|c| c.is_ascii_alphanumeric())
}
