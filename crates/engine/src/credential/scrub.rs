//! Removes a secret from what an upstream sent back, by value and in the spellings that echoes use (T82).
//!
//! Debug endpoints, error pages and `WWW-Authenticate` headers repeat what they were sent. Spellings that can
//! be listed are cut out of the text; for those that cannot (mixed escapes, broken lines) the text is
//! decoded, and when the secret appears then, the whole text goes.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

/// What stands where a secret was.
pub(crate) const MARK: &str = "[removed by countersign]";

/// A shorter spelling would be found by chance in ordinary text.
const SPELLING_BYTES_MIN: usize = 6;
/// How often text is decoded in search of the secret: an escaped URL in a JSON text in an HTML page.
const DECODINGS_MAX: usize = 3;

/// Looks for one secret. Holds copies of it, so it lives as long as the answer is read.
pub(crate) struct Scrubber {
    secret: Zeroizing<String>,
    /// Longest first, so that no spelling is cut by a part of itself.
    spellings: Vec<Zeroizing<String>>,
    found: bool,
}

impl Scrubber {
    pub(super) fn new(secret: &str) -> Self {
        let mut spellings: Vec<Zeroizing<String>> =
            spellings(secret).into_iter().filter(|s| s.len() >= SPELLING_BYTES_MIN).collect();
        spellings.push(Zeroizing::new(secret.to_owned()));
        spellings.sort_by_key(|s| std::cmp::Reverse(s.len()));
        Self { secret: Zeroizing::new(secret.to_owned()), spellings, found: false }
    }

    /// Whether anything was removed so far.
    pub(crate) fn found(&self) -> bool {
        self.found
    }

    /// The text without the secret.
    pub(crate) fn text(&mut self, text: String) -> String {
        let mut clean = text;
        for spelling in &self.spellings {
            if clean.contains(spelling.as_str()) {
                self.found = true;
                clean = clean.replace(spelling.as_str(), MARK);
            }
        }
        if self.is_hidden_in(&clean) {
            self.found = true;
            return MARK.to_owned();
        }
        clean
    }

    /// The value without the secret: in strings, keys and numbers.
    pub(crate) fn value(&mut self, value: Value) -> Value {
        match value {
            Value::Null | Value::Bool(_) => value,
            // A secret of digits may come back as a number.
            Value::Number(number) => {
                let text = number.to_string();
                if text.contains(self.secret.as_str()) {
                    self.found = true;
                    return Value::String(MARK.to_owned());
                }
                Value::Number(number)
            }
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.value(item)).collect()),
            Value::Object(members) => {
                let clean: Map<String, Value> =
                    members.into_iter().map(|(key, item)| (self.text(key), self.value(item))).collect();
                Value::Object(clean)
            }
        }
    }

    fn is_hidden_in(&self, text: &str) -> bool {
        let mut view = Zeroizing::new(text.to_owned());
        for _ in 0..DECODINGS_MAX {
            let joined: Zeroizing<String> =
                Zeroizing::new(view.chars().filter(|c| !c.is_whitespace()).collect());
            if self.spellings.iter().any(|s| view.contains(s.as_str()) || joined.contains(s.as_str())) {
                return true;
            }
            let decoded = decoded(&view);
            if *decoded == *view {
                return false;
            }
            view = decoded;
        }
        self.spellings.iter().any(|s| view.contains(s.as_str()))
    }
}

