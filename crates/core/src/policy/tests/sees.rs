//! What policies read of the context, and what a request therefore brings along.

use cedar_policy::Policy;

use super::super::shape::{Fields, input_fields};
use super::*;

/// What counts as read by a policy with this condition.
#[test]
fn what_policies_read_is_found_wherever_it_is() {
    let head = "(principal, action == Action::\"stripe.refund.create\", resource)";
    let all = ["input", "env", "risk", "chain", "run", "now", "clock", "preview", "approvals"];
    for (condition, expect) in [
        ("true", vec![]),
        ("context.env == Environment::\"ops\"", vec!["env"]),
        ("context[\"env\"] == Environment::\"ops\"", vec!["env"]),
        ("context has run", vec!["run"]),
        ("context has chain.person", vec!["chain.person"]),
        ("context.chain has person && context.chain.person.name == \"x\"", vec!["chain.person"]),
        ("principal is Agent && principal.owner == context.chain.person", vec!["chain.person"]),
        ("context.input.meta has __entity", vec!["input.meta"]),
        ("context.risk == context.risk", vec!["risk"]),
        ("context.risk == {amount: context.risk.amount}", vec!["risk"]),
        (
            "if context.clock.hour > 1 then [context.now].isEmpty() else !context.risk.external",
            vec!["clock.hour", "now", "risk.external"],
        ),
        (
            "context.input.charge like \"a*\" && resource in [context.preview]",
            vec!["input.charge", "preview"],
        ),
        (
            "{a: context.env}.a in [context.preview] && -(context.risk.count) < 1",
            vec!["env", "preview", "risk.count"],
        ),
        (
            "context.now.toDate() == datetime(\"2026-01-01\").offset(duration(context.run))",
            vec!["now", "run"],
        ),
        ("context == context", all.to_vec()),
        ("{c: context}.c.env == Environment::\"ops\"", all.to_vec()),
        ("(if true then context else context).env == Environment::\"ops\"", all.to_vec()),
    ] {
        let policy: Policy = format!("@id(\"p\") permit {head} when {{ {condition} }};").parse().unwrap();
        let sees = Sees::of([&policy], &Fields::new());
        let seen: Vec<&str> = expect.iter().map(|path| path.split('.').next().unwrap()).collect();
        for field in all {
            assert_eq!(sees.field(field), seen.contains(&field), "{field} of {condition}");
        }
        let below = ["amount", "charge", "meta", "person", "depth", "hour", "weekday", "external", "count"];
        for (field, name) in all.iter().flat_map(|field| below.map(|name| (*field, name))) {
            let whole = expect.contains(&field);
            let named = expect.contains(&format!("{field}.{name}").as_str());
            assert_eq!(sees.below(field, name), whole || named, "{field}.{name} of {condition}");
        }
    }
}

/// A gate reads `approvals`, and nothing else does.
#[test]
fn a_slice_sees_what_all_its_policies_read_and_what_only_cedar_can_check() {
    let world = world(REFUNDS);
    let sees = &world.policies.slices["stripe.refund.create"].sees;
    let fields = ["approvals", "env", "risk", "input", "now"].map(|field| sees.field(field));
    assert_eq!(fields, [true, true, true, false, false]);
    assert!(sees.below("risk", "amount") && !sees.below("risk", "exact"));
    assert!(!world.policies.slices["crm.contact.get"].sees.field("approvals"));
    let fields = input_fields(&json!({ "type": "object", "properties": {
        "ip": { "type": "string", "format": "ipv4" },
        "ips": { "type": "array", "items": { "type": "string", "format": "ipv4" } },
        "name": { "type": "string" },
    } }));
    let sees = Sees::of([], &fields);
    assert_eq!(["ip", "ips", "name"].map(|name| sees.below("input", name)), [true, true, false]);
}
