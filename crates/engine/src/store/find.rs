//! Finding proposals: one step of a search.
//!
//! States, and one of agent, person and action, lead to the rows by an index. Whatever else is asked for is compared
//! row by row, over a bounded span of the order in which the proposals came, so no statement walks a whole table.

use std::time::Duration;

use countersign_core::id::ProposalId;
use countersign_core::limits::PAGE_SIZE_MAX;
use countersign_core::proposal::StateName;
use countersign_core::time::Timestamp;
use sqlx::AssertSqlSafe;

use super::Store;
use super::error::Error;
use super::filter::{Filter, Terms, millis};
use super::list::{BYTES, Listed, listed};
use super::value::Value;
use crate::fault::Fault;

/// Proposals that one statement compares, when no index leads to them.
const SPAN: i64 = 5_000;
/// Ids are made a moment before their proposal is stored, so their order and that of the rows differ a little.
const ASTRAY: Duration = Duration::from_secs(15);

/// What one step of a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPage {
    /// The proposals, newest first.
    pub listed: Vec<Listed>,
    /// Where the next step begins. None when nothing older is left.
    pub below: Option<i64>,
    /// Rows that were compared without an index.
    pub compared: i64,
}

impl Store {
    /// One step of a search, newest first. Instead of the filter's cursor, `below` is where the step before ended.
    pub async fn page(&self, filter: &Filter, below: Option<i64>) -> Result<FoundPage, Fault> {
        let fault = |e: Error| Fault::new("list proposals", e);
        let before = match (below, filter.before) {
            (Some(below), _) => below,
            (None, Some(id)) => self.seq(id).await?.unwrap_or(0),
            (None, None) => i64::MAX,
        };
        let (first, before) = self.between(filter, before).await?;
        let exact = filter.is_exact();
        let top = if exact {
            before
        } else {
            self.newest_below(before).await?.map_or(0, |top| top.saturating_add(1))
        };
        let low = if exact { first } else { first.max(top.saturating_sub(SPAN)) };
        let limit = filter.limit.min(PAGE_SIZE_MAX.saturating_add(1));
        let terms = Terms::of(filter);
        let mut values: Vec<Value<'_>> = vec![top.into(), i64::from(limit).into(), low.into()];
        let conditions = terms.conditions(filter, &mut values);
        let page = if exact {
            by_index(filter, &conditions, &mut values)
        } else {
            by_comparing(filter, &conditions, &mut values)
        };
        let sql = format!(
            "SELECT p.seq, {BYTES} FROM ({page}) AS page JOIN proposal AS p ON p.seq = page.seq ORDER BY p.seq DESC"
        );
        let rows = self.readers.fetch(AssertSqlSafe(sql), &values).await.map_err(fault)?;
        let listed = rows.iter().map(listed).collect::<Result<Vec<_>, _>>().map_err(fault)?;
        let full = u32::try_from(listed.len()).is_ok_and(|found| found >= limit);
        let below = match listed.last() {
            Some(last) if full => Some(last.seq),
            Some(_) | None => (!exact && low > first).then_some(low),
        };
        let compared = if exact { 0 } else { top.saturating_sub(below.unwrap_or(low)) };
        Ok(FoundPage { listed, below, compared })
    }

    /// The proposal at which a search that stops at `below` goes on, when it is given as the cursor.
    pub async fn cursor(&self, below: i64) -> Result<Option<ProposalId>, Fault> {
        let fault = |e: Error| Fault::new("list proposals", e);
        let sql = "SELECT id FROM proposal WHERE seq >= $1 ORDER BY seq LIMIT 1";
        let rows = self.readers.fetch(sql, &[below.into()]).await.map_err(fault)?;
        rows.first().map(|row| super::rows::id(row.text(0).map_err(fault)?)).transpose()
    }

    async fn newest_below(&self, before: i64) -> Result<Option<i64>, Fault> {
        let fault = |e: Error| Fault::new("list proposals", e);
        let sql = "SELECT seq FROM proposal WHERE seq < $1 ORDER BY seq DESC LIMIT 1";
        let rows = self.readers.fetch(sql, &[before.into()]).await.map_err(fault)?;
        rows.first().map(|row| row.integer(0)).transpose().map_err(fault)
    }

    /// The rows between which everything lies that was proposed between the filter's times: the first of them, and
    /// the one after the last.
    async fn between(&self, filter: &Filter, before: i64) -> Result<(i64, i64), Fault> {
        let fault = |e: Error| Fault::new("list proposals", e);
        let astray = i64::try_from(ASTRAY.as_micros()).unwrap_or(0);
        let id = |at: Timestamp, by: i64| {
            let at = Timestamp::from_micros(at.as_micros().saturating_add(by));
            ProposalId::first_of(millis(at)).to_string()
        };
        let mut found = (0, before);
        if let Some(since) = filter.since {
            let sql = "SELECT seq FROM proposal WHERE id >= $1 ORDER BY id LIMIT 1";
            let rows = self
                .readers
                .fetch(sql, &[(&id(since, astray.saturating_neg())).into()])
                .await
                .map_err(fault)?;
            found.0 = rows.first().map_or(Ok(i64::MAX), |row| row.integer(0)).map_err(fault)?;
        }
        if let Some(until) = filter.until {
            let sql = "SELECT seq FROM proposal WHERE id < $1 ORDER BY id DESC LIMIT 1";
            let rows = self.readers.fetch(sql, &[(&id(until, astray)).into()]).await.map_err(fault)?;
            let last = rows.first().map_or(Ok(0), |row| row.integer(0)).map_err(fault)?;
            found.1 = before.min(last.saturating_add(1));
        }
        Ok(found)
    }
}

/// The statement for one page; `$1` is the row to stop before, `$2` the limit and `$3` the first row.
///
/// One part for each state, each of which walks its own index and stops at the limit: a single condition
/// over several states would sort all that match.
fn by_index<'a>(filter: &'a Filter, conditions: &str, values: &mut Vec<Value<'a>>) -> String {
    if filter.states.is_empty() && filter.agent.is_none() && filter.person.is_none() {
        return format!(
            "SELECT seq FROM proposal WHERE seq < $1 AND seq >= $3{conditions} ORDER BY seq DESC LIMIT $2"
        );
    }
    let states = if filter.states.is_empty() { StateName::ALL.as_slice() } else { &filter.states };
    let parts: Vec<String> = states
        .iter()
        .map(|state| {
            values.push(state.as_str().into());
            format!(
                "SELECT seq FROM (SELECT seq FROM proposal WHERE seq < $1 AND seq >= $3 AND state = ${}{conditions} \
                 ORDER BY seq DESC LIMIT $2) AS part",
                values.len()
            )
        })
        .collect();
    // UNION rather than UNION ALL: a state that is asked for twice is shown once.
    format!("{} ORDER BY seq DESC LIMIT $2", parts.join(" UNION "))
}

/// The same over a span of rows, each of which is compared.
fn by_comparing<'a>(filter: &'a Filter, conditions: &str, values: &mut Vec<Value<'a>>) -> String {
    let place = |state: &'a StateName| {
        values.push(state.as_str().into());
        format!("${}", values.len())
    };
    let places: Vec<String> = filter.states.iter().map(place).collect();
    let states =
        if places.is_empty() { String::new() } else { format!(" AND state IN ({})", places.join(", ")) };
    format!(
        "SELECT seq FROM proposal WHERE seq < $1 AND seq >= $3{states}{conditions} ORDER BY seq DESC LIMIT $2"
    )
}
