use super::*;
use crate::action::{EffectClass, Group, Registry};
use crate::digest::Digest;
use crate::problem::Severity;

const STRIPE: &str = include_str!("../../../testdata/actions/stripe.toml");
const CRM: &str = include_str!("../../../testdata/actions/crm.toml");

fn file(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), text: text.to_owned() }
}

fn load(texts: &[&str]) -> Result<(Registry, Vec<Problem>), Vec<Problem>> {
    let files: Vec<SourceFile> =
        texts.iter().enumerate().map(|(i, t)| file(&format!("actions/{i}.toml"), t)).collect();
    Registry::load(&files, &["support".to_owned(), "staging".to_owned()])
}

fn errors(text: &str) -> Vec<Problem> {
    match load(&[text]) {
        Ok((_, warnings)) => panic!("it loaded, with {warnings:?}"),
        Err(problems) => problems.into_iter().filter(|p| p.severity == Severity::Error).collect(),
    }
}

fn revision(text: &str, name: &str) -> Digest {
    load(&[text]).unwrap_or_else(|p| panic!("{p:?}")).0.get(name).unwrap().revision
}

/// The Stripe manifest with one text replaced by another.
fn stripe(from: &str, to: &str) -> String {
    assert!(STRIPE.contains(from), "{from}");
    STRIPE.replacen(from, to, 1)
}

#[test]
fn the_example_manifests_load_without_a_warning() {
    let (registry, warnings) = load(&[STRIPE]).unwrap();
    assert_eq!(warnings, Vec::new());
    let names: Vec<&str> = registry.actions().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["stripe.charge.get", "stripe.refund.create"]);
    assert_eq!(
        registry.systems().map(|s| s.base_url.as_str()).collect::<Vec<_>>(),
        ["https://api.stripe.com"]
    );
    let refund = registry.get("stripe.refund.create").unwrap();
    assert_eq!(refund.effect, EffectClass::Keyed);
    assert_eq!(refund.undo.why, "Stripe cannot take a processed refund back.");
    assert!(refund.groups.contains(&Group::Financial));
    assert_eq!(refund.resource_type, "Charge");
    assert!(registry.get("stripe.refund").is_none());
    assert_eq!(registry.get("stripe.charge.get").unwrap().effect, EffectClass::Read);

    let (_, warnings) = load(&[STRIPE, CRM]).unwrap();
    let texts: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].contains("a change without a preview"));
}

#[test]
fn every_action_has_a_name_as_a_tool() {
    let named = stripe("title       = \"Refund a charge\"", "title = \"Refund\"\ntool = \"refund\"");
    let (registry, _) = load(&[&named]).unwrap();
    for (tool, action) in [("stripe_charge_get", "stripe.charge.get"), ("refund", "stripe.refund.create")] {
        assert_eq!(registry.tool(tool).unwrap().name.as_str(), action);
        assert_eq!(registry.get(action).unwrap().tool, tool);
    }
    assert!(registry.tool("stripe_refund_create").is_none());
    let twice =
        stripe("title       = \"Refund a charge\"", "title = \"Refund\"\ntool = \"stripe_charge_get\"");
    let said: Vec<String> = errors(&twice).iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("the tool name `stripe_charge_get` is already that of `stripe.refund.create`"),
        "{said:?}"
    );
}

