//! Deliberate mistakes, seven of each kind, each alone in a gate directory that is in order otherwise. `check` says
//! each in one line: where it is, what it is, what to do. The snapshot has every message as it is printed.

use std::fmt::Write as _;

use crate::support::gate::assert_done;
use crate::support::{GateDir, Upstream};

/// One mistake: what it is, the file, the text that is replaced, and the mistake.
type Mistake = (&'static str, &'static str, &'static str, &'static str);

const KEYS: [Mistake; 7] = [
    ("a key that does not exist", "countersign.toml", "[listen]\n", "[listen]\nport = 80\n"),
    ("a table that does not exist", "countersign.toml", "[network]", "[networks]"),
    (
        "a misspelt key of an action",
        "actions/shop.toml",
        "title = \"Set a price\"",
        "titel = \"Set a price\"",
    ),
    ("a key twice", "actions/shop.toml", "env = \"support\"\n", "env = \"support\"\nenv = \"staging\"\n"),
    ("a missing key", "actions/shop.toml", "description = \"Change what an item costs.\"\n", ""),
    ("a misspelt key of a person", "directory.toml", "name = \"Frank Field\"\n", "nmae = \"Frank Field\"\n"),
    ("a misspelt key of a rule", "approvals.toml", "quorum = 2\n", "qorum = 2\n"),
];

const TYPES: [Mistake; 7] = [
    (
        "a text for a list",
        "countersign.toml",
        "environments = [\"staging\", \"support\"]",
        "environments = \"support\"",
    ),
    (
        "an array in a query",
        "actions/shop.toml",
        "path = \"/items/${input.id}\"\n\n[action.\"note.add\"]",
        "path = \"/items/${input.id}\"\nquery = { q = \"${input.tags}\" }\n[action.\"item.read\".input.tags]\ntype = \"array\"\nmaxItems = 3\nitems = { type = \"string\", maxLength = 5 }\n\n[action.\"note.add\"]",
    ),
    (
        "a text added to a number",
        "actions/shop.toml",
        "effects = [\"Adds a note to item ${input.id}.\"]",
        "effects = [\"Adds a note to item ${input.id + 1}.\"]",
    ),
    (
        "a text compared with a number",
        "actions/shop.toml",
        "body = { price = \"${input.price}\" }",
        "body = { price = \"${input.price > 'a'}\" }",
    ),
    (
        "a count that can be 0",
        "actions/shop.toml",
        "currency = \"${before.currency}\"\n",
        "currency = \"${before.currency}\"\ncount = \"${size(before.lines)}\"\n",
    ),
    (
        "a field that the schema does not have",
        "actions/shop.toml",
        "body = { text = \"${input.text}\"",
        "body = { text = \"${input.txt}\"",
    ),
    ("a quorum that is a text", "approvals.toml", "quorum = 2", "quorum = \"two\""),
];

const NAMES: [Mistake; 7] = [
    (
        "an action in a policy that does not exist",
        "policies/shop.cedar",
        "action == Action::\"shop.price.set\", resource)\nwhen { context.risk.amount > 100 }",
        "action == Action::\"shop.price.sett\", resource)\nwhen { context.risk.amount > 100 }",
    ),
    (
        "a team in a policy that does not exist",
        "policies/shop.cedar",
        "Team::\"support\"",
        "Team::\"suport\"",
    ),
    (
        "a rule in a policy that does not exist",
        "policies/shop.cedar",
        "@approval(\"both\")",
        "@approval(\"boht\")",
    ),
    (
        "a team of a person that does not exist",
        "directory.toml",
        "teams = [\"finance\"]\n[person.fiona]",
        "teams = [\"finanz\"]\n[person.fiona]",
    ),
    (
        "an owner that does not exist",
        "directory.toml",
        "owner = \"olga\"\nteams = [\"support\"]\nact_for = [\"team:support\"]\n[agent.other]",
        "owner = \"olaf\"\nteams = [\"support\"]\nact_for = [\"team:support\"]\n[agent.other]",
    ),
    ("an environment that does not exist", "actions/shop.toml", "env = \"support\"", "env = \"suport\""),
    (
        "a resource type that is taken",
        "actions/shop.toml",
        "[action.\"item.delete\".resource]\ntype = \"Item\"",
        "[action.\"item.delete\".resource]\ntype = \"Agent\"",
    ),
];

