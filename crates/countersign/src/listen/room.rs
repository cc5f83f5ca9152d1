//! Places for connections, and which of them wait for their client. When few places are free, one that keeps the gate
//! waiting is closed: of those that were never answered and those that were, the larger group gives it, and of them the
//! longest wait. So many connections that say nothing, that never finish a request, or that idle, take no place from a
//! client that does otherwise (T111).

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use axum::Error;
use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Places that are kept free, so that the next connection need not wait for another to end.
const HEADROOM: usize = 32;

/// The places of one listener.
#[derive(Debug)]
pub(super) struct Room {
    places: Arc<Semaphore>,
    waiting: Mutex<Waiting>,
}

/// Connections that wait for their client, by whether they were given an answer already, the longest wait first.
#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    strangers: BTreeMap<u64, Arc<Notify>>,
    known: BTreeMap<u64, Arc<Notify>>,
}

impl Waiting {
    fn of(&mut self, answered: bool) -> &mut BTreeMap<u64, Arc<Notify>> {
        if answered { &mut self.known } else { &mut self.strangers }
    }

    /// The one that is closed next: of the larger group, the one that has waited for longest.
    fn pop(&mut self) -> Option<Arc<Notify>> {
        let answered = self.known.len() > self.strangers.len();
        self.of(answered).pop_first().map(|(_, close)| close)
    }
}

impl Room {
    pub(super) fn new(places: usize) -> Arc<Self> {
        Arc::new(Self { places: Arc::new(Semaphore::new(places)), waiting: Mutex::default() })
    }

    /// A place, if one is free.
    pub(super) fn try_place(self: &Arc<Self>) -> Option<Place> {
        Arc::clone(&self.places).try_acquire_owned().ok().map(|permit| self.seat(permit))
    }

    /// A place as soon as one is free. None when the room is closed.
    pub(super) async fn place(self: &Arc<Self>) -> Option<Place> {
        Arc::clone(&self.places).acquire_owned().await.ok().map(|permit| self.seat(permit))
    }

    /// Whether few places are free.
    pub(super) fn is_tight(&self) -> bool {
        self.places.available_permits() < HEADROOM
    }

    /// Asks one connection that waits for its client to end. False when none waits.
    pub(super) fn make_room(&self) -> bool {
        self.lock().pop().inspect(|close| close.notify_one()).is_some()
    }

    /// Waits until all these places are free.
    pub(super) async fn empty(&self, places: u32) {
        let _ = self.places.acquire_many(places).await;
    }

    fn seat(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Place {
        let place = Place(Arc::new(Seat {
            room: Arc::clone(self),
            close: Arc::new(Notify::new()),
            turn: Mutex::new(None),
            answered: AtomicBool::new(false),
            _permit: permit,
        }));
        place.waits();
        place
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection's place. It is free again when every clone is dropped.
#[derive(Debug, Clone)]
pub(super) struct Place(Arc<Seat>);

#[derive(Debug)]
struct Seat {
    room: Arc<Room>,
    close: Arc<Notify>,
    /// Its key among those that wait.
    turn: Mutex<Option<(bool, u64)>>,
    /// Whether it was given an answer.
    answered: AtomicBool,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// From now on the gate waits for the client: for a request, or for the rest of one.
    pub(super) fn waits(&self) {
        let mut turn = self.turn();
        let mut waiting = self.0.room.lock();
        if turn.is_none() {
            let (answered, key) = (self.0.answered.load(Ordering::Relaxed), waiting.next);
            waiting.next = key.saturating_add(1);
            waiting.of(answered).insert(key, Arc::clone(&self.0.close));
            *turn = Some((answered, key));
        }
    }

    /// From now on the client waits for the gate.
    pub(super) fn works(&self) {
        if let Some((answered, key)) = self.turn().take() {
            self.0.room.lock().of(answered).remove(&key);
        }
    }

    /// It was given an answer.
    fn answered(&self) {
        self.0.answered.store(true, Ordering::Relaxed);
    }

    /// Resolves when this connection is to end for another.
    pub(super) async fn closed(&self) {
        self.0.close.notified().await;
    }

    fn turn(&self) -> MutexGuard<'_, Option<(bool, u64)>> {
        self.0.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let turn = self.turn.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((answered, key)) = turn {
            self.room.lock().of(answered).remove(&key);
        }
    }
}

/// What follows the end of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// A request was read: the gate works.
    Works,
    /// An answer was given: the gate waits for the next request.
    Waits,
}

/// A body whose end, or whose loss, says who waits for whom.
#[derive(Debug)]
pub(super) struct Tracked {
    body: Body,
    place: Place,
    then: Option<Then>,
}

impl Tracked {
    pub(super) fn new(body: Body, place: &Place, then: Then) -> Self {
        let mut this = Self { body, place: place.clone(), then: Some(then) };
        if this.body.is_end_stream() {
            this.end();
        }
        this
    }

