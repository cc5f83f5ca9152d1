//! Bulkheads: a shared thing is divided into parts for agents, for people and for the gate itself, and no one agent
//! or person may take a whole part. What one of them floods is full for it alone.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::party::Party;

/// How a thing is divided. Every number is a count of places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// All agents together.
    pub(crate) agents: usize,
    /// One agent.
    pub(crate) one_agent: usize,
    /// All people together.
    pub(crate) people: usize,
    /// One person; also all who have not shown yet who they are.
    pub(crate) one_person: usize,
    /// The gate itself.
    pub(crate) gate: usize,
}

/// One thing, divided.
#[derive(Debug)]
pub(crate) struct Bulkhead {
    agents: PartyPart,
    people: PartyPart,
    gate: Arc<Semaphore>,
}

#[derive(Debug)]
struct PartyPart {
    all: Arc<Semaphore>,
    shares: Mutex<Shares>,
}

#[derive(Debug)]
struct Shares {
    size: usize,
    of: HashMap<Arc<str>, Arc<Semaphore>>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _own: Option<OwnedSemaphorePermit>,
    _all: OwnedSemaphorePermit,
}

/// Why there is no place now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// The party uses its own share up.
    Own,
    /// All of its kind together use their part up.
    All,
}

impl PartyPart {
    fn new(all: usize, one: usize) -> Self {
        let shares = Mutex::new(Shares { size: one, of: HashMap::new() });
        Self { all: Arc::new(Semaphore::new(all)), shares }
    }

    fn share(&self, name: &Arc<str>) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let size = shares.size;
        let share = shares.of.entry(Arc::clone(name)).or_insert_with(|| Arc::new(Semaphore::new(size)));
        Arc::clone(share)
    }

    fn try_take(&self, name: &Arc<str>) -> Result<Place, Full> {
        let own = self.share(name).try_acquire_owned().map_err(|_| Full::Own)?;
        let all = Arc::clone(&self.all).try_acquire_owned().map_err(|_| Full::All)?;
        Ok(Place { _own: Some(own), _all: all })
    }

    async fn take(&self, name: &Arc<str>) -> Option<Place> {
        // Its own share first: so no party has more than its share waiting before the others.
        let own = self.share(name).acquire_owned().await.ok()?;
        let all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Place { _own: Some(own), _all: all })
    }

    /// Another size of every share. Who holds more places than that keeps them until they are given back.
    fn resize(&self, one: usize) {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        if shares.size != one {
            *shares = Shares { size: one, of: HashMap::new() };
        }
    }
}

impl Bulkhead {
    pub(crate) fn new(sizes: Sizes) -> Self {
        Self {
            agents: PartyPart::new(sizes.agents, sizes.one_agent),
            people: PartyPart::new(sizes.people, sizes.one_person),
            gate: Arc::new(Semaphore::new(sizes.gate)),
        }
    }

    /// A place for this party, if there is one now.
    pub(crate) fn try_take(&self, party: &Party) -> Result<Place, Full> {
        match self.part(party) {
            Some((part, name)) => part.try_take(&name),
            None => {
                let all = Arc::clone(&self.gate).try_acquire_owned().map_err(|_| Full::All)?;
                Ok(Place { _own: None, _all: all })
            }
        }
    }

    /// A place for this party, as soon as there is one. None when the thing is closed.
    pub(crate) async fn take(&self, party: &Party) -> Option<Place> {
        match self.part(party) {
            Some((part, name)) => part.take(&name).await,
            None => {
                let all = Arc::clone(&self.gate).acquire_owned().await.ok()?;
                Some(Place { _own: None, _all: all })
            }
        }
    }

    /// Waits until every place is free, then closes: nobody gets one any more. For what is divided into these sizes.
    pub(crate) async fn drain(&self, sizes: Sizes) {
        let parts =
            [(&self.agents.all, sizes.agents), (&self.people.all, sizes.people), (&self.gate, sizes.gate)];
        for (part, size) in parts {
            let all = u32::try_from(size).unwrap_or(u32::MAX);
            // An error means that it is closed already.
            let _ = part.acquire_many(all).await;
            part.close();
        }
    }

