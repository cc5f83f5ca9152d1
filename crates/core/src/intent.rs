//! The intent digest: everything that changes the effect, and nothing else.
//!
//! People sign it and the executor checks it. The agent's reason, the conversation, times and the
//! proposal's id are not in it: they are not effects, and they would make approvals unusable.

use serde::{Deserialize, Serialize};

use crate::action::{ActionName, Call, Rendering};
use crate::digest::{Digest, Hasher, domain};
use crate::directory::Chain;
use crate::json::{self, CanonicalInput, NotCanonical};

/// Which format an intent digest was made by. This build makes the current one and still checks the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IntentVersion {
    /// `countersign/intent/v1`: an HTTP call field by field, JSON in the form before RFC 8785.
    #[serde(rename = "1")]
    V1,
    /// `countersign/intent/v2`: the connector's name and its call, JSON by RFC 8785.
    #[serde(rename = "2")]
    V2,
}

impl IntentVersion {
    /// What new proposals are bound by.
    pub const CURRENT: Self = Self::V2;
}

/// What an intent is made of.
#[derive(Debug, Clone, Copy)]
pub struct Intent<'a> {
    /// By which format.
    pub version: IntentVersion,
    /// The action.
    pub action: &'a ActionName,
    /// Digest of its manifest: schema, request template, effect class, labels.
    pub revision: &'a Digest,
    /// The input, as canonical bytes.
    pub input: &'a CanonicalInput,
    /// Who acts.
    pub chain: &'a Chain,
    /// Resource, risk, call, precondition, effects.
    pub rendering: &'a Rendering,
    /// The proposal's id in text, which is masked out of the call.
    pub proposal_id: &'a str,
}

impl Intent<'_> {
    /// The digest.
    pub fn digest(&self) -> Result<Digest, NotCanonical> {
        match self.version {
            IntentVersion::V1 => self.v1(),
            IntentVersion::V2 => self.v2(),
        }
    }

    fn v2(&self) -> Result<Digest, NotCanonical> {
        let rendering = self.rendering;
        let call = rendering.call.masked(self.proposal_id);
        let fields = match &call {
            Call::Http(call) => json::canonical_of(call)?,
        };
        Ok(Hasher::new(domain::INTENT)
            .field(self.action.as_str().as_bytes())
            .field(self.revision.as_bytes())
            .field(self.input.bytes())
            .field(&json::canonical_of(self.chain)?)
            .field(&json::canonical_of(&rendering.resource)?)
            .field(rendering.environment.as_bytes())
            .field(&json::canonical_of(&rendering.risk)?)
            .field(call.kind().as_bytes())
            .field(&fields)
            .field(&json::canonical_of(&rendering.precondition)?)
            .list(rendering.effects.iter().map(String::as_bytes))
            .finish())
    }

    fn v1(&self) -> Result<Digest, NotCanonical> {
        let rendering = self.rendering;
        let Call::Http(call) = rendering.call.masked(self.proposal_id);
        let (content_type, body) = call.body.as_ref().map_or(("", ""), |(t, b)| (t.as_str(), b.as_str()));
        let headers: Vec<Vec<u8>> =
            call.headers.iter().map(|(n, v)| [n.as_bytes(), b": ", v.as_bytes()].concat()).collect();
        Ok(Hasher::new(domain::INTENT_V1)
            .field(self.action.as_str().as_bytes())
            .field(self.revision.as_bytes())
            .field(&json::canonical_v1(self.input)?)
            .field(&json::canonical_v1(self.chain)?)
            .field(&json::canonical_v1(&rendering.resource)?)
            .field(rendering.environment.as_bytes())
            .field(&json::canonical_v1(&rendering.risk)?)
            .field(call.method.as_str().as_bytes())
            .field(call.url.as_bytes())
            .list(headers.iter().map(Vec::as_slice))
            .field(content_type.as_bytes())
            .field(body.as_bytes())
            .field(&json::canonical_v1(&call.credential)?)
            .field(&json::canonical_v1(&call.ok)?)
            .field(&call.timeout_ms.to_be_bytes())
            .field(&json::canonical_v1(&call.effect)?)
            .field(&json::canonical_v1(&rendering.precondition)?)
            .list(rendering.effects.iter().map(String::as_bytes))
            .finish())
    }
}
