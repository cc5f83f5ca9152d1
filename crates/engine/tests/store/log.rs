//! The log: one leaf for each move, in order, for ever.

use std::time::Duration;

use countersign_core::audit::{Entry, Frontier, leaf_data, leaf_hash};
use futures_util::future::join_all;

use crate::raw::Raw;
use crate::steps::{self, Offers as _, world};
use crate::{Place, assert_sound, key};

pub async fn every_move_has_exactly_one_leaf_in_order_t120(place: &Place) {
    let (store, world) = (place.store().await, world(60));
    let beside = place.beside(61).await;
    let lives = (0..24).map(|n| {
        let (store, beside, world) = (&store, &beside, &world);
        async move {
            let mut record = store.put(steps::pending(world, "a", None, n)).await.unwrap().record;
            for amount in 0..n % 5 {
                let step = steps::revise(world, &record, amount);
                let store = if amount % 2 == 0 { beside } else { store };
                record = store.put(step).await.unwrap().record;
                // One that comes too late, from the version before.
                let mut late = steps::cancel(world, &record);
                late.from_version -= 1;
                late.record.version -= 1;
                late.entries[0].version -= 1;
                assert!(store.put(late).await.is_err());
                if amount % 2 == 0 {
                    store.integrate(&key()).await.unwrap();
                }
            }
            record
        }
    });
    let records = join_all(lives).await;
    let entries = assert_sound(&store).await;
    let moves: u32 = records.iter().map(|r| r.version).sum();
    assert_eq!(entries.len(), usize::try_from(moves).unwrap(), "moves = leaves");
    for record in records {
        let history = store.history(record.proposal.id).await.unwrap();
        let versions: Vec<u32> =
            history.iter().map(|e| Entry::from_bytes(&e.body).unwrap().version).collect();
        assert_eq!(versions, (1..=record.version).collect::<Vec<_>>());
        assert!(history.iter().map(|e| e.index.unwrap()).is_sorted_by(|a, b| a < b));
    }
}

pub async fn integrating_in_pieces_gives_the_tree_of_all_at_once(place: &Place) {
    let (store, world) = (place.store().await, world(62));
    assert_eq!(store.checkpoint().await.unwrap(), None);
    let mut total = store.integrate(&key()).await.unwrap();
    assert_eq!(store.integrate(&key()).await.unwrap(), 0);
    for pieces in [1_u64, 2, 5, 1, 1_200, 30, 3] {
        world.advance(Duration::from_millis(1));
        for first in (0..pieces).step_by(600) {
            let notes = first..pieces.min(first + 600);
            let notes = notes.map(|n| store.note(steps::sign_in(&world, &format!("person-{n}"))));
            assert!(join_all(notes).await.iter().all(Result::is_ok));
        }
        assert_eq!(store.integrate(&key()).await.unwrap(), pieces);
        assert_eq!(store.integrate(&key()).await.unwrap(), 0, "nothing is left and nothing is done twice");
        total += pieces;
        let head = key().public().open(&store.checkpoint().await.unwrap().unwrap()).unwrap();
        assert_eq!((head.size, head.origin.as_str()), (total, "gate.example/log"));
    }
    assert_eq!(
        assert_sound(&store).await.len(),
        usize::try_from(total - 1).unwrap(),
        "the start is not counted"
    );
    assert_eq!(store.entries(total, 10).await.unwrap(), []);
    assert_eq!(store.entries(u64::MAX, 10).await.unwrap(), []);
    assert_eq!(store.entries(total - 1, 10).await.unwrap().len(), 1);
}

pub async fn sequencers_that_run_at_once_do_not_disturb_each_other(place: &Place) {
    let (store, world) = (place.store().await, world(63));
    let replicas = [store.clone(), place.beside(64).await, place.beside(65).await];
    for round in 0..5 {
        let notes = (0..50).map(|n| replicas[n % 3].note(steps::sign_in(&world, &format!("{round}-{n}"))));
        let key = key();
        let integrations = (0..6).map(|n| replicas[n % 3].integrate(&key));
        let (noted, integrated) = tokio::join!(join_all(notes), join_all(integrations));
        assert!(noted.iter().all(Result::is_ok));
        assert!(integrated.iter().all(Result::is_ok), "{integrated:?}");
    }
    assert_eq!(assert_sound(&store).await.len(), 250);
}

pub async fn an_entry_that_appears_late_is_not_lost(place: &Place) {
    let (store, world) = (place.store().await, world(66));
    if place.is_sqlite() {
        // One writing transaction at a time: nothing can appear late.
        return;
    }
    while store.integrate(&key()).await.unwrap() > 0 {}
    let late = steps::sign_in(&world, "late");
    let body = String::from_utf8(late.to_bytes().unwrap()).unwrap();
    let mut slow = Raw::open(place).await;
    slow.run("BEGIN; SELECT pg_current_xact_id()").await;
    slow.run(&format!(
        "INSERT INTO log_entry (at, body) VALUES ({}, convert_to('{body}', 'UTF8'))",
        late.at.as_micros()
    ))
    .await;
    for n in 0..5 {
        store.note(steps::sign_in(&world, &format!("person-{n}"))).await.unwrap();
        assert_eq!(store.integrate(&key()).await.unwrap(), 1);
        assert_eq!(store.integrate(&key()).await.unwrap(), 0);
    }
    slow.run("COMMIT").await;
    let entries = assert_sound(&store).await;
    assert_eq!(entries.len(), 6);
    assert_eq!(entries.last(), Some(&late));
    // Once nothing old runs, the watermark catches up, so that a look stays short.
    store.integrate(&key()).await.unwrap();
    let mut raw = Raw::open(place).await;
    let sql = "SELECT CAST(CAST(watermark > 0 AS INTEGER) AS TEXT) FROM log_head";
    assert_eq!(raw.texts(sql).await, ["1"]);
}

/// Another engine, the same entries, the same tree.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_engines_give_the_same_root_for_the_same_entries() {
    let Some(server) = Place::postgres() else { return };
    let mut notes = Vec::new();
    for place in [Place::sqlite(), server] {
        let (store, world) = (place.store().await, world(67));
        let record = store.put(steps::pending(&world, "a", Some("bob"), 9)).await.unwrap().record;
        let record = store.put(steps::approve(&world, &record)).await.unwrap().record;
        store.note(steps::sign_in(&world, "ann")).await.unwrap();
        store.put(steps::dispatch(&world, &record)).await.unwrap();
        let mut tree = Frontier::default();
        for entry in assert_sound(&store).await {
            tree.push(leaf_hash(&leaf_data(entry.at, &entry.to_bytes().unwrap())));
        }
        assert_eq!(tree.size(), 4);
        notes.push(store.checkpoint().await.unwrap());
    }
    assert_eq!(notes[0], notes[1]);
}
