//! The page that a person wanted before they signed in. It is only ever a page of this console, so signing in
//! leads nowhere else (T39).

use axum::http::HeaderMap;
use countersign_core::id::ProposalId;

use super::Ask;
use super::cookie::cookie_named;

/// Remembers the page while the person gets a link. It holds an address and proves nothing.
const COOKIE_NAME: &str = "__Host-countersign-next";
const COOKIE_FLAGS: &str = "Secure; HttpOnly; SameSite=Strict; Path=/";
/// How long it is remembered, in seconds: as long as it takes to get a link and use it.
const KEPT_S: u32 = 1_800;
/// Bytes of an address with its query: more than every filter together has.
const BYTES_MAX: usize = 2_000;

/// The address of one of the console's pages, with its query. Made of characters that need no quoting in a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalPath(String);

impl LocalPath {
    /// Reads an address. None unless it is a page of this console that only shows something.
    pub(crate) fn read(text: &str) -> Option<Self> {
        if text.len() > BYTES_MAX {
            return None;
        }
        let text = text.split('#').next().unwrap_or_default();
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let id: Option<ProposalId> = path.strip_prefix("/proposals/").and_then(|id| id.parse().ok());
        let path = match (path, id) {
            ("/" | "/history" | "/log" | "/help/keys", _) => path.to_owned(),
            (_, Some(id)) => format!("/proposals/{id}"),
            _ => return None,
        };
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        Some(Self(if query.is_empty() { path } else { format!("{path}?{query}") }))
    }

    /// The page that this request asked for.
    pub(super) fn of(ask: &Ask) -> Option<Self> {
        let query = ask.query.as_deref().map_or_else(String::new, |query| format!("?{query}"));
        Self::read(&format!("{}{query}", ask.path))
    }

    /// The page that was remembered, if one was.
    pub(super) fn remembered(headers: &HeaderMap) -> Option<Self> {
        Self::read(&cookie_named(headers, COOKIE_NAME)?)
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The cookie that remembers it.
    pub(super) fn cookie(&self) -> String {
        format!("{COOKIE_NAME}={}; Max-Age={KEPT_S}; {COOKIE_FLAGS}", self.0)
    }

    /// The cookie that forgets it.
    pub(super) fn forgotten() -> String {
        format!("{COOKIE_NAME}=; Max-Age=0; {COOKIE_FLAGS}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "prp_01kawkbx1re0003g40r40m30e2";

    #[test]
    fn signing_in_leads_only_to_pages_of_this_console_t39() {
        let card = format!("/proposals/{ID}");
        for (text, expect) in [
            ("/", Some("/")),
            ("/history", Some("/history")),
            ("/history?state=failed&text=a+b%26c", Some("/history?state=failed&text=a+b%26c")),
            ("/log?event=proposal.approved#x", Some("/log?event=proposal.approved")),
            (&card, Some(card.as_str())),
            ("//evil.example/history", None),
            ("/\\evil.example", None),
            ("https://evil.example/", None),
            ("history", None),
            ("", None),
            ("/proposals/..//evil.example", None),
            ("/log/export", None),
            ("/sign-out", None),
            ("/v1/proposals", None),
            (&format!("{card}/approve"), None),
            (&format!("/{}", "x".repeat(BYTES_MAX)), None),
        ] {
            assert_eq!(LocalPath::read(text).as_ref().map(LocalPath::as_str), expect, "{text}");
        }
    }

    #[test]
    fn what_is_remembered_cannot_end_its_header_t39() {
        let path = LocalPath::read("/history?text=a;b,c\r\nSet-Cookie: x=y \"<é").unwrap();
        let plain = |c: char| c.is_ascii_alphanumeric() || "/?&=%+*-._".contains(c);
        assert!(path.as_str().chars().all(plain), "{}", path.as_str());
    }
}
