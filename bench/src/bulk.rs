//! Many rows quickly: pending proposals of a stopped gate are recorded again under new ids, through the store itself,
//! so that every row has its authentication code and its log entry. And what the rows of one proposal weigh.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use countersign_core::id::ProposalId;
use countersign_core::proposal::{Proposal, Record, State, StateName, Step, open};
use countersign_engine::seal::SealKeys;
use countersign_engine::store::{Filter, Listed, Placed, Store};
use countersign_engine::world::World;
use futures_util::StreamExt as _;
use rusqlite::Connection;
use rusqlite::types::Value;
use zeroize::Zeroizing;

use crate::output;
use crate::stats::{float, float_len};
use crate::yardstick::RowSizes;

/// What a proposal's id begins with, and how long it is.
const PREFIX: &str = "prp_";
const ID_BYTES: usize = 30;
/// Proposals that wait for the store at once: nearly a whole queue.
const AT_ONCE: usize = 800;
/// Between two lines that say how far it is.
const SAY_EVERY: u64 = 100_000;

/// The rows of one table that speak of one proposal each.
#[derive(Debug)]
struct Table {
    name: String,
    /// By the id of the proposal.
    rows: BTreeMap<String, Vec<Vec<Value>>>,
}

/// Records `count` more pending proposals in the store of a stopped gate. Gives some of the new ids, spread evenly.
pub(crate) fn fill(gate_dir: &Path, origin: &str, count: u64) -> Result<Vec<String>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(record(gate_dir, origin, count))
}

async fn record(gate_dir: &Path, origin: &str, count: u64) -> Result<Vec<String>> {
    let state = gate_dir.join("state");
    let world = World::system();
    let keys = SealKeys::new(origin, key(&state.join("record.key"))?, Vec::new());
    let url = format!("sqlite:{}", state.join("countersign.db").display());
    let store = Store::open(&url, &world, keys).await?;
    let templates = pending(&store).await?;
    if templates.is_empty() {
        bail!("there is no pending proposal to record again");
    }
    let every = count.checked_div(1_000).unwrap_or(0).max(1);
    let mut sample = Vec::new();
    let steps = (0..count).zip(templates.iter().cycle()).filter_map(|(n, t)| Some((n, again(t, &world)?)));
    let mut recorded = futures_util::stream::iter(steps)
        .map(|(n, step)| {
            let store = &store;
            async move { (n, store.commit(step, Placed::default()).await) }
        })
        .buffer_unordered(AT_ONCE);
    let mut done = 0_u64;
    while let Some((n, record)) = recorded.next().await {
        let record = record.map_err(|stop| anyhow::anyhow!("a proposal was not recorded: {stop:?}"))?;
        if n.is_multiple_of(every) {
            sample.push(record.proposal.id.to_string());
        }
        done = done.saturating_add(1);
        if done.is_multiple_of(SAY_EVERY) {
            output::complain(&format!("{done} of {count} proposals are recorded"));
        }
    }
    drop(recorded);
    store.close().await?;
    Ok(sample)
}

/// The step that opens the same proposal once more.
fn again(record: &Record, world: &World) -> Option<Step> {
    let State::Pending { standing, decide_by } = &record.state else { return None };
    let proposal = Proposal { id: world.id(), created_at: world.now(), ..record.proposal.clone() };
    let (binding, decision) = (record.binding.clone(), record.decision.clone());
    Some(open(proposal, binding, decision, standing.clone(), (*decide_by, *decide_by)))
}

async fn pending(store: &Store) -> Result<Vec<Record>> {
    let filter = Filter { states: vec![StateName::Pending], limit: 200, ..Filter::default() };
    let (mut found, mut below) = (Vec::new(), None);
    loop {
        let page = store.page(&filter, below).await?;
        for together in Listed::together(&page.listed) {
            found.extend(store.records(together).await?);
        }
        below = page.below;
        if below.is_none() || found.len() >= 1_000 {
            return Ok(found);
        }
    }
}

