//! Who a task works for. What is shared is divided by party, so that no one of them takes it from the others.
//!
//! A verb's task carries its party, as a task-local value, and everything that it does is charged to it: reading,
//! the writer's queue, names that are looked up. Work without a party is the gate's own: outcomes, deadlines, what
//! people approved.

use std::future::Future;
use std::sync::Arc;

tokio::task_local! {
    static PARTY: Party;
}

/// Whom work is done for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Party {
    /// An agent, by its name in the directory.
    Agent(Arc<str>),
    /// A person, by their name in the directory.
    Person(Arc<str>),
    /// Somebody who has not shown yet who they are: a session that is being looked up, a sign-in.
    Anybody,
    /// The gate itself.
    Gate,
}

impl Party {
    /// An agent.
    pub fn agent(name: &str) -> Self {
        Self::Agent(name.into())
    }

    /// A person.
    pub fn person(name: &str) -> Self {
        Self::Person(name.into())
    }

    /// Whom the running task works for.
    pub(crate) fn current() -> Self {
        PARTY.try_with(Clone::clone).unwrap_or(Self::Gate)
    }

    /// Does work for this party.
    pub fn serve<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        PARTY.scope(self, work)
    }
}
