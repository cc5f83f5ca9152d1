//! What holds for every policy set and every question.

use proptest::prelude::*;

use super::*;
use crate::decision::DenyCode;

/// Scopes and conditions from which random policies are made. Some overflow for some questions.
const PRINCIPALS: [&str; 7] = [
    "principal",
    "principal == Person::\"ann\"",
    "principal == Agent::\"bot\"",
    "principal in Team::\"company\"",
    "principal in Team::\"finance\"",
    "principal is Agent",
    "principal is Person in Team::\"support\"",
];
const ACTIONS: [&str; 8] = [
    "action",
    "action == Action::\"stripe.refund.create\"",
    "action == Action::\"crm.contact.get\"",
    "action in Action::\"any\"",
    "action in Action::\"write\"",
    "action in Action::\"financial\"",
    "action in Action::\"read\"",
    "action in [Action::\"crm.contact.get\", Action::\"external\"]",
];
const RESOURCES: [&str; 8] = [
    "resource",
    "resource in System::\"stripe\"",
    "resource in System::\"crm\"",
    "resource is Charge",
    "resource is Contact in System::\"crm\"",
    "resource == Charge::\"x_1\"",
    "resource == Contact::\"x_9\"",
    "resource in Contact::\"x_1\"",
];
const CONDITIONS: [&str; 20] = [
    "",
    "when { context.risk.amount > 100 }",
    "when { context.risk.amount > 1000 }",
    "unless { context.risk.amount > 100 }",
    "when { context.env == Environment::\"support\" }",
    "when { context.risk.count * 4611686018427387904 > 0 }",
    "unless { context has run && context.run == \"r\" }",
    "when { context.chain.depth > 1 }",
    "when { principal is Agent && principal.owner in Team::\"finance\" }",
    "when { context.chain has person && context.chain.person in Team::\"finance\" }",
    "when { context.risk.exact.greaterThan(decimal(\"99.5\")) && context.risk.currency == \"usd\" }",
    "unless { context.now > datetime(\"2026-01-01\") && context.clock.hour == 12 }",
    "when { [context.preview].contains(PreviewLevel::\"declared\") && context.clock.weekday like \"mon*\" }",
    "unless { resource.id == \"x_1\" && resource.system == System::\"crm\" }",
    "when { context.input has amount && context.input.amount > 60 }",
    "unless { context.input has amount }",
    "when { context.input has meta.__entity }",
    "when { context.input.note == \"none\" || context.input.charge == \"ch_2\" }",
    "when { if context has run then context.risk.amount > 60 else context.risk.count > 2 }",
    "unless { {a: context.input.charge, b: context.env} == {a: \"ch_1\", b: Environment::\"ops\"} }",
];

/// Annotations after the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Permit,
    Forbid,
    Gate(&'static str),
}

pub(super) type Random = (Kind, &'static str, &'static str, &'static str, &'static str);

fn policy() -> impl Strategy<Value = Random> {
    let kind = prop_oneof![
        3 => Just(Kind::Permit),
        1 => Just(Kind::Forbid),
        2 => prop_oneof![Just("finance"), Just("release"), Just("finance, release")].prop_map(Kind::Gate),
    ];
    let pick = prop::sample::select::<&'static str>;
    (kind, pick(&PRINCIPALS[..]), pick(&ACTIONS[..]), pick(&RESOURCES[..]), pick(&CONDITIONS[..]))
}

/// A random set. Most have a broad permit, or nearly every question would end with `no_permit`.
pub(super) fn policies() -> impl Strategy<Value = Vec<Random>> {
    let broad = (Kind::Permit, "principal", "action", "resource", "");
    (prop::collection::vec(policy(), 0..7), prop::bool::weighted(0.75)).prop_map(move |(mut set, open)| {
        if open {
            set.push(broad);
        }
        set
    })
}

