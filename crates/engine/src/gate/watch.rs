//! Waiting for a proposal: long polls and streams. Each is woken by its own proposal and by nothing else, and takes
//! one of the places that its agent or person has.

use std::time::Duration;

use countersign_core::id::ProposalId;
use countersign_core::limits as maxima;
use countersign_core::proposal::{Record, StateName};
use countersign_core::refusal::Refusal;

use super::limits::{Limit, Limits};
use super::{Gate, Viewer};
use crate::bulkhead::{Bulkhead, Full, Place, Sizes, places};
use crate::fault::Stop;
use crate::party::Party;
use crate::store::Watch;

/// How often a stream that is not woken asks whether its reader is still who they were.
const ASK_AGAIN: Duration = Duration::from_secs(15);
/// How often a waiting caller looks by itself.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// Seconds after which an agent with too many streams should come back.
const STREAM_AGAIN: Duration = Duration::from_secs(5);

/// Places for streams and waiting requests.
#[derive(Debug)]
pub(super) struct Streams(Bulkhead);

impl Streams {
    pub(super) fn new(limits: &Limits) -> Self {
        Self(Bulkhead::new(Sizes {
            agents: maxima::STREAMS_OF_AGENTS_MAX,
            one_agent: places(limits.streams),
            people: maxima::STREAMS_OF_PEOPLE_MAX,
            one_person: maxima::STREAMS_PER_PERSON_MAX,
            gate: 0,
        }))
    }

    pub(super) fn resize(&self, limits: &Limits) {
        self.0.resize(places(limits.streams), maxima::STREAMS_PER_PERSON_MAX);
    }
}

/// A stream's place, until it is dropped.
#[derive(Debug)]
pub struct StreamPlace(#[expect(dead_code, reason = "held, not read")] Place);

/// One proposal's changes, one after the other.
#[derive(Debug)]
pub struct Following {
    gate: Gate,
    id: ProposalId,
    viewer: Viewer,
    watch: Watch,
    seen: Option<u32>,
    over: bool,
    _place: StreamPlace,
}

/// What a caller waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Until the proposal is settled, which may take people.
    Settled,
    /// Until it is settled or waits for people.
    PeopleMustDecide,
}

impl Until {
    fn is_reached(self, state: StateName) -> bool {
        state.is_settled() || (self == Self::PeopleMustDecide && state == StateName::Pending)
    }
}

impl Gate {
    /// A place for a stream of this viewer.
    pub fn stream_place(&self, viewer: &Viewer) -> Result<StreamPlace, Refusal> {
        let full = match self.0.streams.0.try_take(&viewer.party()) {
            Ok(place) => return Ok(StreamPlace(place)),
            Err(full) => full,
        };
        match (viewer, full) {
            (Viewer::Agent { id }, Full::Own) => {
                let detail = format!("{} streams and waiting requests at once", self.limits().streams);
                Err(self.0.limits.refuse(id, Limit::Streams, detail, STREAM_AGAIN))
            }
            (Viewer::Agent { .. } | Viewer::Person { .. }, _) => Err(Refusal::Busy { retry_after_s: 5 }),
        }
    }

    /// Waits until the proposal is where the caller wants it or time is up; then gives it. A viewer who has no place left for waiting
    /// gets it as it is now.
    pub async fn wait(
        &self,
        id: ProposalId,
        viewer: &Viewer,
        (until, wait): (Until, Duration),
    ) -> Result<Option<Record>, Stop> {
        let place = if wait.is_zero() { None } else { self.stream_place(viewer).ok() };
        let wait = if place.is_some() { wait.min(maxima::WAIT_MAX) } else { Duration::ZERO };
        let began = self.0.world.ticks();
        let mut watch = self.0.store.watch(id);
        loop {
            let Some(record) = self.read(id, viewer).await? else { return Ok(None) };
            let left = wait.saturating_sub(self.0.world.ticks().saturating_sub(began));
            if until.is_reached(record.state.name()) || left.is_zero() {
                return Ok(Some(record));
            }
            let _ = tokio::time::timeout(left.min(LOOK_AGAIN), watch.moved()).await;
        }
    }

    /// Follows a proposal until it is settled. None when there is no such proposal for this viewer.
    pub async fn follow(&self, id: ProposalId, viewer: Viewer) -> Result<Option<Following>, Stop> {
        let place = self.stream_place(&viewer)?;
        let watch = self.0.store.watch(id);
        if self.read(id, &viewer).await?.is_none() {
            return Ok(None);
        }
        Ok(Some(Following { gate: self.clone(), id, viewer, watch, seen: None, over: false, _place: place }))
    }
}

impl Following {
    /// The next version. None when there is none any more, or when the reader is no longer who they were: that is
    /// asked before each.
    pub async fn next(&mut self, is_still: impl Fn() -> bool) -> Option<Record> {
        if self.over {
            return None;
        }
        loop {
            if !is_still() {
                return None;
            }
            let record = self.gate.read(self.id, &self.viewer).await.ok()??;
            if self.seen != Some(record.version) {
                self.seen = Some(record.version);
                self.over = record.state.name().is_settled();
                return Some(record).filter(|_| is_still());
            }
            while tokio::time::timeout(ASK_AGAIN, self.watch.moved()).await.is_err() {
                if !is_still() {
                    return None;
                }
            }
        }
    }
}

impl Viewer {
    /// Whom what they ask for is charged to.
    pub fn party(&self) -> Party {
        match self {
            Self::Agent { id } => Party::agent(id),
            Self::Person { id } => Party::person(id),
        }
    }
}
