//! Opening, closing, and what is refused at the door.

use countersign_engine::fault::{Stop, chain_text};
use countersign_engine::store::Store;

use crate::raw::Raw;
use crate::steps::{self, Offers as _, START, digest, world};
use crate::writing::stored;
use crate::{Place, assert_sound};

async fn refusal(place: &Place) -> String {
    chain_text(&Store::open(&place.url, &world(1), steps::keys()).await.expect_err("this must not open"))
}

pub async fn what_was_committed_is_there_after_a_restart(place: &Place) {
    let (store, world) = (place.store().await, world(100));
    let record = store.put(steps::pending(&world, "a", None, 1)).await.unwrap().record;
    let record = store.put(steps::approve(&world, &record)).await.unwrap().record;
    let (counts, entries) = (store.counts().await.unwrap(), assert_sound(&store).await);
    let checkpoint = store.checkpoint().await.unwrap();
    store.close().await.unwrap();
    let store = place.open().await;
    assert_eq!(stored(&store, &record).await, record);
    assert_eq!(store.counts().await.unwrap(), counts);
    assert_eq!(store.checkpoint().await.unwrap(), checkpoint);
    let attempt = store.put(steps::dispatch(&world, &record)).await;
    assert!(attempt.is_ok_and(|c| c.grant.is_some()));
    assert_eq!(assert_sound(&store).await[..2], entries);
}

pub async fn a_closed_store_writes_nothing(place: &Place) {
    let (store, world) = (place.store().await, world(101));
    let clone = store.clone();
    // What was handed over before is still written.
    let commit = clone.put(steps::pending(&world, "a", None, 1));
    let (committed, closed) = tokio::join!(commit, store.close());
    closed.unwrap();
    committed.unwrap();
    let late = clone.put(steps::pending(&world, "a", None, 2)).await;
    assert!(matches!(late, Err(Stop::Fault(_))));
    assert!(clone.end_session(&digest("session"), START).await.is_err());
    let store = place.open().await;
    assert_eq!(assert_sound(&store).await.len(), 1);
}

pub async fn a_missing_database_is_refused(place: &Place) {
    let refusal = refusal(place).await;
    assert!(refusal.contains("countersign init"), "{refusal}");
    if let Some(path) = place.url.strip_prefix("sqlite:") {
        assert!(!std::path::Path::new(path).exists(), "looking creates nothing");
        std::fs::write(path, []).unwrap();
        let refusal = chain_text(
            &Store::open(&place.url, &world(1), steps::keys()).await.expect_err("there are no tables"),
        );
        assert!(refusal.contains("no tables"), "{refusal}");
    }
}

pub async fn creating_twice_and_at_once_changes_nothing(place: &Place) {
    let created = tokio::join!(Store::create(&place.url), Store::create(&place.url));
    if place.is_sqlite() {
        // One of the two may have found the file locked.
        assert!(created.0.is_ok() || created.1.is_ok());
    } else {
        assert!(created.0.is_ok() && created.1.is_ok(), "{created:?}");
    }
    let (store, world) = (place.open().await, world(102));
    let record = store.put(steps::pending(&world, "a", None, 1)).await.unwrap().record;
    store.close().await.unwrap();
    Store::create(&place.url).await.unwrap();
    let store = place.open().await;
    assert_eq!(stored(&store, &record).await, record);
}

pub async fn a_newer_or_older_database_is_refused_t139(place: &Place) {
    place.store().await.close().await.unwrap();
    let mut raw = Raw::open(place).await;
    raw.run("INSERT INTO schema_version (version, name) VALUES (5, 'from the future')").await;
    let newer = refusal(place).await;
    assert!(newer.contains("version 5, newer than 4"), "{newer}");
    let created = chain_text(&Store::create(&place.url).await.expect_err("it is newer"));
    assert!(created.contains("newer"), "{created}");
    raw.run("DELETE FROM schema_version; INSERT INTO schema_version (version, name) VALUES (0, 'old')").await;
    let older = refusal(place).await;
    assert!(older.contains("version 0") && older.contains("upgrade"), "{older}");
}

pub async fn an_administrator_writes_beside_a_running_gate(place: &Place) {
    let (store, world) = (place.store().await, world(103));
    if place.is_sqlite() {
        let second = refusal(place).await;
        assert!(second.contains("another process"), "{second}");
    }
    let beside = place.beside(104).await;
    beside.add_link(&digest("link"), "ann", (START, START.plus(steps::DECIDE_IN))).await.unwrap();
    beside.close().await.unwrap();
    let expires = START.plus(steps::DECIDE_IN);
    let person = store.redeem_link(&digest("link"), &digest("session"), START, expires).await.unwrap();
    assert_eq!(person.as_deref(), Some("ann"));
    store.put(steps::pending(&world, "a", None, 1)).await.unwrap();
    store.close().await.unwrap();
    assert!(Store::open(&place.url, &world, steps::keys()).await.is_ok(), "the lock ends with the store");
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::sqlite();
    let store = place.store().await;
    store.put(steps::pending(&world(105), "a", None, 1)).await.unwrap();
    let path = place.url.strip_prefix("sqlite:").unwrap();
    for file in [path.to_owned(), format!("{path}-wal"), format!("{path}-shm")] {
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file} has mode {mode:o}");
    }
}
