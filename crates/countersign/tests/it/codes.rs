//! Every authentication code of a store is made again from what ARCHITECTURE.md says, by Python's own library.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{GateDir, Reply, Upstream};

const CHECKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/testdata/check_vectors.py");
const FORMER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/upgrade");

/// What stands before a column that may be empty, and the column.
fn maybe(text: &Value) -> [Value; 2] {
    let there = if text.is_null() { "0" } else { "1" };
    [json!({ "utf8": there }), json!({ "utf8": text.as_str().unwrap_or_default() })]
}

fn eight_bytes(number: &Value) -> Value {
    json!({ "hex": format!("{:016x}", number.as_i64().unwrap_or_default()) })
}

fn utf8(text: &Value) -> Value {
    json!({ "utf8": text.as_str().unwrap() })
}

/// The codes of the proposals of a format, each with the fields that it is over.
fn of_proposals(dir: &GateDir, format: u8, purpose: &str) -> Vec<(String, Vec<Value>, String)> {
    let part = |name: &str| {
        format!("(SELECT body FROM proposal_part WHERE proposal = p.id AND name = '{name}' AND version = 0)")
    };
    let sql = format!(
        "SELECT id, version, state, agent, person, due, intent, attempt, header, lower(hex(mac)), {}, {} \
         FROM proposal AS p WHERE format = {format}",
        part("input"),
        part("preview")
    );
    let rows = dir.query(&sql, &[]);
    let of = |row: &Value| {
        let [person, attempt] = [maybe(&row[4]), maybe(&row[7])];
        let due = if row[5].is_null() { "0" } else { "1" };
        let mut fields = vec![
            utf8(&row[0]),
            json!({ "hex": format!("{:08x}", row[1].as_i64().unwrap()) }),
            utf8(&row[2]),
            utf8(&row[3]),
        ];
        fields.extend(person);
        fields.extend([json!({ "utf8": due }), eight_bytes(&row[5]), utf8(&row[6])]);
        fields.extend(attempt);
        fields.push(utf8(&row[8]));
        fields.extend(
            [&row[10], &row[11]].into_iter().filter(|_| format == 1).map(|t| json!({ "part_v1": t })),
        );
        (purpose.to_owned(), fields, row[9].as_str().unwrap().to_owned())
    };
    rows.iter().map(of).collect()
}

/// The codes of the other rows.
fn of_others(dir: &GateDir) -> Vec<(String, Vec<Value>, String)> {
    let mut found = Vec::new();
    for (name, columns, table) in [
        ("session", "token, person, created, seen, expires", "session"),
        ("link", "token, person, expires", "link"),
        ("active-rules", "digest, epoch", "active_rules"),
    ] {
        let rows = dir.query(&format!("SELECT lower(hex(mac)), {columns} FROM {table}"), &[]);
        assert!(!rows.is_empty(), "{table}");
        for row in rows {
            let row = row.as_array().unwrap();
            let field = |value: &Value| if value.is_string() { utf8(value) } else { eight_bytes(value) };
            let fields = row[1..].iter().map(field).collect();
            found.push((format!("countersign/mac/{name}/v1"), fields, row[0].as_str().unwrap().to_owned()));
        }
    }
    found
}

/// Makes the codes again in Python, from the store's key. An error is what it says.
fn check(dir: &GateDir, codes: Vec<(String, Vec<Value>, String)>) -> Result<(), String> {
    let config = dir.read("countersign.toml");
    let origin = config.lines().find_map(|l| l.strip_prefix("origin = ")).unwrap().trim_matches('"');
    let key = dir.read("state/record.key").trim().to_owned();
    let codes = codes.into_iter().map(|(purpose, fields, code)| {
        json!({ "purpose": purpose, "origin": origin, "key": key, "fields": fields, "code": code })
    });
    let file = dir.path().join("codes.json");
    std::fs::write(&file, json!({ "macs": codes.collect::<Vec<_>>() }).to_string()).unwrap();
    let output = Command::new("python3").arg(CHECKER).arg(file).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    if output.status.success() { Ok(()) } else { Err(said) }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_code_of_a_store_is_the_documented_one_by_a_second_implementation() {
    let upstream = Upstream::start().await;
    upstream.on("GET /items/i_1", Reply::json(200, &json!({ "price": 900, "currency": "eur" })));
    let gate = GateDir::new(&upstream).serve();
    // One that ran, one that waits, and one that nobody may do.
    assert_eq!(gate.propose("shop.note.add", json!({ "id": "i_1", "text": "ä" })).await.0, 200);
    assert_eq!(gate.propose("shop.price.set", json!({ "id": "i_1", "price": 20_000 })).await.0, 202);
    gate.sign_in("frank").await;
    let dir = gate.kill();
    let proposals = of_proposals(&dir, 2, "countersign/mac/proposal/v2");
    assert_eq!(proposals.len(), 2);
    let all: Vec<_> = proposals.into_iter().chain(of_others(&dir)).collect();
    check(&dir, all.clone()).unwrap();
    // Each field matters.
    for code in &all {
        for field in 0..code.1.len() {
            let mut other = code.clone();
            let (kind, text) = other.1[field].as_object().unwrap().iter().next().unwrap();
            let text = text.as_str().unwrap();
            let moved = if kind == "hex" { format!("{text}00") } else { format!("{text}x") };
            other.1[field] = json!({ kind.clone(): moved });
            let refused = check(&dir, vec![other]).unwrap_err();
            assert!(refused.contains("another code"), "{refused}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_code_of_version_1_is_the_documented_one_by_a_second_implementation() {
    let dir = GateDir::of(Path::new(FORMER));
    dir.run(&["init", "."]);
    let proposals = of_proposals(&dir, 1, "countersign/mac/proposal/v1");
    assert_eq!(proposals.len(), 8);
    check(&dir, proposals).unwrap();
}
