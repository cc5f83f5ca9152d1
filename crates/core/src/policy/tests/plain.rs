//! The decision without any shortcut, to compare the real one with: all policies, every link's request checked
//! against the schema as a whole, and one evaluation with nothing approved, one with every gate granted.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    AuthorizationError, Authorizer, Context, Decision as Answer, Entities, Entity, EntityUid, Request,
    RestrictedExpression, Schema,
};

use super::super::request::Prepared;
use super::*;

type Said<'a> = Vec<(&'a EntityUid, bool, BTreeSet<String>)>;

/// What [`word`] and [`ids`] say about a decision.
pub(super) fn answer(question: &Question, whole: &World) -> (String, Vec<String>) {
    let policies = &whole.policies;
    let Some(slice) = policies.slices.get(question.action) else { return invalid() };
    let Some(prepared) =
        Prepared::new(&question.asked(), slice, &policies.vocabulary, &policies.vocabulary.schema)
    else {
        return invalid();
    };
    let everybody = prepared.principals.clone();
    let asking = Asking { policies, prepared };
    let set = |ids: &BTreeSet<String>| ids.iter().cloned().collect::<Vec<_>>();
    let gates = || policies.known.iter().filter(|(_, known)| known.rules.is_some());
    let decide = || {
        let now = asking.evaluate(&everybody, &BTreeSet::new())?;
        let Some(fired) = standing(&now) else { return Ok(("allow".to_owned(), spoke(&now))) };
        let denied: Vec<&EntityUid> = now.iter().filter(|s| !s.1).map(|s| s.0).collect();
        let best = asking.evaluate(&denied, &gates().map(|(id, _)| id.clone()).collect())?;
        if let Some(hard) = standing(&best) {
            let code = if hard.is_empty() { "no_permit" } else { "forbidden" };
            return Ok((format!("deny:{code}"), set(&hard)));
        }
        let last = asking.evaluate(&everybody, &fired.intersection(&question.approved).cloned().collect())?;
        if standing(&last).is_none() {
            return Ok(("allow".to_owned(), spoke(&last)));
        }
        let rules =
            gates().filter(|(id, _)| fired.contains(*id)).filter_map(|(_, known)| known.rules.clone());
        let rules: BTreeSet<String> = rules.flatten().collect();
        Ok((format!("approval{{{}}}:{}", set(&rules).join(","), set(&fired).join(",")), set(&fired)))
    };
    decide().unwrap_or_else(|stopped: Option<BTreeSet<String>>| match stopped {
        Some(failed) => ("deny:policy_error".to_owned(), set(&failed)),
        None => invalid(),
    })
}

fn invalid() -> (String, Vec<String>) {
    ("deny:invalid_request".to_owned(), Vec::new())
}

fn spoke(said: &Said<'_>) -> Vec<String> {
    said.iter().flat_map(|s| s.2.iter().cloned()).collect::<BTreeSet<_>>().into_iter().collect()
}

fn standing(said: &Said<'_>) -> Option<BTreeSet<String>> {
    let denied = || said.iter().filter(|s| !s.1);
    denied().next()?;
    Some(denied().flat_map(|s| s.2.iter().cloned()).collect())
}

struct Asking<'a> {
    policies: &'a Policies,
    prepared: Prepared<'a>,
}

impl Asking<'_> {
    /// One Cedar evaluation for each principal; the failed policies, or nothing if the question does not fit.
    fn evaluate<'a>(
        &self,
        principals: &[&'a EntityUid],
        approved: &BTreeSet<String>,
    ) -> Result<Said<'a>, Option<BTreeSet<String>>> {
        let schema: &Schema = &self.policies.vocabulary.schema;
        let Prepared { action, resource, context, entities, .. } = &self.prepared;
        let approved = approved.iter().cloned().map(RestrictedExpression::new_string);
        let approvals = ("approvals".to_owned(), RestrictedExpression::new_set(approved));
        let context = Context::from_pairs(context.iter().cloned().chain([approvals])).map_err(|_| None)?;
        let entities = Entities::from_entities(entities.iter().cloned(), None).map_err(|_| None)?;
        let set = &self.policies.slices.values().find(|s| s.scope.uid == **action).unwrap().set;
        let (mut said, mut failed) = (Vec::new(), BTreeSet::new());
        for principal in principals {
            let (principal_uid, action) = ((*principal).clone(), (*action).clone());
            let request =
                Request::new(principal_uid, action, resource.clone(), context.clone(), Some(schema));
            let response = Authorizer::new().is_authorized(&request.map_err(|_| None)?, set, &entities);
            failed.extend(response.diagnostics().errors().map(|error| {
                let AuthorizationError::PolicyEvaluationError(error) = error;
                error.policy_id().to_string()
            }));
            let reasons = response.diagnostics().reason().map(ToString::to_string).collect();
            said.push((*principal, response.decision() == Answer::Allow, reasons));
        }
        if failed.is_empty() { Ok(said) } else { Err(Some(failed)) }
    }
}