/// What to replace in the Stripe manifest, by what, and what is said then.
const MISTAKES: &[(&str, &str, &str)] = &[
    ("env        = \"support\"", "env = \"suport\"", "the environment `suport` is not one of"),
    ("https://api.stripe.com", "http://api.stripe.com", "would not be encrypted"),
    ("https://api.stripe.com", "https://user:pw@api.stripe.com", "user name or password"),
    ("https://api.stripe.com", "https://api.stripe.com?x=1", "query or a fragment"),
    ("https://api.stripe.com", "https://0x7f.1", "means `https://127.0.0.1`"),
    ("https://api.stripe.com", "ftp://api.stripe.com", "not an http or https URL"),
    ("https://api.stripe.com", "https://API.stripe.com", "means `https://api.stripe.com`"),
    ("https://api.stripe.com", "https://api.stripe.com/a/../b", "means `https://api.stripe.com/b`"),
    ("\"stripe-ro\"", "\"sk_live_ABC\"", "not the name of a credential"),
    ("owner      = \"payments-team\"", "owner = \" \"", "the owner is empty"),
    ("owner      = \"payments-team\"", "colour = \"red\"", "unknown field `colour`"),
    (
        "title       = \"Refund a charge\"",
        "title = \"Refund\"\ntool = \"re fund\"",
        "not a name that model APIs accept",
    ),
    (
        "title       = \"Refund a charge\"",
        "title = \"Refund\"\ntool = \"\"",
        "not a name that model APIs accept",
    ),
    (
        "title       = \"Refund a charge\"",
        "title = \"Refund\"\ntool = \"gate_refund\"",
        "kept for the gate's own tools",
    ),
    ("groups      = [\"financial\"", "groups      = [\"money\"", "unknown variant `money`"),
    ("groups      = [\"financial\", \"external\"]", "groups = []", "no group says what this changes"),
    ("groups      = [\"financial\"", "groups = [\"read\"", "in the group `read`, but"),
    ("groups      = [\"read\", \"sensitive\"]", "groups = [\"write\"]", "GET is in no group"),
    (
        "groups      = [\"read\", \"sensitive\"]",
        "groups = [\"read\", \"write\"]",
        "GET is in the group `write`",
    ),
    ("title       = \"Refund a charge\"", "title = \"\"", "`title` is empty"),
    ("maximum = 99999999", "maximun = 99999999", "keyword `maximun`"),
    ("type = \"integer\", minimum = 1", "type = \"int\", minimum = 1", "type `int` is not known"),
    ("default = \"requested_by_customer\"", "default = \"x\"", "does not fit its own schema"),
    ("minimum = 1,", "minimum = 99999999999999999,", "beyond what JSON holds"),
    ("type = \"Charge\"", "type = \"charge\"", "`charge` is not a resource type"),
    ("id   = \"${input.charge}\"", "id = \"ch-${input.charge}\"", "mixes text"),
    ("id   = \"${input.charge}\"", "id = \"${proposal.id}\"", "only `proposal.id`"),
    ("method = \"GET\", path", "method = \"POST\", path", "a preview cannot use POST"),
    ("/v1/charges/${input.charge}\" }", "/v1/charges/${before.id}\" }", "`before` is not known here"),
    ("\"/disputed\"]", "\"disputed\"]", "`disputed` is not a JSON pointer"),
    ("watch   = [", "bind = \"etag\"\nwatch = [", "`bind` and `watch`"),
    ("watch   = [", "bind = \"hash\"\nwatch = [", "`hash` is not known"),
    ("\"/disputed\"]", "\"/${input.charge}\"]", "`/${input.charge}` has an expression"),
    ("optional = [\"/disputed\"]", "optional = [\"/disputes\"]", "`/disputes` is not watched"),
    ("optional = [\"/disputed\"]", "optional = [\"disputed\"]", "`disputed` is not a JSON pointer"),
    ("watch   = [", "agent = \"record\"\nwatch = [", "`record` is not known"),
    (
        "watch   = [",
        "fields = { \"/amount\" = { format = \"date\", currency = \"/currency\" } }\nwatch = [",
        "the format `date` is not known",
    ),
    ("watch   = [", "fields = { \"/amount\" = { format = \"money\" } }\nwatch = [", "`currency` is missing"),
    (
        "watch   = [",
        "fields = { \"amount\" = { format = \"money\", currency = \"/currency\" } }\nwatch = [",
        "`amount` is not a JSON pointer",
    ),
    ("let     = { ", "let = { Bad = 1, ", "`Bad` cannot be the name"),
    ("let     = { ", "let = { a = \"${b}\", b = \"${a}\", ", "in a circle"),
    ("let     = { ", "let = { a = \"${minor_unit}\", ", "`minor_unit` is not known here"),
    ("before.amount_refunded + minor_units", "before.x.y.exists(", "not a CEL expression"),
    ("reversible  = \"never\"", "reversible = true", "no longer true or false"),
    ("reversible  = \"never\"", "reversible = \"with-undo\"", "an undo is not supported yet"),
    ("reversible  = \"never\"", "reversible = \"maybe\"", "`reversible` is `never` or `unknown`"),
    ("reversible  = \"never\"", "reversible = 1", "`reversible` is `never` or `unknown`"),
    ("\"Cannot be undone.\"", "\"${nothing}\"", "`nothing` is not known here"),
    ("\"Cannot be undone.\"", "\" \"", "the sentence is empty"),
    ("\"Cannot be undone.\"", "\"${before.x\"", "has no `}`"),
    ("currency = \"${before.currency}\"", "", "belong together"),
    ("method = \"POST\"", "method = \"FETCH\"", "unknown variant `FETCH`"),
    ("\"/v1/refunds\"", "\"https://evil.example/\"", "starts with `/`"),
    ("\"/v1/refunds\"", "\"/v1/../refunds\"", "`.` or `..` segment"),
    ("\"/v1/refunds\"", "\"/v1//refunds\"", "empty, `.` or `..`"),
    ("\"/v1/refunds\"", "\"/v1/refunds?x=1\"", "a path cannot hold"),
    ("\"/v1/refunds\"", "\"/v1/%2e%2e\"", "a path cannot hold"),
    ("\"/v1/refunds\"", "\"/v1/${input.charge}${minor_units}\"", "at most one"),
    ("encoding = \"form\"", "encoding = \"xml\"", "unknown variant `xml`"),
    ("encoding = \"form\"", "encoding = \"merge-patch\"", "cannot be sent with POST"),
    ("encoding = \"form\"", "headers = { Host = \"x\" }", "belongs to the gate"),
    ("encoding = \"form\"", "headers = { authorization = \"x\" }", "belongs to the gate"),
    ("encoding = \"form\"", "headers = { \"Proxy-Authorization\" = \"x\" }", "belongs to the gate"),
    ("encoding = \"form\"", "headers = { \"Idempotency-Key\" = \"x\" }", "belongs to the gate"),
    ("encoding = \"form\"", "headers = { \"If-Match\" = \"x\" }", "belongs to the gate"),
    ("encoding = \"form\"", "headers = { \"a b\" = \"x\" }", "not a header name"),
    ("encoding = \"form\"", "headers = { \"X-a\" = \"1\", \"x-A\" = \"2\" }", "there twice"),
    ("charge = \"${input.charge}\", amount", "charge = \"x-${input.charge}\", amount", "mixes text"),
    (
        "metadata = { countersign = \"${proposal.id}\" }",
        "m = { n = \"${input.nope}\" }",
        "`input.nope` is not in",
    ),
    ("ok     = [200]", "ok = [200, 404]", "not statuses of success"),
    ("ok     = [200]", "ok = []", "not statuses of success"),
    ("class  = \"keyed\"", "class  = \"probe\"", "`probe` is not supported yet"),
    ("class  = \"keyed\"", "class  = \"transactional\"", "`transactional` is not supported yet"),
    ("class  = \"keyed\"", "class  = \"safe\"", "`safe` is not known"),
    ("class  = \"keyed\"", "class  = \"read\"", "POST cannot have the class `read`"),
    ("class  = \"keyed\"", "class  = \"natural\"", "POST cannot have the class `natural`"),
    ("class  = \"keyed\"", "class  = \"conditional\"", "needs a precondition"),
    ("class  = \"keyed\"", "class  = \"opaque\"", "`header` belongs to the class `keyed`"),
    ("header = \"Idempotency-Key\"", "header = \"Cookie\"", "belongs to the gate"),
    ("class  = \"keyed\"", "class  = \"keyed\"\nwindow = \"24h\"", "`effect.window` is not supported yet"),
    ("kind = \"none\"", "kind = \"action\"", "`action` is not supported yet"),
    ("kind = \"none\"", "kind = \"none\"\nrequest = {}", "`undo.request` is not supported yet"),
    ("why  = \"Stripe cannot take a processed refund back.\"", "", "`why` is missing"),
    ("timeout = \"30s\"", "timeout = \"1h\"", "not a time between"),
    ("timeout = \"30s\"", "budgets = [\"x\"]", "`limits.budgets` is not supported yet"),
    ("timeout = \"30s\"", "max_targets = 1", "`limits.max_targets` is not supported yet"),
    ("\"/before/billing_details/address\"", "\"/input/x\"", "does not begin with `/before/`"),
    ("approver = [", "audit = [\"/before/x\"]\napprover = [", "`redact.audit` is not supported yet"),
    (
        "[action.\"refund.create\".undo]",
        "[action.\"refund.create\".reconcile]\n[action.\"refund.create\".undo]",
        "`reconcile` is not supported yet",
    ),
    (
        "[action.\"refund.create\".undo]",
        "[action.\"refund.create\".output]\nid = { type = \"text\" }\n[action.\"refund.create\".undo]",
        "the type `text` is not known",
    ),
    (
        "[action.\"refund.create\".undo]",
        "[action.\"refund.create\".output]\nid = { type = \"string\", default = \"x\" }\n[action.\"refund.create\".undo]",
        "an answer has no defaults",
    ),
    (
        "[action.\"refund.create\".undo]",
        "[action.\"refund.create\".output]\nid = { type = \"object\", additionalProperties = \"yes\" }\n[action.\"refund.create\".undo]",
        "`additionalProperties` is neither true, false nor a schema",
    ),
    (
        "[action.\"refund.create\".undo]",
        "[action.\"refund.create\".extra]\n[action.\"refund.create\".undo]",
        "unknown field `extra`",
    ),
    (
        "[action.\"refund.create\".undo]",
        "[other]\n[action.\"refund.create\".undo]",
        "the table `other` is not known",
    ),
    (
        "[action.\"refund.create\"]",
        "[action.\"refund create\"]\ntitle = \"t\"\n[action.\"refund.create\"]",
        "missing field",
    ),
];

