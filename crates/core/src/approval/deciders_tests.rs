use super::*;
use crate::limits::DECIDERS_NAMED_MAX;
use crate::problem::SourceFile;

const RULES: &str = r#"
[finance]
who = ["team:finance", "person:ann"]
decide_in = "30m"
use_in = "10m"
[consent]
who = ["requester"]
decide_in = "1h"
use_in = "10m"
"#;

/// Ann, and this many of a team that stands above theirs; the bot is Bob's, and may act for Eve.
fn loaded(members: usize) -> (Directory, Rules) {
    let person = |n| format!("[person.m{n}]\nname = \"Member {n}\"\nteams = [\"leads\"]\n");
    let people = (0..members).fold(String::new(), |all, n| all + &person(n));
    let text = format!(
        "[team.finance]\n[team.leads]\nparents = [\"finance\"]\n[person.ann]\nname = \"Ann Ash\"\n\
         [person.bob]\nname = \"Bob Berg\"\nteams = [\"finance\"]\n\
         [person.off]\nname = \"Off\"\nteams = [\"finance\"]\ndisabled = true\n\
         [person.eve]\nname = \"Eve Elm\"\nteams = [\"finance\"]\n{people}\
         [agent.bot]\ntitle = \"Bot\"\nowner = \"bob\"\nact_for = [\"person:eve\"]\n"
    );
    let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
    let directory = Directory::load(&file("directory.toml", &text)).unwrap();
    let rules = Rules::load(&file("approvals.toml", RULES), &directory).unwrap();
    (directory, rules)
}

#[test]
fn who_can_decide_is_named_without_whom_the_rules_exclude() {
    let (directory, rules) = loaded(1);
    let chain = directory.chain("bot", Some("eve")).unwrap();
    let by = ProposedBy { chain: &chain, could_be: &[] };
    let told = |rule: &str, decided: &[&str]| {
        let deciders = deciders(rules.get(rule).unwrap(), by, decided, &directory);
        for person in &deciders.people {
            assert!(may_decide(rules.get(rule).unwrap(), &person.person, by, &directory).is_ok());
        }
        deciders.to_text()
    };
    // Eve is in the chain, Bob owns the agent, Off is disabled.
    assert_eq!(told("finance", &[]), "Ann Ash, Member 0 (team:finance)");
    assert_eq!(told("finance", &["ann"]), "Member 0 (team:finance)");
    assert_eq!(told("finance", &["ann", "m0"]), "");
    assert_eq!(told("consent", &[]), "Eve Elm");
}

#[test]
fn many_people_are_counted_and_not_named() {
    for (members, expect) in [
        (2, "Ann Ash, Member 0 and Member 1 (team:finance)"),
        (4, "Ann Ash, Member 0, Member 1, Member 2 and Member 3 (team:finance)"),
        (5, "Ann Ash, Member 0, Member 1, Member 2 and Member 3 (team:finance), and 1 other"),
        (9, "Ann Ash, Member 0, Member 1, Member 2 and Member 3 (team:finance), and 5 others"),
    ] {
        let (directory, rules) = loaded(members);
        let chain = directory.chain("bot", Some("eve")).unwrap();
        let by = ProposedBy { chain: &chain, could_be: &[] };
        let found = deciders(rules.get("finance").unwrap(), by, &[], &directory);
        assert_eq!(found.to_text(), expect);
        assert!(found.people.len() <= DECIDERS_NAMED_MAX);
        assert_eq!(found.people.len() + usize::try_from(found.others).unwrap(), members + 1);
    }
}
