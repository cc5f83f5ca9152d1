//! Finding entries of the log, for who may read it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use countersign_core::audit::{Actor, EventCode, StoredEntry};
use countersign_core::id::ProposalId;
use countersign_core::limits::{FIND_ENTRIES_MAX, PAGE_BYTES_MAX};
use countersign_core::proposal::Record;
use countersign_core::time::Timestamp;

use super::find::Words;
use super::{Gate, Viewer};
use crate::fault::{Fault, Stop};
use crate::store::{EntryInSpan, LogWalk, LoggedEntry};

/// Entries that one statement of a search reads.
const SPAN: u32 = 500;
/// An entry gets its time a moment before it is written, so times in the log go back by a little.
const ASTRAY: Duration = Duration::from_secs(15);

/// What entries of the log are filtered by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogFilter {
    /// Only from this index on.
    pub from: Option<u64>,
    /// Only before this index.
    pub before: Option<u64>,
    /// Only this event.
    pub event: Option<EventCode>,
    /// Only about this proposal.
    pub proposal: Option<ProposalId>,
    /// Only about this action.
    pub action: Option<String>,
    /// Only what this agent caused.
    pub agent: Option<String>,
    /// Only what this person caused, or an agent on their behalf.
    pub person: Option<String>,
    /// Only of this time or later.
    pub since: Option<Timestamp>,
    /// Only before this time.
    pub until: Option<Timestamp>,
    /// Only with all of these words in it.
    pub text: Option<String>,
}

/// In which order entries are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogOrder {
    /// The oldest first.
    Oldest,
    /// The newest first.
    Newest,
}

/// Entries that were found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundEntries<T> {
    /// Each with what was made of its proposal, if it is about one that can be read.
    pub entries: Vec<(LoggedEntry, Option<T>)>,
    /// Where to go on in the same order: `from` with the oldest first, `before` with the newest. None at the end.
    pub next: Option<u64>,
    /// The time of the last entry that was looked at, when the search came to its bound before the page was full.
    pub searched_to: Option<Timestamp>,
}

impl LogFilter {
    /// Whether every entry between its indexes passes.
    fn is_plain(&self) -> bool {
        *self == Self { from: self.from, before: self.before, ..Self::default() }
    }
}

impl Gate {
    /// Entries that pass the filter, for who may read the log; at most `limit`, and found among a bounded number of
    /// entries. Each comes with what `shown` makes of its proposal.
    pub async fn find_entries<T: Clone>(
        &self,
        person: &str,
        filter: &LogFilter,
        (order, limit): (LogOrder, u32),
        shown: impl FnMut(&Record) -> T,
    ) -> Result<FoundEntries<T>, Stop> {
        self.log_reader(person)?;
        let viewer = Viewer::Person { id: person.to_owned() };
        let work = async {
            let (found, next, searched_to) = match filter.proposal {
                Some(id) => (self.of_proposal(id, filter, (order, limit)).await?, None, None),
                None => self.search(filter, (order, limit)).await?,
            };
            let entries = self.beside_proposals(found, shown).await?;
            Ok::<_, Fault>(FoundEntries { entries, next, searched_to })
        };
        Ok(viewer.party().serve(work).await?)
    }

    /// The entries of one proposal: few enough to read all of them.
    async fn of_proposal(
        &self,
        id: ProposalId,
        filter: &LogFilter,
        (order, limit): (LogOrder, u32),
    ) -> Result<Vec<Seen>, Fault> {
        let words = Words::of(filter.text.as_deref());
        let records = self.0.store.records_of(&[id]).await?;
        let action = records.first().map(|record| record.proposal.action.to_string());
        let mut entries = self.0.store.history(id).await?;
        let (first, end) = (filter.from.unwrap_or(0), filter.before.unwrap_or(u64::MAX));
        // What is not integrated yet has no place in the log.
        entries.retain(|entry| entry.index.is_some_and(|index| (first..end).contains(&index)));
        if order == LogOrder::Newest {
            entries.reverse();
        }
        let seen = entries.into_iter().map(|entry| Seen::of(EntryInSpan { entry, action: action.clone() }));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(seen.filter(|seen| seen.passes(filter, words.as_ref())).take(limit).collect())
    }