#[test]
fn every_mistake_has_its_line() {
    for (from, to, message) in MISTAKES {
        let text = stripe(from, to);
        let found = errors(&text);
        let hit = found.iter().find(|p| p.message.contains(message));
        let Some(hit) = hit else { panic!("{to}: {found:#?}") };
        assert!(!hit.remedy.is_empty());
        // The line is where the text was changed, or, for what is missing, the table around it.
        let start = STRIPE.find(from).unwrap();
        let line = crate::problem::line_of(&text, start);
        let near = line.abs_diff(hit.line) <= 1 || to.is_empty() || message.contains("is not known here");
        let elsewhere = ["`header` belongs", "no group", "belong together", "needs a precondition"];
        assert!(near || elsewhere.iter().any(|e| message.contains(e)), "{to}: line {line}, said {hit}");
    }
}

#[test]
fn all_mistakes_of_a_file_are_listed_not_just_the_first() {
    let text = stripe("ok     = [200]", "ok = []")
        .replace("timeout = \"30s\"", "timeout = \"0s\"")
        .replace("class  = \"keyed\"", "class = \"x\"");
    assert_eq!(errors(&text).len(), 3, "{:#?}", errors(&text));
    let spaced = STRIPE.replace("\"charge.get\"", "\"charge get\"");
    assert!(errors(&spaced).iter().any(|p| p.message.contains("`charge get` is not an action name")));
    assert!(!errors("[system\nname = 1").is_empty());
    assert!(errors("").iter().any(|p| p.message.contains("`[system]` is missing")));
}

