//! What policy said.

use serde::{Deserialize, Serialize};

use crate::digest::{Digest, Hasher, domain};

/// Why policy refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PolicyRef {
    /// Its `@id`.
    pub id: String,
    /// Digest of its text.
    pub digest: Digest,
    /// Its `@reason`, empty when it has none.
    pub reason: String,
}

/// A liftable forbid that fired: what people must add, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// The policy.
    pub policy: PolicyRef,
    /// Names of the approval rules, all of which must be met.
    pub rules: Vec<String>,
}

/// The three answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
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

/// A verdict and what determined it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The answer.
    #[serde(flatten)]
    pub verdict: Verdict,
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
}

impl Decision {
    /// The gates that fired; empty unless approval is needed.
    pub fn gates(&self) -> &[Gate] {
        match &self.verdict {
            Verdict::NeedsApproval { gates } => gates,
            Verdict::Allow | Verdict::Deny { .. } => &[],
        }
    }

    /// The same decision when it turns out that nobody may give these approvals.
    #[must_use]
    pub fn with_nobody_to_decide(self, detail: String) -> Self {
        Self {
            verdict: Verdict::Deny { code: DenyCode::NobodyMayDecide },
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
