//! What Cedar accepts and people get wrong.

use super::*;
use crate::problem::Severity;

const HEAD: &str = "(principal, action == Action::\"stripe.refund.create\", resource)";

/// Everything found, as `line severity message`.
fn found(text: &str) -> Vec<String> {
    let problems = match load(text) {
        Ok(world) => world.warnings,
        Err(problems) => problems,
    };
    let word = |s| if s == Severity::Error { "error" } else { "warning" };
    problems.iter().map(|p| format!("{} {} {}", p.line, word(p.severity), p.message)).collect()
}

fn when(effect: &str, condition: &str) -> Vec<String> {
    found(&format!("@id(\"a\")\n{effect} {HEAD}\nwhen {{ {condition} }};"))
}

#[test]
fn a_name_that_does_not_exist_is_an_error() {
    for (literal, condition) in [
        ("Team::\"suport\"", "principal in Team::\"suport\""),
        ("Person::\"anne\"", "context.chain has person && context.chain.person == Person::\"anne\""),
        ("Agent::\"bott\"", "context.chain.agent == Agent::\"bott\""),
        ("System::\"strype\"", "resource in System::\"strype\""),
    ] {
        assert_eq!(when("permit", condition), [format!("3 error `{literal}` does not exist")]);
    }
    let scope = "@id(\"a\") permit (\n  principal in Team::\"suport\", action, resource);";
    assert_eq!(found(scope), ["2 error `Team::\"suport\"` does not exist"]);
    assert_eq!(when("permit", "principal in Team::\"support\" && resource != Charge::\"ch_2\""), [""; 0]);
}

#[test]
fn a_text_that_the_schema_does_not_list_is_an_error() {
    let guard = "context.input has reason &&";
    for test in [
        "context.input.reason == \"fradulent\"",
        "\"fradulent\" == context.input.reason",
        "context.input.reason != \"fradulent\"",
        "context.input[\"reason\"] == \"fradulent\"",
        "[\"duplicate\", \"fradulent\"].contains(context.input.reason)",
    ] {
        let found = when("permit", &format!("{guard} {test}"));
        assert_eq!(found, ["3 error `context.input.reason` is never `fradulent`"], "{test}");
    }
    for test in ["context.input.reason == \"fraudulent\"", "context.input.charge == \"anything\""] {
        assert_eq!(when("permit", &format!("{guard} {test}")), [""; 0], "{test}");
    }
}

#[test]
fn a_forbid_that_an_agent_can_step_around_is_a_warning() {
    let escaped = "3 warning a forbid is skipped when the agent omits this field: `context.input.amount`";
    for condition in [
        "context.input has amount && context.input.amount > 100",
        "context.risk.count > 1 || (context.input has amount && context.input.amount > 100)",
        "if context.input has amount then context.input.amount > 100 else false",
    ] {
        assert_eq!(when("forbid", condition), [escaped], "{condition}");
        assert_eq!(when("permit", condition), [""; 0], "{condition}");
    }
    for condition in [
        "(context.input has amount && context.input.amount > 100) || !(context.input has amount)",
        "if context.input has amount then context.input.amount > 100 else true",
        "context.input has amount",
        "context.input has note && context.input.note == \"x\"",
    ] {
        assert_eq!(when("forbid", condition), [""; 0], "{condition}");
    }
    let unless = format!(
        "@id(\"a\") forbid {HEAD} unless {{ context.input has amount && context.input.amount == 100 }};"
    );
    assert_eq!(found(&unless), [""; 0]);
    let run = when("forbid", "context has run && context.run == \"nightly\"");
    assert_eq!(run, ["3 warning a forbid is skipped when the agent omits this field: `context.run`"]);
}

#[test]
fn arithmetic_is_a_warning() {
    for condition in ["context.risk.amount + 1 > 5", "context.risk.count * 2 > 5", "-context.risk.count > 5"]
    {
        let found = when("permit", condition);
        assert!(found.len() == 1 && found[0].starts_with("3 warning arithmetic"), "{condition}: {found:?}");
    }
    assert_eq!(when("permit", "context.risk.amount > -5"), [""; 0]);
}

#[test]
fn a_forbid_on_small_amounts_is_a_warning() {
    for condition in ["context.risk.amount < 10", "context.risk.amount <= 10", "10 > context.risk.amount"] {
        let found = when("forbid", condition);
        assert!(found.len() == 1 && found[0].contains("rounded up"), "{condition}: {found:?}");
        assert_eq!(when("permit", condition), [""; 0], "{condition}");
    }
    assert_eq!(when("forbid", "!(context.risk.amount < 10)"), [""; 0]);
}

