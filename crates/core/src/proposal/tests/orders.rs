use std::collections::BTreeMap;

use super::*;

/// Events in a row. Refused events change nothing, so shorter rows are covered too.
const LENGTH: usize = 6;

/// A place in the small world: a record, the time, and what has happened on the way that may happen once.
#[derive(Debug, Clone)]
struct Place {
    record: Record,
    now: Timestamp,
    dispatches: u32,
}

/// Everything that anybody might try, with what is true, stale or made up.
pub(super) fn alphabet(record: &Record, now: Timestamp) -> Vec<Event> {
    let bound = record.binding.intent;
    let due = now.plus(std::time::Duration::from_micros(2));
    let decided = record.decision.digest;
    let stale = as_last(of(approve(record, "ann"), digest("another effect"), decided));
    let under_other_rules = as_last(of(approve(record, "bob"), bound, digest("other rules")));
    let mut all = vec![
        approve(record, "ann"),
        approve(record, "bob"),
        stale,
        under_other_rules,
        reject(),
        confirm(record, "eve", ask("large"), due),
        confirm(record, "eve", allow(), due),
        confirm(record, "ann", allow(), due),
        cancel(),
        Event::Expire,
        supersede(),
        revise(record, record.binding.clone(), allow(), due),
        revise(record, record.binding.clone(), ask("large"), due),
        revise(record, record.binding.clone(), ask("new rules"), due),
        revise(record, binding(200), ask("large"), due),
        revise(record, binding(100), deny(), due),
        refuse(),
        dispatch(bound, allow()),
        dispatch(digest("another effect"), allow()),
        dispatch(bound, ask("large")),
        dispatch(bound, deny()),
        Event::Finish { attempt: attempt(9), outcome: Outcome::Succeeded { response: response() } },
        Event::OwnerGone,
    ];
    all.extend(outcomes().map(|outcome| Event::Finish { attempt: attempt(1), outcome }));
    all
}

/// What must hold of every single move.
fn check(before: &Place, event: &Event, step: &Step) {
    let (old, new) = (&before.record, &step.record);
    let (from, to) = (old.state.name(), new.state.name());
    let what = format!("{from:?} --{:?}--> {to:?}", event.name());
    let late = from == StateName::Unknown && matches!(to, StateName::Succeeded | StateName::Failed);
    assert!(!from.is_settled() || late, "nothing leaves a final state: {what}");
    assert!(!late || matches!(event, Event::Finish { .. }), "only an answer settles what is unknown: {what}");
    assert!(!late || old.attempt() == new.attempt(), "an answer settles its own attempt only: {what}");
    assert_eq!((step.from, step.from_version), (Some(from), old.version), "{what}");
    assert_eq!(new.version.checked_sub(old.version), Some(1), "{what}");
    assert_eq!((step.entries[0].version, step.entries[0].at), (new.version, before.now), "{what}");
    assert_eq!(step.entries[0].proposal, Some(old.proposal.id), "{what}");
    if let Event::Confirm { person, .. } = event {
        assert_eq!((person.as_str(), old.proposal.chain.is_confirmed()), ("eve", false), "{what}");
        let confirmed = old.proposal.confirmed(before.now).unwrap();
        assert_eq!(new.proposal, confirmed, "only the proof of the chain changes: {what}");
        assert!(new.standing_approvals().is_empty(), "nobody approved the confirmed chain yet: {what}");
        assert_eq!(new.binding.rendering, old.binding.rendering, "{what}");
    } else {
        assert_eq!(new.proposal, old.proposal, "a proposal never changes: {what}");
    }
    assert!(new.approvals.starts_with(&old.approvals), "approvals only grow: {what}");
    if !matches!(event, Event::Revise { .. } | Event::Confirm { .. }) {
        assert_eq!((&new.binding, &new.decision), (&old.binding, &old.decision), "{what}");
    }
    if matches!(event, Event::Expire) {
        assert!(old.due().is_some_and(|due| before.now >= due), "{what}");
    }
    // Nothing but a clean-up touches what is past its deadline.
    if matches!(to, StateName::Pending | StateName::Ready | StateName::Dispatched) {
        assert!(old.due().is_none_or(|due| before.now < due), "expired never runs: {what}");
    }
    if to == StateName::Ready && !matches!(new.decision.answer, Answer::Allow) {
        let people: BTreeSet<&str> = new.standing_approvals().iter().map(|a| a.person.as_str()).collect();
        assert!(people.len() >= usize::try_from(PEOPLE_ASKED).unwrap(), "{what} with {people:?}");
    }
    if to == StateName::Dispatched {
        assert_eq!(from, StateName::Ready, "only what is ready is dispatched");
        let Event::Dispatch { intent, decision, .. } = event else { panic!("{what}") };
        assert_eq!((*intent, &decision.answer), (old.binding.intent, &Answer::Allow), "{what}");
        assert_eq!(before.dispatches, 0, "one dispatch in a proposal's life");
    }
}