#[test]
fn two_files_cannot_define_one_system() {
    let problems = load(&[STRIPE, STRIPE]).unwrap_err();
    assert!(problems.iter().any(|p| p.file == "actions/1.toml" && p.line == 1));
    assert!(!errors(&format!("{STRIPE}\n[action.\"charge.get\"]\n")).is_empty(), "twice in one file");
}

#[test]
fn a_loopback_address_may_be_reached_without_encryption_with_a_warning() {
    for (host, plain) in
        [("127.0.0.1:9", true), ("localhost", true), ("[::1]:80", false), ("10.0.0.1", false)]
    {
        let text = stripe("https://api.stripe.com", &format!("http://{host}"));
        let loaded = load(&[&text]);
        let warned = loaded.is_ok_and(|(_, w)| w.iter().any(|p| p.message.contains("not encrypted")));
        // `:80` is the default port, so the URL would not be the one that is written.
        assert_eq!(warned, plain, "{host}");
    }
}

#[test]
fn careless_manifests_load_with_warnings() {
    for (from, to, message) in [
        ("^ch_[A-Za-z0-9]{8,64}$", "^ch_[A-Za-z0-9]+$", "nothing bounds this text"),
        (
            "watch   = [\"/amount\", \"/amount_refunded\", \"/currency\", \"/disputed\"]\noptional = [\"/disputed\"]",
            "",
            "nothing guards the record",
        ),
        (", write = \"stripe-refunds\"", "", "sent without a credential"),
        ("read = \"stripe-ro\", ", "", "read without a credential"),
    ] {
        let (_, warnings) = load(&[&stripe(from, to)]).unwrap_or_else(|p| panic!("{to}: {p:?}"));
        assert!(warnings.iter().any(|p| p.message.contains(message)), "{to}: {warnings:?}");
    }
}

