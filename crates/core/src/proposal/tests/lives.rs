//! `audit::life` reads from the entries what `apply` did: the two agree on every order of events.

use std::collections::BTreeMap;

use super::orders::alphabet;
use super::*;
use crate::audit::{EventCode, LifeEntry, LifeState, Meaning, life};

/// What the log says about the entry, read from its stored bytes.
fn read(entry: &Entry) -> LifeEntry {
    match Meaning::of(&entry.to_bytes().unwrap()) {
        Ok(Meaning::Life(entry)) => *entry,
        other => panic!("{other:?}"),
    }
}

#[derive(Debug, Clone)]
struct Place {
    record: Record,
    life: LifeState,
    now: Timestamp,
}

impl Place {
    /// Versions only count, so places that differ in nothing else are one.
    fn key(&self) -> String {
        let record = Record { version: 0, ..self.record.clone() };
        format!("{} {}", serde_json::to_string(&record).unwrap(), self.now)
    }
}

/// Every place that a few events lead to, every entry on the way, and from which state each event came.
#[derive(Debug, Default)]
struct World {
    places: BTreeMap<String, Place>,
    entries: BTreeMap<String, LifeEntry>,
    moves: BTreeSet<(StateName, EventCode)>,
}

impl World {
    /// Every order of this many events.
    fn new(length: usize) -> Self {
        let mut world = Self::default();
        let mut edge = Vec::new();
        for decision in [ask("large"), allow(), deny()] {
            let standing = standing(&[], &binding(100).intent, &decision);
            let step = open(proposal(), binding(100), decision, standing, (DUE, DUE));
            let entry = read(&step.entries[0]);
            let life = life(None, &entry, 0).unwrap();
            world.entries.insert(format!("{entry:?}"), entry);
            edge.push(Place { record: step.record, life, now: at(0) });
        }
        for _ in 0..length {
            let mut next = BTreeMap::new();
            for place in edge {
                world.go_on(&place, &mut next);
                world.places.insert(place.key(), place);
            }
            edge = next.into_iter().filter(|(k, _)| !world.places.contains_key(k)).map(|(_, p)| p).collect();
        }
        world
    }

    fn go_on(&mut self, place: &Place, next: &mut BTreeMap<String, Place>) {
        let later = Place { now: place.now.plus(std::time::Duration::from_micros(1)), ..place.clone() };
        next.insert(later.key(), later);
        for event in alphabet(&place.record, place.now) {
            let Ok(step) = apply(&place.record, &event, place.now) else { continue };
            let entry = read(&step.entries[0]);
            let told = life(Some(place.life.clone()), &entry, 0);
            let what = format!("{:?} --{:?}--> {:?}", place.record.state, event, step.record.state);
            let told = told.unwrap_or_else(|e| panic!("{e}: {what}"));
            assert_eq!(
                (told.name(), told.version()),
                (step.record.state.name(), step.record.version),
                "{what}"
            );
            self.moves.insert((place.record.state.name(), entry.event));
            let anew = LifeEntry { version: 0, ..entry.clone() };
            self.entries.insert(format!("{anew:?}"), entry);
            let moved = Place { record: step.record, life: told, now: place.now };
            next.insert(moved.key(), moved);
        }
    }
}

#[test]
fn what_the_entries_tell_is_what_apply_did_in_every_order_a8() {
    let world = World::new(5);
    let reached: BTreeSet<StateName> = world.places.values().map(|p| p.life.name()).collect();
    assert_eq!(reached.into_iter().collect::<Vec<_>>(), StateName::ALL, "every state is reached");
}

/// The other direction: every entry that was ever written, put after every place. Where `apply` never makes
/// such a move, the entry is refused.
#[test]
fn no_entry_is_accepted_where_apply_never_writes_one_a8() {
    let world = World::new(4);
    let settles =
        |from, event| from == StateName::Unknown && matches!(event, EventCode::Succeeded | EventCode::Failed);
    let mut accepted = BTreeSet::new();
    for place in world.places.values() {
        for entry in world.entries.values() {
            let entry = LifeEntry { version: place.life.version().saturating_add(1), ..entry.clone() };
            let from = place.life.name();
            if life(Some(place.life.clone()), &entry, 0).is_ok() {
                let known = world.moves.contains(&(from, entry.event)) || settles(from, entry.event);
                assert!(known, "{entry:?} after {:?}", place.life);
                accepted.insert((from, entry.event));
            }
        }
    }
    assert!(accepted.is_superset(&world.moves), "{:?}", world.moves.difference(&accepted));
}
