//! The one write path.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use countersign_core::proposal::{Record, StateName};
use countersign_core::refusal::Refusal;
use countersign_engine::fault::Stop;
use countersign_engine::store::{Committed, IdempotencyKey, Store};
use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::raw::Raw;
use crate::steps::{self, Offers as _, digest, world};
use crate::{Place, assert_sound};

fn idempotency(key: &str, request: &str) -> IdempotencyKey {
    IdempotencyKey { key: key.to_owned(), request: digest(request), derived: false }
}

pub async fn stored(store: &Store, record: &Record) -> Record {
    store.proposal(record.proposal.id).await.unwrap().expect("the proposal is there")
}

pub async fn what_is_written_is_what_is_read(place: &Place) {
    let (store, world) = (place.store().await, world(2));
    assert_eq!(store.proposal(world.id()).await.unwrap(), None);
    let key = idempotency("key-1", "request-1");
    let step = steps::pending(&world, "support-bot", Some("bob"), 120);
    let Committed { record, grant } = store.put_keyed(step.clone(), key).await.unwrap();
    assert!(grant.is_none());
    assert_eq!(Record { parts: record.parts, ..step.record }, record);
    assert_eq!(stored(&store, &record).await, record);
    store.note(steps::sign_in(&world, "ann")).await.unwrap();
    let entries = assert_sound(&store).await;
    assert_eq!(entries, [step.entries[0].clone(), steps::sign_in(&world, "ann")]);
}

pub async fn a_proposal_lives_from_pending_to_succeeded(place: &Place) {
    let (store, world) = (place.store().await, world(3));
    let first = store.put(steps::pending(&world, "a", None, 7)).await.unwrap().record;
    let revised = store.put(steps::revise(&world, &first, 8)).await.unwrap().record;
    assert_ne!(revised.binding.intent, first.binding.intent);
    assert_eq!(stored(&store, &revised).await, revised);
    let approved = store.put(steps::approve(&world, &revised)).await.unwrap().record;
    let attempt = world.id();
    let dispatched = store.put(steps::dispatch_as(&world, &approved, attempt)).await.unwrap();
    let grant = dispatched.grant.expect("a dispatch gives a grant");
    assert_eq!((grant.proposal(), grant.attempt()), (first.proposal.id, attempt));
    assert_eq!(*grant.call(), revised.binding.rendering.call, "the call is the one that was approved");
    let done = store.put(steps::succeed(&world, &dispatched.record, attempt)).await.unwrap();
    assert!(done.grant.is_none());
    assert_eq!(stored(&store, &done.record).await, done.record);
    assert_eq!(done.record.version, 5);
    assert_eq!(assert_sound(&store).await.len(), 5);
}

pub async fn a_step_that_contradicts_itself_is_refused(place: &Place) {
    let (store, world) = (place.store().await, world(4));
    let good = steps::pending(&world, "a", None, 7);
    let mut another = good.clone();
    another.entries[0].proposal = Some(world.id());
    let mut later = good.clone();
    later.entries[0].version = 2;
    let mut jump = good.clone();
    jump.record.version = 3;
    let mut nowhere = good.clone();
    nowhere.from = Some(StateName::Ready);
    for step in [another, later, jump, nowhere] {
        assert!(matches!(store.put(step).await, Err(Stop::Fault(_))));
    }
    assert_eq!(assert_sound(&store).await, []);
}

pub async fn an_idempotency_key_is_unique_for_its_agent_t96(place: &Place) {
    let (store, world) = (place.store().await, world(5));
    let commits = (0..20).map(|n| {
        let step = steps::pending(&world, "a", None, n);
        store.put_keyed(step, idempotency("same", "request"))
    });
    let results = join_all(commits).await;
    let won: Vec<&Committed> = results.iter().filter_map(|r| r.as_ref().ok()).collect();
    assert_eq!(won.len(), 1);
    for result in &results {
        let Err(stop) = result else { continue };
        assert!(matches!(stop, Stop::Refused(Refusal::IdempotencyKeyInProgress)), "{stop}");
    }
    let again = store.put_keyed(steps::pending(&world, "a", None, 1), idempotency("same", "other")).await;
    assert!(matches!(again, Err(Stop::Refused(Refusal::IdempotencyKeyInProgress))));
    let other = store.put_keyed(steps::pending(&world, "b", None, 1), idempotency("same", "request")).await;
    assert!(other.is_ok(), "another agent has keys of its own");
    let replay = store.replay("a", "same").await.unwrap().expect("the key is kept");
    assert_eq!((replay.proposal, replay.request), (won[0].record.proposal.id, digest("request")));
    assert_eq!(store.replay("a", "never").await.unwrap(), None);
    assert_eq!(store.replay("c", "same").await.unwrap(), None);
    assert_eq!(assert_sound(&store).await.len(), 2, "a losing proposal has no entry");
}

pub async fn of_equal_pending_proposals_of_one_agent_one_is_opened_t29(place: &Place) {
    let (store, world) = (place.store().await, world(8));
    let first = steps::pending(&world, "a", None, 1);
    let twins = (0..20).map(|_| store.put(steps::pending(&world, "a", None, 1)));
    let mut opened: Vec<Committed> = join_all(twins).await.into_iter().filter_map(Result::ok).collect();
    let one = opened.pop().unwrap().record;
    assert!(opened.is_empty(), "the others have one to join");
    let joinable = async || store.joins("a", one.binding.intent).await;
    assert_eq!(joinable().await, Some(one.proposal.id));
    let lost = store.put(first).await;
    assert!(matches!(lost, Err(Stop::Refused(Refusal::Conflict { .. }))));
    store.put(steps::pending(&world, "b", None, 1)).await.unwrap();
    store.put(steps::pending(&world, "a", None, 2)).await.unwrap();
    store.put(steps::cancel(&world, &one)).await.unwrap();
    assert_eq!(joinable().await, None, "what is over cannot be joined");
    store.put(steps::pending(&world, "a", None, 1)).await.unwrap();
    assert_eq!(assert_sound(&store).await.len(), 6, "a losing proposal has no entry, and a join has one");
}

