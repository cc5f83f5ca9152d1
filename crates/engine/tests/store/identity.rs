//! Which database it is, and what its log was at an earlier size.

use countersign_core::audit::{Actor, Entry, EventCode, data, root_of};
use countersign_core::digest::Digest;

use crate::Place;
use crate::steps::START;

fn entry(n: u64) -> Entry {
    Entry::new(START, Actor::Gate, data::SignInRefused { not_recorded_before: n })
}

pub async fn a_database_keeps_its_incarnation_until_it_is_renewed(place: &Place) {
    let store = place.store().await;
    let first = store.identity().await.unwrap();
    assert_eq!(first.server.is_some(), !place.is_sqlite());
    store.close().await.unwrap();
    let store = place.store().await;
    assert_eq!(store.identity().await.unwrap(), first, "made again, it is the same");
    let data = data::GateRestored {
        found: None,
        recorded: None,
        previous_incarnation: first.incarnation.clone(),
        incarnation: "other".to_owned(),
        cancelled: 0,
        unknown: 0,
        left: 0,
    };
    let why = Entry::new(START, Actor::Gate, data);
    store.renew_incarnation("other", START, why).await.unwrap();
    assert_eq!(store.identity().await.unwrap().incarnation, "other");
    let entries = crate::assert_sound(&store).await;
    assert_eq!(entries.last().unwrap().event(), EventCode::GateRestored);
    assert!(!store.is_in_use().await.unwrap());
    if !place.is_sqlite() {
        let beside = place.beside(5).await;
        assert!(beside.is_in_use().await.unwrap(), "the other one is connected");
    }
}

pub async fn the_root_at_every_size_is_that_of_its_leaves(place: &Place) {
    let store = place.store().await;
    for n in 0..8 {
        store.note(entry(n)).await.unwrap();
    }
    crate::assert_sound(&store).await;
    let leaves: Vec<Digest> = store.entries(0, 100).await.unwrap().iter().map(|e| e.leaf.unwrap()).collect();
    let all = u64::try_from(leaves.len()).unwrap();
    assert!(all > 8, "{all}");
    for size in 0..=leaves.len() {
        let root = root_of(&leaves[..size]);
        let wanted = u64::try_from(size).unwrap();
        assert_eq!(store.root_at(wanted).await.unwrap(), (all, Some(root)), "{size}");
    }
    assert_eq!(store.root_at(all + 1).await.unwrap(), (all, None));
    let mut raw = crate::raw::Raw::open(place).await;
    raw.run("DELETE FROM log_leaf WHERE idx = 3").await;
    assert_eq!(store.root_at(8).await.unwrap(), (all, None), "a leaf is missing");
}
