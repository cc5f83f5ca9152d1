//! The threat model: every id has a row, every covered row names tests that exist, and the list of what no test
//! proves only gets shorter.

use std::collections::{BTreeMap, BTreeSet};

use super::{named_tests, nothing, read, tests};

/// How many ids no test proves, or not wholly. It may only get smaller.
const WITHOUT_PROOF_MAX: usize = 95;

const LIST: &str = "docs/threats-without-proof.txt";
/// Tests that the threat model names once and then by a word.
const WORDS: [&str; 3] = ["authorization", "secrets", "lifecycle"];

struct Row {
    id: String,
    status: String,
    proof: String,
}

/// Every row of the tables, in order.
fn rows() -> Vec<Row> {
    let text = read("docs/threat-model.md");
    let is_id = |cell: &str| {
        let digits = cell.strip_prefix(['T', 'R']).unwrap_or_default();
        digits.len() >= 2 && digits.bytes().all(|b| b.is_ascii_digit())
    };
    let cells =
        text.lines().map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>());
    let row = |cells: Vec<&str>| match cells.as_slice() {
        [id, _, status, proof @ ..] if is_id(id) => {
            Some(Row { id: (*id).to_owned(), status: (*status).to_owned(), proof: proof.join(" | ") })
        }
        _ => None,
    };
    cells.filter_map(row).collect()
}

fn expected_ids() -> Vec<String> {
    (1..=140).map(|n| format!("T{n:02}")).chain((1..=41).map(|n| format!("R{n:02}"))).collect()
}

#[test]
fn every_threat_has_one_row_and_every_covered_one_a_test_that_exists() {
    let (rows, tests) = (rows(), tests());
    let ids: Vec<&String> = rows.iter().map(|row| &row.id).collect();
    assert_eq!(ids, expected_ids().iter().collect::<Vec<_>>(), "each id once, in order");
    let mut wrong = Vec::new();
    for Row { id, status, proof } in &rows {
        if !["covered", "partly", "not built", "out of scope"].contains(&status.as_str()) {
            wrong.push(format!("{id}: `{status}` is no status"));
        }
        let named = named_tests(proof);
        wrong.extend(
            named.iter().filter(|t| !tests.contains(**t)).map(|t| format!("{id}: there is no test `{t}`")),
        );
        let refers = proof.contains("see ") || WORDS.iter().any(|word| proof.contains(word));
        if status == "covered" && named.is_empty() && !refers {
            wrong.push(format!("{id}: it is covered by no test"));
        }
        if status != "covered" && proof.trim().is_empty() {
            wrong.push(format!("{id}: what is missing is not said"));
        }
    }
    nothing(&wrong, "docs/threat-model.md");
}

#[test]
fn the_list_of_threats_without_proof_only_gets_shorter() {
    let text = read(LIST);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let listed: BTreeMap<&str, &str> = lines.filter_map(|line| line.split_once(' ')).collect();
    let rows = rows();
    let open: BTreeSet<&str> = rows.iter().filter(|r| r.status != "covered").map(|r| r.id.as_str()).collect();
    let mut wrong = Vec::new();
    for id in listed.keys().filter(|id| !open.contains(*id)) {
        wrong.push(format!("{id} is covered, or no id: take it out of {LIST}"));
    }
    for row in rows.iter().filter(|row| row.status != "covered") {
        match listed.get(row.id.as_str()) {
            None => wrong.push(format!("{} is `{}` and not in {LIST}", row.id, row.status)),
            Some(status) if *status != row.status => {
                wrong.push(format!(
                    "{} is `{}` in the threat model and `{status}` in {LIST}",
                    row.id, row.status
                ));
            }
            Some(_) => {}
        }
    }
    nothing(&wrong, LIST);
    assert_eq!(
        listed.len(),
        WITHOUT_PROOF_MAX,
        "the list got shorter: lower the number; it never gets longer"
    );
}
