//! Reading requests strictly and writing answers. What is doubled, misspelt or of another type is refused.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request as AxumRequest};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::book::Kept;
use crate::problem::Problem;

/// A whole request, read.
#[derive(Debug)]
pub(crate) struct Request {
    /// As it was sent.
    pub(crate) path: String,
    /// The query as it was sent.
    pub(crate) query: String,
    /// All headers.
    pub(crate) headers: HeaderMap,
    /// The whole body.
    pub(crate) body: Bytes,
}

impl<S: Send + Sync> FromRequest<S> for Request {
    type Rejection = Problem;

    async fn from_request(request: AxumRequest, state: &S) -> Result<Self, Problem> {
        let path = request.uri().path().to_owned();
        let query = request.uri().query().unwrap_or_default().to_owned();
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, state).await.map_err(|e: BytesRejection| {
            Problem::new(e.status(), "body_unreadable", "The body is too large or ended early.")
        })?;
        Ok(Self { path, query, headers, body })
    }
}

impl Request {
    /// The body as JSON of one type, under one of the content types.
    pub(crate) fn json<T: DeserializeOwned>(&self, content_types: &[&str]) -> Result<T, Problem> {
        let given = single(&self.headers, &header::CONTENT_TYPE)?.unwrap_or_default();
        let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if !content_types.contains(&essence.as_str()) {
            let detail = format!("Send {}.", content_types.join(" or "));
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", detail));
        }
        serde_json::from_slice(&self.body).map_err(|e| {
            if e.is_data() {
                Problem::invalid(format!("The body is not what is expected here: {e}."))
            } else {
                Problem::bad_request(format!("The body is not JSON: {e}."))
            }
        })
    }

    /// The query's parameters, of which only `known` ones may be there, each once.
    pub(crate) fn parameters(&self, known: &[&str]) -> Result<BTreeMap<String, String>, Problem> {
        let mut found = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(self.query.as_bytes()) {
            if !known.contains(&name.as_ref()) {
                return Err(Problem::bad_request(format!("There is no parameter `{name}` here.")));
            }
            if found.insert(name.clone().into_owned(), value.into_owned()).is_some() {
                return Err(Problem::bad_request(format!("The parameter `{name}` is there twice.")));
            }
        }
        Ok(found)
    }

    /// The `Idempotency-Key`, if there is one: 1 to 255 visible characters.
    pub(crate) fn idempotency_key(&self) -> Result<Option<String>, Problem> {
        let Some(key) = single(&self.headers, &HeaderName::from_static("idempotency-key"))? else {
            return Ok(None);
        };
        if key.is_empty() || key.len() > 255 || !key.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Problem::bad_request("An `Idempotency-Key` has 1 to 255 visible characters."));
        }
        Ok(Some(key.to_owned()))
    }

    /// Whether the record with this entity tag is the one the caller has seen (RFC 9110 section 13.1.1).
    pub(crate) fn still_matches(&self, etag: &str) -> Result<(), Problem> {
        let Some(given) = single(&self.headers, &header::IF_MATCH)? else { return Ok(()) };
        if given.trim() == "*" || given.split(',').any(|tag| tag.trim() == etag) {
            return Ok(());
        }
        let detail = format!("The record has changed since; its entity tag is now {etag}.");
        Err(Problem::new(StatusCode::PRECONDITION_FAILED, "precondition_failed", detail))
    }
}

/// The one value of a header. Two of them could be read differently by two readers, so that is refused.
pub(crate) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => {
            let text = value.to_str();
            text.map(Some).map_err(|_| Problem::bad_request(format!("The header `{name}` is not text.")))
        }
        (Some(_), Some(_)) => Err(Problem::bad_request(format!("The header `{name}` is there twice."))),
    }
}

/// A good answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// JSON text.
    pub(crate) body: String,
    headers: Vec<(HeaderName, String)>,
}

impl Answer {
    /// JSON of a value.
    pub(crate) fn json<T: Serialize>(status: StatusCode, value: &T) -> Result<Self, Problem> {
        let body = serde_json::to_string(value).map_err(|_| Problem::internal())?;
        Ok(Self { status, body, headers: Vec::new() })
    }

    /// The first answer again, marked as such.
    pub(crate) fn kept(kept: &Kept) -> Self {
        let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
        let headers = vec![(HeaderName::from_static("idempotent-replayed"), "true".to_owned())];
        Self { status, body: kept.body.clone(), headers }
    }

    /// The same with another header.
    #[must_use]
    pub(crate) fn with(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let content_type = HeaderValue::from_static("application/json");
        let mut response = (self.status, [(header::CONTENT_TYPE, content_type)], self.body).into_response();
        for (name, value) in self.headers {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}
