//! What became of a call. A connector returns this and never an error: anything unclear is `unknown`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the upstream answered, as it may be kept and returned: bounded, scrubbed of secrets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// The body: parsed when it is JSON, else as a string; `null` when empty.
    pub body: Value,
    /// The content type as sent.
    pub content_type: String,
    /// Whether a secret was found in the answer and removed (T82).
    #[serde(default)]
    pub scrubbed: bool,
}

/// Why a call certainly had no effect, or why nobody knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The credential could not be resolved; nothing was sent.
    CredentialUnavailable,
    /// The address is not one this gate may call; nothing was sent.
    AddressRefused,
    /// No connection, or no TLS session; nothing was sent.
    NotConnected,
    /// What would have been sent is not what was approved; nothing was sent.
    IntentMismatch,
    /// Too much time passed between the recorded dispatch and the call; nothing was sent.
    NotSent,
    /// The upstream refused with a status that means "not applied".
    UpstreamRefused,
    /// The upstream answered with a redirect, which is never followed.
    Redirected,
    /// No answer in time.
    TimedOut,
    /// The connection broke after the request was on its way.
    ConnectionLost,
    /// A status that does not say whether it was applied, such as 500.
    UnclearStatus,
    /// The answer was cut, too large or not HTTP.
    UnreadableAnswer,
    /// The process that sent it ended before it could say.
    OwnerGone,
}

impl Cause {
    /// The cause as a sentence fragment for people.
    pub const fn to_text(self) -> &'static str {
        match self {
            Self::CredentialUnavailable => "the credential could not be resolved, so nothing was sent",
            Self::AddressRefused => "the upstream's address is not allowed, so nothing was sent",
            Self::NotConnected => "no connection to the upstream, so nothing was sent",
            Self::IntentMismatch => "the call differed from what was approved, so nothing was sent",
            Self::NotSent => "too much time passed before the call could begin, so nothing was sent",
            Self::UpstreamRefused => "the upstream refused",
            Self::Redirected => "the upstream answered with a redirect, which is not followed",
            Self::TimedOut => "the upstream did not answer in time",
            Self::ConnectionLost => "the connection broke after the request was sent",
            Self::UnclearStatus => "the upstream's answer does not say whether it was applied",
            Self::UnreadableAnswer => "the upstream's answer could not be read",
            Self::OwnerGone => "the gate stopped while the call was on its way",
        }
    }
}

/// The outcome of one dispatch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The upstream says it is done.
    Succeeded {
        /// What it answered.
        response: Response,
    },
    /// Certainly no effect, or the upstream itself says it failed.
    Failed {
        /// Why.
        cause: Cause,
        /// What the upstream answered, if it did.
        response: Option<Response>,
    },
    /// Nobody knows. Never sent again by itself.
    Unknown {
        /// Why.
        cause: Cause,
        /// What the upstream answered, if it did.
        response: Option<Response>,
    },
}

impl Outcome {
    /// Whether it says what became of the call: anything but `unknown`.
    pub const fn is_definite(&self) -> bool {
        match self {
            Self::Succeeded { .. } | Self::Failed { .. } => true,
            Self::Unknown { .. } => false,
        }
    }
}
