use super::*;
use crate::digest::domain;
use crate::problem::SourceFile;

const DIRECTORY: &str = r#"
[team.finance]
[team.security]
[person.ann]
name = "Ann"
teams = ["finance", "security"]
[person.bob]
name = "Bob"
teams = ["finance"]
[person.eve]
name = "Eve"
[person.off]
name = "Off"
teams = ["finance"]
disabled = true
[agent.bot]
title = "Bot"
owner = "bob"
act_for = ["person:eve", "person:ann"]
alone = true
"#;

const RULES: &str = r#"
[finance]
who = ["team:finance"]
decide_in = "30m"
use_in = "10m"
not = []
[security]
who = ["team:security"]
decide_in = "30m"
use_in = "10m"
[two]
who = ["team:finance"]
quorum = 2
decide_in = "30m"
use_in = "10m"
not = []
[strict]
who = ["team:finance"]
decide_in = "30m"
use_in = "10m"
[consent]
who = ["requester"]
decide_in = "1h"
use_in = "10m"
"#;

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.into(), text: text.into() }
}

fn directory() -> Directory {
    Directory::load(&file("directory.toml", DIRECTORY)).unwrap()
}

fn rules(directory: &Directory) -> Rules {
    Rules::load(&file("approvals.toml", RULES), directory).unwrap()
}

fn by<'a>(chain: &'a Chain, could_be: &'a [String]) -> ProposedBy<'a> {
    ProposedBy { chain, could_be }
}

fn approval(person: &str) -> Approval {
    let digest = Digest::of(domain::INTENT, b"x");
    Approval {
        person: person.into(),
        at: Timestamp::from_micros(0),
        intent: digest,
        decision: digest,
        view: digest,
        policy_set: digest,
        nonce: String::new(),
        proof: Proof::Click,
        channel: "api".into(),
        comment: String::new(),
    }
}

#[test]
fn nobody_in_the_chain_and_no_owner_may_decide_t11() {
    let directory = directory();
    let rules = rules(&directory);
    let table = [
        // (rule, person, on behalf of, may)
        ("finance", "ann", Some("eve"), true),
        ("finance", "ann", Some("ann"), false),
        ("finance", "bob", Some("eve"), true), // `not = []` lets the owner decide
        ("security", "ann", Some("eve"), true),
        ("security", "bob", Some("eve"), false),
        ("finance", "eve", Some("eve"), false),
        ("finance", "off", Some("eve"), false),
        ("finance", "ghost", Some("eve"), false),
        ("finance", "bot", Some("eve"), false),
        ("consent", "eve", Some("eve"), true),
        ("consent", "ann", Some("eve"), false),
        ("consent", "ann", None, false),
    ];
    for (rule, person, behalf, may) in table {
        // The owner and the chain are told apart from whom the agent could name by confirming the chain.
        let chain = directory.chain("bot", behalf).unwrap();
        let chain = chain.confirmed().unwrap_or(chain);
        let answer = may_decide(rules.get(rule).unwrap(), person, by(&chain, &[]), &directory);
        assert_eq!(answer.is_ok(), may, "{person} under {rule} for {behalf:?}");
    }
}

#[test]
fn a_claim_excludes_whom_the_agent_could_have_named_and_a_confirmation_only_the_chain_a4_t11() {
    let directory = directory();
    let rules = rules(&directory);
    let then = ["bob".to_owned()];
    let table = [
        // (rule, person, on behalf of, whom it could name at opening, may of a claim, may after a confirmation)
        ("finance", "ann", Some("eve"), &[][..], false, true), // the agent may name Ann now
        ("finance", "bob", Some("eve"), &[][..], true, true),  // it may not name Bob
        ("finance", "bob", Some("eve"), &then, false, true),   // but it could when it proposed
        ("finance", "ann", Some("ann"), &[][..], false, false),
        ("security", "ann", Some("eve"), &[][..], false, true),
        ("security", "ann", Some("ann"), &[][..], false, false),
        ("finance", "ann", None, &[][..], false, false), // nobody is named, so nobody can confirm
        ("finance", "bob", None, &[][..], true, true),
        ("finance", "bob", None, &then, false, false),
        ("consent", "eve", Some("eve"), &[][..], true, true),
        ("consent", "ann", Some("ann"), &then, true, true),
        ("consent", "ann", Some("eve"), &[][..], false, false),
        ("consent", "ann", None, &[][..], false, false),
    ];
    for (rule, person, behalf, could_be, of_claim, confirmed) in table {
        let claim = directory.chain("bot", behalf).unwrap();
        let sure = claim.confirmed().unwrap_or_else(|| claim.clone());
        for (chain, may) in [(&claim, of_claim), (&sure, confirmed)] {
            let answer = may_decide(rules.get(rule).unwrap(), person, by(chain, could_be), &directory);
            assert_eq!(
                answer.is_ok(),
                may,
                "{person} under {rule} for {chain:?} of {could_be:?}: {answer:?}"
            );
        }
    }
    let claim = directory.chain("bot", Some("eve")).unwrap();
    let why = may_decide(rules.get("finance").unwrap(), "ann", by(&claim, &[]), &directory).unwrap_err();
    let expect = "agent `bot` could have named you, so somebody else must decide, or `eve` confirms that this is \
                  for them";
    assert_eq!(why.to_string(), expect);
}