const CREDENTIALS: [Mistake; 7] = [
    (
        "an origin that is not the system's",
        "countersign.toml",
        "[credential.shop-read]\norigin = \"http://127",
        "[credential.shop-read]\norigin = \"https://127",
    ),
    (
        "an origin of another scheme",
        "countersign.toml",
        "[credential.shop-read]\norigin = \"http://",
        "[credential.shop-read]\norigin = \"ftp://",
    ),
    (
        "a header that is not for secrets",
        "countersign.toml",
        "from = \"file:secrets/read\"",
        "from = \"file:secrets/read\"\nas = \"header:Content-Length\"",
    ),
    (
        "a variable that is not set",
        "countersign.toml",
        "from = \"file:secrets/read\"",
        "from = \"env:COUNTERSIGN_NO_SUCH_SECRET\"",
    ),
    (
        "a file that is not there",
        "countersign.toml",
        "from = \"file:secrets/read\"",
        "from = \"file:secrets/raed\"",
    ),
    (
        "a secret in the file itself",
        "countersign.toml",
        "from = \"file:secrets/read\"",
        "from = \"sk_live_4711\"",
    ),
    (
        "a token endpoint without TLS",
        "countersign.toml",
        "from = \"file:secrets/read\"",
        "[credential.shop-read.oauth]\ntoken_url = \"http://login.example/token\"\nclient_id = \"a\"\nclient_secret = \"file:secrets/read\"\nscopes = []",
    ),
];

const RULES: [Mistake; 7] = [
    (
        "a rule for a team that does not exist",
        "approvals.toml",
        "[both]\nwho = [\"team:finance\"]",
        "[both]\nwho = [\"team:finance\", \"team:finanz\"]",
    ),
    (
        "a rule that only the excluded can meet",
        "approvals.toml",
        "[both]\nwho = [\"team:finance\"]",
        "[both]\nwho = [\"person:ann\", \"person:olga\"]",
    ),
    ("a quorum of more people than there are", "approvals.toml", "quorum = 2", "quorum = 3"),
    ("a quorum of nobody", "approvals.toml", "quorum = 2", "quorum = 0"),
    (
        "a time that is no time",
        "approvals.toml",
        "[both]\nwho = [\"team:finance\"]\nquorum = 2\ndecide_in = \"30m\"",
        "[both]\nwho = [\"team:finance\"]\nquorum = 2\ndecide_in = \"half an hour\"",
    ),
    ("a rule for nobody", "approvals.toml", "[both]\nwho = [\"team:finance\"]", "[both]\nwho = []"),
    (
        "a rule for somebody who does not exist",
        "approvals.toml",
        "[both]\nwho = [\"team:finance\"]",
        "[both]\nwho = [\"person:frnak\", \"team:finance\"]",
    ),
];

const POLICIES: [Mistake; 7] = [
    (
        "a word that is not Cedar's",
        "policies/shop.cedar",
        "forbid (principal, action in",
        "forbit (principal, action in",
    ),
    (
        "a condition that is not closed",
        "policies/shop.cedar",
        "when { context.risk.amount > 1000 };",
        "when { context.risk.amount > 1000 ;",
    ),
    (
        "a field that the context does not have",
        "policies/shop.cedar",
        "context.risk.amount > 1000",
        "context.risk.amuont > 1000",
    ),
    (
        "a comparison of different types",
        "policies/shop.cedar",
        "context.risk.amount > 1000",
        "context.risk.amount > \"1000\"",
    ),
    (
        "two policies of one name",
        "policies/shop.cedar",
        "@id(\"price-over-1000\")",
        "@id(\"price-over-100\")",
    ),
    (
        "a gate that is a permit",
        "policies/shop.cedar",
        "@id(\"support-all\")\n",
        "@id(\"support-all\")\n@approval(\"finance\")\n",
    ),
    (
        "nothing is permitted",
        "policies/shop.cedar",
        "permit (principal in Team::\"support\", action, resource)\nwhen { context.env == Environment::\"support\" };",
        "forbid (principal, action, resource)\nwhen { context.env == Environment::\"staging\" };",
    ),
];

const ADDRESSES: [Mistake; 7] = [
    (
        "a listener that others reach",
        "countersign.toml",
        "people = \"127.0.0.1:0\"",
        "people = \"0.0.0.0:0\"",
    ),
    (
        "one port for both",
        "countersign.toml",
        "agents = \"127.0.0.1:0\"\npeople = \"127.0.0.1:0\"",
        "agents = \"127.0.0.1:4199\"\npeople = \"127.0.0.1:4199\"",
    ),
    ("a listener without a port", "countersign.toml", "agents = \"127.0.0.1:0\"", "agents = \"localhost\""),
    ("a network that is none", "countersign.toml", "127.0.0.1/32", "127.0.0.1/33"),
    (
        "a path with a host",
        "actions/shop.toml",
        "method = \"DELETE\"\npath = \"/items",
        "method = \"DELETE\"\npath = \"https://other.example/items",
    ),
    (
        "a header that the gate sets",
        "actions/shop.toml",
        "method = \"DELETE\"\n",
        "method = \"DELETE\"\nheaders = { X-Forwarded-For = \"10.0.0.1\" }\n",
    ),
    (
        "an address by its suffix",
        "actions/shop.toml",
        "effects = [\"Adds a note to item ${input.id}.\"]",
        "effects = [\"Outside: ${input.text.endsWith('@corp.com')}.\"]",
    ),
];