#[test]
fn a_confirmation_changes_the_proof_and_voids_what_answered_the_claim_a4_t09() {
    let record = opened(ask("large"));
    let once = apply(&record, &approve(&record, "ann"), at(1)).unwrap().record;
    let step = apply(&once, &confirm(&once, "eve", ask("large"), DUE), at(1)).unwrap();
    let after = &step.record;
    assert!(after.proposal.chain.is_confirmed() && after.is_intact());
    assert_ne!(after.binding.intent, once.binding.intent);
    assert_eq!((after.approvals.len(), after.standing_approvals().len()), (1, 0));
    assert_eq!(step.entries[0].actor, Actor::Person { id: "eve".into() });
    assert_eq!(written(&step.entries[0])["data"]["previous_intent"], json!(once.binding.intent));
    // Once, only by the person whom the agent named, and only of the effect that was shown.
    assert_eq!(apply(after, &confirm(after, "eve", allow(), DUE), at(1)).unwrap_err().code(), "not_eligible");
    assert_eq!(apply(&once, &confirm(&once, "ann", allow(), DUE), at(1)).unwrap_err().code(), "not_eligible");
    let Event::Confirm { person, mut revision } = confirm(&once, "eve", allow(), DUE) else { panic!() };
    revision.binding =
        Binding::new(&after.proposal, binding(200).rendering, revision.binding.preview.clone()).unwrap();
    let other = Event::Confirm { person, revision };
    assert_eq!(apply(&once, &other, at(1)).unwrap_err().code(), "stale");
}

/// Places that differ in nothing that any rule looks at are one place: the version only counts.
fn key(place: &Place) -> String {
    let record = Record { version: 0, ..place.record.clone() };
    format!("{} {} {}", serde_json::to_string(&record).unwrap(), place.now, place.dispatches)
}

#[test]
fn nothing_runs_twice_late_or_unbound_whatever_the_order_t09_t13() {
    let mut reached = BTreeSet::new();
    for decision in [ask("large"), allow(), deny()] {
        let start = Place { record: opened(decision), now: at(0), dispatches: 0 };
        let mut places = BTreeMap::from([(key(&start), start)]);
        for _ in 0..LENGTH {
            let mut next = BTreeMap::new();
            for place in places.values() {
                reached.insert(place.record.state.name());
                let later =
                    Place { now: place.now.plus(std::time::Duration::from_micros(1)), ..place.clone() };
                next.insert(key(&later), later);
                for event in alphabet(&place.record, place.now) {
                    let Ok(step) = apply(&place.record, &event, place.now) else { continue };
                    check(place, &event, &step);
                    let dispatched = u32::from(step.record.state.name() == StateName::Dispatched);
                    let moved = Place {
                        record: step.record,
                        now: place.now,
                        dispatches: place.dispatches.saturating_add(dispatched),
                    };
                    next.insert(key(&moved), moved);
                }
            }
            places = next;
        }
        reached.extend(places.values().map(|p| p.record.state.name()));
    }
    assert_eq!(reached.into_iter().collect::<Vec<_>>(), StateName::ALL, "the model reaches every state");
}

#[test]
fn one_person_cannot_approve_twice_t12() {
    let record = opened(ask("large"));
    let once = apply(&record, &approve(&record, "ann"), at(1)).unwrap().record;
    assert_eq!(once.state.name(), StateName::Pending);
    let again = apply(&once, &approve(&once, "ann"), at(1)).unwrap_err();
    assert_eq!(again.code(), "already_decided");
    let done = apply(&once, &approve(&once, "bob"), at(1)).unwrap().record;
    assert_eq!((done.state.name(), done.approvals.len()), (StateName::Ready, 2));
}

#[test]
fn an_approval_does_not_outlive_what_it_was_given_for_t09() {
    let record = opened(ask("large"));
    let once = apply(&record, &approve(&record, "ann"), at(1)).unwrap().record;
    let changed = apply(&once, &revise(&once, binding(200), ask("large"), DUE), at(1)).unwrap().record;
    assert_eq!((changed.approvals.len(), changed.standing_approvals().len()), (1, 0));
    // Bob alone is not enough for the new effect, and Ann may be asked again.
    let bob = apply(&changed, &approve(&changed, "bob"), at(1)).unwrap().record;
    assert_eq!(bob.state.name(), StateName::Pending);
    let both = apply(&bob, &approve(&bob, "ann"), at(1)).unwrap().record;
    assert_eq!((both.state.name(), both.approvals.len()), (StateName::Ready, 3));
}