#[test]
fn any_changed_field_of_an_action_or_its_system_changes_the_revision_t03() {
    let name = "stripe.refund.create";
    let was = revision(STRIPE, name);
    for (from, to) in [
        ("https://api.stripe.com", "https://api.stripe.com/v2"),
        ("\"stripe-ro\"", "\"stripe-ro2\""),
        ("\"stripe-refunds\"", "\"stripe-refunds2\""),
        ("env        = \"support\"", "env = \"staging\""),
        ("payments-team", "payments-team2"),
        ("Refund a charge", "Refund one charge"),
        ("Send money back", "Send the money back"),
        ("[\"financial\", \"external\"]", "[\"financial\"]"),
        ("reversible  = \"never\"", ""),
        ("{8,64}", "{8,65}"),
        ("99999999", "99999998"),
        ("Smallest currency unit", "Smallest unit"),
        ("default = \"requested_by_customer\"", "default = \"duplicate\""),
        ("type = \"Charge\"", "type = \"Charge2\""),
        ("id   = \"${input.charge}\"", "id = \"x\""),
        ("method = \"GET\", path", "method = \"HEAD\", path"),
        ("path = \"/v1/charges/", "path = \"/v2/charges/"),
        ("\"/amount\", ", ""),
        ("optional = [\"/disputed\"]", ""),
        ("? input.amount :", "? input.amount + 0 :"),
        ("before.amount_refunded + minor_units", "minor_units + before.amount_refunded"),
        ("Cannot be undone.", "Can never be undone."),
        (
            "amount   = \"${money(minor_units, before.currency)}\"",
            "amount = \"${money(minor_units, 'usd')}\"",
        ),
        ("currency = \"${before.currency}\"", "currency = \"usd\""),
        ("method = \"POST\"", "method = \"PATCH\""),
        ("\"/v1/refunds\"", "\"/v1/refund\""),
        ("encoding = \"form\"", "encoding = \"json\""),
        ("amount = \"${minor_units}\"", "amount = 1"),
        ("ok     = [200]", "ok = [200, 201]"),
        ("class  = \"keyed\"\nheader = \"Idempotency-Key\"", "class = \"opaque\""),
        ("header = \"Idempotency-Key\"", "header = \"X-Key\""),
        ("Stripe cannot take", "Stripe will not take"),
        ("30s", "31s"),
        ("billing_details/address", "billing_details"),
    ] {
        assert_ne!(revision(&stripe(from, to), name), was, "{from}");
    }
    assert_ne!(revision(STRIPE, "stripe.charge.get"), was);
}

