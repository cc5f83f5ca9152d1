//! What is decided before the record is read.

use proptest::prelude::*;

use super::super::unread::Unread;
use super::properties::{loadable, policies, question, source};
use super::*;
use crate::action::RecordReads;
use crate::decision::DenyCode;

const ALL: RecordReads = RecordReads { read: true, resource: true, amount: true, count: true };

/// The actions of the other tests; of the refund, parts of its rendering depend on a record.
fn load_reading(text: &str, record: RecordReads) -> World {
    let directory = directory();
    let (rules, environments) = (rules(), environments());
    let around = Surroundings { directory: &directory, rules: &rules, environments: &environments };
    let shapes = [ActionShape { record, ..refund() }, contact()];
    let (policies, warnings) = Policies::load_shapes(&[file(text)], &shapes, around).unwrap();
    World { policies, warnings, directory }
}

/// `denied:<code>:<ids>`, `read`, or `read, permitted`.
fn unread(world: &World, question: &Question) -> String {
    match world.policies.answer_unread(&question.asked()) {
        Unread::Denied(decision) => format!("{}:{}", word(&decision), ids(&decision).join(",")),
        Unread::Read { permitted: true } => "read, permitted".to_owned(),
        Unread::Read { permitted: false } => "read".to_owned(),
    }
}

fn code(decision: &Decision) -> Option<DenyCode> {
    if let Answer::Deny { code } = decision.answer { Some(code) } else { None }
}

const PERMIT: &str = "permit (principal, action == Action::\"stripe.refund.create\", resource)";
const FORBID: &str = "forbid (principal, action == Action::\"stripe.refund.create\", resource)";

#[test]
fn what_needs_no_record_is_decided_before_the_read_a3() {
    let amount = RecordReads { resource: false, count: false, ..ALL };
    for (record, policies, expect) in [
        (ALL, String::new(), "deny:no_permit:"),
        (ALL, format!("@id(\"a\") {PERMIT};"), "read, permitted"),
        (
            ALL,
            format!("@id(\"a\") {PERMIT} when {{ context.env == Environment::\"ops\" }};"),
            "deny:no_permit:",
        ),
        (ALL, format!("@id(\"a\") {PERMIT} when {{ context.input.charge == \"ch_1\" }};"), "read, permitted"),
        (ALL, format!("@id(\"a\") {PERMIT} when {{ context.risk.financial }};"), "read, permitted"),
        (ALL, format!("@id(\"a\") {PERMIT} when {{ context.risk.amount < 9 }};"), "read"),
        (ALL, format!("@id(\"a\") {PERMIT} when {{ context.risk.currency == \"usd\" }};"), "read"),
        (ALL, format!("@id(\"a\") {PERMIT} when {{ context.risk.count < 9 }};"), "read"),
        (amount, format!("@id(\"a\") {PERMIT} when {{ context.risk.count < 9 }};"), "read, permitted"),
        (ALL, format!("@id(\"a\") {PERMIT} when {{ context.risk == context.risk }};"), "read"),
        (
            ALL,
            format!("@id(\"a\") {PERMIT} when {{ [context.preview].contains(PreviewLevel::\"exact\") }};"),
            "read",
        ),
        (ALL, format!("@id(\"a\") {PERMIT} when {{ resource.id == \"x_1\" }};"), "read"),
        (amount, format!("@id(\"a\") {PERMIT} when {{ resource.id == \"x_1\" }};"), "read, permitted"),
        (amount, format!("@id(\"a\") {PERMIT} when {{ resource.id == \"x_2\" }};"), "deny:no_permit:"),
        (ALL, "@id(\"a\") permit (principal, action, resource == Charge::\"x_2\");".to_owned(), "read"),
        (
            ALL,
            "@id(\"a\") permit (principal, action, resource in System::\"stripe\");".to_owned(),
            "read, permitted",
        ),
        // The person has no right, so the record is not read, whatever the agent may.
        (
            ALL,
            "@id(\"a\") permit (principal is Agent, action, resource) when { context.risk.amount < 9 };"
                .to_owned(),
            "deny:no_permit:",
        ),
        (ALL, format!("@id(\"a\") {PERMIT}; @id(\"f\") {FORBID};"), "deny:forbidden:f"),
        (
            ALL,
            format!(
                "@id(\"a\") {PERMIT} when {{ context.risk.amount < 9 }}; @id(\"f\") {FORBID} when {{ context.input.charge == \"ch_1\" }};"
            ),
            "deny:forbidden:f",
        ),
        (
            ALL,
            format!("@id(\"a\") {PERMIT}; @id(\"f\") {FORBID} when {{ context.risk.amount < 9 }};"),
            "read, permitted",
        ),
        (ALL, format!("@id(\"a\") {PERMIT}; @id(\"g\") @approval(\"finance\") {FORBID};"), "read, permitted"),
        (
            ALL,
            format!(
                "@id(\"a\") {PERMIT}; @id(\"e\") {FORBID} when {{ context.chain.depth * 9223372036854775807 > 1 }};"
            ),
            "deny:policy_error:e",
        ),
        (
            ALL,
            format!(
                "@id(\"a\") {PERMIT}; @id(\"e\") @approval(\"finance\") {FORBID} when {{ context.chain.depth * 9223372036854775807 > 1 }};"
            ),
            "deny:policy_error:e",
        ),
    ] {
        assert_eq!(unread(&load_reading(&policies, record), &Question::refund(5)), expect, "{policies}");
    }
}

