//! What each surface says of a proposal, as facts: pairs of a name and a text without white space. Text that no fact
//! accounts for fails the test, on every surface, so equal sets mean that neither says more than the other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::support::webdriver::Browser;

/// What is said of one proposal.
pub(crate) type Facts = BTreeSet<(String, String)>;

/// Names of the terminal's card. What stands under another name is not known to these tests.
const NAMES: [&str; 39] = [
    "action",
    "added",
    "also",
    "answer",
    "approvals",
    "approved",
    "asks",
    "body",
    "call",
    "card",
    "changed",
    "credential",
    "decide by",
    "decision",
    "first",
    "for you",
    "guard",
    "header",
    "input",
    "intent",
    "made at",
    "not yours",
    "note",
    "now",
    "owner",
    "policies",
    "preview",
    "proposal",
    "proposed",
    "read with",
    "removed",
    "risk",
    "sent twice",
    "state",
    "unchanged",
    "used by",
    "way back",
    "who",
    "yours",
];

/// What the proposal page says beside its facts.
const SAID_BESIDE: [&str; 4] = [
    "None.",
    "Nobody has checked this, and it is no part of what you approve.",
    "The agent wrote nothing.",
    "You decide on exactly what this page shows. If any of it changes, your decision is refused and you are asked again.",
];

/// A fact, and one more for each look-alike letter in it: the terminal has its code behind the letter.
fn fact(facts: &mut Facts, name: &str, text: &str) {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("[U+") {
        let (code, after) = after.split_once(']').unwrap();
        facts.insert(("letter".to_owned(), format!("U+{code}")));
        kept.push_str(before);
        rest = after;
    }
    kept.push_str(rest);
    kept.retain(|c| !c.is_whitespace());
    let name: String = name.to_lowercase().split_whitespace().collect();
    let kept = if name == "caution" { caution(&kept).to_owned() } else { kept };
    facts.insert((name, kept));
}

/// A caution that the surfaces word each in its own way.
fn caution(text: &str) -> &str {
    match text {
        _ if text.contains("lettersofanotheralphabet") || text.starts_with("Lettersofanother") => "letters",
        _ if text.starts_with("Unusualcharacters") => "unusual",
        other => other,
    }
}

fn pairs(value: &Value) -> impl Iterator<Item = (&str, &str)> {
    value.as_array().unwrap().iter().map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()))
}

/// The facts of the proposal page that is open.
pub(crate) async fn of_page(browser: &Browser) -> Facts {
    let read = browser.execute(include_str!("card.js")).await;
    for left in read["left"].as_array().unwrap() {
        assert!(SAID_BESIDE.contains(&left.as_str().unwrap()), "no fact accounts for {left}");
    }
    let mut facts = Facts::new();
    pairs(&read["facts"]).for_each(|(name, text)| fact(&mut facts, name, text));
    // The label stands in two places, and is the beginning of the state.
    let labels: Vec<String> = named(&facts, "label");
    let [label] = &labels[..] else { panic!("{labels:?}") };
    facts.remove(&("label".to_owned(), label.clone()));
    assert!(named(&facts, "state")[0].starts_with(&format!("{label}.")), "{facts:?}");
    facts
}

/// The texts of this name.
pub(crate) fn named(facts: &Facts, name: &str) -> Vec<String> {
    facts.iter().filter(|(has, _)| has == name).map(|(_, text)| text.clone()).collect()
}

/// The facts of a card in the terminal.
pub(crate) fn of_card(printed: &str) -> Facts {
    let mut facts = Facts::new();
    let mut lines = printed.lines().peekable();
    fact(&mut facts, "headline", lines.next().unwrap());
    let mut words = false;
    while let Some(line) = lines.next() {
        if line == "  written by the agent, not verified:" {
            words = true;
            continue;
        }
        let column = |from, to| line.chars().skip(from).take(to).collect::<String>();
        let (name, mut text) = if words {
            (line.trim().strip_suffix(':').unwrap_or_else(|| panic!("{line}")).to_owned(), String::new())
        } else {
            (column(2, 10).trim().to_owned(), column(14, usize::MAX))
        };
        let indent = if words { "      " } else { "              " };
        while let Some(more) = lines.next_if(|next| next.starts_with(indent)) {
            text.push_str(more);
        }
        if words || NAMES.contains(&&*name) {
            fact(&mut facts, &name, &text);
        } else {
            assert!(
                line.starts_with("  ") && !line.starts_with("   "),
                "no fact accounts for {line}\n{printed}"
            );
            fact(&mut facts, "caution", line);
        }
    }
    facts
}

