//! Many rows quickly: real pending proposals of a stopped gate are copied under new ids, straight in its SQLite
//! file. The tables' columns are asked for, not known, so a change of the schema needs no change here; only the
//! maintained count and the key of equal proposals are known by name.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use countersign_core::digest::{Digest, domain};
use countersign_core::id::ProposalId;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::stats::{float, float_len};
use crate::yardstick::RowSizes;

/// What a proposal's id begins with, and how long it is.
const PREFIX: &str = "prp_";
const ID_BYTES: usize = 30;
/// Copies in one transaction.
const CHUNK: u64 = 20_000;

/// The rows of one table that speak of one proposal each.
#[derive(Debug)]
struct Table {
    name: String,
    /// Index of the column that is an `INTEGER PRIMARY KEY`, if there is one.
    counter: Option<usize>,
    /// Index of the column by which equal proposals find each other: no two have the same.
    join_key: Option<usize>,
    columns: usize,
    /// By the id of the proposal.
    rows: BTreeMap<String, Vec<Vec<Value>>>,
}

/// Copies the pending proposals of a stopped gate until `count` more are there. Gives some of the new ids, spread
/// evenly.
pub(crate) fn fill(database: &Path, count: u64) -> Result<Vec<String>> {
    let mut connection = Connection::open(database)?;
    // Nobody needs these rows after a crash.
    connection
        .execute_batch("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -200000;")?;
    let tables = tables(&connection)?;
    let templates = pending(&connection)?;
    if templates.is_empty() {
        bail!("there is no pending proposal to copy");
    }
    let now: i64 = connection.query_row("SELECT unixepoch() * 1000", [], |row| row.get(0))?;
    let now = u64::try_from(now)?;
    let mut next = BTreeMap::new();
    for table in &tables {
        next.insert(table.name.clone(), next_counter(&connection, &table.name)?);
    }
    let every = count.checked_div(1_000).unwrap_or(0).max(1);
    let mut sample = Vec::new();
    let mut done = 0_u64;
    while done < count {
        let end = done.saturating_add(CHUNK).min(count);
        let transaction = connection.transaction()?;
        for table in &tables {
            let marks = vec!["?"; table.columns].join(", ");
            let mut insert =
                transaction.prepare(&format!("INSERT INTO \"{}\" VALUES ({marks})", table.name))?;
            let counter = next.entry(table.name.clone()).or_default();
            for n in done..end {
                let template = pick(&templates, n)?;
                let fresh = id(now, n);
                for row in table.rows.get(template).into_iter().flatten() {
                    insert.execute(params_from_iter(copy(table, row, (template, &fresh), *counter)))?;
                    *counter = counter.saturating_add(1);
                }
            }
        }
        transaction.commit()?;
        sample.extend((done..end).filter(|n| n.is_multiple_of(every)).map(|n| id(now, n)));
        done = end;
    }
    count_them(&connection, count)?;
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE); ANALYZE;")?;
    Ok(sample)
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
    let counter = counter(connection, &name)?.map(|(index, _)| index);
    let mut select = connection.prepare(&format!("SELECT * FROM \"{name}\""))?;
    let columns = select.column_count();
    let join_key = select.column_names().iter().position(|name| *name == "join_key");
    let mut rows: BTreeMap<String, Vec<Vec<Value>>> = BTreeMap::new();
    let mut cursor = select.query([])?;
    while let Some(row) = cursor.next()? {
        let values: Vec<Value> = (0..columns).map(|i| row.get(i)).collect::<Result<_, _>>()?;
        if let Some(id) = values.iter().find_map(id_in) {
            rows.entry(id).or_default().push(values);
        }
    }
    Ok(Table { name, counter, join_key, columns, rows })
}

/// Index and name of the column that SQLite numbers by itself.
fn counter(connection: &Connection, table: &str) -> Result<Option<(usize, String)>> {
    let mut info = connection.prepare(&format!("PRAGMA table_info(\"{table}\")"))?;
    let columns: Vec<(i64, String, String, i64)> = info
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(5)?)))?
        .collect::<Result<_, _>>()?;
    let mut keys = columns.into_iter().filter(|(_, _, _, key)| *key > 0);
    Ok(match (keys.next(), keys.next()) {
        (Some((index, name, kind, _)), None) if kind.eq_ignore_ascii_case("INTEGER") => {
            Some((usize::try_from(index)?, name))
        }
        _ => None,
    })
}

