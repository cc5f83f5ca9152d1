//! The decision: once for each link of the chain, as things stand, and again with every gate granted.
//!
//! Any error of any policy, in any evaluation, is a deny: Cedar skips a forbid that fails (T58).

use std::collections::BTreeSet;

use cedar_policy::{AuthorizationError, Decision as Answer, EntityUid, RestrictedExpression};

use super::Policies;
use super::request::{Asked, Prepared};
use super::slice::Slice;
use crate::decision::{Decision, DenyCode, Gate, PolicyRef, Verdict, decision_digest};

/// One link's answer.
struct Said<'a> {
    principal: &'a EntityUid,
    allowed: bool,
    /// The ids of the policies that determined it.
    reasons: BTreeSet<String>,
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
        let prepared =
            self.slices.get(asked.action).and_then(|s| Some((s, Prepared::new(asked, s, &self.vocabulary)?)));
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
        let now = evaluate(self, prepared, slice, &prepared.principals, &nothing)?;
        let Some(fired) = standing(&now) else { return Ok(self.allow(&now, &[])) };
        // A link that is allowed as things stand stays allowed: a granted gate only removes a forbid.
        let denied: Vec<&EntityUid> = now.iter().filter(|s| !s.allowed).map(|s| s.principal).collect();
        let best = evaluate(self, prepared, slice, &denied, &slice.all_gates)?;
        if let Some(hard) = standing(&best) {
            let code = if hard.is_empty() { DenyCode::NoPermit } else { DenyCode::Forbidden };
            return Ok(self.deny(code, &hard));
        }
        let gates: Vec<Gate> = fired.iter().filter_map(|id| self.gate(id)).collect();
        if fired.is_subset(approved) {
            // The last word is a plain evaluation with the gates that people have really opened.
            let opened = fired.iter().cloned().map(RestrictedExpression::new_string);
            let opened = RestrictedExpression::new_set(opened.collect::<Vec<_>>());
            let last = evaluate(self, prepared, slice, &prepared.principals, &opened)?;
            if standing(&last).is_none() {
                return Ok(self.allow(&last, &gates));
            }
        }
        let policies = gates.iter().map(|g| g.policy.clone()).collect();
        let digest = self.digest_of(&gates);
        Ok(self.decision(Verdict::NeedsApproval { gates }, policies, digest))
    }

    fn allow(&self, said: &[Said<'_>], lifted: &[Gate]) -> Decision {
        let ids = said.iter().flat_map(|s| s.reasons.iter().cloned()).collect();
        self.decision(Verdict::Allow, self.references(&ids), self.digest_of(lifted))
    }

    fn deny(&self, code: DenyCode, ids: &BTreeSet<String>) -> Decision {
        self.decision(Verdict::Deny { code }, self.references(ids), self.no_gates)
    }

    fn decision(
        &self,
        verdict: Verdict,
        policies: Vec<PolicyRef>,
        digest: crate::digest::Digest,
    ) -> Decision {
        Decision { verdict, policies, policy_set: self.digest, digest }
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
fn standing(said: &[Said<'_>]) -> Option<BTreeSet<String>> {
    let mut denied = said.iter().filter(|s| !s.allowed).peekable();
    denied.peek()?;
    Some(denied.flat_map(|s| s.reasons.iter().cloned()).collect())
}

fn evaluate<'a>(
    policies: &Policies,
    prepared: &Prepared<'a>,
    slice: &Slice,
    principals: &[&'a EntityUid],
    approvals: &RestrictedExpression,
) -> Result<Vec<Said<'a>>, Stopped> {
    let context = prepared.context(approvals).ok_or(Stopped::InvalidRequest)?;
    let mut said = Vec::with_capacity(principals.len());
    let mut failed = BTreeSet::new();
    for principal in principals {
        let request = prepared.request(principal, &context).ok_or(Stopped::InvalidRequest)?;
        let response = policies.authorizer.is_authorized(&request, &slice.set, &prepared.entities);
        let diagnostics = response.diagnostics();
        failed.extend(diagnostics.errors().map(|error| {
            let AuthorizationError::PolicyEvaluationError(error) = error;
            error.policy_id().to_string()
        }));
        said.push(Said {
            principal,
            allowed: response.decision() == Answer::Allow,
            reasons: diagnostics.reason().map(ToString::to_string).collect(),
        });
    }
    if failed.is_empty() { Ok(said) } else { Err(Stopped::PolicyError(failed)) }
}