/// The facts of every row of the list page that is open, by proposal.
pub(crate) async fn of_list_page(browser: &Browser) -> BTreeMap<String, Facts> {
    let read = browser.execute(include_str!("rows.js")).await;
    let mut rows = BTreeMap::new();
    for row in read.as_array().unwrap() {
        let mut facts = Facts::new();
        pairs(row).for_each(|(name, text)| fact(&mut facts, name, text));
        rows.insert(named(&facts, "id").remove(0), facts);
    }
    rows
}

/// The facts of every proposal in a list of the terminal, by proposal. `label` gives the console's name of a state.
pub(crate) fn of_list(printed: &str, label: impl Fn(&str) -> String) -> BTreeMap<String, Facts> {
    let mut lines = printed.lines();
    let header = lines.next().unwrap();
    let columns = ["ID", "STATE", "WHEN (UTC)", "AMOUNT", "WHAT"];
    let starts: Vec<usize> = columns.iter().map(|name| header.find(name).unwrap()).collect();
    let mut rows = BTreeMap::new();
    while let Some(line) = lines.next() {
        let cell = |n: usize| {
            let end = starts.get(n + 1).copied().unwrap_or(usize::MAX);
            line.chars().skip(starts[n]).take(end - starts[n]).collect::<String>().trim().to_owned()
        };
        let mut facts = Facts::new();
        let state = cell(1);
        let (state, yours) = state.split_once(' ').unwrap_or((&state, ""));
        fact(&mut facts, "id", &cell(0));
        fact(&mut facts, "state", &label(state));
        about(&mut facts, [yours.trim(), &cell(2), &cell(3)], &cell(4));
        let more: Vec<&str> = lines.next().unwrap().trim().split(" · ").collect();
        told(&mut facts, &more);
        rows.insert(cell(0), facts);
    }
    rows
}

/// The same where the terminal is narrow.
pub(crate) fn of_narrow_list(printed: &str, label: impl Fn(&str) -> String) -> BTreeMap<String, Facts> {
    let mut rows = BTreeMap::new();
    let lines: Vec<&str> = printed.lines().collect();
    for row in lines.split_inclusive(|line| line.starts_with("  prp_")) {
        let [headline, state, when, told_of @ .., id] = row else { panic!("{row:?}") };
        let mut facts = Facts::new();
        let state: Vec<&str> = state.trim().split(", ").collect();
        let money = state.iter().skip(1).find(|part| **part != "yours").copied().unwrap_or_default();
        let yours = if state.contains(&"yours") { "yours" } else { "" };
        fact(&mut facts, "id", id);
        fact(&mut facts, "state", &label(state[0]));
        about(&mut facts, [yours, when, money], headline);
        told(&mut facts, told_of);
        rows.insert(id.trim().to_owned(), facts);
    }
    rows
}

fn about(facts: &mut Facts, [yours, when, money]: [&str; 3], headline: &str) {
    for (name, text) in [("yours", yours), ("when", when), ("money", money), ("headline", headline)] {
        if !text.is_empty() {
            fact(facts, name, text);
        }
    }
}

/// Who, with what, and why, in their order; between them, that it cannot be undone.
fn told(facts: &mut Facts, told: &[&str]) {
    let mut names = ["who", "action", "why"].into_iter();
    for text in told.iter().map(|text| text.trim()) {
        let name = if text == "Cannot be undone" { "irreversible" } else { names.next().unwrap() };
        fact(facts, name, text);
    }
}

/// The facts of `status`, named as in the card; its message is advice and no fact, but for how far each rule has come.
pub(crate) fn of_status(printed: &str, label: impl Fn(&str) -> String) -> Facts {
    let mut lines = printed.lines();
    let (id, state) = lines.next().unwrap().split_once("  ").unwrap();
    let message = lines.next().unwrap();
    let mut facts = Facts::new();
    fact(&mut facts, "proposal", id);
    fact(&mut facts, "label", &label(state));
    let have = message.split_once(" (").and_then(|(_, rest)| rest.split_once(')')).map(|(have, _)| have);
    let mut have = have.unwrap_or_default().split(", ");
    for line in lines {
        let (name, text) = line.trim().split_once(": ").unwrap();
        match name {
            "effect" | "where" | "result" => fact(&mut facts, name, text),
            "because" => fact(&mut facts, "asks", text),
            "due" => fact(&mut facts, "decide by", text),
            _ if name.starts_with("who can decide") => {
                fact(&mut facts, "approvals", &format!("{}: {text}", have.next().unwrap()));
            }
            other => panic!("no fact accounts for {other}\n{printed}"),
        }
    }
    facts
}