    fn end(&mut self) {
        match self.then.take() {
            Some(Then::Works) => self.place.works(),
            Some(Then::Waits) => {
                self.place.answered();
                self.place.waits();
            }
            None => {}
        }
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.end();
    }
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None | Some(Err(_)))) || self.body.is_end_stream() {
            self.end();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_connection_that_keeps_the_gate_waiting_for_longest_makes_room_t111() {
        let room = Room::new(3);
        let places: Vec<Place> = (0..3).filter_map(|_| room.try_place()).collect();
        assert_eq!(places.len(), 3);
        assert!(room.try_place().is_none());
        // The first one's request is being worked on; it came back from that after the second began to wait.
        places[0].works();
        places[1].works();
        places[0].waits();
        assert!(room.make_room());
        tokio::time::timeout(std::time::Duration::from_secs(5), places[2].closed()).await.unwrap();
        assert!(room.make_room());
        tokio::time::timeout(std::time::Duration::from_secs(5), places[0].closed()).await.unwrap();
        assert!(!room.make_room(), "the second one works and is left alone");
        drop(places);
        assert!(room.try_place().is_some());
        assert!(!room.make_room(), "who left is not waited for");
    }

    #[tokio::test]
    async fn who_was_never_answered_makes_room_before_who_was_t111() {
        let room = Room::new(2);
        let (known, stranger) = (room.try_place().unwrap(), room.try_place().unwrap());
        drop(Tracked::new(Body::from("x"), &known, Then::Waits));
        known.works();
        known.waits();
        assert!(room.make_room());
        tokio::time::timeout(std::time::Duration::from_secs(5), stranger.closed()).await.unwrap();
        assert!(room.make_room());
        tokio::time::timeout(std::time::Duration::from_secs(5), known.closed()).await.unwrap();
    }

    #[tokio::test]
    async fn who_has_only_just_come_stays_while_many_others_idle_t111() {
        let room = Room::new(3);
        let idle: Vec<Place> = (0..2).filter_map(|_| room.try_place()).collect();
        for place in &idle {
            drop(Tracked::new(Body::from("x"), place, Then::Waits));
            place.works();
            place.waits();
        }
        let fresh = room.try_place().unwrap();
        assert!(room.make_room());
        tokio::time::timeout(std::time::Duration::from_secs(5), idle[0].closed()).await.unwrap();
        fresh.works();
    }

    #[tokio::test]
    async fn a_body_says_who_waits_when_it_ends_or_is_dropped_t111() {
        let room = Room::new(1);
        let place = room.try_place().unwrap();
        let read = axum::body::to_bytes(Body::new(Tracked::new(Body::from("x"), &place, Then::Works)), 9);
        assert_eq!(&read.await.unwrap()[..], b"x");
        assert!(!room.make_room(), "a request that was read is worked on");
        drop(Tracked::new(Body::from("x"), &place, Then::Waits));
        assert!(room.make_room(), "an answer that was given is followed by a wait");
        Tracked::new(Body::empty(), &place, Then::Works);
        assert!(!room.make_room());
    }
}