pub async fn many_steps_share_one_commit_p21(place: &Place) {
    let (store, world) = (place.store().await, world(6));
    let steps: Vec<_> = (0..64).map(|n| steps::pending(&world, "a", None, n)).collect();
    let payload: usize = steps
        .iter()
        .map(|s| serde_json::to_vec(&s.record).unwrap().len() + s.entries[0].to_bytes().unwrap().len())
        .sum();
    let before = store.counters();
    // While one transaction is on its way, everybody arrives.
    let mut holder = Raw::open(place).await;
    holder.stop_writers().await;
    let arrived = Arc::new(AtomicUsize::new(0));
    let mut all = JoinSet::new();
    for step in steps {
        let (store, arrived) = (store.clone(), Arc::clone(&arrived));
        all.spawn(async move {
            let mut commit = pin!(store.put(step));
            let at_once = poll_fn(|cx| Poll::Ready(commit.as_mut().poll(cx))).await;
            arrived.fetch_add(1, Ordering::SeqCst);
            match at_once {
                Poll::Ready(result) => result,
                Poll::Pending => commit.await,
            }
        });
    }
    // On a file the first one is itself the writer, and stands still until the file is free.
    let waiting = if place.is_sqlite() { 63 } else { 64 };
    while arrived.load(Ordering::SeqCst) < waiting {
        tokio::task::yield_now().await;
    }
    holder.run("ROLLBACK").await;
    let results = all.join_all().await;
    assert!(results.iter().all(Result::is_ok));
    let counters = store.counters();
    assert!(counters.commits - before.commits <= 2, "{counters:?}");
    assert!(counters.statements - before.statements <= 64 * 2, "{counters:?}");
    // A header, three parts and an entry for each.
    assert!(counters.rows - before.rows < 64 * 5 + 64, "{counters:?}");
    let bytes = counters.bytes - before.bytes;
    assert!(bytes <= u64::try_from(payload + payload / 2).unwrap(), "{counters:?} for {payload}");
    assert_eq!(assert_sound(&store).await.len(), 64);
}

pub async fn a_full_queue_is_busy_and_an_outcome_waits(place: &Place) {
    let (store, world) = (place.store().await, world(7));
    let record = store.put(steps::ready(&world, "a")).await.unwrap().record;
    let attempt = world.id();
    let sent = store.put(steps::dispatch_as(&world, &record, attempt)).await.unwrap().record;
    let mut holder = Raw::open(place).await;
    holder.stop_writers().await;
    let first_refusal = Arc::new(Notify::new());
    let mut all = JoinSet::new();
    for n in 0..2_000 {
        let (store, step) = (store.clone(), steps::pending(&world, "a", None, n));
        let first_refusal = Arc::clone(&first_refusal);
        all.spawn(async move { store.put(step).await.inspect_err(|_| first_refusal.notify_one()) });
    }
    // The writer cannot move on, so the queue is full by now.
    first_refusal.notified().await;
    let outcome = store.put(steps::succeed(&world, &sent, attempt));
    let release = async { holder.run("ROLLBACK").await };
    let (outcome, ()) = tokio::join!(outcome, release);
    let all = all.join_all().await;
    let busy =
        all.iter().filter(|r| matches!(r, Err(Stop::Refused(Refusal::Busy { retry_after_s: 1 })))).count();
    let written = all.iter().filter(|r| r.is_ok()).count();
    assert!(busy > 0);
    assert_eq!(busy + written, 2_000);
    assert!(outcome.is_ok(), "a call that was made is never turned away");
    assert_eq!(assert_sound(&store).await.len(), written + 3);
}

pub async fn one_step_the_database_refuses_takes_no_other_with_it(place: &Place) {
    let (store, world) = (place.store().await, world(8));
    let mut ready = Vec::new();
    for _ in 0..3 {
        ready.push(store.put(steps::ready(&world, "a")).await.unwrap().record);
    }
    // One attempt for two proposals: the index refuses the second.
    let attempt = world.id();
    let moves = [
        steps::dispatch_as(&world, &ready[0], attempt),
        steps::dispatch_as(&world, &ready[1], attempt),
        steps::dispatch(&world, &ready[2]),
    ];
    let results = join_all(moves.into_iter().map(|step| store.put(step))).await;
    assert!(results[2].is_ok());
    let twins = [&results[0], &results[1]];
    assert_eq!(twins.iter().filter(|r| r.is_ok()).count(), 1);
    assert_eq!(twins.iter().filter(|r| matches!(r, Err(Stop::Fault(_)))).count(), 1);
    assert_eq!(assert_sound(&store).await.len(), 5);
}

pub async fn only_what_was_written_is_announced(place: &Place) {
    let (store, world) = (place.store().await, world(9));
    let mut changes = store.changes();
    let record = store.put(steps::pending(&world, "a", None, 1)).await.unwrap().record;
    let rejected = store.put(steps::reject(&world, &record)).await.unwrap().record;
    assert!(store.put(steps::cancel(&world, &record)).await.is_err());
    store.note(steps::sign_in(&world, "ann")).await.unwrap();
    let first = changes.try_recv().unwrap();
    assert_eq!((first.proposal, first.version, first.state), (record.proposal.id, 1, StateName::Pending));
    let second = changes.try_recv().unwrap();
    assert_eq!((second.version, second.state), (rejected.version, StateName::Rejected));
    assert!(changes.try_recv().is_err());
}
