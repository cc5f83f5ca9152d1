//! Lists, look-ups, order.

use countersign_core::id::ProposalId;
use countersign_core::proposal::{Record, StateName};
use countersign_core::time::Timestamp;
use countersign_engine::store::{Filter, Listed, Store};
use countersign_engine::world::World;
use std::time::Duration;

use crate::Place;
use crate::raw::Raw;
use crate::steps::{self, Offers as _, world};

async fn add(store: &Store, world: &World, agent: &str, person: Option<&str>) -> Record {
    world.advance(Duration::from_millis(1));
    // Equal ones would be joined.
    let amount = u64::try_from(world.now().as_micros() / 1_000 % 1_000_000).unwrap();
    store.put(steps::pending(world, agent, person, amount)).await.unwrap().record
}

fn ids(records: &[Record]) -> Vec<ProposalId> {
    records.iter().map(|r| r.proposal.id).collect()
}

pub async fn a_list_is_read_page_by_page(place: &Place) {
    let (store, world) = (place.store().await, world(40));
    let mut all = Vec::new();
    for _ in 0..10 {
        all.push(add(&store, &world, "a", None).await);
    }
    all.reverse();
    for states in [vec![], vec![StateName::Pending], vec![StateName::Pending, StateName::Ready]] {
        let mut filter = Filter { states, limit: 4, ..Filter::default() };
        let mut read = Vec::new();
        loop {
            let page = store.listed(&filter).await;
            assert!(page.len() <= 4);
            let Some(last) = page.last() else { break };
            filter.before = Some(last.proposal.id);
            read.extend(page);
        }
        assert_eq!(read, all, "{filter:?}");
    }
    assert_eq!(store.listed(&Filter { limit: 0, ..Filter::default() }).await, []);
}

pub async fn the_inbox_is_by_deadline_and_every_agent_has_its_share_b7(place: &Place) {
    let (store, world) = (place.store().await, world(42));
    let mut of_a = Vec::new();
    let other = add(&store, &world, "b", None).await.proposal.id;
    for _ in 0..250 {
        of_a.push(add(&store, &world, "a", None).await.proposal.id);
    }
    let gone = add(&store, &world, "c", None).await;
    store.put(steps::cancel(&world, &gone)).await.unwrap();
    let (mut pages, mut from) = (Vec::new(), Some(0));
    while let Some(at) = from {
        let page = store.inbox(at, &Filter::default()).await.unwrap();
        let mut records = Vec::new();
        for together in Listed::together(&page.listed) {
            records.extend(store.records(together).await.unwrap());
        }
        assert!(records.is_sorted_by_key(Record::due));
        pages.push(ids(&records));
        from = page.next;
    }
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [101, 100, 50]);
    assert_eq!(pages[0][0], other);
    assert_eq!(pages.concat()[1..], of_a, "the nearest deadline first, and nothing is out of reach");
}

pub async fn a_list_is_filtered_by_state_and_agent(place: &Place) {
    let (store, world) = (place.store().await, world(41));
    let one = add(&store, &world, "a", Some("bob")).await;
    let two = add(&store, &world, "a", Some("eve")).await;
    let three = add(&store, &world, "b", Some("bob")).await;
    let four = add(&store, &world, "b", None).await;
    store.put(steps::cancel(&world, &two)).await.unwrap();
    let [one, two, three, four] = [one, two, three, four].map(|r| r.proposal.id);
    let (pending, cancelled) = (StateName::Pending, StateName::Cancelled);
    for (states, agent, expect) in [
        (vec![], None, vec![four, three, two, one]),
        (vec![pending], None, vec![four, three, one]),
        (vec![cancelled], None, vec![two]),
        (vec![pending, cancelled, pending], None, vec![four, three, two, one]),
        (vec![], Some("a"), vec![two, one]),
        (vec![pending], Some("a"), vec![one]),
        (vec![], Some("b"), vec![four, three]),
        (vec![cancelled], Some("b"), vec![]),
        (vec![], Some("A"), vec![]),
    ] {
        let filter = Filter { states, agent: agent.map(str::to_owned), limit: 10, ..Filter::default() };
        assert_eq!(ids(&store.listed(&filter).await), expect, "{filter:?}");
    }
    assert_eq!(store.in_state(pending, None, 2).await.unwrap(), [one, three]);
    assert_eq!(store.in_state(pending, Some(three), 2).await.unwrap(), [four]);
}

