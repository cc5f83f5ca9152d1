//! A request that is sent many times with another number, and another key, each time.
//!
//! Cut into pieces once, so that a request costs the generator one copy. Every rendering has the same length,
//! so the head is fixed too.

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

/// Stands for the running number: [`NUMBER_DIGITS`] digits, never with a leading zero, so it may also stand as
/// a JSON number.
pub(crate) const NUMBER: &str = "{n}";
/// Stands for the key of the turn.
pub(crate) const KEY: &str = "{key}";
/// Digits of the running number.
const NUMBER_DIGITS: usize = 12;
/// Added to the running number, so that it always has the same number of digits.
const NUMBER_BASE: u64 = 100_000_000_000;

/// One kind of request to one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Target {
    /// `127.0.0.1:8080`.
    pub(crate) address: String,
    /// `POST`.
    pub(crate) method: String,
    /// The path with its query.
    pub(crate) path: String,
    /// Headers besides `host` and `content-length`.
    pub(crate) headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub(crate) body: String,
    /// The statuses that count as done.
    pub(crate) expect: Vec<u16>,
    /// The first running number.
    pub(crate) start: u64,
    /// Keys, taken in turn, all of one length.
    pub(crate) keys: Vec<String>,
}

impl Target {
    /// A POST of JSON.
    pub(crate) fn post(address: &str, path: &str, body: String) -> Self {
        let plain = Self { body, method: "POST".to_owned(), ..Self::get(address, path) };
        plain.header("content-type", "application/json")
    }

    /// A GET.
    pub(crate) fn get(address: &str, path: &str) -> Self {
        Self {
            address: address.to_owned(),
            method: "GET".to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: String::new(),
            expect: vec![200],
            start: 0,
            keys: Vec::new(),
        }
    }

    /// The same, with other statuses that count as done.
    #[must_use]
    pub(crate) fn expects(self, status: u16) -> Self {
        Self { expect: vec![status], ..self }
    }

    /// The same, with keys to take in turn.
    #[must_use]
    pub(crate) fn keys(self, keys: &[String]) -> Self {
        Self { keys: keys.to_vec(), ..self }
    }

    /// The same with one more header.
    #[must_use]
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Late {
    Number,
    Key,
}

/// A target, ready to be rendered quickly.
#[derive(Debug)]
pub(crate) struct Template {
    pieces: Vec<(Vec<u8>, Option<Late>)>,
    start: u64,
    keys: Vec<String>,
}

impl Template {
    /// Cuts a target into pieces.
    pub(crate) fn new(target: &Target) -> Result<Self> {
        let key_length = target.keys.first().map_or(0, String::len);
        if target.keys.iter().any(|k| k.len() != key_length) {
            bail!("the keys of a load have different lengths");
        }
        let body_length = length(&target.body, key_length);
        let headers: String = target.headers.iter().map(|(n, v)| [n, ": ", v, "\r\n"].concat()).collect();
        let text = format!(
            "{} {} HTTP/1.1\r\nhost: {}\r\n{headers}content-length: {body_length}\r\n\r\n{}",
            target.method, target.path, target.address, target.body
        );
        if text.contains(KEY) && target.keys.is_empty() {
            bail!("the load asks for keys but has none");
        }
        Ok(Self { pieces: cut(&text), start: target.start, keys: target.keys.clone() })
    }

    /// Writes request number `turn` over what is in the buffer.
    pub(crate) fn render(&self, turn: u64, out: &mut Vec<u8>) {
        out.clear();
        let number = self.start.saturating_add(turn);
        for (bytes, late) in &self.pieces {
            out.extend_from_slice(bytes);
            match late {
                Some(Late::Number) => {
                    out.extend_from_slice(NUMBER_BASE.saturating_add(number).to_string().as_bytes());
                }
                Some(Late::Key) => {
                    let at = usize::try_from(number).ok().and_then(|n| n.checked_rem(self.keys.len()));
                    out.extend_from_slice(at.and_then(|i| self.keys.get(i)).map_or(&[], |k| k.as_bytes()));
                }
                None => {}
            }
        }
    }
}

fn length(body: &str, key_length: usize) -> usize {
    let mut length = body.len();
    for (mark, late) in [(NUMBER, NUMBER_DIGITS), (KEY, key_length)] {
        let times = body.matches(mark).count();
        length = length
            .saturating_add(times.saturating_mul(late))
            .saturating_sub(times.saturating_mul(mark.len()));
    }
    length
}

fn cut(text: &str) -> Vec<(Vec<u8>, Option<Late>)> {
    let mut pieces = Vec::new();
    for (i, part) in text.split(NUMBER).enumerate() {
        if i > 0
            && let Some((_, late)) = pieces.last_mut()
        {
            *late = Some(Late::Number);
        }
        for (j, part) in part.split(KEY).enumerate() {
            if j > 0
                && let Some((_, late)) = pieces.last_mut()
            {
                *late = Some(Late::Key);
            }
            pieces.push((part.as_bytes().to_vec(), None));
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_turn_has_its_own_number_and_key_and_the_same_length() {
        let mut target = Target::post("127.0.0.1:1", "/x", "{\"n\":{n},\"k\":\"{key}\"}".to_owned())
            .header("authorization", "Bearer {key}");
        target.keys = vec!["csk_a".into(), "csk_b".into()];
        target.start = 5;
        let template = Template::new(&target).unwrap();
        let mut out = Vec::new();
        let mut lengths = Vec::new();
        for turn in [0, 1, 2, 999_999] {
            template.render(turn, &mut out);
            let text = String::from_utf8(out.clone()).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            let key = if (5 + turn) % 2 == 0 { "csk_a" } else { "csk_b" };
            assert_eq!(body, format!("{{\"n\":{},\"k\":\"{key}\"}}", NUMBER_BASE + 5 + turn));
            assert!(head.contains(&format!("authorization: Bearer {key}\r\n")), "{head}");
            assert!(head.ends_with(&format!("content-length: {}", body.len())), "{head}");
            lengths.push(text.len());
        }
        lengths.dedup();
        assert_eq!(lengths.len(), 1);
    }

    #[test]
    fn a_load_that_lacks_its_keys_is_refused() {
        let target = Target::post("a:1", "/", "{key}".to_owned());
        assert!(Template::new(&target).is_err());
        assert!(Template::new(&Target { keys: vec!["a".into(), "bb".into()], ..target }).is_err());
    }
}