fn next_counter(connection: &Connection, table: &str) -> Result<i64> {
    let Some((_, column)) = counter(connection, table)? else { return Ok(0) };
    let sql = format!("SELECT coalesce(max(\"{column}\"), 0) + 1 FROM \"{table}\"");
    Ok(connection.query_row(&sql, [], |row| row.get(0))?)
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

fn pending(connection: &Connection) -> Result<Vec<String>> {
    let mut select = connection.prepare("SELECT id FROM proposal WHERE state = 'pending' ORDER BY id")?;
    Ok(select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
}

fn pick(templates: &[String], n: u64) -> Result<&str> {
    let at = usize::try_from(n).ok().and_then(|n| n.checked_rem(templates.len()));
    at.and_then(|i| templates.get(i)).map(String::as_str).context("there is no pending proposal to copy")
}

/// The id of copy `n`: one a millisecond up to now, so that pages begin at very different times.
fn id(now: u64, n: u64) -> String {
    let mut random = [0x42_u8; 10];
    for (slot, byte) in random.iter_mut().zip(n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()) {
        *slot = byte;
    }
    ProposalId::from_parts(now.saturating_sub(10_000_000).saturating_add(n), random).to_string()
}

fn copy(table: &Table, row: &[Value], (from, to): (&str, &str), number: i64) -> Vec<Value> {
    let value = |(index, value): (usize, &Value)| match value {
        _ if table.counter == Some(index) => Value::Integer(number),
        // As long and as scattered as a digest.
        Value::Text(_) if table.join_key == Some(index) => {
            Value::Text(Digest::of(domain::TOKEN, to.as_bytes()).to_string())
        }
        Value::Text(text) => Value::Text(text.replace(from, to)),
        Value::Blob(bytes) => Value::Blob(match std::str::from_utf8(bytes) {
            Ok(text) => text.replace(from, to).into_bytes(),
            Err(_) => bytes.clone(),
        }),
        Value::Null | Value::Integer(_) | Value::Real(_) => value.clone(),
    };
    row.iter().enumerate().map(value).collect()
}

/// Adds the copies to the maintained count.
fn count_them(connection: &Connection, count: u64) -> Result<()> {
    let sql =
        "UPDATE tally SET n = n + $1 WHERE rowid = (SELECT rowid FROM tally WHERE state = 'pending' LIMIT 1)";
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    match connection.execute(sql, [count]).context("failed to add the copies to the maintained count")? {
        1 => Ok(()),
        _ => bail!("the maintained count of pending proposals is not where it was"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(dir: &Path) -> std::path::PathBuf {
        let path = dir.join("x.db");
        let connection = Connection::open(&path).unwrap();
        connection
            .execute_batch(
                "CREATE TABLE proposal (id TEXT PRIMARY KEY, state TEXT, due INTEGER) STRICT;
                 CREATE TABLE log_entry (id INTEGER PRIMARY KEY, proposal TEXT, body BLOB) STRICT;
                 CREATE TABLE tally (shard INTEGER, state TEXT, n INTEGER, PRIMARY KEY (shard, state)) STRICT;
                 INSERT INTO tally VALUES (0, 'pending', 2), (1, 'pending', 0);",
            )
            .unwrap();
        for n in 0..2 {
            let id = ProposalId::from_parts(n, [0; 10]).to_string();
            connection.execute("INSERT INTO proposal VALUES ($1, 'pending', 7)", [&id]).unwrap();
            let body = format!("{{\"proposal\":\"{id}\"}}").into_bytes();
            connection
                .execute(
                    "INSERT INTO log_entry (proposal, body) VALUES ($1, $2)",
                    rusqlite::params![id, body],
                )
                .unwrap();
        }
        path
    }

    #[test]
    fn every_copy_has_an_id_of_its_own_in_every_table_and_is_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = store(dir.path());
        let sample = fill(&path, 2_500).unwrap();
        assert_eq!(sample.len(), 1_250);
        let connection = Connection::open(&path).unwrap();
        let one = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(one("SELECT count(DISTINCT id) FROM proposal WHERE due = 7"), 2_502);
        assert_eq!(one("SELECT sum(n) FROM tally"), 2_502);
        let same = "SELECT count(*) FROM log_entry WHERE CAST(body AS TEXT) = '{\"proposal\":\"' || proposal || '\"}'";
        assert_eq!(one(same), 2_502);
        let known = "SELECT count(*) FROM log_entry WHERE proposal IN (SELECT id FROM proposal)";
        assert_eq!(one(known), 2_502);
    }

    #[test]
    fn rows_are_weighed_for_each_proposal() {
        let dir = tempfile::tempdir().unwrap();
        let sizes = weigh(&store(dir.path())).unwrap();
        // Thirty bytes of id, `pending`, a number; a number, the id, and a body of 45 bytes.
        assert_eq!((sizes.record, sizes.entry), (30 + 7 + 8, 8 + 30 + 45));
    }
}
