//! Reading: who may see which proposal, lists, and waiting for a change.

use std::time::Duration;

use countersign_core::approval::{ProposedBy, may_decide};
use countersign_core::directory::Role;
use countersign_core::id::ProposalId;
use countersign_core::limits;
use countersign_core::proposal::{Record, StateName};
use countersign_core::view::{Bound, Card};

use super::Gate;
use crate::fault::{Fault, Stop};
use crate::store::Filter;

/// Pages that one list call reads at the most while it looks for what the viewer may see.
const PAGES_MAX: u32 = 20;
/// How often a waiting caller looks by itself, in case another process moved the proposal.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Who is looking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Viewer {
    /// An agent sees its own proposals.
    Agent {
        /// Name in the directory.
        id: String,
    },
    /// A person sees what was done for them, what they may decide on or have decided on, and with a role, all.
    Person {
        /// Name in the directory.
        id: String,
    },
}

impl Gate {
    /// One proposal, if it exists and the viewer may see it.
    pub async fn read(&self, id: ProposalId, viewer: &Viewer) -> Result<Option<Record>, Stop> {
        let found = self.0.store.proposal(id).await?;
        Ok(found.filter(|record| self.may_see(record, viewer)))
    }

    /// Waits until the proposal is settled, needs nobody any more, or time is up; then gives it.
    pub async fn wait(
        &self,
        id: ProposalId,
        viewer: &Viewer,
        wait: Duration,
    ) -> Result<Option<Record>, Stop> {
        let wait = wait.min(limits::WAIT_MAX);
        let began = self.0.world.ticks();
        let mut changes = self.0.store.changes();
        loop {
            let Some(record) = self.read(id, viewer).await? else { return Ok(None) };
            let left = wait.saturating_sub(self.0.world.ticks().saturating_sub(began));
            if record.state.name().is_settled() || left.is_zero() {
                return Ok(Some(record));
            }
            let pause = tokio::time::sleep(left.min(LOOK_AGAIN));
            tokio::pin!(pause);
            loop {
                tokio::select! {
                    () = &mut pause => break,
                    change = changes.recv() => match change {
                        Ok(change) if change.proposal != id => {}
                        // Changed, or so many changes that this one may have been missed: look.
                        Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => break,
                        Err(tokio::sync::broadcast::error::RecvError::Closed) => {
                            pause.as_mut().await;
                            break;
                        }
                    }
                }
            }
        }
    }

    /// A page of proposals that the viewer may see, newest first. Filters only narrow (T42).
    pub async fn list(&self, filter: &Filter, viewer: &Viewer) -> Result<Vec<Record>, Fault> {
        let want = filter.limit.clamp(1, limits::PAGE_SIZE_MAX);
        let mut filter = Filter { limit: want, ..filter.clone() };
        if let Viewer::Agent { id } = viewer {
            filter.agent = Some(id.clone());
        }
        let mut page = Vec::new();
        for _ in 0..PAGES_MAX {
            let rows = self.0.store.list(&filter).await?;
            let full = u32::try_from(rows.len()).unwrap_or(want) >= want;
            filter.before = rows.last().map(|r| r.proposal.id).or(filter.before);
            page.extend(rows.into_iter().filter(|r| self.may_see(r, viewer)));
            if !full || page.len() >= usize::try_from(want).unwrap_or(usize::MAX) {
                break;
            }
        }
        page.truncate(usize::try_from(want).unwrap_or(usize::MAX));
        Ok(page)
    }

    /// The card of a record, as it is shown and hashed.
    pub fn card(&self, record: &Record) -> Card {
        Card::new(Bound::from(record), &self.ruleset().directory)
    }

    /// Whether this person may decide on it now.
    pub fn may_decide(&self, record: &Record, person: &str) -> bool {
        let rules = self.ruleset();
        record.state.name() == StateName::Pending
            && !record.standing_approvals().iter().any(|a| a.person == person)
            && record
                .decision
                .rules()
                .iter()
                .filter_map(|n| rules.rules.get(n))
                .any(|rule| may_decide(rule, person, record.proposal.proposed_by(), &rules.directory).is_ok())
    }

    /// Whether the viewer may see it at all.
    pub fn may_see(&self, record: &Record, viewer: &Viewer) -> bool {
        match viewer {
            Viewer::Agent { id } => record.proposal.chain.agent() == id,
            Viewer::Person { id } => {
                let rules = self.ruleset();
                let Some(person) = rules.directory.person(id).filter(|p| !p.disabled) else { return false };
                let role = person.roles.contains(&Role::Operator) || person.roles.contains(&Role::Auditor);
                let own = record.proposal.chain.person() == Some(id)
                    || rules.directory.agent(record.proposal.chain.agent()).is_some_and(|a| a.owner == *id);
                let decided = record.approvals.iter().any(|a| a.person == *id);
                // Whom a confirmation lets decide may look before it, and reads on the card what is missing.
                let by = record.proposal.proposed_by();
                let confirmed = record.proposal.chain.confirmed();
                let chain = confirmed.as_ref().unwrap_or(by.chain);
                let after = ProposedBy { chain, ..by };
                let asked = record
                    .decision
                    .rules()
                    .iter()
                    .filter_map(|n| rules.rules.get(n))
                    .any(|rule| may_decide(rule, id, after, &rules.directory).is_ok());
                role || own || decided || asked
            }
        }
    }
}

impl Gate {
    /// Integrates everything that waits for the log now, instead of within the next tick.
    pub async fn integrate(&self) -> Result<(), Stop> {
        // Twice at the most: the first may lose to the sequencer's own tick, and new entries must not keep
        // this one here.
        if self.0.store.integrate(&self.0.log_key).await? == 0 {
            self.0.store.integrate(&self.0.log_key).await?;
        }
        Ok(())
    }
}