fn text(index: usize, (kind, principal, action, resource, condition): &Random) -> String {
    let head = match kind {
        Kind::Permit => format!("@id(\"p{index}\") permit"),
        Kind::Forbid => format!("@id(\"p{index}\") forbid"),
        Kind::Gate(rules) => format!("@id(\"p{index}\") @approval(\"{rules}\") forbid"),
    };
    format!("{head} ({principal}, {action}, {resource}) {condition};\n")
}

/// The policies that load. One that can never match is refused, which is another test's matter.
pub(super) fn loadable(policies: &[Random]) -> Vec<(usize, Random)> {
    let indexed = policies.iter().copied().enumerate();
    indexed.filter(|(i, p)| load(&text(*i, p)).is_ok()).collect()
}

pub(super) fn source(policies: &[(usize, Random)]) -> String {
    policies.iter().map(|(i, p)| text(*i, p)).collect()
}

pub(super) fn question() -> impl Strategy<Value = Question> {
    let chains = prop::sample::select(vec![
        vec![("person", "ann"), ("agent", "bot")],
        vec![("agent", "bot")],
        vec![("agent", "sub")],
        vec![("person", "fay"), ("agent", "bot")],
        vec![("person", "ann"), ("agent", "bot"), ("agent", "sub")],
    ]);
    let amount = prop::sample::select(vec![0, 50, 500, 5_000]);
    let approved = prop::collection::btree_set((0..8_usize).prop_map(|i| format!("p{i}")), 0..8);
    let inputs = prop::sample::select(vec![
        None,
        Some(json!({ "charge": "ch_2" })),
        Some(json!({ "charge": "ch_1", "note": "n", "meta": { "__entity": "e" } })),
        Some(json!({ "charge": "ch_1", "amount": 70, "meta": {} })),
        Some(json!({ "charge": 1 })),
        Some(json!({ "charge": "ch_1", "note": null })),
    ]);
    (chains, amount, 1..4_i64, any::<[bool; 3]>(), approved, inputs).prop_map(
        |(links, amount, count, [refund, support, run], approved, input)| {
            let base = if refund { Question::refund(amount) } else { Question::contact() };
            base.with(|q| {
                q.chain = chain(&links);
                q.rendering.risk.count = count;
                q.rendering.environment = if support { "support".into() } else { "ops".into() };
                q.run = run.then_some("r");
                q.approved = approved;
                q.input = input.filter(|_| refund).unwrap_or_else(|| q.input.clone());
            })
        },
    )
}

fn gate_ids(decision: &Decision) -> BTreeSet<&str> {
    decision.gates().iter().map(|g| g.policy.id.as_str()).collect()
}

/// How much a answer lets through.
fn openness(decision: &Decision) -> u8 {
    match decision.answer {
        Answer::Deny { .. } => 0,
        Answer::NeedsApproval { .. } => 1,
        Answer::Allow => 2,
    }
}