    /// Nobody gets a place any more.
    pub(crate) fn close(&self) {
        [&self.agents.all, &self.people.all, &self.gate].into_iter().for_each(|part| part.close());
    }

    /// Another size of each agent's and each person's share.
    pub(crate) fn resize(&self, one_agent: usize, one_person: usize) {
        self.agents.resize(one_agent);
        self.people.resize(one_person);
    }

    fn part(&self, party: &Party) -> Option<(&PartyPart, Arc<str>)> {
        match party {
            Party::Agent(name) => Some((&self.agents, Arc::clone(name))),
            Party::Person(name) => Some((&self.people, Arc::clone(name))),
            // No name in a directory is empty.
            Party::Anybody => Some((&self.people, Arc::from(""))),
            Party::Gate => None,
        }
    }
}

/// A limit of the configuration as a number of places.
pub(crate) fn places(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks once.
    async fn is_pending(future: impl Future) -> bool {
        tokio::time::timeout(std::time::Duration::ZERO, future).await.is_err()
    }

    const SIZES: Sizes = Sizes { agents: 6, one_agent: 4, people: 3, one_person: 2, gate: 2 };

    fn fill(bulkhead: &Bulkhead, party: &Party) -> (Vec<Place>, Full) {
        let mut places = Vec::new();
        loop {
            match bulkhead.try_take(party) {
                Ok(place) => places.push(place),
                Err(full) => return (places, full),
            }
        }
    }

    #[test]
    fn no_one_takes_more_than_a_share_and_no_kind_more_than_its_part() {
        let bulkhead = Bulkhead::new(SIZES);
        let (bot, full) = fill(&bulkhead, &Party::agent("bot"));
        assert_eq!((bot.len(), full), (4, Full::Own));
        let (other, full) = fill(&bulkhead, &Party::agent("other"));
        assert_eq!((other.len(), full), (2, Full::All));
        let (ann, full) = fill(&bulkhead, &Party::person("ann"));
        assert_eq!((ann.len(), full), (2, Full::Own));
        let (anybody, full) = fill(&bulkhead, &Party::Anybody);
        assert_eq!((anybody.len(), full), (1, Full::All));
        assert_eq!(fill(&bulkhead, &Party::Gate).0.len(), 2);
        drop(bot);
        assert_eq!(fill(&bulkhead, &Party::agent("other")).1, Full::Own);
    }

    #[tokio::test]
    async fn who_waits_for_their_own_share_is_before_nobody_else() {
        let bulkhead = Arc::new(Bulkhead::new(SIZES));
        let (bot, _) = fill(&bulkhead, &Party::agent("bot"));
        let party = Party::agent("bot");
        let waiting = bulkhead.take(&party);
        tokio::pin!(waiting);
        assert!(is_pending(&mut waiting).await);
        let other = Party::agent("other");
        assert!(bulkhead.take(&other).await.is_some());
        drop(bot);
        assert!(waiting.await.is_some());
    }

    #[test]
    fn a_smaller_share_takes_effect_for_new_places() {
        let bulkhead = Bulkhead::new(SIZES);
        bulkhead.resize(1, 1);
        assert_eq!(fill(&bulkhead, &Party::agent("bot")).0.len(), 1);
        assert_eq!(fill(&bulkhead, &Party::person("ann")).0.len(), 1);
    }

    #[tokio::test]
    async fn draining_waits_for_who_is_inside_and_lets_nobody_in() {
        let bulkhead = Arc::new(Bulkhead::new(SIZES));
        let place = bulkhead.try_take(&Party::agent("bot"));
        let drain = bulkhead.drain(SIZES);
        tokio::pin!(drain);
        assert!(is_pending(&mut drain).await);
        drop(place);
        drain.await;
        assert_eq!(fill(&bulkhead, &Party::agent("bot")).0.len(), 0);
        assert!(bulkhead.take(&Party::Gate).await.is_none());
    }
}
