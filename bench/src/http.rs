//! As much HTTP/1.1 (RFC 9112) as a load generator needs: one response at a time, its length from
//! `Content-Length`. Not a general client; what it does not understand is an error, never a guess.

use std::fmt;

/// Bytes asked of the socket at a time.
pub(crate) const READ_BYTES: usize = 16 * 1024;
/// A response head longer than this is refused.
const HEAD_BYTES_MAX: usize = 32 * 1024;

/// A whole response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    /// The status code.
    pub(crate) status: u16,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// The answer is not one that this client understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotUnderstood(&'static str);

impl fmt::Display for NotUnderstood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the answer is not understood: {}", self.0)
    }
}

impl std::error::Error for NotUnderstood {}

/// Collects the bytes of one response.
#[derive(Debug, Default)]
pub(crate) struct Incoming {
    bytes: Vec<u8>,
    /// Status, length of the head, length of head and body; known once the head is whole.
    head: Option<(u16, usize, usize)>,
}

impl Incoming {
    /// Adds bytes from the wire. Gives the status once the response is whole.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Option<u16>, NotUnderstood> {
        self.bytes.extend_from_slice(bytes);
        if self.head.is_none() {
            self.head = parse_head(&self.bytes)?;
        }
        match self.head {
            Some((_, _, length)) if self.bytes.len() > length => {
                Err(NotUnderstood("more bytes than were announced"))
            }
            Some((status, _, length)) if self.bytes.len() == length => Ok(Some(status)),
            Some(_) | None => Ok(None),
        }
    }

    /// Forgets the response, ready for the next one on the connection.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.head = None;
    }

    /// Takes the whole response out.
    pub(crate) fn take(&mut self) -> Option<Response> {
        let (status, head, _) = self.head.take()?;
        let body = self.bytes.split_off(head.min(self.bytes.len()));
        self.bytes.clear();
        Some(Response { status, body })
    }
}

fn parse_head(bytes: &[u8]) -> Result<Option<(u16, usize, usize)>, NotUnderstood> {
    let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else {
        return if bytes.len() > HEAD_BYTES_MAX {
            Err(NotUnderstood("a head without end"))
        } else {
            Ok(None)
        };
    };
    let head_length = end.saturating_add(4);
    let head = bytes
        .get(..end)
        .and_then(|h| std::str::from_utf8(h).ok())
        .ok_or(NotUnderstood("a head that is not text"))?;
    let status: u16 = head
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest.get(..3))
        .and_then(|code| code.parse().ok())
        .ok_or(NotUnderstood("no HTTP/1.1 status line"))?;
    if header(head, "transfer-encoding").is_some() {
        return Err(NotUnderstood("a transfer encoding"));
    }
    let body_length = match header(head, "content-length") {
        Some(text) => text.parse().map_err(|_| NotUnderstood("a content length that is no number"))?,
        None if matches!(status, 204 | 304) => 0_usize,
        None => return Err(NotUnderstood("no content length")),
    };
    Ok(Some((status, head_length, head_length.saturating_add(body_length))))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n")
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .find(|(n, _)| n.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[u8] =
        b"HTTP/1.1 202 Accepted\r\ncontent-type: text/plain\r\nContent-Length: 5\r\n\r\nhello";

    #[test]
    fn a_response_is_whole_only_with_its_last_byte_however_it_is_cut() {
        for cut in 1..WHOLE.len() {
            let mut incoming = Incoming::default();
            assert_eq!(incoming.push(&WHOLE[..cut]), Ok(None), "{cut}");
            assert_eq!(incoming.push(&WHOLE[cut..]), Ok(Some(202)), "{cut}");
            let response = incoming.take().unwrap();
            assert_eq!((response.status, response.body.as_slice()), (202, b"hello".as_slice()));
        }
    }

    #[test]
    fn a_connection_carries_one_response_after_another() {
        let mut incoming = Incoming::default();
        for _ in 0..3 {
            assert_eq!(incoming.push(WHOLE), Ok(Some(202)));
            incoming.clear();
        }
        assert_eq!(incoming.push(b"HTTP/1.1 204 No Content\r\n\r\n"), Ok(Some(204)));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        let table: [&[u8]; 6] = [
            b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 2x0 OK\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab",
        ];
        for bytes in table {
            assert!(Incoming::default().push(bytes).is_err(), "{}", String::from_utf8_lossy(bytes));
        }
    }
}
