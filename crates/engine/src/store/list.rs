//! Lists. A list first finds which proposals are on a page, with their sizes, and then reads them a few at a time: so
//! what it holds is bounded in bytes, however large the proposals are.

use countersign_core::id::ProposalId;
use countersign_core::limits::{INBOX_MAX, LIST_BYTES_MAX, PAGE_BYTES_MAX};
use countersign_core::proposal::{Record, StateName};
use sqlx::AssertSqlSafe;

use super::db::Row;
use super::error::Error;
use super::filter::{Filter, Terms};
use super::header::{self, RECORD_COLUMNS, RECORD_WIDTH};
use super::quarantine::NOT_SET_ASIDE;
use super::value::Value;
use super::{Store, rows};
use crate::fault::Fault;

/// Proposals that one statement reads: the statement is the same for all of them.
const TOGETHER: usize = 16;
/// Bytes of a stored proposal. `octet_length` looks at the size and not at the text.
pub(super) const BYTES: &str = "CAST(octet_length(p.header) + \
    (SELECT COALESCE(SUM(octet_length(body)), 0) FROM proposal_part WHERE proposal = p.id) AS BIGINT)";

/// A proposal on a page, before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    pub(super) seq: i64,
    bytes: usize,
}

/// One page of the inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxPage {
    /// What is on it, by deadline.
    pub listed: Vec<Listed>,
    /// Where the next page begins. None on the last one.
    pub next: Option<u32>,
}

impl Store {
    /// What waits for people, by deadline and fair by agent: each agent has an equal share of a page. `from` is how
    /// many proposals of each agent were on the pages before. The filter's states and limit say nothing here.
    pub async fn inbox(&self, from: u32, filter: &Filter) -> Result<InboxPage, Fault> {
        let fault = |e: Error| Fault::new("list what waits for people", e);
        let pending = StateName::Pending.as_str();
        let terms = Terms::with_cursor(filter);
        let mut values: Vec<Value<'_>> = vec![pending.into()];
        let conditions = terms.conditions(filter, &mut values);
        let sql = format!(
            "SELECT COUNT(*), COALESCE(MAX(n), 0) FROM \
             (SELECT COUNT(*) AS n FROM proposal WHERE state = $1{conditions} GROUP BY agent) AS agents"
        );
        let found = self.readers.fetch(AssertSqlSafe(sql), &values).await.map_err(fault)?;
        let Some(row) = found.first() else { return Ok(InboxPage { listed: Vec::new(), next: None }) };
        let (agents, most) = (row.integer(0).map_err(fault)?, row.integer(1).map_err(fault)?);
        let share = i64::from(INBOX_MAX).checked_div(agents).unwrap_or(0).max(1);
        let after = i64::from(from);
        let last = after.saturating_add(share);
        let mut values: Vec<Value<'_>> = vec![pending.into(), after.into(), last.into()];
        let conditions = terms.conditions(filter, &mut values);
        let sql = format!(
            "SELECT seq, bytes, due, turn FROM (SELECT p.seq, p.due, {BYTES} AS bytes, \
             ROW_NUMBER() OVER (PARTITION BY p.agent ORDER BY p.due, p.seq) AS turn \
             FROM proposal AS p WHERE p.state = $1{conditions} AND {NOT_SET_ASIDE}) AS waiting \
             WHERE turn > $2 AND turn <= $3 ORDER BY turn, due, seq"
        );
        let found = self.readers.fetch(AssertSqlSafe(sql), &values).await.map_err(fault)?;
        let waiting = found.iter().map(waiting).collect::<Result<Vec<_>, _>>().map_err(fault)?;
        let (mut waiting, whole) = whole_turns(waiting);
        let last = whole.unwrap_or(last);
        waiting.sort_by_key(|w| (w.due, w.listed.seq));
        let next = u32::try_from(last).ok().filter(|_| most > last);
        Ok(InboxPage { listed: waiting.into_iter().map(|w| w.listed).collect(), next })
    }

