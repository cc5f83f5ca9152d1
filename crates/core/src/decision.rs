//! What policy said.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::digest::{Digest, Hasher, domain};
use crate::preview::Fidelity;
use crate::time::Timestamp;

/// Why policy refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DenyCode {
    /// A hard forbid matched.
    Forbidden,
    /// Nothing permits it.
    NoPermit,
    /// A policy could not be evaluated; a skipped forbid must not become an allow (T58).
    PolicyError,
    /// The request does not fit the Cedar schema.
    InvalidRequest,
    /// People would have to decide, and nobody is left who may.
    NobodyMayDecide,
}

/// A policy that took part in a decision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyRef {
    /// Its `@id`.
    pub id: String,
    /// Digest of its text.
    pub digest: Digest,
    /// Its `@reason`, empty when it has none.
    pub reason: String,
}

/// A liftable forbid that fired: what people must add, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The policy.
    pub policy: PolicyRef,
    /// Names of the approval rules, all of which must be met.
    pub rules: Vec<String>,
}

/// The three answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// May run.
    Allow,
    /// May not run, and nobody can change that by approving.
    Deny {
        /// Why.
        code: DenyCode,
    },
    /// May run once people have met every gate.
    NeedsApproval {
        /// The liftable forbids that fired, sorted by policy id.
        gates: Vec<Gate>,
    },
}

/// A answer and what determined it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The answer.
    #[serde(flatten)]
    pub answer: Answer,
    /// The policies that determined it, sorted by id.
    pub policies: Vec<PolicyRef>,
    /// Digest of the whole policy set.
    pub policy_set: Digest,
    /// Digest of the gates and their rules: what an approval answers to.
    pub digest: Digest,
    /// What stands between the proposal and its approvers, if something does: that nobody may decide, or that
    /// the person on whose behalf must confirm first. A fragment, for people and agents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What policy was given beside what the proposal itself says, so that the decision can be asked again by anybody
    /// who has the gate directory and the input. None in decisions of version 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Box<PolicyInput>>,
}

/// What policy was given: with action, resource, risk, environment and input of the proposal it is the whole question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyInput {
    /// The time, by the gate's clock.
    pub at: Timestamp,
    /// Each link of the chain, in its order, as the directory knew it.
    pub links: Vec<PolicyLink>,
    /// How faithful the preview was.
    pub fidelity: Fidelity,
    /// The agent's run.
    pub run: Option<String>,
    /// The gates whose rules were met.
    pub approved: Vec<String>,
}

/// A link of the chain as policy sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PolicyLink {
    /// Name in the directory.
    pub id: String,
    /// Every team that it is in, directly or not.
    pub teams: Vec<String>,
    /// The person who owns it, if it is an agent.
    pub owner: Option<String>,
}

/// A decision as version 1 wrote it.
#[derive(Deserialize)]
struct DecisionV1 {
    #[serde(flatten)]
    answer: AnswerV1,
    policies: Vec<PolicyRef>,
    policy_set: Digest,
    digest: Digest,
    #[serde(default)]
    detail: Option<String>,
}

#[derive(Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
enum AnswerV1 {
    Allow,
    Deny { code: DenyCode },
    NeedsApproval { gates: Vec<Gate> },
}

impl Decision {
    /// Reads a decision of a record or an entry of version 1.
    pub fn deserialize_v1<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let DecisionV1 { answer, policies, policy_set, digest, detail } =
            DecisionV1::deserialize(deserializer)?;
        let answer = match answer {
            AnswerV1::Allow => Answer::Allow,
            AnswerV1::Deny { code } => Answer::Deny { code },
            AnswerV1::NeedsApproval { gates } => Answer::NeedsApproval { gates },
        };
        Ok(Self { answer, policies, policy_set, digest, detail, given: None })
    }
}

impl Decision {
    /// The gates that fired; empty unless approval is needed.
    pub fn gates(&self) -> &[Gate] {
        match &self.answer {
            Answer::NeedsApproval { gates } => gates,
            Answer::Allow | Answer::Deny { .. } => &[],
        }
    }

    /// The same decision when it turns out that nobody may give these approvals.
    #[must_use]
    pub fn with_nobody_to_decide(self, detail: String) -> Self {
        Self {
            answer: Answer::Deny { code: DenyCode::NobodyMayDecide },
            digest: decision_digest(&[], |rule| Digest::of(domain::RULE, rule.as_bytes())),
            detail: Some(detail),
            ..self
        }
    }

    /// The names of all approval rules asked for, each once, sorted.
    pub fn rules(&self) -> Vec<&str> {
        let mut names: Vec<&str> =
            self.gates().iter().flat_map(|g| g.rules.iter().map(String::as_str)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The decision digest: every gate with its policy's text and the definition of each of its rules.
///
/// `rule_digest` gives the digest of a rule's definition by name.
pub fn decision_digest(gates: &[Gate], rule_digest: impl Fn(&str) -> Digest) -> Digest {
    let mut sorted: Vec<&Gate> = gates.iter().collect();
    sorted.sort_by(|a, b| a.policy.id.cmp(&b.policy.id));
    sorted
        .iter()
        .fold(Hasher::new(domain::DECISION), |hasher, gate| {
            let hasher = hasher.field(gate.policy.id.as_bytes()).field(gate.policy.digest.as_bytes());
            gate.rules
                .iter()
                .fold(hasher, |h, rule| h.field(rule.as_bytes()).field(rule_digest(rule).as_bytes()))
        })
        .finish()
}
