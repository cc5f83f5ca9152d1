//! Calls HTTP upstreams: the approved call, exactly, once.
//!
//! `request` builds what a grant holds and nothing else, `outcome` says what an answer means. Nothing here
//! follows a redirect, sends anything twice or returns an error: what is unclear is `unknown` (T67, T77, T93).

mod outcome;
mod request;

use std::time::Duration;

use countersign_core::action::{Before, Call, HttpCall};
use countersign_core::limits;
use countersign_core::outcome::Outcome;
use serde_json::Value;

use crate::credential::Secret;
use crate::grant::{Grant, Look};
use crate::net::{self, Clients, Deadline, Trouble};

pub use crate::net::NetworkPolicy;

/// What a failed preview read says about another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookFailure {
    /// The upstream has no such record.
    NotFound,
    /// Another try may bring it: no connection, no answer in time, 408, 429 or 5xx.
    Transient,
    /// Another try brings the same.
    Permanent,
}

/// A preview read that brought nothing back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct LookError {
    /// Whether another try could help.
    pub kind: LookFailure,
    /// Without the upstream's body.
    pub detail: String,
}

impl From<Trouble> for LookError {
    fn from(trouble: Trouble) -> Self {
        let kind = match trouble {
            Trouble::NotConnected | Trouble::Lost | Trouble::Cut | Trouble::Late => LookFailure::Transient,
            Trouble::AddressRefused | Trouble::NotHttp | Trouble::TooLarge | Trouble::Encoded => {
                LookFailure::Permanent
            }
        };
        Self { kind, detail: trouble.to_text().to_owned() }
    }
}

/// What an upstream answered, before anybody says what it means.
#[derive(Debug)]
struct ReadAnswer {
    status: u16,
    content_type: String,
    etag: Option<String>,
    body: Result<zeroize::Zeroizing<Vec<u8>>, Trouble>,
}

/// Calls HTTP upstreams. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct HttpConnector {
    clients: Clients,
}

impl HttpConnector {
    /// With these networks.
    pub fn new(networks: NetworkPolicy) -> Self {
        Self { clients: Clients::new(networks) }
    }

    /// Makes the call of a grant, once. Everything unclear is `unknown`.
    ///
    /// The secret must be the one that the call names; without it, or with another, nothing is sent.
    #[tracing::instrument(name = "connector.call", skip_all, fields(proposal = %grant.proposal()))]
    pub async fn call(&self, grant: &Grant, secret: Option<&Secret>) -> Outcome {
        let Call::Http(call) = grant.call();
        let request = match request::of_call(call, secret) {
            Ok(request) => request,
            Err(cause) => return Outcome::Failed { cause, response: None },
        };
        let answer = self.exchange(request, call.credential.as_deref(), time_of(call)).await;
        outcome::of(call, secret, answer)
    }

    /// Reads a record for a preview: a safe method, a read credential, status 200 and JSON, nothing else.
    #[tracing::instrument(name = "connector.look", skip_all)]
    pub async fn look(&self, look: &Look, secret: Option<&Secret>) -> Result<Before, LookError> {
        let call = look.call();
        let failed = |why: &str| LookError { kind: LookFailure::Permanent, detail: why.to_owned() };
        let request = request::of_look(call, secret).map_err(failed)?;
        let answer = self.exchange(request, call.credential.as_deref(), limits::PREVIEW_TIMEOUT).await?;
        if answer.status != 200 {
            return Err(outcome::of_status(answer.status));
        }
        if !outcome::is_json(&answer.content_type) {
            return Err(failed("the upstream's answer is not JSON"));
        }
        let bytes = answer.body?;
        let body: Value = serde_json::from_slice(&bytes)
            .map_err(|_| failed("the upstream's answer says JSON and is not"))?;
        let (body, etag) = outcome::without_secret(body, answer.etag, secret);
        Ok(Before { body, etag, source: format!("{} {}", call.method.as_str(), call.url) })
    }

    async fn exchange(
        &self,
        request: reqwest::Request,
        credential: Option<&str>,
        time: Duration,
    ) -> Result<ReadAnswer, Trouble> {
        let deadline = Deadline::after(time);
        let response = self.clients.send(request, credential, deadline).await?;
        let status = response.status().as_u16();
        let content_type = net::content_type(&response);
        let etag = response.headers().get("etag").and_then(|v| v.to_str().ok());
        let etag = etag.filter(|tag| tag.bytes().all(|b| b.is_ascii_graphic())).map(str::to_owned);
        let body = net::read(response, limits::RESPONSE_BYTES_MAX, deadline).await;
        Ok(ReadAnswer { status, content_type, etag, body })
    }
}

fn time_of(call: &HttpCall) -> Duration {
    Duration::from_millis(call.timeout_ms).min(limits::CALL_TIMEOUT_MAX)
}

#[cfg(test)]
pub(crate) mod tests;
