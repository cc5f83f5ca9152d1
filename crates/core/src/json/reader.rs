//! The strict reader: RFC 8259 and nothing beside it.
//!
//! Whatever two JSON readers could understand differently is refused, so that the policy, the people and
//! the upstream all see the same document: duplicate and look-alike keys, numbers that lose digits, lone
//! surrogates. It never repairs, and it never recurses deeper than `JSON_DEPTH_MAX`.

use std::collections::HashSet;

use serde_json::{Map, Number, Value};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::pointer::escape_token;
use crate::limits::{JSON_DEPTH_MAX, JSON_INTEGER_MAX, JSON_KEYS_MAX, JSON_NODES_MAX, JSON_STRING_BYTES_MAX};

/// Why some bytes are not the JSON that this gate reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail} at byte {offset}")]
pub struct JsonError {
    /// JSON pointer (RFC 6901) to the place, as far as the reader had come.
    pub pointer: String,
    /// Byte offset from the start.
    pub offset: usize,
    /// What is wrong: a lower-case fragment.
    pub detail: String,
}

impl JsonError {
    /// The same error, one level further out.
    fn under(mut self, token: &str) -> Self {
        self.pointer = format!("/{}{}", escape_token(token), self.pointer);
        self
    }
}

/// Reads one JSON document (RFC 8259) within the limits of `limits.rs`.
///
/// Refused beyond the RFC: a byte order mark, bytes after the document, duplicate keys (after unescaping)
/// and keys that differ only by case or compatibility form (T50, R23), keys that are not NFC, integers
/// beyond 2^53 - 1, exponents, `-0` and decimals that would be rounded (T51), lone surrogates,
/// and the private keys of `serde_json` (T53).
pub fn read(bytes: &[u8]) -> Result<Value, JsonError> {
    let bounds = Bounds { depth: JSON_DEPTH_MAX, nodes: JSON_NODES_MAX, keys: JSON_KEYS_MAX };
    read_within(bytes, bounds)
}

/// The same for a file of the operator, which may hold the schemas of a whole system: as strict, and of any length.
pub fn read_file(bytes: &[u8]) -> Result<Value, JsonError> {
    read_within(bytes, Bounds { depth: FILE_DEPTH_MAX, nodes: usize::MAX, keys: usize::MAX })
}

/// Nesting of a file of schemas: two or three levels of JSON for each level of a schema. It bounds the reader's stack.
const FILE_DEPTH_MAX: usize = 64;

/// How large a document may be.
#[derive(Clone, Copy)]
struct Bounds {
    depth: usize,
    nodes: usize,
    keys: usize,
}

fn read_within(bytes: &[u8], bounds: Bounds) -> Result<Value, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|e| JsonError {
        pointer: String::new(),
        offset: e.valid_up_to(),
        detail: "the bytes are not UTF-8".to_owned(),
    })?;
    let mut reader = Reader { text, at: 0, nodes: 0, bounds };
    if text.starts_with('\u{feff}') {
        return Err(reader.fail("a byte order mark is not accepted"));
    }
    reader.skip_space();
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.peek().is_some() {
        return Err(reader.fail("there is more after the end of the document"));
    }
    Ok(value)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    nodes: usize,
    bounds: Bounds,
}