#[test]
fn a_question_that_fits_no_schema_is_denied_before_the_read() {
    let world = load_reading(&format!("@id(\"a\") {PERMIT};"), ALL);
    let stranger = Question::refund(5).with(|q| q.chain = chain(&[("agent", "nobody")]));
    assert_eq!(unread(&world, &stranger), "deny:invalid_request:");
    let elsewhere = Question::refund(5).with(|q| q.rendering.environment = "moon".into());
    assert_eq!(unread(&world, &elsewhere), "deny:invalid_request:");
}

fn flags() -> impl Strategy<Value = RecordReads> {
    any::<[bool; 3]>().prop_map(|[resource, amount, count]| RecordReads {
        read: true,
        resource,
        amount,
        count,
    })
}

/// The same question about another record: what `from` says depends on it is changed.
fn with_record(question: &Question, from: RecordReads, (amount, id): (i64, &str)) -> Question {
    question.clone().with(|q| {
        if from.amount {
            (q.rendering.risk.amount, q.rendering.risk.exact) = (amount, amount.to_string());
            q.rendering.risk.currency = if amount > 70 { "usd".into() } else { String::new() };
        }
        if from.count {
            q.rendering.risk.count = amount.clamp(1, 3);
        }
        if from.resource {
            q.rendering.resource.id = id.into();
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// What is denied unread is denied with every record, and the answer itself reads nothing of it.
    #[test]
    fn what_is_denied_unread_is_denied_with_every_record_a3(
        policies in policies(),
        from in flags(),
        questions in prop::collection::vec(question(), 20),
    ) {
        let text = source(&loadable(&policies));
        let world = load_reading(&text, from);
        for question in questions.iter().filter(|q| q.action == "stripe.refund.create") {
            let blank = with_record(question, from, (0, "(not read)"));
            let answer = world.policies.answer_unread(&blank.asked());
            for record in [(0, "x_1"), (50, "x_9"), (100, "x_1"), (101, "x_2"), (5_000, "x_9")] {
                let read = with_record(question, from, record);
                prop_assert_eq!(world.policies.answer_unread(&read.asked()), answer.clone(), "{}", text);
                let decision = read.ask(&world);
                match &answer {
                    Unread::Denied(_) => prop_assert!(code(&decision).is_some(), "{} {:?}", text, record),
                    // Every link has its permit: only a forbid that reads the record, or an error, denies.
                    Unread::Read { permitted: true } => {
                        prop_assert_ne!(code(&decision), Some(DenyCode::NoPermit), "{}", text);
                    }
                    Unread::Read { permitted: false } => {}
                }
            }
        }
    }
}
