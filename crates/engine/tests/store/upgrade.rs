//! A database that the version before wrote, on both engines: read as it was written, written anew when it moves.

use countersign_core::id::ProposalId;
use countersign_core::intent::IntentVersion;
use countersign_core::proposal::StateName;
use countersign_engine::seal::SealKeys;
use countersign_engine::store::Store;
use rusqlite::types::ValueRef;
use zeroize::Zeroizing;

use crate::Place;
use crate::raw::Raw;
use crate::steps::{self, Offers as _};

const KEPT: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../countersign/tests/it/upgrade/state/countersign.db");
const KEY: &str = include_str!("../../../countersign/tests/it/upgrade/state/record.key");
const TABLES: &str = include_str!("../../migrations/postgres/0001_initial.sql");

/// Puts the kept database where this test's is to be.
async fn put_back(place: &Place) {
    if let Some(path) = place.url.strip_prefix("sqlite:") {
        std::fs::copy(KEPT, path).unwrap();
        return;
    }
    Store::create(&place.url).await.unwrap();
    let mut raw = Raw::open(place).await;
    raw.run("DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
    raw.run("CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL)").await;
    raw.run(TABLES).await;
    let kept =
        rusqlite::Connection::open_with_flags(KEPT, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let mut tables = kept.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").unwrap();
    let names: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    // An entry is there before its leaf.
    let (leaves, others): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| name == "log_leaf");
    for table in others.iter().chain(&leaves) {
        raw.run(&format!("DELETE FROM {table}")).await;
        let mut rows = kept.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = rows.column_names().join(", ");
        let count = rows.column_count();
        let mut rows = rows.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let values: Vec<String> = (0..count).map(|n| literal(row.get_ref(n).unwrap())).collect();
            let values = values.join(", ");
            raw.run(&format!("INSERT INTO {table} ({columns}) VALUES ({values})")).await;
        }
    }
    let sequences = "SELECT setval(pg_get_serial_sequence('proposal', 'seq'), (SELECT MAX(seq) FROM proposal)); \
                     SELECT setval(pg_get_serial_sequence('log_entry', 'id'), (SELECT MAX(id) FROM log_entry))";
    raw.run(sequences).await;
}

fn literal(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(integer) => integer.to_string(),
        ValueRef::Real(real) => real.to_string(),
        ValueRef::Text(text) => format!("'{}'", std::str::from_utf8(text).unwrap().replace('\'', "''")),
        ValueRef::Blob(bytes) => {
            let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("'\\x{}'", digits.concat())
        }
    }
}

fn keys() -> SealKeys {
    let mut key = Zeroizing::new([0; 32]);
    for (byte, pair) in key.iter_mut().zip(KEY.trim().as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    }
    SealKeys::new("gate.test", key, Vec::new())
}

pub async fn a_database_of_the_version_before_is_read_and_written_anew_d16(place: &Place) {
    put_back(place).await;
    let world = steps::world(1);
    let older = Store::open(&place.url, &world, keys()).await.expect_err("it is older");
    let older = countersign_engine::fault::chain_text(&older);
    assert!(older.contains("version 2") && older.contains("upgrade"), "{older}");
    for _ in 0..2 {
        Store::create(&place.url).await.unwrap();
    }
    let store = Store::open(&place.url, &world, keys()).await.unwrap();
    let mut raw = Raw::open(place).await;
    let ids = raw.texts("SELECT id FROM proposal ORDER BY seq").await;
    let mut states = Vec::new();
    for id in &ids {
        let record = store.proposal(id.parse::<ProposalId>().unwrap()).await.unwrap().unwrap();
        assert_eq!(record.binding.version, IntentVersion::V1);
        assert!(record.is_intact(), "{id}");
        assert!(store.is_as_logged(&record).await.unwrap(), "{id}: its entries of version 1 are understood");
        states.push(record.state.name());
    }
    states.sort_unstable();
    let expect = [
        StateName::Denied,
        StateName::Pending,
        StateName::Pending,
        StateName::Succeeded,
        StateName::Failed,
        StateName::Unknown,
        StateName::Rejected,
        StateName::Cancelled,
    ];
    assert_eq!(states, expect);

    // A row that moves is of the current version, and keeps what it was approved under.
    let pending = raw.texts("SELECT id FROM proposal WHERE state = 'pending' ORDER BY seq").await;
    let before = store.proposal(pending[0].parse().unwrap()).await.unwrap().unwrap();
    let moved = store.put(steps::cancel(&world, &before)).await.unwrap().record;
    let after = store.proposal(before.proposal.id).await.unwrap().unwrap();
    assert_eq!((after.version, &after.state, &after.parts), (moved.version, &moved.state, &moved.parts));
    assert_eq!((after.binding.version, after.binding.intent), (IntentVersion::V1, before.binding.intent));
    let attached =
        |record: &countersign_core::proposal::Record| record.proposal.evidence[0].body["price"].as_f64();
    assert_eq!((attached(&after), attached(&before)), (Some(250.0), Some(250.0)));
    let names = "SELECT name FROM proposal_part WHERE proposal = '{}' AND version = {} ORDER BY name";
    let of = |version: u32| names.replacen("{}", &pending[0], 1).replacen("{}", &version.to_string(), 1);
    assert_eq!(raw.texts(&of(0)).await, [""; 0]);
    assert_eq!(raw.texts(&of(after.version)).await, ["evidence", "input", "preview", "words"]);

    // An altered row of version 1 is found by its own code.
    let other = &pending[1];
    raw.run(&format!(
        "UPDATE proposal_part SET body = replace(body, '250000', '250001') WHERE proposal = '{other}' AND name = 'input'"
    ))
    .await;
    assert!(store.proposal(other.parse().unwrap()).await.is_err());
    while store.integrate(&crate::key()).await.unwrap() > 0 {}
    store.close().await.unwrap();
}

pub async fn rows_of_before_get_what_lists_are_filtered_by(place: &Place) {
    let (store, world) = (place.store().await, steps::world(3));
    let mut ids = Vec::new();
    for (n, (action, environment)) in
        (0_u64..).zip([("crm.note.add", "staging"), ("crm.\u{e9}", "pro\"duction")])
    {
        let step = steps::pending_in(&world, "a", (action, environment), n);
        ids.push((store.put(step).await.unwrap().record.proposal.id, action, environment));
    }
    let broken = store.put(steps::pending(&world, "b", None, 9)).await.unwrap().record.proposal.id;
    store.close().await.unwrap();
    let mut raw = Raw::open(place).await;
    for sql in [
        "DROP INDEX proposal_by_action",
        "ALTER TABLE proposal DROP COLUMN action",
        "ALTER TABLE proposal DROP COLUMN environment",
        "DELETE FROM schema_version WHERE version = 4",
        &format!("UPDATE proposal SET header = 'no JSON' WHERE id = '{broken}'"),
    ] {
        raw.run(sql).await;
    }
    Store::create(&place.url).await.unwrap();
    let store = place.store().await;
    for (id, action, environment) in ids {
        let record = store.proposal(id).await.unwrap().unwrap();
        assert_eq!(record.proposal.action.as_str(), action);
        assert_eq!(record.binding.rendering.environment, environment);
        let columns = format!("SELECT action || ' in ' || environment FROM proposal WHERE id = '{id}'");
        assert_eq!(raw.texts(&columns).await, [format!("{action} in {environment}")]);
    }
    assert!(store.proposal(broken).await.is_err(), "what is no JSON stops no upgrade and is no record");
    while store.integrate(&crate::key()).await.unwrap() > 0 {}
    store.close().await.unwrap();
}