#[test]
fn comments_order_and_other_actions_do_not_change_the_revision() {
    let name = "stripe.refund.create";
    let was = revision(STRIPE, name);
    for (from, to) in [
        ("[action.\"charge.get\"]", "# a comment\n[action.\"charge.get\"]"),
        ("Look at a charge", "Look at one charge"),
        (
            "kind = \"none\"\nwhy  = \"Stripe cannot take a processed refund back.\"",
            "why = \"Stripe cannot take a processed refund back.\"\nkind = 'none'",
        ),
    ] {
        assert_eq!(revision(&stripe(from, to), name), was, "{from}");
    }
}

#[test]
fn the_key_header_and_the_manifest_headers_cannot_meet() {
    let text = stripe("header = \"Idempotency-Key\"", "header = \"X-Key\"")
        .replace("encoding = \"form\"", "headers = { \"x-key\" = \"1\" }");
    assert!(errors(&text).iter().any(|p| p.message.contains("carries the idempotency key")));
}

const MAIL: &str = r#"
[system]
name = "mail"
base_url = "https://mail.example"
credential = { read = "mail-ro", write = "mail-rw" }
env = "support"
owner = "mail-team"

[action."message.send"]
title = "Send a message"
description = "Send one message."
groups = ["write", "external"]
[action."message.send".input]
to = { type = "array", maxItems = 9, required = true, items = { type = "string", maxLength = 200 } }
from = { type = "string", maxLength = 200, required = true }
host = { type = "string", maxLength = 200, required = true }
[action."message.send".resource]
type = "Mailbox"
id = "${input.from}"
[action."message.send".preview]
read = { path = "/mailboxes/1" }
bind = "etag"
effects = ["RULE"]
[action."message.send".request]
method = "POST"
path = "/messages"
body = { to = "${input.to}" }
"#;

#[test]
fn a_suffix_rule_of_an_expression_needs_an_address_a10() {
    let warnings = |manifest: &str, rule: &str| {
        let text = manifest.replace("RULE", rule);
        let found = load(&[&text]).unwrap_or_else(|p| panic!("{rule}: {p:?}")).1;
        let line = crate::problem::line_of(&text, text.find("effects").unwrap());
        for problem in &found {
            assert_eq!(problem.line, line, "{rule}: {problem}");
            assert!(problem.remedy.contains("email") || problem.remedy.contains('@'), "{problem}");
        }
        found.into_iter().map(|p| p.message).collect::<Vec<_>>()
    };
    let email = MAIL.replace("maxLength = 200 }", "format = \"email\" }");
    for (rule, field) in [
        ("${size(input.to.filter(t, !t.endsWith('@corp.com')))} go out.", "input.to[]"),
        ("${input.to.exists(t, lower(t).endsWith('@corp.com'))} it is.", "input.to[]"),
        ("${input.to[0].endsWith('corp.com')} it is.", "input.to[]"),
        ("From ours: ${input.from.endsWith('@corp.com')}.", "input.from"),
        ("From ours: ${lower(input.from).endsWith('@' + input.host)}.", "input.from"),
    ] {
        let found = warnings(MAIL, rule);
        assert_eq!(found.len(), 1, "{rule}: {found:?}");
        assert!(
            found[0].starts_with(&format!("`{field}` is compared with the end of an address")),
            "{found:?}"
        );
    }
    for rule in ["${input.to[0].endsWith('@corp.com')} it is.", "Sends ${size(input.to)} messages."] {
        assert_eq!(warnings(&email, rule), Vec::<String>::new(), "{rule}");
    }
    let open = warnings(&email, "${input.to[0].endsWith('corp.com')} it is.");
    assert!(open.len() == 1 && open[0].contains("`x@evilcorp.com`"), "{open:?}");
    for rule in ["${input.host.endsWith('.corp.com')} it is.", "${before.name.endsWith('@corp.com')} it is."]
    {
        assert_eq!(warnings(MAIL, rule), Vec::<String>::new(), "{rule}");
    }
}
