//! Posted forms: bounded, each field once, and only from a page of this site (T129).

use std::collections::BTreeMap;

use axum::body::Body;
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName};
use countersign_core::refusal::Refusal;
use countersign_engine::fault::Stop;
use subtle::ConstantTimeEq as _;

use crate::surface::{App, only, read_whole};

/// Bytes of one form: a comment of the longest kind, percent-encoded, with three digests.
const BYTES_MAX: usize = 16 * 1024;

/// The fields of a form that came from this site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Form(BTreeMap<String, String>);

impl Form {
    /// Reads a form, if a page of this site posted it.
    pub(super) async fn read(app: &App, headers: &HeaderMap, body: Body) -> Result<Self, Stop> {
        same_site(headers, &app.people_url)?;
        let kind = only(headers, CONTENT_TYPE).ok().flatten().and_then(|value| value.to_str().ok());
        let kind = kind.unwrap_or_default().to_ascii_lowercase().replace(' ', "");
        let plain = "application/x-www-form-urlencoded";
        if (kind != plain && kind != format!("{plain};charset=utf-8"))
            || headers.contains_key(CONTENT_ENCODING)
        {
            let detail = format!("send the form as `{plain}`, not compressed");
            return Err(Refusal::UnsupportedMediaType { detail }.into());
        }
        Ok(Self::parse(&read_whole(body, BYTES_MAX).await?)?)
    }

    fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let mut fields = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(bytes) {
            // Browsers send line breaks as CR LF (WHATWG URL, form submission); people mean one line break.
            let value = value.replace("\r\n", "\n");
            if fields.insert(name.into_owned(), value).is_some() {
                let detail = "a field of the form was sent twice".to_owned();
                return Err(Refusal::MalformedRequest { pointer: String::new(), detail });
            }
        }
        Ok(Self(fields))
    }

    /// A field; one that is not there is empty.
    pub(super) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Whether the form carries the session's token. The time it takes says nothing about the token.
    pub(super) fn carries(&self, csrf: &str) -> bool {
        bool::from(self.get("csrf").as_bytes().ct_eq(csrf.as_bytes()))
    }
}

/// Lets a post through only when the browser says that a page of this site made it.
fn same_site(headers: &HeaderMap, people_url: &str) -> Result<(), Refusal> {
    let refuse = |detail: &str| Err(Refusal::NotPermitted { detail: detail.to_owned() });
    let one = |name: &HeaderName| match only(headers, name) {
        Ok(Some(value)) => value.to_str().map(Some).map_err(|_| ()),
        Ok(None) => Ok(None),
        Err(_) => Err(()),
    };
    let fetch_site = HeaderName::from_static("sec-fetch-site");
    let (Ok(origin), Ok(site), Ok(host)) = (one(&ORIGIN), one(&fetch_site), one(&HOST)) else {
        return refuse("the browser sent a header twice");
    };
    if origin.is_none() && site.is_none() {
        return refuse("the browser did not say which page sent this form; use a current browser");
    }
    if site.is_some_and(|s| s != "same-origin") {
        return refuse("this form was sent from another site");
    }
    let ours = |origin: &str| {
        let own = url::Url::parse(people_url).is_ok_and(|u| u.origin().ascii_serialization() == origin);
        // The guard has checked that `Host` names this gate. A proxy may have taken TLS off.
        let here = |host: &str| origin == format!("http://{host}") || origin == format!("https://{host}");
        own || host.is_some_and(here)
    };
    if origin.is_some_and(|o| !ours(o)) {
        return refuse("this form was sent from another site");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn a_form_of_another_site_is_refused_t129() {
        let host = ("host", "127.0.0.1:4181");
        let table: &[(&[(&str, &str)], bool)] = &[
            (&[("origin", "http://127.0.0.1:4181")], true),
            (&[("origin", "https://gate.example.com"), ("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[], false),
            (&[("origin", "null")], false),
            (&[("origin", "null"), ("sec-fetch-site", "same-origin")], false),
            (&[("origin", "https://evil.example")], false),
            (&[("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")], false),
            (&[("origin", "http://127.0.0.1:4181"), ("sec-fetch-site", "cross-site")], false),
            (&[("origin", "http://127.0.0.1:4181"), ("sec-fetch-site", "same-site")], false),
            (&[("origin", "http://127.0.0.1:4180")], false),
            (&[("origin", "http://127.0.0.1:4181.evil.example")], false),
            (&[("origin", "https://gate.example.com.evil.example")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "http://127.0.0.1:4181"), ("origin", "http://127.0.0.1:4181")], false),
        ];
        for (given, expect) in table {
            let mut all = vec![host];
            all.extend_from_slice(given);
            let got = same_site(&headers(&all), "https://gate.example.com/").is_ok();
            assert_eq!(got, *expect, "{given:?}");
        }
    }

    #[test]
    fn a_field_that_comes_twice_is_refused() {
        assert!(Form::parse(b"intent=a&intent=b").is_err());
        let form = Form::parse(b"comment=two%0D%0Alines&csrf=abc").unwrap();
        assert_eq!(form.get("comment"), "two\nlines");
        assert_eq!(form.get("nothing"), "");
    }

    #[test]
    fn only_the_sessions_own_form_token_counts_t129() {
        let form = Form::parse(b"csrf=abc").unwrap();
        assert!(form.carries("abc"));
        for other in ["", "ab", "abcd", "abd"] {
            assert!(!form.carries(other), "{other}");
        }
        assert!(!Form::parse(b"").unwrap().carries("abc"));
    }
}