#[test]
fn a_named_entity_cannot_be_asked_for_its_parents_or_attributes() {
    for condition in [
        "Team::\"support\" in Team::\"company\"",
        "Action::\"financial\" in Action::\"write\"",
        "(if context.risk.count > 1 then Team::\"support\" else Team::\"finance\") in [Team::\"company\"]",
        "{ t: Team::\"support\" }.t in Team::\"company\"",
        "Person::\"ann\" in Team::\"company\"",
        "Agent::\"bot\".owner == Person::\"fay\"",
        "Agent::\"bot\" has owner",
        "Team::\"support\" is Team in Team::\"company\"",
    ] {
        let found = when("permit", condition);
        assert!(found.iter().any(|f| f.starts_with("3 error a named entity")), "{condition}: {found:?}");
    }
    assert_eq!(when("permit", "principal in Team::\"company\" && action in Action::\"write\""), [""; 0]);
}

/// What is found in a permit on an action that sends a message, with this schema for `to`.
fn suffix(to: &Value, condition: &str) -> Vec<String> {
    let shape = ActionShape {
        name: "mail.message.send".into(),
        groups: BTreeSet::from([Group::Write]),
        schema: json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["to", "host", "meta"],
            "properties": {
                "to": to,
                "host": { "type": "string", "maxLength": 200 },
                "meta": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["sender"],
                    "properties": { "sender": { "type": "string", "maxLength": 200 } },
                },
            },
        }),
        resource_type: "Message".into(),
        record: RecordReads::default(),
        system: "mail".into(),
    };
    let text = format!("@id(\"a\")\npermit (principal, action, resource)\nwhen {{ {condition} }};");
    let (directory, rules, environments) = (directory(), rules(), environments());
    let around = Surroundings { directory: &directory, rules: &rules, environments: &environments };
    let (_, warnings) = Policies::load_sliced(&[file(&text)], &[shape], around, Cut::CLOSE).unwrap();
    for warning in &warnings {
        assert_eq!((warning.severity, warning.file.as_str()), (Severity::Warning, "policies/p.cedar"));
    }
    warnings.iter().map(|p| format!("{} {} | {}", p.line, p.message, p.remedy)).collect()
}

#[test]
fn a_suffix_rule_on_a_text_that_need_not_be_an_address_is_a_warning_a10() {
    let any = json!({ "type": "string", "maxLength": 200 });
    let email = json!({ "type": "string", "format": "email" });
    for condition in [
        "context.input.to like \"*@corp.com\"",
        "context.input.to like \"a*@corp.com\"",
        "context.input.to like \"*corp.com\"",
        "context.risk.count > 1 || !(context.input[\"to\"] like \"*@*.corp.com\")",
        "if context.input.to like \"*@corp.com\" then true else false",
    ] {
        let found = suffix(&any, condition);
        assert_eq!(found.len(), 1, "{condition}: {found:?}");
        assert!(
            found[0].starts_with("3 `context.input.to` is compared with the end of an address"),
            "{found:?}"
        );
        assert!(found[0].contains("`format = \"email\"`"), "{found:?}");
    }
    let nested = suffix(&any, "context.input.meta.sender like \"*@corp.com\"");
    assert!(nested.len() == 1 && nested[0].contains("`context.input.meta.sender`"), "{nested:?}");
    for condition in [
        "context.input.to like \"*@corp.com\"",
        "context.input.to like \"*@*.corp.com\"",
        "context.input.to like \"*.corp.com\"",
        "context.input.to like \"ann@*\"",
    ] {
        assert_eq!(suffix(&email, condition), [""; 0], "{condition}");
    }
    for condition in [
        "context.input.host like \"*.corp.com\"",
        "context.input.to like \"*\"",
        "context.input.to == \"a@corp.com\"",
    ] {
        assert_eq!(suffix(&any, condition), [""; 0], "{condition}");
    }
    let listed = json!({ "type": "string", "enum": ["a@corp.com", "b@corp.com"] });
    assert_eq!(suffix(&listed, "context.input.to like \"*@corp.com\""), [""; 0]);
    // An address it is, but `x@evilcorp.com` ends so too.
    let open = suffix(&email, "context.input.to like \"*corp.com\"");
    assert!(open.len() == 1 && open[0].contains("`x@evilcorp.com`"), "{open:?}");
}

#[test]
fn a_proof_that_no_chain_has_is_refused_a4() {
    for proof in ["claimed", "confirmed", "none"] {
        assert_eq!(when("forbid", &format!("context.chain.proof == \"{proof}\"")), [""; 0], "{proof}");
    }
    let said = when("forbid", "context.chain.proof == \"proven\"");
    assert_eq!(said, ["3 error `context.chain.proof` is never `proven`"]);
}
