//! Which process is the gate of a database, and under which key.

use countersign_core::proposal::StateName;
use countersign_engine::fault::{Stop, chain_text};
use countersign_engine::seal::SealKeys;
use countersign_engine::store::{Admission, NotAdmitted, Offered, Placed, Store};

use crate::Place;
use crate::raw::Raw;
use crate::steps::{self, Offers as _, START, digest, world};

fn admission() -> Admission {
    Admission {
        rules: steps::rules(),
        decided_at: std::time::Duration::ZERO,
        use_by: START.plus(std::time::Duration::from_hours(1_000_000)),
        owner: steps::OWNER.to_owned(),
    }
}

pub async fn a_second_gate_is_refused_while_the_first_is_alive(place: &Place) {
    let store = place.store().await;
    if place.is_sqlite() {
        // The lock on the file says it before the row does.
        return;
    }
    let beside = place.beside(80).await;
    let refusal = beside.enter("gate-2");
    let renewals = async {
        loop {
            assert!(store.renew(steps::OWNER).await.unwrap());
        }
    };
    let refused = tokio::select! {
        refused = refusal => refused,
        () = renewals => unreachable!("it renews for ever"),
    };
    let text = chain_text(&refused.expect_err("the first one is alive"));
    assert!(text.contains("another gate (`gate-1`) is running"), "{text}");
    store.leave(steps::OWNER).await.unwrap();
    beside.enter("gate-2").await.unwrap();
    assert!(!store.renew(steps::OWNER).await.unwrap(), "the first one is no longer the gate");
}

pub async fn a_dispatch_is_recorded_only_under_the_rules_in_force_and_by_a_live_process_a1(place: &Place) {
    let (store, world) = (place.store().await, world(81));
    let record = store.put(steps::ready(&world, "a")).await.unwrap().record;
    let offer = async |admission: Admission| {
        let placed = Placed { admission: Some(admission), ..Placed::default() };
        match store.offer(steps::dispatch(&world, &record), placed).await.unwrap() {
            Offered::Committed(committed) => Ok(committed.record.state.name()),
            Offered::NotAdmitted(why) => Err(why),
        }
    };
    let other = Admission { rules: digest("other rules"), ..admission() };
    assert_eq!(offer(other.clone()).await, Err(NotAdmitted::RulesChanged));
    let dead = Admission { owner: "gate-9".to_owned(), ..admission() };
    assert_eq!(offer(dead).await, Err(NotAdmitted::NotAlive));
    let late = Admission { use_by: START, ..admission() };
    assert_eq!(offer(late).await, Err(NotAdmitted::Late));
    store.activate(&digest("other rules"), &steps::started()).await.unwrap();
    assert_eq!(offer(admission()).await, Err(NotAdmitted::RulesChanged));
    let mut raw = Raw::open(place).await;
    raw.run("UPDATE active_rules SET epoch = epoch + 1").await;
    assert_eq!(offer(other.clone()).await, Err(NotAdmitted::RulesUnknown));
    store.activate(&digest("other rules"), &steps::started()).await.unwrap();
    assert_eq!(offer(other).await, Ok(StateName::Dispatched));
    let unasked = store.offer(steps::dispatch(&world, &record), Placed::default()).await;
    assert!(matches!(unasked, Err(Stop::Fault(_))), "a dispatch without an admission is none");
}

pub async fn a_database_of_another_key_is_refused(place: &Place) {
    place.store().await.close().await.unwrap();
    let keys = SealKeys::new("gate.example/log", zeroize::Zeroizing::new([8; 32]), Vec::new());
    let store = Store::open(&place.url, &world(82), keys).await.unwrap();
    let text = chain_text(&store.enter("gate-2").await.expect_err("its key is not here"));
    assert!(text.contains("sealed with the record key") && text.contains("old_key_files"), "{text}");
    let (old, new) = (zeroize::Zeroizing::new([9; 32]), zeroize::Zeroizing::new([8; 32]));
    store.close().await.unwrap();
    let keys = SealKeys::new("gate.example/log", new, vec![old]);
    let store = Store::open(&place.url, &world(83), keys).await.unwrap();
    store.leave(steps::OWNER).await.unwrap();
    store.enter("gate-2").await.unwrap();
}
