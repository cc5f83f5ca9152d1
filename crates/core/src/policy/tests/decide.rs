//! Verdicts.

use super::*;

#[test]
fn the_documented_example_behaves_as_it_says() {
    let world = world(REFUNDS);
    assert_eq!(world.warnings, []);
    for (amount, expect, policies) in [
        (0, "allow", vec!["support-refunds"]),
        (100, "allow", vec!["support-refunds"]),
        (101, "approval{finance}:refund-over-100", vec!["refund-over-100"]),
        (1000, "approval{finance}:refund-over-100", vec!["refund-over-100"]),
        (1001, "deny:forbidden", vec!["refund-cap"]),
        (-1, "deny:invalid_request", vec![]),
    ] {
        let decision = Question::refund(amount).ask(&world);
        assert_eq!(word(&decision), expect, "{amount}");
        assert_eq!(ids(&decision), policies, "{amount}");
        assert_eq!(decision.policy_set, world.policies.digest());
    }
}

#[test]
fn an_approval_opens_its_own_gate_and_nothing_else() {
    let world = world(REFUNDS);
    let table = [
        (500, vec!["refund-over-100"], "allow"),
        (500, vec!["refund-cap"], "approval{finance}:refund-over-100"),
        (500, vec!["finance"], "approval{finance}:refund-over-100"),
        (1001, vec!["refund-over-100", "refund-cap"], "deny:forbidden"),
    ];
    for (amount, approved, expect) in table {
        assert_eq!(word(&Question::refund(amount).approved(&approved).ask(&world)), expect, "{approved:?}");
    }
}

