//! The parts of a record: what is written once, apart from the header that each move rewrites.
//!
//! The header and the log hold each part's salted digest, never its text. So a part can be erased together with its
//! salt, and nothing that stays behind can be guessed at (T122).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Evidence, Proposal, Record};
use crate::digest::{Digest, Hasher, domain};
use crate::intent::IntentVersion;
use crate::json::{self, NotCanonical};
use crate::outcome::Response;

/// One part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartName {
    /// The validated input, as canonical JSON.
    Input,
    /// What is bound and shown: the rendering and the preview.
    Preview,
    /// The agent's reason, in its own words.
    Words,
    /// What the agent attached.
    Evidence,
    /// The body of the upstream's answer.
    Response,
}

impl PartName {
    /// Every part.
    pub const ALL: [Self; 5] = [Self::Input, Self::Preview, Self::Words, Self::Evidence, Self::Response];

    /// The name in the store and in digests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::Preview => "preview",
            Self::Words => "words",
            Self::Evidence => "evidence",
            Self::Response => "response",
        }
    }
}

/// One salt for each part: 32 hexadecimal digits that make its digest unguessable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Salts {
    /// Of the input.
    pub input: String,
    /// Of what is bound and shown.
    pub preview: String,
    /// Of the agent's words.
    pub words: String,
    /// Of what the agent attached.
    pub evidence: String,
    /// Of the upstream's answer.
    pub response: String,
}

impl Salts {
    /// Five salts from a source of random text.
    pub fn new(mut random: impl FnMut() -> String) -> Self {
        Self { input: random(), preview: random(), words: random(), evidence: random(), response: random() }
    }

    fn of(&self, name: PartName) -> &str {
        match name {
            PartName::Input => &self.input,
            PartName::Preview => &self.preview,
            PartName::Words => &self.words,
            PartName::Evidence => &self.evidence,
            PartName::Response => &self.response,
        }
    }

    /// The digest of a part's text, under `countersign/part/v2`.
    pub fn digest(&self, name: PartName, text: &[u8]) -> Digest {
        Hasher::new(domain::PART)
            .field(name.as_str().as_bytes())
            .field(self.of(name).as_bytes())
            .field(text)
            .finish()
    }
}

/// Where a part is stored: the version of the record that wrote it, and its digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartRef {
    /// The version that wrote it.
    pub version: u32,
    /// The salted digest of its text.
    pub digest: Digest,
}

/// The parts that are stored, so that a move writes only what is not. A new record has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredParts {
    /// The input.
    pub input: Option<PartRef>,
    /// What is bound and shown now. An earlier one stays stored beside it.
    pub preview: Option<PartRef>,
    /// The agent's words; none when it said nothing.
    pub words: Option<PartRef>,
    /// What the agent attached; none when it attached nothing.
    pub evidence: Option<PartRef>,
    /// The upstream's answer; none before there is one.
    pub response: Option<PartRef>,
}

impl StoredParts {
    /// Where this part is stored.
    pub const fn get(&self, name: PartName) -> Option<PartRef> {
        match name {
            PartName::Input => self.input,
            PartName::Preview => self.preview,
            PartName::Words => self.words,
            PartName::Evidence => self.evidence,
            PartName::Response => self.response,
        }
    }

    /// Notes where this part is stored.
    pub fn set(&mut self, name: PartName, part: PartRef) {
        let slot = match name {
            PartName::Input => &mut self.input,
            PartName::Preview => &mut self.preview,
            PartName::Words => &mut self.words,
            PartName::Evidence => &mut self.evidence,
            PartName::Response => &mut self.response,
        };
        *slot = Some(part);
    }
}

/// A part that is to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPart {
    /// Which one.
    pub name: PartName,
    /// Its text: JSON.
    pub text: String,
}

impl Proposal {
    /// The text of the agent's words.
    fn words_text(&self) -> Option<Vec<u8>> {
        self.reason.as_ref().map(|reason| json::canonical(&Value::from(reason.as_str())))
    }

    /// The text of what the agent attached.
    fn evidence_text(&self) -> Option<Vec<u8>> {
        let item = |e: &Evidence| -> Value {
            [("title", Value::from(e.title.as_str())), ("body", e.body.clone())].into_iter().collect()
        };
        let items = self.evidence.iter().map(item);
        (!self.evidence.is_empty()).then(|| json::canonical(&items.collect()))
    }

    /// What the log holds in place of the input.
    pub fn commitment(&self) -> Digest {
        self.salts.digest(PartName::Input, self.input.bytes())
    }

    /// The log's commitment to what the agent wrote; none when it wrote nothing.
    pub fn words(&self) -> Option<Digest> {
        Some(self.salts.digest(PartName::Words, &self.words_text()?))
    }

    /// The log's commitment to what the agent attached; none when it attached nothing.
    pub fn attached(&self) -> Option<Digest> {
        Some(self.salts.digest(PartName::Evidence, &self.evidence_text()?))
    }
}

/// The text of an answer's body, as it is stored and committed to.
pub(super) fn response_text(response: &Response) -> Vec<u8> {
    json::canonical(&response.body)
}

impl Record {
    /// The parts that this record has and that are not stored yet.
    pub fn unstored(&self) -> Result<Vec<NewPart>, NotCanonical> {
        let mut new = Vec::new();
        for name in PartName::ALL.into_iter().filter(|name| self.parts.get(*name).is_none()) {
            let text = match name {
                PartName::Input => Some(match self.binding.version {
                    // Its intent digest covers the numbers as they were written then.
                    IntentVersion::V1 => json::canonical_v1(&self.proposal.input)?,
                    IntentVersion::V2 => self.proposal.input.bytes().to_vec(),
                }),
                PartName::Preview => {
                    let bound = (&self.binding.rendering, &self.binding.preview);
                    Some(serde_json::to_vec(&bound).map_err(NotCanonical::from)?)
                }
                PartName::Words => self.proposal.words_text(),
                PartName::Evidence => self.proposal.evidence_text(),
                PartName::Response => self.response.as_ref().map(response_text),
            };
            // INVARIANT: JSON is UTF-8.
            let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
            new.extend(text.map(|text| NewPart { name, text }));
        }
        Ok(new)
    }
}