/// A request is made only of what the schema accepts, for the first link and for every later one.
#[test]
fn no_link_and_no_context_gets_past_the_schema() {
    for world in [world(REFUNDS), load_with(&[file(REFUNDS)], WHOLE).map_err(|_| ()).unwrap()] {
        nothing_gets_past_the_schema(&world.policies);
    }
}

fn nothing_gets_past_the_schema(policies: &Policies) {
    let question = Question::refund(5);
    let slice = &policies.slices[question.action];
    let prepared = || {
        Prepared::new(&question.asked(), slice, &policies.vocabulary, &policies.vocabulary.schema).unwrap()
    };
    let none = RestrictedExpression::new_set([]);
    assert_eq!(prepared().requests(&none).map(|r| r.len()), Some(2));
    let strangers: Vec<EntityUid> =
        ["Team::\"support\"", "Charge::\"x\"", "Environment::\"support\"", "Ghost::\"g\"", "Action::\"any\""]
            .map(|text| text.parse().unwrap())
            .into();
    for stranger in &strangers {
        for at in 0..2 {
            let mut changed = prepared();
            changed.principals[at] = stranger;
            assert!(changed.requests(&none).is_none(), "{stranger} as link {at}");
        }
        let mut elsewhere = prepared();
        elsewhere.resource = stranger.clone();
        assert_eq!(elsewhere.requests(&none).is_some(), stranger.type_name().basename() == "Charge");
        let mut other = prepared();
        other.action = stranger;
        assert!(other.requests(&none).is_none(), "{stranger} as the action");
    }
    for at in 0..prepared().context.len() {
        let mut lacking = prepared();
        let (name, _) = lacking.context.remove(at);
        assert!(lacking.requests(&none).is_none(), "without {name}");
        for wrong in
            [RestrictedExpression::new_long(1), RestrictedExpression::new_entity_uid(strangers[0].clone())]
        {
            let mut changed = prepared();
            changed.context[at].1 = wrong;
            assert!(changed.requests(&none).is_none(), "{name} of another type");
        }
    }
    let nowhere = RestrictedExpression::new_entity_uid("Environment::\"nowhere\"".parse().unwrap());
    let mut changed = prepared();
    changed.context.iter_mut().filter(|(name, _)| name == "env").for_each(|(_, v)| *v = nowhere.clone());
    assert!(changed.requests(&none).is_none(), "an environment that is not listed");
    assert!(prepared().requests(&RestrictedExpression::new_long(1)).is_none(), "approvals of another type");
}

/// The entities of an action are put together at load; a request only adds its own.
#[test]
fn prepared_entities_are_those_that_are_made_afresh() {
    let world = world(REFUNDS);
    let Policies { vocabulary, slices, .. } = &world.policies;
    for links in [
        vec![("person", "ann"), ("agent", "bot")],
        vec![("agent", "sub")],
        vec![("person", "fay"), ("agent", "bot"), ("agent", "sub")],
    ] {
        for base in [Question::refund(5), Question::contact()] {
            let question = base.with(|q| q.chain = chain(&links));
            let slice = &slices[question.action];
            let prepared = Prepared::new(&question.asked(), slice, vocabulary, &vocabulary.schema).unwrap();
            let links: Vec<_> =
                question.chain.links().iter().map(|l| vocabulary.identities.get(l).unwrap()).collect();
            let scope = &slice.scope;
            let system = ("system".to_owned(), RestrictedExpression::new_entity_uid(scope.system.clone()));
            let id = ("id".to_owned(), RestrictedExpression::new_string("x_1".to_owned()));
            let parents = HashSet::from([scope.system.clone()]);
            let all = vocabulary.identities.reachable_from(&links).cloned().chain([
                Entity::new_no_attrs(scope.uid.clone(), scope.groups.iter().cloned().collect()),
                Entity::new_no_attrs(scope.system.clone(), HashSet::new()),
                Entity::new(prepared.resource.clone(), HashMap::from([system, id]), parents).unwrap(),
            ]);
            assert!(prepared.entities.deep_eq(&Entities::from_entities(all, None).unwrap()), "{links:?}");
        }
    }
}
