//! Searches: by columns and times, in bounded steps.

use std::time::Duration;

use countersign_core::id::ProposalId;
use countersign_core::proposal::{Record, StateName};
use countersign_engine::store::{Filter, Listed, LogWalk, Store};

use crate::Place;
use crate::raw::Raw;
use crate::steps::{self, Offers as _, world};

fn ids(records: &[Record]) -> Vec<ProposalId> {
    records.iter().map(|r| r.proposal.id).collect()
}

/// Everything that a filter finds, step by step, and how many steps that took.
async fn all(store: &Store, filter: &Filter) -> (Vec<ProposalId>, usize) {
    let (mut found, mut below, mut steps) = (Vec::new(), None, 0);
    loop {
        let step = store.page(filter, below).await.unwrap();
        for together in Listed::together(&step.listed) {
            found.extend(ids(&store.records(together).await.unwrap()));
        }
        steps += 1;
        below = step.below;
        if below.is_none() {
            return (found, steps);
        }
    }
}

pub async fn proposals_are_found_by_each_of_their_columns_and_by_time(place: &Place) {
    let (store, world) = (place.store().await, world(50));
    let mut put = Vec::new();
    for (n, (agent, action, environment)) in (0_u64..).zip([
        ("a", "crm.note.add", "staging"),
        ("a", "crm.note.add", "production"),
        ("b", "crm.note.delete", "production"),
        ("b", "crmx.note.add", "staging"),
    ]) {
        world.advance(Duration::from_mins(1));
        let at = world.now();
        let step = steps::pending_in(&world, agent, (action, environment), n);
        put.push((store.put(step).await.unwrap().record.proposal.id, at));
    }
    let person = store.put(steps::pending(&world, "c", Some("ann"), 9)).await.unwrap().record.proposal.id;
    let [one, two, three, four] = [0, 1, 2, 3].map(|n: usize| put[n].0);
    let time = |n: usize| Some(put[n].1);
    let none = Filter { limit: 10, ..Filter::default() };
    for (filter, expect) in [
        (Filter { action: Some("crm.note.add".to_owned()), ..none.clone() }, vec![two, one]),
        (Filter { system: Some("crm".to_owned()), ..none.clone() }, vec![three, two, one]),
        (Filter { system: Some("cr".to_owned()), ..none.clone() }, vec![]),
        (Filter { environment: Some("staging".to_owned()), ..none.clone() }, vec![four, one]),
        (Filter { person: Some("ann".to_owned()), ..none.clone() }, vec![person]),
        (Filter { person: Some("eve".to_owned()), ..none.clone() }, vec![]),
        (Filter { person: Some("ann".to_owned()), agent: Some("a".to_owned()), ..none.clone() }, vec![]),
        (
            Filter { agent: Some("a".to_owned()), environment: Some("staging".to_owned()), ..none.clone() },
            vec![one],
        ),
        (
            Filter { agent: Some("a".to_owned()), action: Some("crm.note.add".to_owned()), ..none.clone() },
            vec![two, one],
        ),
        (
            Filter {
                action: Some("crm.note.add".to_owned()),
                states: vec![StateName::Failed],
                ..none.clone()
            },
            vec![],
        ),
        (Filter { since: time(1), ..none.clone() }, vec![person, four, three, two]),
        (Filter { until: time(1), ..none.clone() }, vec![one]),
        (Filter { since: time(1), until: time(3), ..none.clone() }, vec![three, two]),
        (Filter { since: time(2), until: time(2), ..none.clone() }, vec![]),
        (Filter { since: time(1), system: Some("crm".to_owned()), ..none.clone() }, vec![three, two]),
        (Filter { before: Some(two), system: Some("crm".to_owned()), ..none.clone() }, vec![one]),
        (Filter { limit: 1, system: Some("crm".to_owned()), ..none.clone() }, vec![three, two, one]),
    ] {
        assert_eq!(all(&store, &filter).await.0, expect, "{filter:?}");
    }
}

pub async fn a_search_over_many_rows_stops_goes_on_and_loses_none(place: &Place) {
    let (store, world) = (place.store().await, world(51));
    let mut staging = Vec::new();
    for n in 0..12_u64 {
        let environment = if n % 4 == 0 { "staging" } else { "production" };
        let step = steps::pending_in(&world, "a", ("crm.note.add", environment), n);
        let id = store.put(step).await.unwrap().record.proposal.id;
        if n % 4 == 0 {
            staging.insert(0, id);
        }
    }
    // Far apart, as if many others had come between them.
    let mut raw = Raw::open(place).await;
    for n in (1..=12).rev() {
        raw.run(&format!("UPDATE proposal SET seq = {} WHERE seq = {n}", n * 7_000)).await;
    }
    let filter = Filter { environment: Some("staging".to_owned()), limit: 10, ..Filter::default() };
    let (found, steps) = all(&store, &filter).await;
    assert_eq!(found, staging);
    assert!(steps >= 12, "one span of rows at a time: {steps}");
    // Each step may be the last of a request: the next one then begins at a proposal's id.
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let step = store.page(&Filter { before, ..filter.clone() }, None).await.unwrap();
        assert!(step.compared > 0 || step.below.is_none());
        for together in Listed::together(&step.listed) {
            found.extend(ids(&store.records(together).await.unwrap()));
        }
        let Some(below) = step.below else { break };
        let next = store.cursor(below).await.unwrap();
        assert_ne!(next, before, "it gets on");
        before = next;
    }
    assert_eq!(found, staging);
}

