//! The two passes without which nothing leaves the gate.
//!
//! A [`Grant`] exists only after a dispatch was committed: the store makes it, and nothing else can. It holds
//! the exact call, so a connector has nothing else to send. A [`Look`] is for preview reads: safe methods,
//! read credentials, nothing more (T31).

use std::time::Duration;

use countersign_core::action::{Call, ReadCall};
use countersign_core::id::{AttemptId, ProposalId};
use countersign_core::limits::GRANT_LIFE;

/// Permission to make one call, once, soon. Made by the store from a recorded dispatch.
#[derive(Debug)]
pub struct Grant {
    proposal: ProposalId,
    attempt: AttemptId,
    call: Call,
    /// When the dispatch was handed to the database, by the monotonic clock of this process.
    recorded_at: Duration,
}

impl Grant {
    /// INVARIANT I3: only `store` calls this, and only after the commit of a dispatch (tidy test).
    pub(crate) fn of_recorded_dispatch(
        proposal: ProposalId,
        attempt: AttemptId,
        call: Call,
        recorded_at: Duration,
    ) -> Self {
        Self { proposal, attempt, call, recorded_at }
    }

    /// The proposal.
    pub fn proposal(&self) -> ProposalId {
        self.proposal
    }

    /// The attempt.
    pub fn attempt(&self) -> AttemptId {
        self.attempt
    }

    /// The exact call.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// Whether the call may still begin. A process that was stopped in between must not send what others may
    /// have given up (`ticks` is the same monotonic clock).
    pub fn is_good_at(&self, ticks: Duration) -> bool {
        ticks.checked_sub(self.recorded_at).is_some_and(|age| age <= GRANT_LIFE)
    }
}

/// Permission to read a record before people decide.
#[derive(Debug)]
pub struct Look {
    call: ReadCall,
}

impl Look {
    /// None when the method is not safe.
    pub fn new(call: ReadCall) -> Option<Self> {
        call.method.is_safe().then_some(Self { call })
    }

    /// The exact read.
    pub fn call(&self) -> &ReadCall {
        &self.call
    }
}
