//! Reading: who may see which proposal, and lists.

use countersign_core::approval::{Deciders, ProposedBy, deciders, may_decide};
use countersign_core::directory::Role;
use countersign_core::id::ProposalId;
use countersign_core::limits;
use countersign_core::proposal::{Record, StateName};
use countersign_core::view::{Bound, Card};

use super::Gate;
use crate::fault::{Fault, Stop};
use crate::store::{Filter, Listed};

/// Pages that one list call reads at the most while it looks for what the viewer may see.
const PAGES_MAX: u32 = 20;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, Next = ProposalId> {
    /// What is on it.
    pub items: Vec<T>,
    /// The cursor of the next page. None when there is none.
    pub next: Option<Next>,
}

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
        let found = viewer.party().serve(self.0.store.proposal(id)).await?;
        Ok(found.filter(|record| self.may_see(record, viewer)))
    }

    /// A page of proposals that the viewer may see, newest first, each as `shown` makes of it. Filters only narrow
    /// (T42). Records are read a few at a time and dropped when they are shown; a page of large ones ends early.
    pub async fn list<T>(
        &self,
        filter: &Filter,
        viewer: &Viewer,
        mut shown: impl FnMut(&Record) -> T,
    ) -> Result<Page<T>, Fault> {
        let want = filter.limit.clamp(1, limits::PAGE_SIZE_MAX);
        let mut filter = Filter { limit: want, ..filter.clone() };
        if let Viewer::Agent { id } = viewer {
            filter.agent = Some(id.clone());
        }
        let want = usize::try_from(want).unwrap_or(usize::MAX);
        let (mut page, mut below, mut bytes) = (Page { items: Vec::new(), next: None }, None, 0_usize);
        let work = async {
            for _ in 0..PAGES_MAX {
                let listed = self.0.store.page(&filter, below).await?;
                for together in Listed::together(&listed) {
                    for record in self.0.store.records(together).await? {
                        page.next = Some(record.proposal.id);
                        if self.may_see(&record, viewer) {
                            page.items.push(shown(&record));
                        }
                        if page.items.len() >= want {
                            return Ok(());
                        }
                    }
                    bytes = together.iter().fold(bytes, |sum, listed| sum.saturating_add(listed.bytes()));
                    if bytes > limits::PAGE_BYTES_MAX && !page.items.is_empty() {
                        return Ok(());
                    }
                }
                below = listed.last().copied();
                if listed.len() < want {
                    page.next = None;
                    return Ok(());
                }
            }
            Ok(())
        };
        viewer.party().serve(work).await.map(|()| page)
    }

    /// A page of what waits for people and this person may see, by deadline: every agent has an equal share of it.
    /// `from` is the `next` of the page before.
    pub async fn inbox<T>(
        &self,
        from: u32,
        viewer: &Viewer,
        mut shown: impl FnMut(&Record) -> T,
    ) -> Result<Page<T, u32>, Fault> {
        let work = async {
            let inbox = self.0.store.inbox(from).await?;
            let mut items = Vec::new();
            for together in Listed::together(&inbox.listed) {
                let records = self.0.store.records(together).await?;
                let seen = records.iter().filter(|r| self.may_see(r, viewer));
                items.extend(seen.map(&mut shown));
            }
            Ok(Page { items, next: inbox.next })
        };
        viewer.party().serve(work).await
    }

    /// The card of a record, as it is shown and hashed.
    pub fn card(&self, record: &Record) -> Card {
        Card::new(Bound::from(record), &self.ruleset().directory)
    }

    /// Who can decide on it now, under each rule that asks for people: without those who may not and those who have
    /// approved already. Empty when it does not wait for people.
    pub fn deciders(&self, record: &Record) -> Vec<Deciders> {
        if record.state.name() != StateName::Pending {
            return Vec::new();
        }
        let rules = self.ruleset();
        let decided = record.standing_approvals();
        let decided: Vec<&str> = decided.iter().map(|a| a.person.as_str()).collect();
        let names = record.decision.rules();
        let asked = names.iter().filter_map(|name| rules.rules.get(name));
        let by = record.proposal.proposed_by();
        asked.map(|rule| deciders(rule, by, &decided, &rules.directory)).collect()
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
