//! The intent digest: everything that changes the effect, and nothing else.
//!
//! People sign it and the executor checks it. The agent's reason, the conversation, times and the
//! proposal's id are not in it: they are not effects, and they would make approvals unusable.

use crate::action::{ActionName, Facts};
use crate::digest::{Digest, Hasher, domain};
use crate::directory::Chain;
use crate::json::{self, CanonicalInput};

/// What an intent is made of.
#[derive(Debug, Clone, Copy)]
pub struct Intent<'a> {
    /// The action.
    pub action: &'a ActionName,
    /// Digest of its manifest: schema, request template, effect class, labels.
    pub revision: &'a Digest,
    /// The input, as canonical bytes.
    pub input: &'a CanonicalInput,
    /// Who acts.
    pub chain: &'a Chain,
    /// Resource, risk, call, precondition, effects.
    pub facts: &'a Facts,
    /// The proposal's id in text, which is masked out of the call.
    pub proposal_id: &'a str,
}

impl Intent<'_> {
    /// The digest under `countersign/intent/v1`.
    pub fn digest(&self) -> Digest {
        let facts = self.facts;
        let call = facts.call.masked(self.proposal_id);
        let (content_type, body) = call.body.as_ref().map_or(("", ""), |(t, b)| (t.as_str(), b.as_str()));
        let headers: Vec<Vec<u8>> =
            call.headers.iter().map(|(n, v)| [n.as_bytes(), b": ", v.as_bytes()].concat()).collect();
        Hasher::new(domain::INTENT)
            .field(self.action.as_str().as_bytes())
            .field(self.revision.as_bytes())
            .field(self.input.bytes())
            .field(&json::canonical_of(self.chain))
            .field(&json::canonical_of(&facts.resource))
            .field(facts.environment.as_bytes())
            .field(&json::canonical_of(&facts.risk))
            .field(call.method.as_str().as_bytes())
            .field(call.url.as_bytes())
            .list(headers.iter().map(Vec::as_slice))
            .field(content_type.as_bytes())
            .field(body.as_bytes())
            .field(&json::canonical_of(&call.credential))
            .field(&json::canonical_of(&call.ok))
            .field(&call.timeout_ms.to_be_bytes())
            .field(&json::canonical_of(&call.effect))
            .field(&json::canonical_of(&facts.precondition))
            .list(facts.effects.iter().map(String::as_bytes))
            .finish()
    }
}
