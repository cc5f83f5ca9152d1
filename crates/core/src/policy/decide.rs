//! The decision, for each link of the chain: which gates apply as things stand, and what the other policies say.
//!
//! Any error of any policy, in any evaluation, is a deny: Cedar skips a forbid that fails (T58).

use std::collections::BTreeSet;

use cedar_policy::{
    AuthorizationError, Decision as CedarDecision, PolicyId, PolicySet, Request, RestrictedExpression,
};

use super::Policies;
use super::request::{Asked, Prepared};
use super::slice::Slice;
use crate::decision::{Answer, Decision, DenyCode, Gate, PolicyRef, decision_digest};

/// One link's answer.
pub(super) struct Said {
    pub(super) allowed: bool,
    /// The ids of the policies that determined it.
    pub(super) reasons: BTreeSet<String>,
}

/// The question could not be answered.
enum Stopped {
    /// It does not fit the schema.
    InvalidRequest,
    /// These policies failed.
    PolicyError(BTreeSet<String>),
}

impl Policies {
    /// Decides one question. See [`Policies::decide`].
    pub(super) fn answer(&self, asked: &Asked<'_>, approved: &BTreeSet<String>) -> Decision {
        let words = &self.vocabulary;
        let slice = self.slices.get(asked.action);
        let prepared = slice.and_then(|s| Some((s, Prepared::new(asked, s, words, &words.schema)?)));
        let answered = match &prepared {
            Some((slice, prepared)) => self.ask(prepared, slice, approved),
            None => Err(Stopped::InvalidRequest),
        };
        answered.unwrap_or_else(|stopped| match stopped {
            Stopped::InvalidRequest => self.deny(DenyCode::InvalidRequest, &BTreeSet::new()),
            Stopped::PolicyError(ids) => self.deny(DenyCode::PolicyError, &ids),
        })
    }

    fn ask(
        &self,
        prepared: &Prepared<'_>,
        slice: &Slice,
        approved: &BTreeSet<String>,
    ) -> Result<Decision, Stopped> {
        let nothing = RestrictedExpression::new_set([]);
        let requests = prepared.requests(&nothing).ok_or(Stopped::InvalidRequest)?;
        // Every policy is evaluated once for each link, in two parts that together are the plain answer: a forbid
        // applies whatever the other policies say. Only the generated condition of a gate may read
        // `context.approvals`, so the part without gates is also what would be left with every gate granted.
        let (best, mut failed) = evaluate(self, prepared, &slice.ungated, &requests);
        let fired = match &slice.gates {
            Some(gates) => {
                let (said, also_failed) = evaluate(self, prepared, gates, &requests);
                failed.extend(also_failed);
                said.into_iter().flat_map(|s| s.reasons).collect()
            }
            None => BTreeSet::new(),
        };
        if !failed.is_empty() {
            return Err(Stopped::PolicyError(failed));
        }
        if let Some(hard) = standing(&best) {
            let code = if hard.is_empty() { DenyCode::NoPermit } else { DenyCode::Forbidden };
            return Ok(self.deny(code, &hard));
        }
        if fired.is_empty() {
            return Ok(self.allow(&best, &[]));
        }
        let gates: Vec<Gate> = fired.iter().filter_map(|id| self.gate(id)).collect();
        if fired.is_subset(approved) {
            // The last word is a plain evaluation with the gates that people have really opened.
            let opened = fired.iter().cloned().map(RestrictedExpression::new_string);
            let opened = RestrictedExpression::new_set(opened.collect::<Vec<_>>());
            let requests = prepared.requests(&opened).ok_or(Stopped::InvalidRequest)?;
            let (last, failed) = evaluate(self, prepared, &slice.set, &requests);
            if !failed.is_empty() {
                return Err(Stopped::PolicyError(failed));
            }
            if standing(&last).is_none() {
                return Ok(self.allow(&last, &gates));
            }
        }
        let policies = gates.iter().map(|g| g.policy.clone()).collect();
        let digest = self.digest_of(&gates);
        Ok(self.decision(Answer::NeedsApproval { gates }, policies, digest))
    }

    fn allow(&self, said: &[Said], lifted: &[Gate]) -> Decision {
        let ids = said.iter().flat_map(|s| s.reasons.iter().cloned()).collect();
        self.decision(Answer::Allow, self.references(&ids), self.digest_of(lifted))
    }

    pub(super) fn deny(&self, code: DenyCode, ids: &BTreeSet<String>) -> Decision {
        self.decision(Answer::Deny { code }, self.references(ids), self.no_gates)
    }

    fn decision(&self, answer: Answer, policies: Vec<PolicyRef>, digest: crate::digest::Digest) -> Decision {
        Decision { answer, policies, policy_set: self.digest, digest, detail: None, given: None }
    }

    fn digest_of(&self, gates: &[Gate]) -> crate::digest::Digest {
        if gates.is_empty() { self.no_gates } else { decision_digest(gates, |rule| self.rule_digest(rule)) }
    }

    /// Sorted, because the ids are.
    fn references(&self, ids: &BTreeSet<String>) -> Vec<PolicyRef> {
        ids.iter().filter_map(|id| self.known.get(id)).map(|k| k.policy.clone()).collect()
    }

    fn gate(&self, id: &str) -> Option<Gate> {
        let known = self.known.get(id)?;
        Some(Gate { policy: known.policy.clone(), rules: known.rules.clone()? })
    }
}

/// `None` when every link is allowed; else the forbids that fired for those that are not.
fn standing(said: &[Said]) -> Option<BTreeSet<String>> {
    let mut denied = said.iter().filter(|s| !s.allowed).peekable();
    denied.peek()?;
    Some(denied.flat_map(|s| s.reasons.iter().cloned()).collect())
}

/// The answer for each link, and the policies that failed for some link.
pub(super) fn evaluate(
    policies: &Policies,
    prepared: &Prepared<'_>,
    set: &PolicySet,
    requests: &[Request],
) -> (Vec<Said>, BTreeSet<String>) {
    let mut said = Vec::with_capacity(requests.len());
    let mut failed = BTreeSet::new();
    for request in requests {
        let response = policies.authorizer.is_authorized(request, set, &prepared.entities);
        let diagnostics = response.diagnostics();
        failed.extend(diagnostics.errors().map(|error| {
            let AuthorizationError::PolicyEvaluationError(error) = error;
            text(error.policy_id())
        }));
        said.push(Said {
            allowed: response.decision() == CedarDecision::Allow,
            reasons: diagnostics.reason().map(text).collect(),
        });
    }
    (said, failed)
}

/// The id as it was written.
fn text(id: &PolicyId) -> String {
    let text: &str = id.as_ref();
    text.to_owned()
}
