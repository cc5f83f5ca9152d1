//! Turns one question into Cedar's terms: principals, resource, entities and context, typed throughout.
//!
//! Anything that does not fit gives no request at all, and no request means no.

use std::collections::{BTreeMap, HashMap, HashSet};

use cedar_policy::{
    Context, Entities, Entity, EntityUid, Request, RestrictedExpression, Schema, validate_scope_variables,
};
use jiff::civil;
use serde_json::Value;

use super::est::APPROVALS;
use super::identity::{Identities, Identity, Types, uid};
use super::sees::{INPUT, Sees};
use super::slice::Slice;
use super::{schema, value};
use crate::action::{Rendering, Risk};
use crate::directory::{Chain, LinkProof};
use crate::preview::Fidelity;
use crate::time::Timestamp;

/// `context.chain.proof` of an agent that acts alone, so that a policy needs no `has`.
pub(super) const NO_PERSON: &str = "none";

/// The parts of a query that policy reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) action: &'a str,
    pub(super) input: &'a Value,
    pub(super) chain: &'a Chain,
    pub(super) rendering: &'a Rendering,
    pub(super) fidelity: Fidelity,
    pub(super) run: Option<&'a str>,
    pub(super) now: Timestamp,
}

/// What requests are built from, besides the question.
#[derive(Debug)]
pub(super) struct RequestParts {
    /// With what the policies of each action read of the context.
    pub(super) schema: Schema,
    /// With what the policies that read nothing of the record read of it.
    pub(super) unread_schema: Schema,
    pub(super) identities: Identities,
    environments: BTreeMap<String, EntityUid>,
    fidelities: Vec<(Fidelity, EntityUid)>,
}

impl RequestParts {
    pub(super) fn new(
        types: &Types,
        (schema, unread_schema): (Schema, Schema),
        identities: Identities,
        environments: &[String],
    ) -> Self {
        let fidelities = schema::FIDELITIES.into_iter().map(|f| (f, uid(&types.preview, f.name()))).collect();
        let environments = environments.iter().map(|e| (e.clone(), uid(&types.environment, e))).collect();
        Self { schema, unread_schema, identities, environments, fidelities }
    }
}

/// A question in Cedar's terms, ready to be asked once for each link.
#[derive(Debug)]
pub(super) struct Prepared<'a> {
    pub(super) principals: Vec<&'a EntityUid>,
    pub(super) entities: Entities,
    schema: &'a Schema,
    sees: &'a Sees,
    pub(super) action: &'a EntityUid,
    pub(super) resource: EntityUid,
    pub(super) context: Vec<(String, RestrictedExpression)>,
}

impl<'a> Prepared<'a> {
    /// Builds everything that is the same for all links. `None` when the question does not fit the schema.
    /// `schema` is the one that was generated for what `slice` sees.
    pub(super) fn new(
        asked: &Asked<'_>,
        slice: &'a Slice,
        words: &'a RequestParts,
        schema: &'a Schema,
    ) -> Option<Self> {
        let links = asked.chain.links();
        let identities: Option<Vec<&Identity>> = links.iter().map(|l| words.identities.get(l)).collect();
        let identities = identities.filter(|all| !all.is_empty())?;
        let resource = resource(&asked.rendering.resource, slice)?;
        let reached = words.identities.reachable_from(&identities).cloned();
        let resource_uid = resource.uid();
        Some(Self {
            principals: identities.iter().map(|i| &i.uid).collect(),
            entities: slice.entities.clone().add_entities(reached.chain([resource]), None).ok()?,
            schema,
            sees: &slice.sees,
            action: &slice.scope.uid,
            resource: resource_uid,
            context: context(asked, slice, words)?,
        })
    }

    /// The requests of all links, in the order of the chain, with these gates open. `None` when one of them
    /// does not fit the schema.
    ///
    /// The schema is asked for each part once: for the context, which is the same for all links, and for what
    /// differs. Nothing else makes a request, and the two checks are all that [`Request::new`] does with a
    /// schema; there it would look at the same context again for every link.
    pub(super) fn requests(&self, approvals: &RestrictedExpression) -> Option<Vec<Request>> {
        let approvals = self.sees.field(APPROVALS).then(|| (APPROVALS.to_owned(), approvals.clone()));
        let context = Context::from_pairs(self.context.iter().cloned().chain(approvals)).ok()?;
        context.validate(self.schema, self.action).ok()?;
        self.principals.iter().map(|principal| self.request(principal, context.clone())).collect()
    }

    /// The request of one link, in a context that is known to fit.
    fn request(&self, principal: &EntityUid, context: Context) -> Option<Request> {
        validate_scope_variables(principal, self.action, &self.resource, self.schema).ok()?;
        Request::new(principal.clone(), self.action.clone(), self.resource.clone(), context, None).ok()
    }
}