fn code(decision: &Decision) -> Option<DenyCode> {
    match decision.answer {
        Answer::Deny { code } => Some(code),
        Answer::Allow | Answer::NeedsApproval { .. } => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Slicing changes neither answer nor reasons nor errors, and neither does any other shortcut.
    #[test]
    fn a_sliced_decision_is_the_whole_sets_decision(
        policies in policies(),
        questions in prop::collection::vec(question(), 20),
    ) {
        let text = source(&loadable(&policies));
        let sliced = world(&text);
        let whole = load_with(&[file(&text)], WHOLE).map_err(|_| ()).unwrap();
        for question in questions {
            let decision = question.ask(&sliced);
            let named = ids(&decision).into_iter().map(str::to_owned).collect();
            prop_assert_eq!((word(&decision), named), plain::answer(&question, &whole), "{}", text);
            prop_assert_eq!(decision, question.ask(&whole), "{}", text);
        }
    }

    /// A permit can move `no_permit` to anything, but no gate that fired stops firing.
    #[test]
    fn adding_permits_never_removes_a_gate(
        policies in policies(),
        more in prop::collection::vec(policy(), 1..4),
        questions in prop::collection::vec(question(), 20),
    ) {
        let base = loadable(&policies);
        let mut wider = base.clone();
        let permits = loadable(&more).into_iter().filter(|(_, p)| p.0 == Kind::Permit);
        wider.extend(permits.map(|(i, p)| (i.saturating_add(100), p)));
        let (before, after) = (world(&source(&base)), world(&source(&wider)));
        for question in questions {
            let (old, new) = (question.ask(&before), question.ask(&after));
            match old.answer {
                Answer::NeedsApproval { .. } if code(&new) != Some(DenyCode::PolicyError) => {
                    prop_assert_eq!(gate_ids(&new), gate_ids(&old), "{}", source(&wider));
                    prop_assert_eq!(new.digest, old.digest);
                }
                Answer::Deny { code: DenyCode::Forbidden | DenyCode::PolicyError } => {
                    prop_assert_eq!(openness(&new), 0, "{}", source(&wider));
                }
                Answer::Allow | Answer::NeedsApproval { .. } | Answer::Deny { .. } => {}
            }
        }
    }

    /// A longer chain only narrows, and its gates include those of the shorter one.
    #[test]
    fn adding_a_link_never_widens(
        policies in policies(),
        questions in prop::collection::vec(question(), 20),
    ) {
        // A policy may read `context.chain`, so that a longer chain is another question; those are left out.
        let fixed: Vec<_> = policies.into_iter().filter(|p| !p.4.contains("chain")).collect();
        let world = world(&source(&loadable(&fixed)));
        let (short, long) = (vec![("agent", "bot")], vec![("person", "ann"), ("agent", "bot")]);
        for question in questions {
            let narrow = question.clone().with(|q| q.chain = chain(&long)).ask(&world);
            let wide = question.with(|q| q.chain = chain(&short)).ask(&world);
            prop_assert!(openness(&narrow) <= openness(&wide));
            if openness(&narrow) == 1 {
                prop_assert!(gate_ids(&narrow).is_superset(&gate_ids(&wide)));
            }
        }
    }

    /// An approval lifts gates of its own name; it grants nothing and hides nothing.
    #[test]
    fn approvals_only_open_gates(
        policies in policies(),
        questions in prop::collection::vec(question(), 20),
    ) {
        let loaded = loadable(&policies);
        let world = world(&source(&loaded));
        for question in questions {
            let without = question.clone().approved(&[]).ask(&world);
            let with = question.ask(&world);
            prop_assert_eq!(without.digest, with.digest);
            let covered = gate_ids(&without).iter().all(|id| question.approved.contains(*id));
            if openness(&without) == 1 && covered {
                prop_assert_eq!(word(&with), "allow");
                // Nobody was asked in vain: some permit spoke for it.
                prop_assert!(!with.policies.is_empty());
            } else {
                prop_assert_eq!(with, without);
            }
        }
    }

    /// What is not listed as reachable is never allowed and never asked about.
    #[test]
    fn the_listing_leaves_out_only_what_is_denied_t41(
        policies in policies(),
        questions in prop::collection::vec(question(), 20),
    ) {
        let world = world(&source(&loadable(&policies)));
        for question in questions {
            if !world.policies.may_reach(&question.chain, question.action) {
                prop_assert_eq!(openness(&question.ask(&world)), 0);
            }
        }
    }
}

/// T42: a negated or wide scope of a permit cannot reach past a forbid.
#[test]
fn a_wide_permit_never_reaches_past_a_forbid_t42() {
    let wide = "@id(\"all\") permit (principal, action, resource);
        @id(\"most\") permit (principal, action, resource) unless { action in Action::\"read\" };";
    let world =
        world(&format!("{wide} @id(\"no\") forbid (principal, action in Action::\"financial\", resource);"));
    assert_eq!(word(&Question::refund(1).ask(&world)), "deny:forbidden");
    assert_eq!(word(&Question::contact().ask(&world)), "allow");
}
