//! What policy says before the record is read (T31): a read is made for nobody whom policy could not permit.
//!
//! At load, the policies of each action are divided. Those that read nothing of the record are evaluated for
//! every link of the chain before any read. Of the others only the scope is looked at. A policy whose form is
//! not known counts as one that reads the record, so that what is denied here is denied with every record.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Effect, Policy, PrincipalConstraint, ResourceConstraint, RestrictedExpression};
use serde_json::Value;

use super::decide::evaluate;
use super::est::{self, Node};
use super::request::{Asked, Prepared};
use super::sees::Sees;
use super::shape::Fields;
use super::slice::{ActionScope, Cut, Slice, may_match};
use super::{Policies, Query};
use crate::action::RecordReads;
use crate::decision::{Decision, DenyCode};

/// What can be said without the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// Denied, whatever the record says.
    Denied(Box<Decision>),
    /// It depends on the record, so a read is justified.
    Read {
        /// For every link, a permit that reads nothing of the record matches. The agent may then know that a
        /// record does not exist.
        permitted: bool,
    },
}

/// The policies of one action, divided by whether they read the record.
#[derive(Debug)]
pub(super) struct UnreadSlice {
    /// Those that read nothing of it.
    free: Slice,
    /// The principals of the permits among the others.
    permits: Vec<PrincipalConstraint>,
}

impl UnreadSlice {
    /// Divides the policies that can apply to an action.
    pub(super) fn new(
        scope: &ActionScope,
        input: &Fields,
        policies: &BTreeMap<String, (Policy, bool)>,
        record: RecordReads,
    ) -> Option<Self> {
        let mut free = BTreeMap::new();
        let mut permits = Vec::new();
        for (id, (policy, gate)) in policies.iter().filter(|(_, (policy, _))| scope.admits(policy)) {
            if !reads_record(policy, scope, record) {
                free.insert(id.clone(), (policy.clone(), *gate));
            } else if policy.effect() == Effect::Permit {
                permits.push(policy.principal_constraint());
            }
        }
        Some(Self { free: Slice::new(scope.clone(), input.clone(), &free, Cut::CLOSE)?, permits })
    }

    /// What the policies that read nothing of the record read of the context.
    pub(super) const fn sees(&self) -> &Sees {
        &self.free.sees
    }
}

impl Policies {
    /// See [`Policies::decide_unread`].
    pub(super) fn answer_unread(&self, asked: &Asked<'_>) -> Unread {
        let deny = |code, ids: &BTreeSet<String>| Unread::Denied(Box::new(self.deny(code, ids)));
        // An action that reads no record is decided with everything it has.
        let Some(slice) = self.unread.get(asked.action) else { return Unread::Read { permitted: false } };
        let words = &self.vocabulary;
        let nothing = RestrictedExpression::new_set([]);
        let prepared = Prepared::new(asked, &slice.free, words, &words.unread_schema);
        let ready = prepared.and_then(|p| p.requests(&nothing).map(|requests| (p, requests)));
        let Some((prepared, requests)) = ready else {
            return deny(DenyCode::InvalidRequest, &BTreeSet::new());
        };
        let (said, mut failed) = evaluate(self, &prepared, &slice.free.ungated, &requests);
        // People can lift a gate that fired, but not one that failed.
        if let Some(gates) = &slice.free.gates {
            failed.extend(evaluate(self, &prepared, gates, &requests).1);
        }
        if !failed.is_empty() {
            return deny(DenyCode::PolicyError, &failed);
        }
        // Of a link that is not allowed, the reasons are the forbids that fired.
        let fired: BTreeSet<String> =
            said.iter().filter(|s| !s.allowed).flat_map(|s| s.reasons.iter().cloned()).collect();
        if !fired.is_empty() {
            return deny(DenyCode::Forbidden, &fired);
        }
        let mut permitted = true;
        for (link, said) in asked.chain.links().iter().zip(&said) {
            let identity = words.identities.get(link);
            let perhaps = || identity.is_some_and(|link| slice.permits.iter().any(|p| may_match(p, link)));
            if !said.allowed {
                permitted = false;
                if !perhaps() {
                    return deny(DenyCode::NoPermit, &BTreeSet::new());
                }
            }
        }
        Unread::Read { permitted }
    }

    /// The denial of a proposal whose record could not be looked at, for a chain that no policy permits without
    /// knowing the record. It says the same as a denial before the read.
    pub fn deny_unseen(&self, query: &Query<'_>) -> Decision {
        let given = Some(Box::new(query.given(&BTreeSet::new())));
        Decision { given, ..self.deny(DenyCode::NoPermit, &BTreeSet::new()) }
    }
}

/// Whether a policy's answer for this action can depend on the record; true when that is not certain.
fn reads_record(policy: &Policy, scope: &ActionScope, record: RecordReads) -> bool {
    let Ok(form) = policy.to_json() else { return true };
    let Some(paths) = est::context_reads(&form) else { return true };
    paths.iter().any(|path| from_record(path, record))
        || (record.resource && (names_resource(policy, scope) || mentions_resource(&form)))
}

/// Whether the value at a path of the context depends on the record. A field that is not listed does.
fn from_record(path: &[&str], record: RecordReads) -> bool {
    match path {
        ["input" | "env" | "chain" | "run" | "now" | "clock" | "approvals", ..]
        | ["risk", "mutating" | "reversible" | "external" | "financial", ..] => false,
        ["risk", "amount" | "exact" | "currency", ..] => record.amount,
        ["risk", "count", ..] => record.count,
        ["risk"] => record.amount || record.count,
        _ => true,
    }
}

/// Whether the scope names one resource, by its id.
fn names_resource(policy: &Policy, scope: &ActionScope) -> bool {
    match policy.resource_constraint() {
        ResourceConstraint::Any | ResourceConstraint::Is(_) => false,
        ResourceConstraint::Eq(_) => true,
        ResourceConstraint::In(of) | ResourceConstraint::IsIn(_, of) => of != scope.system,
    }
}

/// Whether a condition mentions `resource`; true when a form is not known.
fn mentions_resource(form: &Value) -> bool {
    fn inside(expr: &Value) -> bool {
        Node::read(expr).is_none_or(|node| {
            matches!(node, Node::Var("resource")) || node.children().into_iter().any(inside)
        })
    }
    est::conditions(form).into_iter().any(|(_, body)| inside(body))
}