#[test]
fn an_approval_answers_to_the_same_digest_before_and_after() {
    let text = format!(
        "{REFUNDS}@id(\"any-refund\") @approval(\"release, finance\")
         forbid (principal, action in Action::\"financial\", resource);"
    );
    let world = world(&text);
    let open = Question::refund(500).ask(&world);
    assert_eq!(word(&open), "approval{finance,release}:any-refund,refund-over-100");
    let partly = Question::refund(500).approved(&["any-refund"]).ask(&world);
    assert_eq!(partly, open, "what is left is asked for under the same digest");
    let done = Question::refund(500).approved(&["any-refund", "refund-over-100"]).ask(&world);
    assert_eq!((word(&done).as_str(), done.digest), ("allow", open.digest));
    let other = Question::refund(5).ask(&world);
    assert_eq!(word(&other), "approval{finance,release}:any-refund");
    assert_ne!(other.digest, open.digest);
}

#[test]
fn a_gate_binds_its_text_and_its_rule() {
    let decision = Question::refund(500).ask(&world(REFUNDS));
    let gate = &decision.gates()[0];
    let start = REFUNDS.find("@id(\"refund-over-100\")").unwrap();
    let (_, text) = REFUNDS.split_at(start);
    let (text, _) = text.split_once(';').unwrap();
    assert_eq!(gate.policy.digest, Digest::of(domain::POLICY, format!("{text};").as_bytes()));
    assert_eq!(gate.policy.reason, "Refunds over $100 need one finance lead.");
    assert_eq!(gate.rules, ["finance"]);
    let edited = world(&REFUNDS.replace("amount > 100 ", "amount > 99 "));
    assert_ne!(Question::refund(500).ask(&edited).digest, decision.digest);
    assert_ne!(edited.policies.digest(), decision.policy_set);
}

#[test]
fn an_empty_policy_set_denies() {
    // I5.
    for text in ["", "// nothing yet\n"] {
        assert_eq!(word(&Question::refund(1).ask(&world(text))), "deny:no_permit");
    }
    let none = load_with(&[], Cut::CLOSE).unwrap();
    assert_eq!(word(&Question::refund(1).ask(&none)), "deny:no_permit");
}

#[test]
fn a_policy_error_denies_t58() {
    // I4. Plain Cedar skips a forbid that overflows and allows.
    let fails = r#"@id("fails") forbid (principal, action, resource)
        when { context.risk.count * 9223372036854775807 > 10 };"#;
    let gate = r#"@id("fails") @approval("finance") forbid (principal, action, resource)
        when { context.risk.count * 9223372036854775807 > 10 };"#;
    let permit = r#"@id("fails") permit (principal, action, resource)
        when { context.risk.count * 9223372036854775807 > 10 };"#;
    for text in [fails, gate, permit] {
        let world = world(&format!("{REFUNDS}{text}"));
        let twice = Question::refund(1).with(|q| q.rendering.risk.count = 2);
        for question in [twice.clone(), twice.approved(&["fails", "refund-over-100"])] {
            let decision = question.ask(&world);
            assert_eq!(word(&decision), "deny:policy_error", "{text}");
            assert_eq!(ids(&decision), ["fails"]);
        }
    }
}

#[test]
fn a_hard_forbid_cannot_be_lifted() {
    let everything = world(&format!(
        "@id(\"all\") permit (principal, action, resource); {}",
        REFUNDS.replace("@id(\"support-refunds\")", "@id(\"some\")")
    ));
    let question = Question::refund(1001).approved(&["refund-over-100", "refund-cap", "all", "some"]);
    assert_eq!(word(&question.ask(&everything)), "deny:forbidden");
}

#[test]
fn nobody_is_asked_in_vain() {
    // The gate fires, but nothing would permit the call even if it were opened.
    let world = world(REFUNDS);
    let question = Question::refund(500).with(|q| q.rendering.environment = "ops".into());
    assert_eq!(word(&question.ask(&world)), "deny:no_permit");
    assert_eq!(word(&question.clone().approved(&["refund-over-100"]).ask(&world)), "deny:no_permit");
}

#[test]
fn every_link_must_be_allowed_and_the_gates_are_the_union() {
    let text = format!(
        "{REFUNDS}
        @id(\"bots\") @approval(\"release\")
        forbid (principal is Agent, action, resource);
        @id(\"unowned\") forbid (principal is Agent, action, resource)
        unless {{ principal.owner in Team::\"finance\" }};"
    );
    let world = world(&text);
    let bot = ("agent", "bot");
    for (links, expect) in [
        (vec![("person", "ann"), bot], "approval{finance,release}:bots,refund-over-100"),
        (vec![("person", "ann")], "deny:invalid_request"),
        (vec![bot], "approval{finance,release}:bots,refund-over-100"),
        (vec![("person", "fay"), bot], "deny:no_permit"),
        (vec![("person", "ann"), bot, ("agent", "sub")], "deny:no_permit"),
        (vec![("person", "ann"), ("agent", "ghost")], "deny:invalid_request"),
        (vec![], "deny:invalid_request"),
    ] {
        let question = Question::refund(500).with(|q| q.chain = chain(&links));
        assert_eq!(word(&question.ask(&world)), expect, "{links:?}");
    }
}

type Change = fn(&mut Question);

#[test]
fn a_request_that_does_not_fit_is_denied() {
    let world = world("@id(\"all\") permit (principal, action, resource);");
    let changes: Vec<(&str, Change)> = vec![
        ("unknown action", |q| q.action = "stripe.refund.update"),
        ("missing field", |q| q.input = json!({})),
        ("wrong type", |q| q.input = json!({ "charge": 1 })),
        ("no object", |q| q.input = json!("ch_1")),
        ("integer too large", |q| q.input = json!({ "charge": "c", "amount": 9_007_199_254_740_992_i64 })),
        ("integer with a part", |q| q.input = json!({ "charge": "c", "amount": 1.5 })),
        ("unknown environment", |q| q.rendering.environment = "Support".into()),
        ("other resource type", |q| q.rendering.resource.kind = "Contact".into()),
        ("other system", |q| q.rendering.resource.system = "crm".into()),
        ("negative amount", |q| q.rendering.risk.amount = -1),
        ("negative exact amount", |q| q.rendering.risk.exact = "-0.0001".into()),
        ("five decimals", |q| q.rendering.risk.exact = "0.00001".into()),
        ("nothing touched", |q| q.rendering.risk.count = 0),
        ("null", |q| q.input = json!({ "charge": "c", "amount": null })),
    ];
    assert_eq!(word(&Question::refund(1).ask(&world)), "allow");
    for (what, change) in changes {
        assert_eq!(word(&Question::refund(1).with(change).ask(&world)), "deny:invalid_request", "{what}");
    }
}

#[test]
fn groups_and_systems_are_seen_by_policies() {
    let allowed = "@id(\"all\") permit (principal, action, resource);";
    for (condition, refund, contact) in [
        ("action in Action::\"financial\", resource", true, false),
        ("action in Action::\"write\", resource", true, false),
        ("action in Action::\"read\", resource", false, true),
        ("action in Action::\"any\", resource", true, true),
        ("action in [Action::\"admin\", Action::\"read\"], resource", false, true),
        ("action, resource in System::\"crm\"", false, true),
        ("action, resource is Charge", true, false),
        ("action, resource == Charge::\"x_1\"", true, false),
        ("action, resource == Charge::\"x_2\"", false, false),
    ] {
        let world = world(&format!("{allowed} @id(\"no\") forbid (principal, {condition});"));
        let word_for = |fires| if fires { "deny:forbidden" } else { "allow" };
        assert_eq!(word(&Question::refund(1).ask(&world)), word_for(refund), "{condition}");
        assert_eq!(word(&Question::contact().ask(&world)), word_for(contact), "{condition}");
    }
}

#[test]
fn every_fact_of_the_context_is_what_it_says() {
    for condition in [
        "context.env == Environment::\"support\"",
        "context.risk.amount == 7 && context.risk.exact == decimal(\"7.0\") && context.risk.count == 1",
        "context.risk.mutating && !context.risk.reversible && context.risk.external && context.risk.financial",
        "context.risk.currency == \"usd\"",
        "context.chain.agent == Agent::\"bot\" && context.chain.depth == 2",
        "context.chain.proof == \"claimed\"",
        "context.chain has person && context.chain.person in Team::\"company\"",
        "context.chain.agent.owner == Person::\"fay\" && context.chain.agent.owner in Team::\"finance\"",
        "context has run && context.run == \"r1\"",
        "context.now == datetime(\"2026-11-23T12:00:00Z\")",
        "context.clock.weekday == \"monday\" && context.clock.hour == 12",
        "context.preview == PreviewLevel::\"declared\"",
        "resource.system == System::\"stripe\" && resource.id like \"x_*\" && resource in System::\"stripe\"",
        "context.input.charge == \"ch_1\" && context.input has amount && context.input.amount == 7",
        "context.input.note == \"none\" && !(context.input has reason)",
    ] {
        let head = "principal, action == Action::\"stripe.refund.create\", resource";
        let world = world(&format!("@id(\"p\") permit ({head}) when {{ {condition} }};"));
        let question = Question::refund(7).with(|q| q.run = Some("r1"));
        assert_eq!(word(&question.ask(&world)), "allow", "{condition}");
    }
}

#[test]
fn listing_shows_what_some_permit_could_allow_for_every_link() {
    let world = world(&format!(
        "{REFUNDS}@id(\"bots-read\") permit (principal is Agent, action in Action::\"read\", resource)
        when {{ context.risk.count > 1 }};"
    ));
    let reach = |links: &[(&str, &str)], action| world.policies.may_reach(&chain(links), action);
    assert!(reach(&[("person", "ann"), ("agent", "bot")], "stripe.refund.create"));
    assert!(!reach(&[("person", "fay"), ("agent", "bot")], "stripe.refund.create"));
    assert!(!reach(&[("agent", "sub")], "stripe.refund.create"));
    assert!(reach(&[("agent", "sub")], "crm.contact.get"));
    assert!(!reach(&[("person", "ann"), ("agent", "bot")], "crm.contact.get"));
    assert!(!reach(&[("agent", "ghost")], "crm.contact.get"));
    assert!(!reach(&[], "crm.contact.get"));
    assert!(!reach(&[("agent", "sub")], "crm.contact.delete"));
    assert!(world.directory.agent("sub").is_some());
}

#[test]
fn an_action_with_an_effect_is_a_write_whatever_its_manifest_lists() {
    use super::super::shape::implied_group;
    assert_eq!(implied_group(EffectClass::Read), Group::Read);
    for effect in [EffectClass::Keyed, EffectClass::Conditional, EffectClass::Natural, EffectClass::Opaque] {
        assert_eq!(implied_group(effect), Group::Write, "{effect:?}");
    }
}