    /// How many proposals wait for people, without those that are set aside.
    pub async fn count_waiting(&self) -> Result<usize, Fault> {
        let fault = |e: Error| Fault::new("count what waits for people", e);
        let sql = format!("SELECT COUNT(*) FROM proposal AS p WHERE p.state = $1 AND {NOT_SET_ASIDE}");
        let values = [StateName::Pending.as_str().into()];
        let found = self.readers.fetch(AssertSqlSafe(sql), &values).await.map_err(fault)?;
        let count = found.first().map_or(Ok(0), |row| row.integer(0)).map_err(fault)?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Reads these proposals, in some order, without those that are not there and those that are set aside. They are read
    /// a few at a time, and no more than one page of a list holds; the rest is left out.
    pub async fn records_of(&self, ids: &[ProposalId]) -> Result<Vec<Record>, Fault> {
        let fault = |e: Error| Fault::new("read proposals", e);
        let places: Vec<String> = (1..=TOGETHER).map(|n| format!("${n}")).collect();
        let sql = format!(
            "SELECT p.seq, {BYTES} FROM proposal AS p WHERE p.id IN ({}) AND {NOT_SET_ASIDE}",
            places.join(", ")
        );
        let (mut records, mut bytes) = (Vec::new(), 0_usize);
        for some in ids.chunks(TOGETHER) {
            let texts: Vec<String> = some.iter().map(ToString::to_string).collect();
            // No proposal has an empty id: it fills the statement up.
            let mut values = [Value::from(""); TOGETHER];
            for (value, text) in values.iter_mut().zip(&texts) {
                *value = text.into();
            }
            let found = self.readers.fetch(AssertSqlSafe(sql.clone()), &values).await.map_err(fault)?;
            let found = found.iter().map(listed).collect::<Result<Vec<_>, _>>().map_err(fault)?;
            for together in Listed::together(&found) {
                bytes = together.iter().fold(bytes, |sum, listed| sum.saturating_add(listed.bytes));
                if bytes > PAGE_BYTES_MAX && !records.is_empty() {
                    return Ok(records);
                }
                records.extend(self.records(together).await?);
            }
        }
        Ok(records)
    }

    /// Reads some proposals of a page, in its order, without what is set aside. See [`Listed::together`].
    pub async fn records(&self, together: &[Listed]) -> Result<Vec<Record>, Fault> {
        let fault = |e: Error| Fault::new("list proposals", e);
        // No proposal has this number: it fills the statement up.
        let mut values = [Value::from(-1); TOGETHER];
        for (value, listed) in values.iter_mut().zip(together) {
            *value = listed.seq.into();
        }
        let places: Vec<String> = (1..=TOGETHER).map(|n| format!("${n}")).collect();
        let sql = format!(
            "SELECT {RECORD_COLUMNS}, p.seq FROM proposal AS p WHERE p.seq IN ({})",
            places.join(", ")
        );
        let mut found = Vec::new();
        for row in self.readers.fetch(AssertSqlSafe(sql), &values).await.map_err(fault)? {
            let seq = row.integer(RECORD_WIDTH).map_err(fault)?;
            match header::read(&row, &self.keys) {
                Ok(record) => found.push((seq, record)),
                Err(why) => match row.text(0).map_err(fault).and_then(rows::id) {
                    Ok(id) => self.set_aside(id, &why).await,
                    Err(error) => tracing::error!(%error, why, "a stored proposal has no readable id"),
                },
            }
        }
        let place = |seq: i64| together.iter().position(|listed| listed.seq == seq);
        found.sort_by_key(|(seq, _)| place(*seq));
        Ok(found.into_iter().map(|(_, record)| record).collect())
    }
}

impl Listed {
    /// Bytes of the stored proposal.
    pub fn bytes(self) -> usize {
        self.bytes
    }

