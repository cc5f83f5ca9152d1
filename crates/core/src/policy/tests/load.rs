//! What an author may write.

use super::*;
use crate::problem::Severity;

/// `line message` of every error.
fn errors(text: &str) -> Vec<String> {
    match load(text) {
        Ok(_) => Vec::new(),
        Err(problems) => problems
            .iter()
            .filter(|p| p.severity == Severity::Error)
            .map(|p| format!("{} {}", p.line, p.message))
            .collect(),
    }
}

#[test]
fn each_mistake_is_named_with_its_line() {
    let any = "(principal, action, resource)";
    let table = [
        (format!("permit {any};"), "1 a policy without an id"),
        (format!("\n@id(\"\")\npermit {any};"), "2 a policy without an id"),
        (format!("@id permit {any};"), "1 a policy without an id"),
        (
            format!("@id(\"a b\") permit {any};"),
            "1 the id `a b` has other characters than it may, or is too long",
        ),
        (
            format!("@id(\"a\") permit {any};\n@id(\"a\") permit {any};"),
            "2 the id `a` is used twice, first in policies/p.cedar",
        ),
        (format!("@id(\"a\")\n@shadow(\"true\")\npermit {any};"), "2 `@shadow` is not supported yet"),
        (format!("@id(\"a\")\n@aproval(\"finance\")\nforbid {any};"), "2 unknown annotation `@aproval`"),
        (format!("@id(\"a\")\n\n@approval(\"finance\")\npermit {any};"), "3 `@approval` on a permit"),
        (format!("@id(\"a\") @approval(\"fin\") forbid {any};"), "1 the approval rule `fin` is not defined"),
        (
            format!("@id(\"a\") @approval(\"finance,\") forbid {any};"),
            "1 the approval rule `` is not defined",
        ),
        (format!("@id(\"a\") @approval forbid {any};"), "1 the approval rule `` is not defined"),
        (
            "@id(\"a\")\npermit (principal == ?principal, action, resource);".to_owned(),
            "2 a template is not a policy",
        ),
    ];
    for (text, expect) in table {
        assert_eq!(errors(&text), [expect], "{text}");
    }
}

#[test]
fn every_mistake_of_every_file_is_listed() {
    let one =
        file("@id(\"a\") permit (principal, action, resource)\n@id(\"b\") forbid (principal, action);\n");
    let two = SourceFile {
        path: "policies/q.cedar".into(),
        text: "\npermit (principal, action, resource);\n@id(\"c\") permit (principal, action, resource)\nwhen { context.nothing };"
            .into(),
    };
    let problems = load_with(&[one, two], Cut::CLOSE).err().unwrap();
    let places: Vec<(&str, usize)> = problems.iter().map(|p| (p.file.as_str(), p.line)).collect();
    assert_eq!(places[0], ("policies/p.cedar", 2));
    let mut rest: Vec<_> = places.into_iter().filter(|(file, _)| *file == "policies/q.cedar").collect();
    rest.dedup();
    assert_eq!(rest, [("policies/q.cedar", 2), ("policies/q.cedar", 4)]);
    assert!(problems.iter().all(|p| !p.remedy.is_empty() && !p.message.ends_with('.')), "{problems:?}");
}