    async fn search(
        &self,
        filter: &LogFilter,
        (order, limit): (LogOrder, u32),
    ) -> Result<(Vec<Seen>, Option<u64>, Option<Timestamp>), Fault> {
        let words = Words::of(filter.text.as_deref());
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let plain = filter.is_plain();
        let (first, end) = self.between(filter).await?;
        let mut walk = match order {
            LogOrder::Oldest => LogWalk::Up(first),
            LogOrder::Newest => LogWalk::Down(end),
        };
        let (mut found, mut read, mut bytes, mut last) = (Vec::new(), 0_usize, 0_usize, None);
        loop {
            let span = if plain { u32::try_from(limit).unwrap_or(SPAN) } else { SPAN };
            let entries = self.0.store.span(walk, span).await?;
            let all = u32::try_from(entries.len()).is_ok_and(|n| n < span);
            for entry in entries {
                let Some(index) = entry.entry.index else { continue };
                if index < first || index >= end {
                    return Ok((found, None, None));
                }
                walk = match walk {
                    LogWalk::Up(_) => LogWalk::Up(index.saturating_add(1)),
                    LogWalk::Down(_) => LogWalk::Down(index),
                };
                (read, bytes) = (read.saturating_add(1), bytes.saturating_add(entry.entry.body.len()));
                let seen = Seen::of(entry);
                last = seen.at().or(last);
                if seen.passes(filter, words.as_ref()) {
                    found.push(seen);
                }
                if found.len() >= limit {
                    return Ok((found, next(walk), None));
                }
            }
            if all {
                return Ok((found, None, None));
            }
            if read >= FIND_ENTRIES_MAX || bytes > PAGE_BYTES_MAX {
                return Ok((found, next(walk), last));
            }
        }
    }

    /// The indexes between which every entry lies that may pass: the first, and the one after the last.
    async fn between(&self, filter: &LogFilter) -> Result<(u64, u64), Fault> {
        let astray = i64::try_from(ASTRAY.as_micros()).unwrap_or(0);
        let by = |at: Timestamp, by: i64| Timestamp::from_micros(at.as_micros().saturating_add(by));
        let first = match filter.since {
            Some(since) => self.0.store.index_at(by(since, astray.saturating_neg())).await?,
            None => 0,
        };
        let first = first.max(filter.from.unwrap_or(0));
        let end = match filter.until {
            Some(until) => self.0.store.index_at(by(until, astray)).await?,
            None => u64::MAX,
        };
        Ok((first, end.min(filter.before.unwrap_or(u64::MAX))))
    }

    /// Each entry with what is made of its proposal, which is read once however many entries are about it.
    async fn beside_proposals<T: Clone>(
        &self,
        found: Vec<Seen>,
        mut shown: impl FnMut(&Record) -> T,
    ) -> Result<Vec<(LoggedEntry, Option<T>)>, Fault> {
        let proposal = |seen: &Seen| seen.entry.as_ref().and_then(|entry| entry.proposal);
        let ids: Vec<ProposalId> =
            found.iter().filter_map(proposal).collect::<BTreeSet<_>>().into_iter().collect();
        let records = self.0.store.records_of(&ids).await?;
        let about: BTreeMap<ProposalId, T> = records.iter().map(|r| (r.proposal.id, shown(r))).collect();
        let beside = |seen: Seen| {
            let about = proposal(&seen).and_then(|id| about.get(&id).cloned());
            (seen.logged, about)
        };
        Ok(found.into_iter().map(beside).collect())
    }
}

/// The cursor of the next page; none where nothing is left in this direction.
const fn next(walk: LogWalk) -> Option<u64> {
    match walk {
        LogWalk::Up(from) => Some(from),
        LogWalk::Down(0) => None,
        LogWalk::Down(before) => Some(before),
    }
}

/// An entry that was looked at.
#[derive(Debug)]
struct Seen {
    logged: LoggedEntry,
    /// What it says; none of a version that this build does not know.
    entry: Option<StoredEntry>,
    action: Option<String>,
}

impl Seen {
    fn of(found: EntryInSpan) -> Self {
        let entry = StoredEntry::from_bytes(&found.entry.body).ok();
        // What was refused before it became a proposal names its action itself.
        let own = entry.as_ref().and_then(|entry| entry.data.get("action")?.as_str().map(str::to_owned));
        Self { logged: found.entry, entry, action: found.action.or(own) }
    }

    fn at(&self) -> Option<Timestamp> {
        self.entry.as_ref().map(|entry| entry.at)
    }

    fn passes(&self, filter: &LogFilter, words: Option<&Words>) -> bool {
        let text = String::from_utf8_lossy(&self.logged.body);
        let Some(entry) = &self.entry else {
            // What cannot be read may be anything: only words and nothing else can find it.
            let without = LogFilter { text: None, ..filter.clone() };
            return without.is_plain() && words.is_none_or(|words| words.are_in([&*text]));
        };
        let named = |wanted: &Option<String>, is: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| is == Some(wanted))
        };
        let (agent, person) = match &entry.actor {
            Actor::Agent { chain } => (Some(chain.agent()), chain.person()),
            Actor::Person { id } => (None, Some(id.as_str())),
            Actor::Gate => (None, None),
        };
        filter.event.is_none_or(|event| entry.event == event)
            && filter.proposal.is_none_or(|id| entry.proposal == Some(id))
            && named(&filter.action, self.action.as_deref())
            && named(&filter.agent, agent)
            && named(&filter.person, person)
            && filter.since.is_none_or(|since| entry.at >= since)
            && filter.until.is_none_or(|until| entry.at < until)
            && words.is_none_or(|words| {
                words.are_in([&*text, entry.event.meaning(), self.action.as_deref().unwrap_or_default()])
            })
    }
}