/// A key of the gate: 64 hexadecimal digits.
fn key(path: &Path) -> Result<Zeroizing<[u8; 32]>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    let mut key = Zeroizing::new([0; 32]);
    for (byte, pair) in key.iter_mut().zip(text.trim().as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair)?, 16)?;
    }
    Ok(key)
}

/// The mean bytes of the rows that one proposal has in the store of a stopped gate.
pub(crate) fn weigh(database: &Path) -> Result<RowSizes> {
    let connection = Connection::open(database)?;
    let (mut record, mut entry) = (0.0, 0.0);
    for table in tables(&connection)? {
        let rows = table.rows.values().flatten().flatten();
        let bytes = rows.map(weight).fold(0_u64, u64::saturating_add);
        let each = float(bytes) / float_len(table.rows.len().max(1));
        if table.name.contains("log") || table.name.contains("entr") { entry += each } else { record += each }
    }
    // Through text: a whole number of bytes that is certainly small.
    Ok(RowSizes { record: format!("{record:.0}").parse()?, entry: format!("{entry:.0}").parse()? })
}

fn weight(value: &Value) -> u64 {
    let bytes = match value {
        Value::Null => 0,
        Value::Integer(_) | Value::Real(_) => 8,
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
    };
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Every table with the rows in which a proposal's id stands.
fn tables(connection: &Connection) -> Result<Vec<Table>> {
    let mut names =
        connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY rowid")?;
    let names: Vec<String> = names.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for name in names.into_iter().filter(|n| !n.starts_with("sqlite_") && !n.starts_with('_')) {
        let table = read(connection, name)?;
        if !table.rows.is_empty() {
            found.push(table);
        }
    }
    Ok(found)
}

fn read(connection: &Connection, name: String) -> Result<Table> {
    let mut select = connection.prepare(&format!("SELECT * FROM \"{name}\""))?;
    let columns = select.column_count();
    let mut rows: BTreeMap<String, Vec<Vec<Value>>> = BTreeMap::new();
    let mut cursor = select.query([])?;
    while let Some(row) = cursor.next()? {
        let values: Vec<Value> = (0..columns).map(|i| row.get(i)).collect::<Result<_, _>>()?;
        if let Some(id) = values.iter().find_map(id_in) {
            rows.entry(id).or_default().push(values);
        }
    }
    Ok(Table { name, rows })
}

/// The first proposal's id in a value.
fn id_in(value: &Value) -> Option<String> {
    let bytes: &[u8] = match value {
        Value::Text(text) => text.as_bytes(),
        Value::Blob(bytes) => bytes,
        Value::Null | Value::Integer(_) | Value::Real(_) => return None,
    };
    let at = bytes.windows(PREFIX.len()).position(|w| w == PREFIX.as_bytes())?;
    let text = std::str::from_utf8(bytes.get(at..at.saturating_add(ID_BYTES))?).ok()?;
    text.parse::<ProposalId>().ok().map(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_weighed_for_each_proposal() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE proposal (id TEXT PRIMARY KEY, state TEXT, due INTEGER) STRICT;
                 CREATE TABLE log_entry (id INTEGER PRIMARY KEY, proposal TEXT, body BLOB) STRICT;",
            )
            .unwrap();
        for n in 0..2 {
            let id = ProposalId::from_parts(n, [0; 10]).to_string();
            connection.execute("INSERT INTO proposal VALUES ($1, 'pending', 7)", [&id]).unwrap();
            let body = format!("{{\"proposal\":\"{id}\"}}").into_bytes();
            let entry = "INSERT INTO log_entry (proposal, body) VALUES ($1, $2)";
            connection.execute(entry, rusqlite::params![id, body]).unwrap();
        }
        let sizes = weigh(&path).unwrap();
        // Thirty bytes of id, `pending`, a number; a number, the id, and a body of 45 bytes.
        assert_eq!((sizes.record, sizes.entry), (30 + 7 + 8, 8 + 30 + 45));
    }
}