#[test]
fn authors_may_not_read_approvals_by_any_name() {
    for condition in [
        "context.approvals.contains(\"g\")",
        "context[\"approvals\"].contains(\"g\")",
        "context[\"\\u{61}pprovals\"].contains(\"g\")",
        "context has approvals",
        "context has \"approvals\"",
        "context has approvals.x",
        "!context.approvals.isEmpty()",
        "(if true then context else context).approvals.contains(\"g\")",
        "{ c: context }.c.approvals.contains(\"g\")",
        "[context].contains(context)",
        "context == context",
        "(context).approvals.contains(\"g\")",
        "context.risk.count == 1 && [1, if context has approvals then 1 else 2].contains(1)",
        "decimal(\"1.0\").lessThan(if context.approvals.contains(\"g\") then decimal(\"2.0\") else decimal(\"0.0\"))",
        "ip(\"::1\").isInRange(if context has approvals then ip(\"::1\") else ip(\"::2\"))",
        "(if context has approvals then \"a\" else \"b\") like \"a*\"",
        "(if context has approvals then principal else principal) is Agent",
        "principal in (if context has approvals then Team::\"support\" else Team::\"finance\")",
    ] {
        for clause in ["when", "unless"] {
            let text =
                format!("@id(\"a\")\npermit (principal, action, resource)\n{clause} {{ {condition} }};");
            let found = errors(&text);
            let refused =
                |m: &String| m.contains("context.approvals") || m.contains("`context` is used other");
            assert!(found.iter().any(refused), "{condition}: {found:?}");
        }
    }
    // The word alone means nothing.
    for condition in ["context.risk.currency == \"approvals\"", "{ approvals: true }.approvals"] {
        let text = format!("@id(\"a\") permit (principal, action, resource) when {{ {condition} }};");
        assert_eq!(errors(&text), [""; 0], "{condition}");
    }
}

#[test]
fn what_the_validator_finds_is_an_error_with_its_line() {
    for condition in [
        "context.env == Environment::\"suport\"",
        "context.input.chrge == \"x\"",
        "context.input.amount > 1",
        "context.risk.exact > 1",
        "context.risk.count > \"1\"",
        "context.input.charge > \"a\"",
        "decimal(context.input.charge) == decimal(\"1.0\")",
        "context.chain.person == principal",
        "context.usage > 1",
    ] {
        for effect in ["permit", "forbid"] {
            let head = "principal, action == Action::\"stripe.refund.create\", resource";
            let text = format!("@id(\"a\")\n{effect} ({head})\nwhen {{\n  {condition}\n}};");
            let found = errors(&text);
            assert!(found.iter().any(|e| e.starts_with("4 ")), "{condition}: {found:?}");
        }
    }
    let unknown = "@id(\"a\") permit (principal, action == Action::\"stripe.refund.creat\", resource);";
    assert!(errors(unknown)[0].contains("stripe.refund.creat"), "{:?}", errors(unknown));
}

#[test]
fn a_forbid_that_can_never_match_is_an_error_and_such_a_permit_a_warning() {
    for scope in [
        "principal, action == Action::\"stripe.refund.create\", resource is Contact",
        "principal is Charge, action, resource",
        "principal, action == Action::\"write\", resource",
    ] {
        let forbid = format!("@id(\"a\")\nforbid ({scope});");
        assert!(!errors(&forbid).is_empty(), "{scope}");
        assert!(!errors(&format!("@approval(\"finance\") {forbid}")).is_empty(), "{scope}");
        let permit = world(&format!("@id(\"a\") permit ({scope});"));
        assert!(!permit.warnings.is_empty(), "{scope}");
    }
    let never = "@id(\"a\") forbid (principal, action, resource) when { context.risk.amount > 1 && false };";
    assert!(!errors(never).is_empty());
}