    /// Divides a page into what may be read together: few, and not many bytes, but always one.
    pub fn together(page: &[Self]) -> impl Iterator<Item = &[Self]> {
        let mut rest = page;
        std::iter::from_fn(move || {
            let mut bytes = 0_usize;
            let fits = |listed: &&Self| {
                bytes = bytes.saturating_add(listed.bytes);
                bytes <= LIST_BYTES_MAX
            };
            let count = rest.iter().take(TOGETHER).take_while(fits).count().max(1);
            let (these, others) = rest.split_at_checked(count)?;
            rest = others;
            Some(these)
        })
    }
}

/// What waits for people, and the how-manieth of its agent it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Waiting {
    listed: Listed,
    due: i64,
    turn: i64,
}

fn waiting(row: &Row) -> Result<Waiting, Error> {
    Ok(Waiting { listed: listed(row)?, due: row.integer(2)?, turn: row.integer(3)? })
}

/// As many whole turns as a page may have bytes, but always one: so the large proposals of one agent take no place from
/// the others. The last turn, when there were more.
fn whole_turns(mut waiting: Vec<Waiting>) -> (Vec<Waiting>, Option<i64>) {
    let mut bytes = 0_usize;
    let too_much = waiting.iter().position(|w| {
        bytes = bytes.saturating_add(w.listed.bytes);
        bytes > PAGE_BYTES_MAX
    });
    let Some(cut) = too_much.and_then(|at| waiting.get(at)).map(|w| w.turn) else { return (waiting, None) };
    let first = waiting.first().map_or(cut, |w| w.turn);
    let last = cut.saturating_sub(1).max(first);
    waiting.retain(|w| w.turn <= last);
    (waiting, Some(last))
}

pub(super) fn listed(row: &Row) -> Result<Listed, Error> {
    let bytes = usize::try_from(row.integer(1)?).unwrap_or(usize::MAX);
    Ok(Listed { seq: row.integer(0)?, bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_large_proposals_has_fewer_turns_of_everybody_b4() {
        let waiting = |turn: i64, bytes: usize| Waiting { listed: Listed { seq: turn, bytes }, due: 0, turn };
        let cut = |rows: &[(i64, usize)]| {
            let (kept, last) = whole_turns(rows.iter().map(|(turn, bytes)| waiting(*turn, *bytes)).collect());
            (kept.len(), last)
        };
        let half = PAGE_BYTES_MAX / 2;
        assert_eq!(cut(&[(1, 10), (1, 10), (2, 10)]), (3, None));
        assert_eq!(cut(&[(1, half), (1, 10), (2, half), (2, 10), (3, 10)]), (2, Some(1)));
        assert_eq!(cut(&[(4, PAGE_BYTES_MAX + 1), (4, 10), (5, 10)]), (2, Some(4)), "always one turn");
        assert_eq!(cut(&[]), (0, None));
    }

    #[test]
    fn what_is_read_together_is_bounded_in_number_and_in_bytes_b4() {
        let page = |sizes: &[usize]| -> Vec<Listed> {
            sizes.iter().zip(1..).map(|(bytes, seq)| Listed { seq, bytes: *bytes }).collect()
        };
        let lengths = |sizes: &[usize]| -> Vec<usize> {
            let page = page(sizes);
            let parts: Vec<&[Listed]> = Listed::together(&page).collect();
            assert_eq!(parts.concat(), page);
            parts.iter().map(|part| part.len()).collect()
        };
        assert_eq!(lengths(&[]), [0; 0]);
        assert_eq!(lengths(&[1; 40]), [16, 16, 8]);
        assert_eq!(lengths(&[LIST_BYTES_MAX, 1, 1]), [1, 2]);
        assert_eq!(lengths(&[2 * LIST_BYTES_MAX, 2 * LIST_BYTES_MAX]), [1, 1]);
        assert_eq!(lengths(&[LIST_BYTES_MAX / 2, LIST_BYTES_MAX / 2, 1]), [2, 1]);
    }
}
