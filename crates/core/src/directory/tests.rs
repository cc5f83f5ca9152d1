use super::*;

const TEXT: &str = r#"
[team.company]
[team.support]
parents = ["company"]
[person.ann]
name = "Ann"
teams = ["support"]
[person.bob]
name = "Bob"
disabled = true
[person.eve]
name = "Eve"
[agent.bot]
title = "Support bot"
owner = "bob"
act_for = ["team:support", "person:bob"]
[agent.cron]
title = "Nightly"
owner = "ann"
alone = true
[agent.old]
title = "Old"
owner = "ann"
alone = true
disabled = true
"#;

fn load(text: &str) -> Result<Directory, Vec<Problem>> {
    Directory::load(&SourceFile { path: "directory.toml".into(), text: text.into() })
}

#[test]
fn a_chain_is_built_only_from_what_the_directory_allows() {
    let directory = load(TEXT).unwrap();
    let table = [
        ("bot", Some("ann"), None),
        ("cron", None, None),
        ("bot", None, Some("identity_not_valid")),
        ("bot", Some("eve"), Some("delegation_not_allowed")),
        ("bot", Some("nobody"), Some("delegation_not_allowed")),
        ("bot", Some("bob"), Some("identity_not_valid")),
        ("bot", Some(""), Some("delegation_not_allowed")),
        ("cron", Some("ann"), Some("delegation_not_allowed")),
        ("old", None, Some("identity_not_valid")),
        ("ghost", None, Some("identity_not_valid")),
    ];
    for (agent, person, expect) in table {
        let code = directory.chain(agent, person).err().map(|r| r.code());
        assert_eq!(code, expect, "{agent} for {person:?}");
    }
}

#[test]
fn a_chain_says_how_each_link_is_known_and_only_its_person_is_ever_confirmed_t36() {
    let directory = load(TEXT).unwrap();
    let json = |chain: &Chain| serde_json::to_value(chain).unwrap();
    let bot = serde_json::json!({ "kind": "agent", "id": "bot", "proof": "key" });
    let ann = |proof: &str| serde_json::json!({ "kind": "person", "id": "ann", "proof": proof });
    let chain = directory.chain("bot", Some("ann")).unwrap();
    assert_eq!(json(&chain), serde_json::json!([ann("claimed"), bot]));
    assert_eq!(json(&chain.confirmed().unwrap()), serde_json::json!([ann("confirmed"), bot]));
    assert_eq!(directory.chain("cron", None).unwrap().confirmed(), None);
    let by_token = AgentProof::Token { issuer: "https://login.example".into() };
    let chain = directory.chain_proved("bot", &by_token, Some("ann")).unwrap();
    let bot_by_token = serde_json::json!({ "kind": "agent", "id": "bot", "proof": "token",
        "issuer": "https://login.example" });
    assert_eq!(json(&chain), serde_json::json!([ann("claimed"), bot_by_token]));
    assert_eq!(json(&chain.confirmed().unwrap()), serde_json::json!([ann("confirmed"), bot_by_token]));
    let without = serde_json::json!([{ "kind": "person", "id": "ann" }, bot]);
    assert!(serde_json::from_value::<Chain>(without).is_err(), "a link without a proof is not read");
}

#[test]
fn an_agent_could_name_everybody_it_may_act_for_also_those_who_have_left() {
    let directory = load(TEXT).unwrap();
    let could_be = |agent, person| directory.could_be(&directory.chain(agent, person).unwrap());
    assert_eq!(could_be("bot", Some("ann")), ["ann", "bob"]);
    assert_eq!(could_be("cron", None), [""; 0]);
}

#[test]
fn a_team_brings_its_parents() {
    let directory = load(TEXT).unwrap();
    let teams = directory.teams_of(&Link::Person { id: "ann".into(), proof: LinkProof::Claimed });
    assert_eq!(teams.into_iter().collect::<Vec<_>>(), ["company", "support"]);
    assert!(directory.names("team:company", "ann"));
    assert!(!directory.names("company", "ann"));
}

#[test]
fn every_mistake_is_listed_with_its_line() {
    let text = "[person.ann]\nname = \"Ann\"\nteams = [\"suport\"]\n[agent.bot]\ntitle = \"B\"\nowner = \"nobody\"\n";
    let problems = load(text).unwrap_err();
    let lines: Vec<(usize, &str)> = problems.iter().map(|p| (p.line, p.message.as_str())).collect();
    assert_eq!(
        lines,
        [
            (3, "team `suport` is not defined"),
            (6, "the owner `nobody` of agent `bot` is not a person"),
            (4, "agent `bot` may act for nobody and not alone, so it can do nothing"),
        ]
    );
}

#[test]
fn an_unknown_key_is_refused_and_not_ignored() {
    let problems = load("[person.ann]\nname = \"Ann\"\nteam = [\"x\"]\n").unwrap_err();
    assert_eq!(problems[0].line, 3);
}

#[test]
fn what_had_no_effect_is_to_be_removed() {
    let text = "[person.ann]\nname = \"Ann\"\nemail = \"ann@example.com\"\n".to_owned();
    let file = SourceFile { path: "directory.toml".to_owned(), text };
    let problems = Directory::load(&file).unwrap_err();
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert_eq!((problem.line, problem.remedy.as_str()), (3, "Remove it; it had no effect."));
}