#[test]
fn the_generated_condition_fits_every_form_of_gate() {
    for condition in [
        "",
        "when { context.risk.amount > 100 || context.risk.count >= 3 && !(context.risk.amount != 7) }",
        "when { context.input.charge like \"ch_*\\\\\" } unless { context.clock.hour < 9 } // done",
        "when { [\"a\", \"b\"].contains(context.input.charge) && { x: 1, \"y z\": -9 }.x == 1 }",
        "when { if context.input has amount then context.input.amount > 1 else true }",
        "when { context.now.toTime() > duration(\"9h\") && context.risk.exact.lessThan(decimal(\"1.5\")) }",
        "when { principal is Agent && principal.owner in Team::\"finance\" }",
        "when { principal is Agent in Team::\"support\" }",
        "unless { context.input has meta.__entity && context.input.meta.__entity == \"{}; \\\" } //\" }",
        "when { context.risk.amount - 1 > -5 && -context.risk.count < 3 }",
        "when { context.input.charge == \"naïve \\u{1F600} \\n \\0\" }",
    ] {
        for head in ["principal", "principal in Team::\"support\"", "principal is Agent in Team::\"support\""]
        {
            let text = format!(
                "@id(\"g\")\n@approval(\"finance\") @reason(\"a \\\"b\\\";\") @owner @description(\"d\")
                forbid ({head}, action == Action::\"stripe.refund.create\", resource in System::\"stripe\")\n{condition}\n;"
            );
            assert!(load(&text).is_ok(), "{text}: {:?}", errors(&text));
        }
    }
}

#[test]
fn the_digest_of_the_set_covers_every_path_and_text() {
    let digest = |files: &[SourceFile]| load_with(files, Cut::CLOSE).unwrap().policies.digest();
    let (one, two) = (file(REFUNDS), SourceFile { path: "policies/z.cedar".into(), text: "// \n".into() });
    let base = digest(&[one.clone(), two.clone()]);
    assert_eq!(base, digest(&[two.clone(), one.clone()]));
    assert_ne!(base, digest(std::slice::from_ref(&one)));
    assert_ne!(base, digest(&[one.clone(), SourceFile { text: "//  \n".into(), ..two.clone() }]));
    assert_ne!(base, digest(&[one, SourceFile { path: "policies/y.cedar".into(), ..two }]));
}

#[test]
fn a_policy_is_found_below_a_copy_of_itself_in_a_comment() {
    let text = "// @id(\"a\") permit (principal, action, resource) when { context.x };\n\n@id(\"a\") permit (principal, action, resource) when { context.x };";
    assert!(errors(text)[0].starts_with("3 "), "{:?}", errors(text));
}

#[test]
fn names_that_policies_cannot_use_are_refused() {
    let directory = directory();
    let (rules, environments) = (rules(), environments());
    let around = Surroundings { directory: &directory, rules: &rules, environments: &environments };
    let refused = |change: fn(&mut ActionShape)| {
        let mut shape = refund();
        change(&mut shape);
        Policies::load_shapes(&[], &[shape], around).err().map(|p| p[0].message.clone())
    };
    assert_eq!(refused(|_| ()), None);
    for name in
        ["Person", "Agent", "Team", "System", "Environment", "PreviewLevel", "Action", "String", "Set"]
    {
        let directory = self::directory();
        let around = Surroundings { directory: &directory, ..around };
        let shape = ActionShape { resource_type: name.into(), ..refund() };
        let problems = Policies::load_shapes(&[], &[shape], around).unwrap_err();
        assert!(problems[0].message.contains("word of the policy language"), "{name}");
    }
    for bad in ["", "a b", "1x", "A::B", "if", "__cedar", "Charge\"", "Ch-arge"] {
        let shape = ActionShape { resource_type: bad.into(), ..refund() };
        assert!(Policies::load_shapes(&[], &[shape], around).is_err(), "{bad}");
    }
    assert!(refused(|s| s.name = "write".into()).unwrap().contains("taken"));
    assert!(Policies::load_shapes(&[], &[refund(), refund()], around).is_err());
    let nothing = Surroundings { environments: &[], ..around };
    assert!(Policies::load_shapes(&[], &[], nothing).is_ok(), "an empty gate loads, and denies everything");
}

#[test]
fn a_team_that_is_its_own_parent_is_refused() {
    let text = format!("{DIRECTORY}\n[team.a]\nparents = [\"b\"]\n[team.b]\nparents = [\"a\"]\n");
    let directory = Directory::load(&SourceFile { path: "directory.toml".into(), text }).unwrap();
    let (rules, environments) = (rules(), environments());
    let around = Surroundings { directory: &directory, rules: &rules, environments: &environments };
    let problems = Policies::load_shapes(&[], &[refund()], around).unwrap_err();
    assert_eq!(problems[0].file, "directory.toml");
}