/// The spellings that can be listed. Base64 depends on what stands before the secret, so all three
/// alignments are listed, without the digits at the edges that also hold bits of the neighbours; that
/// covers every padding, and `Basic` with the secret as user or password.
fn spellings(secret: &str) -> Vec<Zeroizing<String>> {
    let mut all = Vec::new();
    for before in 0..3_usize {
        let padded: Zeroizing<Vec<u8>> =
            Zeroizing::new(std::iter::repeat_n(0_u8, before).chain(secret.bytes()).collect());
        // Six bits a digit: a digit that holds bits of what stands before is skipped, as is the last one
        // when it is not full.
        let first = before.saturating_mul(8).div_ceil(6);
        let full = padded.len().saturating_mul(8).checked_div(6).unwrap_or(0);
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let digits = Zeroizing::new(engine.encode(padded.as_slice()));
            all.push(Zeroizing::new(digits.chars().take(full).skip(first).collect()));
        }
    }
    let bytes = |spell: fn(u8) -> String| Zeroizing::new(secret.bytes().map(spell).collect::<String>());
    all.push(bytes(|b| format!("{b:02x}")));
    all.push(bytes(|b| format!("{b:02X}")));
    all.push(bytes(percent_upper));
    all.push(bytes(percent_lower));
    all.push(bytes(|b| format!("%{b:02X}")));
    all.push(bytes(|b| format!("%{b:02x}")));
    all.push(bytes(|b| format!("\\u{b:04x}")));
    all.push(bytes(|b| format!("\\u{b:04X}")));
    if let Ok(quoted) = serde_json::to_string(secret).map(Zeroizing::new) {
        let inner = quoted.strip_prefix('"').and_then(|q| q.strip_suffix('"')).unwrap_or(&quoted);
        all.push(Zeroizing::new(inner.replace('/', "\\/")));
        all.push(Zeroizing::new(inner.to_owned()));
    }
    all
}

/// RFC 3986: everything but unreserved characters is escaped.
fn percent_upper(byte: u8) -> String {
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        char::from(byte).to_string()
    } else {
        format!("%{byte:02X}")
    }
}

/// The same with escapes in lower case, as some libraries write them.
fn percent_lower(byte: u8) -> String {
    let text = percent_upper(byte);
    if text.starts_with('%') { text.to_ascii_lowercase() } else { text }
}

/// Undoes percent, backslash and HTML escapes once. What is no escape stays as it is.
fn decoded(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut rest = text;
    while let Some(at) = rest.find(['%', '\\', '&']) {
        let (plain, escape) = rest.split_at(at);
        out.push_str(plain);
        let (decoded, after) = one_escape(escape);
        out.push(decoded);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Reads one escape at the start of a text that begins with `%`, `\` or `&`; gives the first character as it
/// is when it is none.
fn one_escape(text: &str) -> (char, &str) {
    const NAMED: [(&str, char); 6] =
        [("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>'), ("&quot;", '"'), ("&apos;", '\''), ("&sol;", '/')];
    let hex = |prefix: &str, digits: usize| {
        let tail = text.strip_prefix(prefix)?;
        let (number, after) = tail.split_at_checked(digits)?;
        let code = u32::from_str_radix(number, 16).ok()?;
        Some((char::from_u32(code)?, after))
    };
    let entity = || {
        let tail = text.strip_prefix("&#")?;
        // Bounded, or a text full of `&#` would be read once per escape.
        let end = tail.bytes().take(8).position(|b| b == b';')?;
        let (number, after) = (tail.get(..end)?, tail.get(end.checked_add(1)?..)?);
        let code = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        };
        Some((char::from_u32(code)?, after))
    };
    let named = || NAMED.iter().find_map(|(name, c)| Some((*c, text.strip_prefix(name)?)));
    let quoted = || {
        let mut chars = text.strip_prefix('\\')?.chars();
        let c = chars.next().filter(|c| matches!(c, '"' | '\'' | '\\' | '/'))?;
        Some((c, chars.as_str()))
    };
    let found = hex("%", 2).or_else(|| hex("\\u", 4)).or_else(|| hex("\\x", 2)).or_else(quoted);
    found.or_else(entity).or_else(named).unwrap_or_else(|| {
        let mut chars = text.chars();
        (chars.next().unwrap_or_default(), chars.as_str())
    })
}

#[cfg(test)]
#[path = "scrub_tests.rs"]
mod tests;