#[test]
fn whether_anybody_is_left_to_decide_is_known_at_once_a4() {
    let directory = directory();
    let text = format!(
        "{RULES}[owner]\nwho = [\"person:bob\"]\ndecide_in = \"1h\"\nuse_in = \"10m\"\n\
         [all]\nwho = [\"team:finance\"]\nquorum = 2\ndecide_in = \"1h\"\nuse_in = \"10m\"\n"
    );
    let rules = Rules::load(&file("approvals.toml", &text), &directory).unwrap();
    let never = |rules: &[&str]| Reach::Never { rules: rules.iter().map(|r| (*r).to_owned()).collect() };
    let table: [(&[&str], Option<&str>, Reach, Reach); 12] = [
        // (rules, on behalf of, while it is claimed, once it is confirmed)
        (&["finance"], Some("eve"), Reach::Now, Reach::Now), // Bob
        (&["security"], Some("eve"), Reach::AfterConfirmation, Reach::Now),
        (&["security"], Some("ann"), never(&["security"]), never(&["security"])),
        (&["two"], Some("eve"), Reach::AfterConfirmation, Reach::Now),
        (&["two"], Some("ann"), never(&["two"]), never(&["two"])),
        (&["owner"], Some("eve"), never(&["owner"]), never(&["owner"])),
        (&["all"], Some("eve"), never(&["all"]), never(&["all"])), // Bob owns the agent
        // Ann alone fits both, and one person has one seat.
        (&["finance", "security"], Some("eve"), Reach::AfterConfirmation, Reach::Now),
        (&["security", "two"], Some("eve"), never(&["two"]), never(&["two"])),
        (&["consent", "finance"], Some("ann"), Reach::Now, Reach::Now),
        (&["consent"], None, never(&["consent"]), never(&["consent"])),
        (&["no-such-rule"], Some("eve"), never(&["no-such-rule"]), never(&["no-such-rule"])),
    ];
    for (names, behalf, of_claim, confirmed) in table {
        let claim = directory.chain("bot", behalf).unwrap();
        let sure = claim.confirmed().unwrap_or_else(|| claim.clone());
        assert_eq!(reach(names, by(&claim, &[]), &rules, &directory), of_claim, "{names:?} for {behalf:?}");
        assert_eq!(reach(names, by(&sure, &[]), &rules, &directory), confirmed, "{names:?} for {behalf:?}");
    }
}

#[test]
fn one_person_fills_one_seat_and_the_seats_are_matched_t12() {
    let directory = directory();
    let rules = rules(&directory);
    let chain = directory.chain("bot", Some("eve")).unwrap().confirmed().unwrap();
    let met = |names: &[&str], people: &[&str]| {
        let approvals: Vec<Approval> = people.iter().map(|p| approval(p)).collect();
        let list: Vec<&Approval> = approvals.iter().collect();
        standing(names, &list, &rules, by(&chain, &[]), &directory).iter().all(Standing::is_met)
    };
    // Ann is in both groups, Bob in one: greedy would seat Ann at finance and leave security empty.
    assert!(met(&["finance", "security"], &["ann", "bob"]));
    assert!(!met(&["finance", "security"], &["ann"]));
    assert!(!met(&["two"], &["ann"]));
    assert!(!met(&["two"], &["ann", "ann"]));
    assert!(met(&["two"], &["ann", "bob"]));
    assert!(!met(&["two"], &["ann", "off"]));
    assert!(!met(&["no-such-rule"], &["ann", "bob"]));
    assert!(met(&[], &[]));
}

#[test]
fn a_rule_nobody_could_meet_does_not_load() {
    let directory = directory();
    let text = "[x]\nwho = [\"team:security\"]\nquorum = 2\ndecide_in = \"soon\"\nuse_in = \"10m\"\n";
    let problems = Rules::load(&file("approvals.toml", text), &directory).unwrap_err();
    let said: Vec<(usize, &str)> = problems.iter().map(|p| (p.line, p.message.as_str())).collect();
    assert_eq!(said, [(3, "rule `x` asks for 2 people but names 1"), (4, "`soon` is not a length of time"),]);
}

#[test]
fn a_proof_that_is_not_built_is_refused() {
    let directory = directory();
    let text = "[x]\nwho = [\"person:ann\"]\ndecide_in = \"1m\"\nuse_in = \"1m\"\nproof = \"passkey\"\n";
    assert_eq!(Rules::load(&file("approvals.toml", text), &directory).unwrap_err()[0].line, 5);
}

#[test]
fn what_is_counted_says_through_what_and_who_is_excluded_a8() {
    let directory = directory();
    let rules = rules(&directory);
    let told = |behalf: &str, people: &[&str]| {
        // Confirmed, so that only the chain and the owner are excluded.
        let chain = directory.chain("bot", Some(behalf)).unwrap().confirmed().unwrap();
        let approvals: Vec<Approval> = people.iter().map(|p| approval(p)).collect();
        let list: Vec<&Approval> = approvals.iter().collect();
        let names = ["consent", "finance", "strict"];
        let tell = |s: &Standing| {
            let through: Vec<String> =
                s.approvers.iter().map(|a| format!("{} through {}", a.person, a.through)).collect();
            format!("{} {}/{}: {}; not {}", s.rule, s.have, s.want, through.join(", "), s.excluded.join(", "))
        };
        standing(&names, &list, &rules, by(&chain, &[]), &directory).iter().map(tell).collect::<Vec<_>>()
    };
    let expect = [
        "consent 1/1: eve through requester; not ",
        "finance 1/1: ann through team:finance, bob through team:finance; not ",
        // Bob owns the agent, and Off is disabled, not excluded.
        "strict 1/1: ann through team:finance; not bob",
    ];
    assert_eq!(told("eve", &["ann", "bob", "eve", "off"]), expect);
    let expect =
        ["consent 1/1: ann through requester; not ", "finance 0/1: ; not ann", "strict 0/1: ; not ann, bob"];
    assert_eq!(told("ann", &["ann"]), expect);
}