const FILES: [Mistake; 7] = [
    ("a file that is no TOML", "approvals.toml", "[both]", "[both"),
    ("an empty countersign.toml", "countersign.toml", "", ""),
    (
        "two files with one system",
        "actions/again.toml",
        "",
        "[system]\nname = \"shop\"\nbase_url = \"https://shop.example\"\nenv = \"support\"\nowner = \"shop-team\"\n",
    ),
    ("an action file without a system", "actions/odd.toml", "", "[action.\"a.b\"]\ntitle = \"A\"\n"),
    ("an action twice in one file", "actions/shop.toml", "[action.\"item.delete\"]", "[action.\"note.add\"]"),
    ("a pointer that is none", "actions/shop.toml", "watch = [\"/price\"]", "watch = [\"price\"]"),
    ("an expression in a pointer", "actions/shop.toml", "watch = [\"/price\"]", "watch = [\"/${input.id}\"]"),
];

const ISSUERS: [Mistake; 7] = [
    (
        "an issuer without TLS",
        "countersign.toml",
        "[network]",
        "[issuer.login]\nissuer = \"http://login.test\"\naudience = \"https://gate.test\"\n[network]",
    ),
    (
        "an issuer at a private address",
        "countersign.toml",
        "[network]",
        "[issuer.login]\nissuer = \"https://10.0.0.1\"\naudience = \"https://gate.test\"\n[network]",
    ),
    (
        "an issuer without an audience",
        "countersign.toml",
        "[network]",
        "[issuer.login]\nissuer = \"https://login.test\"\n[network]",
    ),
    (
        "a shared secret for a signature",
        "countersign.toml",
        "[network]",
        "[issuer.login]\nissuer = \"https://login.test\"\naudience = \"https://gate.test\"\nalgorithms = [\"ES256\", \"HS256\"]\n[network]",
    ),
    (
        "a claim that names no agent",
        "countersign.toml",
        "[network]",
        "[issuer.login]\nissuer = \"https://login.test\"\naudience = \"https://gate.test\"\nagent = \"aud\"\n[network]",
    ),
    (
        "an agent of an issuer that does not exist",
        "countersign.toml",
        "[network]",
        "[issuer.login]\nissuer = \"https://login.test\"\naudience = \"https://gate.test\"\n[issuer.login.agents]\n\"0oa1\" = \"bto\"\n[network]",
    ),
    (
        "one issuer twice",
        "countersign.toml",
        "[network]",
        "[issuer.login]\nissuer = \"https://login.test\"\naudience = \"https://gate.test\"\n[issuer.other]\nissuer = \"https://login.test\"\naudience = \"https://gate.test\"\n[network]",
    ),
];

const KINDS: [(&str, [Mistake; 7]); 9] = [
    ("keys", KEYS),
    ("types", TYPES),
    ("names", NAMES),
    ("credentials", CREDENTIALS),
    ("rules", RULES),
    ("policies", POLICIES),
    ("addresses", ADDRESSES),
    ("files", FILES),
    ("issuers", ISSUERS),
];

/// What `check` prints, without what it prints of the directory as it is.
fn said(dir: &GateDir, upstream: &Upstream, usual: &[String]) -> Vec<String> {
    let output = dir.run(&["check", "."]);
    let text = String::from_utf8(output.stdout).unwrap();
    let port = upstream.address.port().to_string();
    let lines = text.lines().filter(|l| l.contains(": error: ") || l.contains(": warning: "));
    let lines: Vec<String> = lines.map(|l| l.replace(&port, "PORT")).collect();
    // The same warning may stand on another line now.
    let message = |line: &str| line.split_once(": warning: ").map(|(_, m)| m.to_owned());
    let known: Vec<_> = usual.iter().map(|l| message(l)).collect();
    lines.into_iter().filter(|l| message(l).is_none() || !known.contains(&message(l))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_sixty_three_mistakes_is_said_once_with_its_place_and_its_remedy() {
    let upstream = Upstream::start().await;
    let sound = GateDir::new(&upstream);
    assert_done(&sound.run(&["check", "."]));
    let usual = said(&sound, &upstream, &[]);
    let (mut shown, mut wrong) = (String::new(), Vec::new());
    for (kind, mistakes) in KINDS {
        writeln!(shown, "# {kind}").unwrap();
        for (name, file, from, to) in mistakes {
            let dir = GateDir::new(&upstream);
            if from.is_empty() {
                dir.write(file, to);
            } else {
                let text = dir.read(file);
                assert!(text.contains(from), "{name}: {from} is not in {file}");
                dir.write(file, &text.replacen(from, to, 1));
            }
            let lines = said(&dir, &upstream, &usual);
            writeln!(shown, "\n{name}\n  {}", lines.join("\n  ")).unwrap();
            if lines.len() != 1 {
                wrong.push(format!("{kind}, {name}: {} lines", lines.len()));
            }
        }
        shown.push('\n');
    }
    insta::assert_snapshot!("mistakes", shown);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
