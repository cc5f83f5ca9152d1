//! A header that may come once.

use axum::http::{HeaderMap, HeaderValue};

/// A header came more than once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Repeated;

/// The value of a header, if it came: once. Two values, which two readers could choose between, are no value.
pub(crate) fn only(
    headers: &HeaderMap,
    name: impl axum::http::header::AsHeaderName,
) -> Result<Option<&HeaderValue>, Repeated> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(Repeated) } else { Ok(first) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_values_are_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(only(&headers, "x-a"), Ok(None));
        headers.append("x-a", HeaderValue::from_static("1"));
        assert_eq!(only(&headers, "x-a"), Ok(Some(&HeaderValue::from_static("1"))));
        headers.append("x-a", HeaderValue::from_static("1"));
        assert_eq!(only(&headers, "x-a"), Err(Repeated));
    }
}
