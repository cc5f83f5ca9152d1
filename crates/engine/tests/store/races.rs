//! Two who want the same.

use std::collections::BTreeMap;

use countersign_core::proposal::StateName;
use countersign_core::refusal::Refusal;
use countersign_engine::fault::Stop;
use futures_util::future::join_all;

use crate::raw::Raw;
use crate::steps::{self, Offers as _, world};
use crate::writing::stored;
use crate::{Place, assert_sound};

pub async fn of_two_moves_from_one_version_one_wins_and_the_other_writes_nothing_t13(place: &Place) {
    let (store, world) = (place.store().await, world(20));
    let beside = place.beside(21).await;
    for round in 0..20 {
        let record = store.put(steps::pending(&world, "a", None, round)).await.unwrap().record;
        let other = if round % 2 == 0 { &store } else { &beside };
        let (approved, rejected) = tokio::join!(
            store.put(steps::approve(&world, &record)),
            other.put(steps::reject(&world, &record)),
        );
        let (winner, loser) = match (approved, rejected) {
            (Ok(winner), Err(loser)) | (Err(loser), Ok(winner)) => (winner.record, loser),
            (approved, rejected) => panic!("one wins: {approved:?} {rejected:?}"),
        };
        let expect = Refusal::Conflict { id: record.proposal.id };
        assert!(matches!(&loser, Stop::Refused(refusal) if *refusal == expect), "{loser}");
        assert_eq!(stored(&store, &winner).await, winner);
        assert_eq!(store.history(record.proposal.id).await.unwrap().len(), 2);
    }
    assert_eq!(assert_sound(&store).await.len(), 40);
}

pub async fn a_thousand_dispatches_of_one_proposal_give_one_grant_t09(place: &Place) {
    let (store, world) = (place.store().await, world(22));
    let replicas = [store.clone(), place.beside(23).await, place.beside(24).await];
    let record = store.put(steps::ready(&world, "a")).await.unwrap().record;
    let dispatches = (0..1_000).map(|n| replicas[n % 3].put(steps::dispatch(&world, &record)));
    let results = join_all(dispatches).await;
    let grants = results.iter().filter_map(|r| r.as_ref().ok()).filter(|c| c.grant.is_some()).count();
    let conflicts =
        results.iter().filter(|r| matches!(r, Err(Stop::Refused(Refusal::Conflict { .. })))).count();
    assert_eq!((grants, conflicts), (1, 999));
    assert_eq!(assert_sound(&store).await.len(), 2);
}

pub async fn an_attempt_is_never_recorded_twice_even_past_the_version_guard_t09(place: &Place) {
    let (store, world) = (place.store().await, world(25));
    let record = store.put(steps::ready(&world, "a")).await.unwrap().record;
    store.put(steps::dispatch(&world, &record)).await.unwrap();
    // Somebody restores an old row by hand, and only what is past the version guard keeps it out.
    let mut raw = Raw::open(place).await;
    raw.run("UPDATE proposal SET version = 1, state = 'ready'").await;
    let again = store.put(steps::dispatch(&world, &record)).await;
    assert!(matches!(again, Err(Stop::Refused(Refusal::Conflict { .. }))));
}

pub async fn counts_are_what_a_recount_gives(place: &Place) {
    let (store, world) = (place.store().await, world(26));
    let beside = place.beside(27).await;
    assert!(store.counts().await.unwrap().values().all(|n| *n == 0));
    let opened = join_all((0..30).map(|n| {
        let store = if n % 3 == 0 { &beside } else { &store };
        store.put(steps::pending(&world, "a", None, n))
    }))
    .await;
    let records: Vec<_> = opened.into_iter().map(|r| r.unwrap().record).collect();
    let moves = records.iter().enumerate().flat_map(|(n, record)| {
        let store = if n % 2 == 0 { &beside } else { &store };
        let moves = match n % 4 {
            0 => vec![steps::approve(&world, record), steps::reject(&world, record)],
            1 => vec![steps::cancel(&world, record)],
            _ => vec![],
        };
        moves.into_iter().map(move |step| store.put(step))
    });
    join_all(moves).await;
    let mut raw = Raw::open(place).await;
    let recount = raw.texts("SELECT state FROM proposal").await;
    let mut expect: BTreeMap<StateName, u64> = StateName::ALL.into_iter().map(|s| (s, 0)).collect();
    for state in recount {
        *expect.get_mut(&StateName::from_name(&state).unwrap()).unwrap() += 1;
    }
    assert_eq!(store.counts().await.unwrap(), expect);
    assert_eq!(expect.values().sum::<u64>(), 30);
    assert_sound(&store).await;
}
