//! The two passes without which nothing leaves the gate.
//!
//! A [`Grant`] exists only after a dispatch was committed: the store makes it, and nothing else can. It holds
//! the exact call, so a connector has nothing else to send. A [`Look`] is for preview reads: safe methods,
//! read credentials, nothing more (T31).

use countersign_core::action::{Call, ReadCall};
use countersign_core::id::{AttemptId, ProposalId};

/// Permission to make one call, once. Made by the store from a recorded dispatch.
#[derive(Debug)]
pub struct Grant {
    proposal: ProposalId,
    attempt: AttemptId,
    call: Call,
}

impl Grant {
    /// INVARIANT I3: only `store` calls this, and only after the commit of a dispatch (tidy test).
    pub(crate) fn of_recorded_dispatch(proposal: ProposalId, attempt: AttemptId, call: Call) -> Self {
        Self { proposal, attempt, call }
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
