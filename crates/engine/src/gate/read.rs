//! Reading: who may see which proposal, and lists.

use countersign_core::approval::{Deciders, ProposedBy, deciders, may_decide};
use countersign_core::directory::Role;
use countersign_core::id::ProposalId;
use countersign_core::limits;
use countersign_core::proposal::{Record, StateName};
use countersign_core::view::{Bound, Card};

use super::Gate;
use super::find::Words;
use crate::fault::{Fault, Stop};
use crate::store::{Filter, Listed};

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, Next = ProposalId> {
    /// What is on it.
    pub items: Vec<T>,
    /// The cursor of the next page. None when there is none.
    pub next: Option<Next>,
    /// The search came to its bound before the page was full: more may be found from `next` on.
    pub stopped: bool,
}

/// How many proposals wait in somebody's inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboxCount {
    /// As many as were counted.
    pub count: usize,
    /// Whether there may be more.
    pub more: bool,
}

/// What one call has cost so far.
#[derive(Debug, Default)]
struct Spent {
    compared: i64,
    read: usize,
    bytes: usize,
}

impl Spent {
    /// These are read, too. Whether it was enough.
    fn reading(&mut self, together: &[Listed]) -> bool {
        self.read = self.read.saturating_add(together.len());
        self.bytes = together.iter().fold(self.bytes, |sum, listed| sum.saturating_add(listed.bytes()));
        self.is_over()
    }

    /// These are compared, too. Whether it was enough.
    fn comparing(&mut self, rows: i64) -> bool {
        self.compared = self.compared.saturating_add(rows);
        self.is_over()
    }

    const fn is_over(&self) -> bool {
        self.compared >= limits::FIND_ROWS_MAX
            || self.read >= limits::FIND_READ_MAX
            || self.bytes > limits::PAGE_BYTES_MAX
    }
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
        let words = Words::of(filter.text.as_deref());
        let mut page = Page { items: Vec::new(), next: None, stopped: false };
        let (mut below, mut spent) = (None, Spent::default());
        let work = async {
            loop {
                let found = self.0.store.page(&filter, below).await?;
                for together in Listed::together(&found.listed) {
                    for record in self.0.store.records(together).await? {
                        page.next = Some(record.proposal.id);
                        if self.may_see(&record, viewer) && self.has_words(&record, words.as_ref()) {
                            page.items.push(shown(&record));
                        }
                        if page.items.len() >= want {
                            return Ok(());
                        }
                    }
                    if spent.reading(together) && !page.items.is_empty() {
                        page.stopped = words.is_some();
                        return Ok(());
                    }
                }
                below = found.below;
                let Some(from) = found.below else {
                    page.next = None;
                    return Ok(());
                };
                if spent.comparing(found.compared) {
                    page.next = self.0.store.cursor(from).await?;
                    page.stopped = true;
                    return Ok(());
                }
            }
        };
        viewer.party().serve(work).await.map(|()| page)
    }

    fn has_words(&self, record: &Record, words: Option<&Words>) -> bool {
        words.is_none_or(|words| words.are_on(&self.card(record), record))
    }

    /// A page of what waits for people and this person may see, by deadline: every agent has an equal share of it.
    /// `from` is the `next` of the page before. The filter's limit says nothing here.
    pub async fn inbox<T>(
        &self,
        from: u32,
        filter: &Filter,
        viewer: &Viewer,
        mut shown: impl FnMut(&Record) -> T,
    ) -> Result<Page<T, u32>, Fault> {
        let words = Words::of(filter.text.as_deref());
        let mut page = Page { items: Vec::new(), next: Some(from), stopped: false };
        if !filter.states.is_empty() && !filter.states.contains(&StateName::Pending) {
            return Ok(Page { next: None, ..page });
        }
        let mut spent = Spent::default();
        let work = async {
            while let Some(from) = page.next {
                let inbox = self.0.store.inbox(from, filter).await?;
                for together in Listed::together(&inbox.listed) {
                    let records = self.0.store.records(together).await?;
                    let seen = records.iter().filter(|r| self.may_see(r, viewer));
                    page.items.extend(seen.filter(|r| self.has_words(r, words.as_ref())).map(&mut shown));
                    spent.reading(together);
                }
                page.next = inbox.next;
                // Without words a page is what one look gives.
                if words.is_none() || !page.items.is_empty() {
                    return Ok(());
                }
                if spent.is_over() {
                    page.stopped = page.next.is_some();
                    return Ok(());
                }
            }
            Ok(())
        };
        viewer.party().serve(work).await.map(|()| page)
    }

    /// How much of what waits for people this person sees in their inbox. Who sees everything gets the exact number,
    /// everybody else what one page of the inbox has for them.
    pub async fn waiting(&self, viewer: &Viewer) -> Result<InboxCount, Fault> {
        if let Viewer::Person { id } = viewer
            && self.sees_everything(id)
        {
            let count = viewer.party().serve(self.0.store.count_waiting()).await?;
            return Ok(InboxCount { count, more: false });
        }
        let page = self.inbox(0, &Filter::default(), viewer, |_| ()).await?;
        Ok(InboxCount { count: page.items.len(), more: page.next.is_some() })
    }

    /// Whether this person has a role with which people see every proposal.
    fn sees_everything(&self, person: &str) -> bool {
        let rules = self.ruleset();
        let roles = rules.directory.person(person).filter(|p| !p.disabled).map(|p| &p.roles);
        roles.is_some_and(|roles| roles.contains(&Role::Operator) || roles.contains(&Role::Auditor))
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
                if rules.directory.person(id).is_none_or(|p| p.disabled) {
                    return false;
                }
                let role = self.sees_everything(id);
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