pub async fn a_column_that_a_list_goes_by_must_agree_with_the_record_a8(place: &Place) {
    let (store, world) = (place.store().await, world(52));
    let mut raw = Raw::open(place).await;
    for (n, column) in (0_u64..).zip(["action", "environment"]) {
        let step = steps::pending_in(&world, "a", ("crm.note.add", "staging"), n);
        let id = store.put(step).await.unwrap().record.proposal.id;
        assert!(store.proposal(id).await.is_ok());
        raw.run(&format!("UPDATE proposal SET {column} = 'another' WHERE id = '{id}'")).await;
        let filter = Filter { limit: 10, action: Some("another".to_owned()), ..Filter::default() };
        assert_eq!(all(&store, &filter).await.0, [], "it is found under a name that is not its own");
        assert!(store.proposal(id).await.is_err(), "{column}");
        let set_aside = format!("SELECT why FROM quarantine WHERE proposal = '{id}'");
        let why = raw.texts(&set_aside).await;
        assert_eq!(why, [format!("column `{column}` disagrees with the record")]);
    }
}

pub async fn the_inbox_is_filtered_and_still_fair(place: &Place) {
    let (store, world) = (place.store().await, world(53));
    let mut expect = Vec::new();
    for n in 0..6_u64 {
        world.advance(Duration::from_millis(1));
        let agent = if n < 4 { "a" } else { "b" };
        let environment = if n % 2 == 0 { "staging" } else { "production" };
        let step = steps::pending_in(&world, agent, ("crm.note.add", environment), n);
        let id = store.put(step).await.unwrap().record.proposal.id;
        if n % 2 == 0 {
            expect.push(id);
        }
    }
    let filter = Filter { environment: Some("staging".to_owned()), ..Filter::default() };
    let page = store.inbox(0, &filter).await.unwrap();
    let mut found = Vec::new();
    for together in Listed::together(&page.listed) {
        found.extend(ids(&store.records(together).await.unwrap()));
    }
    assert_eq!((found, page.next), (expect, None));
    let nothing = Filter { agent: Some("nobody".to_owned()), ..Filter::default() };
    assert_eq!(store.inbox(0, &nothing).await.unwrap().listed, []);
}

pub async fn the_log_is_read_both_ways_and_by_time(place: &Place) {
    let (store, world) = (place.store().await, world(54));
    let mut times = Vec::new();
    for n in 0..5_u64 {
        world.advance(Duration::from_mins(1));
        times.push(world.now());
        store.put(steps::pending_in(&world, "a", ("crm.note.add", "staging"), n)).await.unwrap();
    }
    world.advance(Duration::from_mins(1));
    store.note(steps::sign_in(&world, "ann")).await.unwrap();
    while store.integrate(&crate::key()).await.unwrap() > 0 {}
    let indexes = async |walk, limit| -> Vec<u64> {
        let span = store.span(walk, limit).await.unwrap();
        span.iter().map(|found| found.entry.index.unwrap()).collect()
    };
    // The first entry is the start of the gate.
    assert_eq!(indexes(LogWalk::Up(0), 10).await, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(indexes(LogWalk::Up(5), 10).await, [5, 6]);
    assert_eq!(indexes(LogWalk::Down(u64::MAX), 2).await, [6, 5]);
    assert_eq!(indexes(LogWalk::Down(2), 10).await, [1, 0]);
    let span = store.span(LogWalk::Up(5), 10).await.unwrap();
    let actions: Vec<Option<&str>> = span.iter().map(|found| found.action.as_deref()).collect();
    assert_eq!(actions, [Some("crm.note.add"), None]);
    for (n, time) in (1_u64..).zip(&times) {
        assert_eq!(store.index_at(*time).await.unwrap(), n);
        assert_eq!(store.index_at(time.plus(Duration::from_secs(1))).await.unwrap(), n + 1);
    }
    assert_eq!(store.index_at(world.now().plus(Duration::from_hours(1))).await.unwrap(), 7);
}