fn resource(named: &crate::action::Resource, slice: &Slice) -> Option<Entity> {
    let scope = &slice.scope;
    if named.kind != scope.resource_type.basename() || named.system != scope.system.id().unescaped() {
        return None;
    }
    let system = RestrictedExpression::new_entity_uid(scope.system.clone());
    let id = RestrictedExpression::new_string(named.id.clone());
    let attributes = HashMap::from([("system".to_owned(), system), ("id".to_owned(), id)]);
    let own = uid(&scope.resource_type, &named.id);
    Entity::new(own, attributes, HashSet::from([scope.system.clone()])).ok()
}

/// Checks everything, and gives what the policies read.
fn context(
    asked: &Asked<'_>,
    slice: &Slice,
    words: &RequestParts,
) -> Option<Vec<(String, RestrictedExpression)>> {
    let environment = words.environments.get(&asked.rendering.environment)?;
    let (_, preview) = words.fidelities.iter().find(|(f, _)| *f == asked.fidelity)?;
    let now = value::utc(jiff::Timestamp::from_microsecond(asked.now.as_micros()).ok()?)?;
    let sees = &slice.sees;
    let mut pairs = Vec::new();
    let mut push = |name: &str, value| {
        if sees.field(name) {
            pairs.push((name.to_owned(), value));
        }
    };
    push(INPUT, value::input(&slice.input, asked.input, |name| sees.below(INPUT, name))?);
    push("env", RestrictedExpression::new_entity_uid(environment.clone()));
    push("risk", risk(&asked.rendering.risk, sees)?);
    push("chain", chain(asked.chain, words, sees)?);
    push("preview", RestrictedExpression::new_entity_uid(preview.clone()));
    push("clock", clock(now, sees)?);
    if sees.field("now") {
        push("now", value::in_utc(now));
    }
    if let Some(run) = asked.run {
        push("run", RestrictedExpression::new_string(run.to_owned()));
    }
    Some(pairs)
}

/// Negative amounts slip under every limit, and nothing touches fewer than one thing.
fn risk(risk: &Risk, sees: &Sees) -> Option<RestrictedExpression> {
    if risk.amount < 0 || risk.count < 1 || value::units(&risk.exact)? < 0 {
        return None;
    }
    let mut record = CedarRecord::new("risk", sees);
    record.push("mutating", || RestrictedExpression::new_bool(risk.mutating));
    record.push("reversible", || RestrictedExpression::new_bool(risk.reversible));
    record.push("external", || RestrictedExpression::new_bool(risk.external));
    record.push("financial", || RestrictedExpression::new_bool(risk.financial));
    record.push("amount", || RestrictedExpression::new_long(risk.amount));
    if sees.below("risk", "exact") {
        let exact = value::decimal(&risk.exact)?;
        record.push("exact", || exact);
    }
    record.push("currency", || RestrictedExpression::new_string(risk.currency.clone()));
    record.push("count", || RestrictedExpression::new_long(risk.count));
    record.finish()
}

fn chain(chain: &Chain, words: &RequestParts, sees: &Sees) -> Option<RestrictedExpression> {
    let agent = &words.identities.agent(chain.agent())?.uid;
    let depth = i64::try_from(chain.links().len()).ok()?;
    let mut record = CedarRecord::new("chain", sees);
    record.push("agent", || RestrictedExpression::new_entity_uid(agent.clone()));
    record.push("depth", || RestrictedExpression::new_long(depth));
    let proof = chain.person_proof().map_or(NO_PERSON, LinkProof::as_str);
    record.push("proof", || RestrictedExpression::new_string(proof.to_owned()));
    if let Some(person) = chain.person() {
        let person = &words.identities.person(person)?.uid;
        record.push("person", || RestrictedExpression::new_entity_uid(person.clone()));
    }
    record.finish()
}

fn clock(now: civil::DateTime, sees: &Sees) -> Option<RestrictedExpression> {
    let weekday = match now.weekday() {
        civil::Weekday::Monday => "monday",
        civil::Weekday::Tuesday => "tuesday",
        civil::Weekday::Wednesday => "wednesday",
        civil::Weekday::Thursday => "thursday",
        civil::Weekday::Friday => "friday",
        civil::Weekday::Saturday => "saturday",
        civil::Weekday::Sunday => "sunday",
    };
    let mut record = CedarRecord::new("clock", sees);
    record.push("weekday", || RestrictedExpression::new_string(weekday.to_owned()));
    record.push("hour", || RestrictedExpression::new_long(i64::from(now.hour())));
    record.finish()
}

/// The part of one record of the context that policies read.
struct CedarRecord<'a> {
    field: &'static str,
    sees: &'a Sees,
    pairs: Vec<(String, RestrictedExpression)>,
}

impl<'a> CedarRecord<'a> {
    const fn new(field: &'static str, sees: &'a Sees) -> Self {
        Self { field, sees, pairs: Vec::new() }
    }

    fn push(&mut self, name: &str, value: impl FnOnce() -> RestrictedExpression) {
        if self.sees.below(self.field, name) {
            self.pairs.push((name.to_owned(), value()));
        }
    }

    fn finish(self) -> Option<RestrictedExpression> {
        RestrictedExpression::new_record(self.pairs).ok()
    }
}