impl Reader<'_> {
    fn fail(&self, detail: impl Into<String>) -> JsonError {
        fail_at(self.at, detail)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.step();
        }
    }

    /// Takes `byte`, if it is next.
    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.step();
        }
        found
    }

    /// `depth` containers are open around this value.
    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        match self.peek() {
            Some(b'{') => self.object(self.deeper(depth)?),
            Some(b'[') => self.array(self.deeper(depth)?),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            Some(_) => Err(self.fail("expected a JSON value")),
            None => Err(self.fail("the document ends where a value was expected")),
        }
    }

    fn deeper(&self, depth: usize) -> Result<usize, JsonError> {
        if depth >= self.bounds.depth {
            return Err(self.fail(format!("nested deeper than {} levels", self.bounds.depth)));
        }
        Ok(depth.saturating_add(1))
    }

    fn count_node(&mut self) -> Result<(), JsonError> {
        self.nodes = self.nodes.saturating_add(1);
        if self.nodes > self.bounds.nodes {
            return Err(self.fail(format!("more than {} members and elements", self.bounds.nodes)));
        }
        Ok(())
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, JsonError> {
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at = self.at.saturating_add(word.len());
            return Ok(value);
        }
        Err(self.fail("expected a JSON value"))
    }

    fn array(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.step();
        let mut items = Vec::new();
        self.skip_space();
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            self.count_node()?;
            self.skip_space();
            let item = self.value(depth).map_err(|e| e.under(&items.len().to_string()))?;
            items.push(item);
            self.skip_space();
            if self.take(b']') {
                return Ok(Value::Array(items));
            }
            if !self.take(b',') {
                return Err(self.fail("expected `,` or `]`"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.step();
        let mut map = Map::new();
        let mut folds = HashSet::new();
        self.skip_space();
        if self.take(b'}') {
            return Ok(Value::Object(map));
        }
        loop {
            self.count_node()?;
            self.skip_space();
            let key = self.key(&map, &mut folds)?;
            self.skip_space();
            if !self.take(b':') {
                return Err(self.fail("expected `:` after a key").under(&key));
            }
            self.skip_space();
            let value = self.value(depth).map_err(|e| e.under(&key))?;
            map.insert(key, value);
            self.skip_space();
            if self.take(b'}') {
                return Ok(Value::Object(map));
            }
            if !self.take(b',') {
                return Err(self.fail("expected `,` or `}`"));
            }
        }
    }

    fn key(&mut self, map: &Map<String, Value>, folds: &mut HashSet<String>) -> Result<String, JsonError> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(self.fail("expected a key in double quotes"));
        }
        let key = self.string()?;
        let refuse = |detail: String| Err(fail_at(start, detail).under(&key));
        if map.len() >= self.bounds.keys {
            return refuse(format!("an object has more than {} keys", self.bounds.keys));
        }
        if map.contains_key(&key) {
            return refuse("the key appears twice".to_owned());
        }
        if key.starts_with("$serde_json::private::") {
            return refuse("keys that begin with `$serde_json::private::` are reserved".to_owned());
        }
        if !is_nfc(&key) {
            return refuse("the key is not in Unicode normalization form C".to_owned());
        }
        if !folds.insert(fold(&key)) {
            return refuse("the key differs from another only by case or compatibility form".to_owned());
        }
        Ok(key)
    }

    fn string(&mut self) -> Result<String, JsonError> {
        let start = self.at;
        self.step();
        let mut out = String::new();
        loop {
            let run = self.at;
            while matches!(self.peek(), Some(b) if b != b'"' && b != b'\\' && b >= 0x20) {
                self.step();
            }
            // INVARIANT: both ends stand beside an ASCII byte, so they are character boundaries.
            out.push_str(self.text.get(run..self.at).unwrap_or_default());
            if out.len() > JSON_STRING_BYTES_MAX {
                return Err(fail_at(start, format!("a string is longer than {JSON_STRING_BYTES_MAX} bytes")));
            }
            match self.peek() {
                Some(b'"') => {
                    self.step();
                    return Ok(out);
                }
                Some(b'\\') => out.push(self.escape()?),
                Some(_) => return Err(self.fail("control characters must be escaped in a string")),
                None => return Err(self.fail("the document ends inside a string")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let start = self.at;
        self.step();
        let letter = self.peek();
        self.step();
        let found = match letter {
            Some(b'"') => Some('"'),
            Some(b'\\') => Some('\\'),
            Some(b'/') => Some('/'),
            Some(b'b') => Some('\u{8}'),
            Some(b'f') => Some('\u{c}'),
            Some(b'n') => Some('\n'),
            Some(b'r') => Some('\r'),
            Some(b't') => Some('\t'),
            Some(b'u') => self.unicode_escape(),
            _ => None,
        };
        found.ok_or_else(|| fail_at(start, "not a valid escape, or half of a surrogate pair"))
    }

    /// Stands behind `\u`. A high surrogate must be followed by an escaped low one; nothing else may be one.
    fn unicode_escape(&mut self) -> Option<char> {
        let first = self.four_hex()?;
        if !(0xD800..=0xDFFF).contains(&first) {
            return char::from_u32(first);
        }
        if first >= 0xDC00 || !self.take(b'\\') || !self.take(b'u') {
            return None;
        }
        let second = self.four_hex().filter(|s| (0xDC00..=0xDFFF).contains(s))?;
        let high = first.checked_sub(0xD800)?.checked_mul(0x400)?;
        char::from_u32(high.checked_add(second.checked_sub(0xDC00)?)?.checked_add(0x1_0000)?)
    }

    fn four_hex(&mut self) -> Option<u32> {
        let end = self.at.checked_add(4)?;
        let digits = self.text.get(self.at..end).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        self.at = end;
        u32::from_str_radix(digits, 16).ok()
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.step();
        }
        self.at.saturating_sub(start)
    }

    fn number(&mut self) -> Result<Number, JsonError> {
        let start = self.at;
        self.take(b'-');
        let leading_zero = self.peek() == Some(b'0');
        let whole = self.digits();
        if whole == 0 || (leading_zero && whole > 1) {
            return Err(fail_at(
                start,
                "a number must start with one digit, and with 0 only if it is below 1",
            ));
        }
        let decimal = self.take(b'.');
        if decimal && self.digits() == 0 {
            return Err(self.fail("expected a digit after the decimal point"));
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            return Err(self.fail("exponents are not accepted; write the number out"));
        }
        let lexeme = self.text.get(start..self.at).unwrap_or_default();
        let parsed = if decimal { decimal_number(lexeme) } else { integer(lexeme) };
        parsed.map_err(|detail| fail_at(start, detail))
    }
}

fn fail_at(offset: usize, detail: impl Into<String>) -> JsonError {
    JsonError { pointer: String::new(), offset, detail: detail.into() }
}

fn integer(lexeme: &str) -> Result<Number, String> {
    if lexeme == "-0" {
        return Err("`-0` is not accepted; write `0`".to_owned());
    }
    lexeme
        .parse::<i64>()
        .ok()
        .filter(|i| (-JSON_INTEGER_MAX..=JSON_INTEGER_MAX).contains(i))
        .map(Number::from)
        .ok_or_else(|| format!("an integer is beyond {JSON_INTEGER_MAX}; send larger ones as a string"))
}

/// Accepts a decimal only if the number that it becomes has exactly its value, so that nothing is rounded (T51).
/// One value has one text from here on, the one of RFC 8785: `4.0` is read as `4`, `2.50` as `2.5`. What is
/// validated, shown, hashed and sent is that text.
fn decimal_number(lexeme: &str) -> Result<Number, String> {
    let value = lexeme.parse::<f64>().ok().filter(|v| v.is_finite());
    let value = value.ok_or("the decimal is too large; send it as a string")?;
    let mut buffer = ryu_js::Buffer::new();
    let printed = buffer.format_finite(value);
    let plain = lexeme.trim_end_matches('0').trim_end_matches('.');
    if plain == "-0" {
        return Err("`-0` is not accepted; write `0`".to_owned());
    }
    if printed != plain {
        return Err(if printed.contains('e') {
            "the decimal cannot be kept exactly; send it as a string".to_owned()
        } else {
            format!("the decimal cannot be kept exactly; write it as `{printed}` or send it as a string")
        });
    }
    if plain.contains('.') {
        return Number::from_f64(value)
            .ok_or_else(|| "the decimal is too large; send it as a string".to_owned());
    }
    integer(plain)
}

/// What a lenient reader may take for the same key: compatibility form, without case (R23). Upper case
/// first, because `ß` and `ς` meet their partners only there.
fn fold(key: &str) -> String {
    if key.is_ascii() {
        return key.to_ascii_lowercase();
    }
    let upper: String = key.nfkc().flat_map(char::to_uppercase).collect();
    upper.nfkc().flat_map(char::to_lowercase).nfkc().collect()
}

#[cfg(test)]
mod tests;
