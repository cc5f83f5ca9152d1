//! The decision: once for each link of the chain, as things stand, and where only gates say no, whether some
//! permit would say yes.
//!
//! Any error of any policy, in any evaluation, is a deny: Cedar skips a forbid that fails (T58).

use std::collections::BTreeSet;

use cedar_policy::{AuthorizationError, Decision as Answer, PolicySet, Request, RestrictedExpression};

use super::Policies;
use super::request::{Asked, Prepared};
use super::slice::Slice;
use crate::decision::{Decision, DenyCode, Gate, PolicyRef, Verdict, decision_digest};

/// One link's answer.
struct Said<'a> {
    request: &'a Request,
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
        let requests = prepared.requests(&nothing).ok_or(Stopped::InvalidRequest)?;
        let now = evaluate(self, prepared, &slice.set, &requests)?;
        let Some(fired) = standing(&now) else { return Ok(self.allow(&now, &[])) };
        // What would be left with every gate granted needs no evaluation of its own. Only the generated
        // condition of a gate may read `context.approvals`, so of all answers a granted gate changes just its
        // own: it no longer applies. The forbids that are no gates stand as they do now.
        let hard: BTreeSet<String> = fired.iter().filter(|id| !self.is_gate(id)).cloned().collect();
        if !hard.is_empty() {
            return Ok(self.deny(DenyCode::Forbidden, &hard));
        }
        // The permits decide then, and of those Cedar says nothing where a forbid applies.
        let denied = now.iter().filter(|s| !s.allowed).map(|s| s.request);
        let best = evaluate(self, prepared, &slice.permits, denied)?;
        if standing(&best).is_some() {
            return Ok(self.deny(DenyCode::NoPermit, &BTreeSet::new()));
        }
        let gates: Vec<Gate> = fired.iter().filter_map(|id| self.gate(id)).collect();
        if fired.is_subset(approved) {
            // The last word is a plain evaluation with the gates that people have really opened.
            let opened = fired.iter().cloned().map(RestrictedExpression::new_string);
            let opened = RestrictedExpression::new_set(opened.collect::<Vec<_>>());
            let requests = prepared.requests(&opened).ok_or(Stopped::InvalidRequest)?;
            let last = evaluate(self, prepared, &slice.set, &requests)?;
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

    /// Of an id that is not known it says no, so that the policy counts as one that nobody can lift.
    fn is_gate(&self, id: &str) -> bool {
        self.known.get(id).is_some_and(|known| known.rules.is_some())
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
    prepared: &Prepared<'_>,
    set: &PolicySet,
    requests: impl IntoIterator<Item = &'a Request>,
) -> Result<Vec<Said<'a>>, Stopped> {
    let mut said = Vec::new();
    let mut failed = BTreeSet::new();
    for request in requests {
        let response = policies.authorizer.is_authorized(request, set, &prepared.entities);
        let diagnostics = response.diagnostics();
        failed.extend(diagnostics.errors().map(|error| {
            let AuthorizationError::PolicyEvaluationError(error) = error;
            error.policy_id().to_string()
        }));
        said.push(Said {
            request,
            allowed: response.decision() == Answer::Allow,
            reasons: diagnostics.reason().map(ToString::to_string).collect(),
        });
    }
    if failed.is_empty() { Ok(said) } else { Err(Stopped::PolicyError(failed)) }
}