pub async fn open_proposals_are_found_by_agent_intent_and_deadline(place: &Place) {
    let (store, world) = (place.store().await, world(42));
    let first = add(&store, &world, "a", None).await;
    let second = add(&store, &world, "a", None).await;
    assert_eq!(store.open_of("a", 10).await.unwrap(), 2);
    assert_eq!(store.open_of("a", 1).await.unwrap(), 1);
    assert_eq!(store.open_of("b", 10).await.unwrap(), 0);
    let (a, b) = (first.proposal.id, second.proposal.id);
    let intent = &first.binding.intent;
    assert_eq!(store.joins("a", *intent).await, Some(a));
    assert_eq!(store.joins("b", *intent).await, None);
    let due = first.due().unwrap();
    let before = Timestamp::from_micros(due.as_micros() - 1);
    assert_eq!(store.due(before, 10).await.unwrap(), []);
    assert_eq!(store.due(due, 10).await.unwrap(), [a]);
    assert_eq!(store.due(due.plus(Duration::from_secs(1)), 10).await.unwrap(), [a, b]);
    assert_eq!(store.due(due.plus(Duration::from_secs(1)), 1).await.unwrap(), [a]);
    store.put(steps::approve(&world, &first)).await.unwrap();
    assert_eq!(store.joins("a", *intent).await, Some(a), "without a key also while it waits to be sent");
    assert_eq!(store.open_of("a", 10).await.unwrap(), 2, "but still open");
    store.put(steps::cancel(&world, &second)).await.unwrap();
    assert_eq!(store.open_of("a", 10).await.unwrap(), 1);
    assert_eq!(store.due(due.plus(steps::DECIDE_IN), 10).await.unwrap(), [a]);
}

pub async fn text_sorts_by_its_bytes(place: &Place) {
    let (store, world) = (place.store().await, world(43));
    let mut names = ["b", "B", "a", "Z", "ä", "é", "z", "_", "~", "10", "9", "a b", "ab", "A"];
    for name in names {
        store.put(steps::pending(&world, name, None, 3)).await.unwrap();
    }
    let mut raw = Raw::open(place).await;
    names.sort_unstable();
    assert_eq!(raw.texts("SELECT agent FROM proposal ORDER BY agent").await, names);
    let mut ids = raw.texts("SELECT id FROM proposal").await;
    ids.sort_unstable();
    assert_eq!(raw.texts("SELECT id FROM proposal ORDER BY id").await, ids);
}

pub async fn parts_that_do_not_belong_together_are_a_fault_and_no_record_t10(place: &Place) {
    let (store, world) = (place.store().await, world(44));
    let one = store.put(steps::pending(&world, "a", None, 1)).await.unwrap().record;
    let two = store.put(steps::pending(&world, "a", None, 2)).await.unwrap().record;
    let mut raw = Raw::open(place).await;
    raw.run(&format!(
        "UPDATE proposal_part SET body = (SELECT body FROM proposal_part WHERE proposal = '{}' AND name = 'preview') \
         WHERE proposal = '{}' AND name = 'preview'",
        two.proposal.id, one.proposal.id
    ))
    .await;
    assert!(store.proposal(one.proposal.id).await.is_err());
    // A part more, less or other than the header names is none of this record's.
    for (n, change) in (0_u64..).zip([
        "DELETE FROM proposal_part WHERE proposal = '{}' AND name = 'words'",
        "UPDATE proposal_part SET body = '\"do it\"' WHERE proposal = '{}' AND name = 'words'",
        "INSERT INTO proposal_part (proposal, name, version, body) VALUES ('{}', 'evidence', 1, '[]')",
        "INSERT INTO proposal_part (proposal, name, version, body) VALUES ('{}', 'input', 2, '{\"amount\":1}')",
    ]) {
        let record = store.put(steps::pending(&world, "b", None, 10 + n)).await.unwrap().record;
        assert!(store.proposal(record.proposal.id).await.is_ok());
        raw.run(&change.replacen("{}", &record.proposal.id.to_string(), 1)).await;
        assert!(store.proposal(record.proposal.id).await.is_err(), "{change}");
    }
    assert!(store.proposal(two.proposal.id).await.is_ok());
    raw.run(&format!("UPDATE proposal SET state = 'ready' WHERE id = '{}'", two.proposal.id)).await;
    assert!(store.proposal(two.proposal.id).await.is_err());
}

pub async fn what_waits_is_read_oldest_first_with_its_rules_and_age(place: &Place) {
    let (store, world) = (place.store().await, world(47));
    let first = add(&store, &world, "a", None).await;
    let gone = add(&store, &world, "a", None).await;
    let last = add(&store, &world, "b", None).await;
    store.put(steps::cancel(&world, &gone)).await.unwrap();
    let found = store.pending_since().await.unwrap();
    let opened: Vec<Timestamp> = found.iter().map(|p| p.opened).collect();
    assert_eq!(opened, [&first, &last].map(|r| r.proposal.created_at));
    assert!(found.iter().all(|p| p.rules == ["finance"]), "{found:?}");
    let behind = store.log_backlog().await.unwrap();
    // Three openings, a cancellation, and the entry that the suite wrote at the start.
    assert_eq!((behind.entries, behind.oldest), (5, Some(steps::started().at)));
    crate::assert_sound(&store).await;
    let behind = store.log_backlog().await.unwrap();
    assert_eq!((behind.entries, behind.oldest), (0, None));
}
