//! Who is told that a proposal moved: pages that show many, and whoever waits for one. Only what waits for this very
//! proposal is woken by it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_core::id::ProposalId;
use tokio::sync::{broadcast, watch};

use super::Change;

/// Changes that a slow watcher may be behind before it misses some and must read again.
const CHANGES_KEPT: usize = 1_024;

/// Everybody who is told.
#[derive(Debug, Clone)]
pub(super) struct Changes {
    all: broadcast::Sender<Change>,
    each: Arc<Each>,
}

#[derive(Debug, Default)]
struct Each(Mutex<HashMap<ProposalId, watch::Sender<u32>>>);

/// Waits for one proposal.
#[derive(Debug)]
pub struct Watch {
    id: ProposalId,
    changed: watch::Receiver<u32>,
    each: Arc<Each>,
}

impl Changes {
    pub(super) fn new() -> Self {
        Self { all: broadcast::channel(CHANGES_KEPT).0, each: Arc::default() }
    }

    /// Tells of a committed change.
    pub(super) fn tell(&self, change: Change) {
        // Nobody may be watching.
        let _ = self.all.send(change);
        if let Some(sender) = self.each.lock().get(&change.proposal) {
            sender.send_replace(change.version);
        }
    }

    pub(super) fn all(&self) -> broadcast::Receiver<Change> {
        self.all.subscribe()
    }

    pub(super) fn of(&self, id: ProposalId) -> Watch {
        let mut each = self.each.lock();
        let changed = each.entry(id).or_insert_with(|| watch::channel(0).0).subscribe();
        Watch { id, changed, each: Arc::clone(&self.each) }
    }
}

impl Each {
    fn lock(&self) -> MutexGuard<'_, HashMap<ProposalId, watch::Sender<u32>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// Resolves when it has moved since the last time, or since this began.
    pub async fn moved(&mut self) {
        // The sender lives as long as this does.
        let _ = self.changed.changed().await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut each = self.each.lock();
        // This one is still counted.
        if each.get(&self.id).is_some_and(|sender| sender.receiver_count() <= 1) {
            each.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use countersign_core::proposal::StateName;

    use super::*;

    /// Looks once.
    async fn is_pending(future: impl Future) -> bool {
        tokio::time::timeout(std::time::Duration::ZERO, future).await.is_err()
    }

    fn change(n: u8) -> Change {
        Change { proposal: ProposalId::from_parts(1, [n; 10]), version: 2, state: StateName::Pending }
    }

    #[tokio::test]
    async fn only_what_waits_for_a_proposal_is_woken_by_it_b3() {
        let changes = Changes::new();
        let (mut one, mut two) = (changes.of(change(1).proposal), changes.of(change(2).proposal));
        changes.tell(change(1));
        one.moved().await;
        let again = one.moved();
        tokio::pin!(again);
        assert!(is_pending(&mut again).await, "it moved once");
        let other = two.moved();
        tokio::pin!(other);
        assert!(is_pending(&mut other).await, "the other one moved");
    }

    #[tokio::test]
    async fn a_proposal_that_nobody_waits_for_is_forgotten() {
        let changes = Changes::new();
        let (one, two) = (changes.of(change(1).proposal), changes.of(change(1).proposal));
        drop(one);
        assert_eq!(changes.each.lock().len(), 1);
        drop(two);
        assert!(changes.each.lock().is_empty());
    }
}
