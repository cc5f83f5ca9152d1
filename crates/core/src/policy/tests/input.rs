//! Values on their way into Cedar.

use proptest::prelude::*;

use cedar_policy::{Context, RestrictedExpression};

use super::super::shape::{Field, Kind, input_fields};
use super::super::value;
use super::*;

/// The answer of a permit with this condition, over one input field `x` of the given schema.
fn holds(schema: &Value, value: &Value, condition: &str) -> String {
    let directory = directory();
    let (rules, environments) = (rules(), environments());
    let around = Surroundings { directory: &directory, rules: &rules, environments: &environments };
    let whole = json!({ "type": "object", "properties": { "x": schema }, "required": ["x"] });
    let shape = ActionShape { schema: whole, ..refund() };
    let text = format!("@id(\"a\") permit (principal, action, resource) when {{ {condition} }};");
    let loaded = Policies::load_shapes(&[file(&text)], &[shape], around);
    let (policies, _) = loaded.unwrap_or_else(|p| panic!("{condition}: {}", p[0]));
    word(&Question::refund(1).with(|q| q.input = json!({ "x": value })).ask_of(&policies))
}

#[test]
fn each_type_of_the_schema_has_its_counterpart() {
    let number = json!({ "type": "number", "multipleOf": 0.01 });
    let text = |format: &str| json!({ "type": "string", "format": format });
    let nested = json!({ "type": "object", "properties": { "y": { "type": "array", "items": { "type": "integer" } } } });
    for (schema, value, condition) in [
        (json!({ "type": "boolean" }), json!(true), "context.input.x"),
        (json!({ "type": "integer" }), json!(-7), "context.input.x == -7"),
        (json!({ "type": "integer" }), json!(7.0), "context.input.x == 7"),
        (json!({ "type": "string" }), json!("é\"\\"), "context.input.x == \"é\\\"\\\\\""),
        (number.clone(), json!(25.1), "context.input.x == decimal(\"25.10\")"),
        (number, json!(-3), "context.input.x == decimal(\"-3.0\")"),
        (
            text("date-time"),
            json!("2026-11-23T14:00:00.5+02:00"),
            "context.input.x == datetime(\"2026-11-23T12:00:00.500Z\")",
        ),
        (text("date"), json!("2026-11-23"), "context.input.x == datetime(\"2026-11-23\")"),
        (text("ipv4"), json!("10.1.2.3"), "context.input.x.isInRange(ip(\"10.0.0.0/8\"))"),
        (text("ipv6"), json!("::1"), "context.input.x.isLoopback()"),
        (text("email"), json!("a@b.c"), "context.input.x like \"*@b.c\""),
        (
            json!({ "type": "string", "x-cedar": "duration" }),
            json!("1h"),
            "context.input.x == duration(\"60m\")",
        ),
        (
            json!({ "type": "string", "x-cedar": "decimal" }),
            json!("1.5"),
            "context.input.x == decimal(\"1.5\")",
        ),
        (nested, json!({ "y": [2, 1, 2] }), "context.input.x has y && context.input.x.y == [1, 2]"),
    ] {
        assert_eq!(holds(&schema, &value, condition), "allow", "{value}");
    }
}

#[test]
fn a_value_that_does_not_fit_exactly_is_refused() {
    let text = |format: &str| json!({ "type": "string", "format": format });
    let cents = json!({ "type": "number", "multipleOf": 0.01 });
    for (schema, value) in [
        (cents.clone(), json!(0.00001)),
        (cents.clone(), json!(1e300)),
        (cents, json!("1")),
        (text("date-time"), json!("2026-11-23")),
        (text("date-time"), json!("yesterday")),
        (text("date-time"), json!("-000001-01-01T00:00:00Z")),
        (text("date"), json!("2026-02-30")),
        (text("ipv4"), json!("10.0.0.0/8")),
        (text("ipv4"), json!("0x7f.1")),
        (text("ipv6"), json!("::ffff:10.0.0.1")),
        (json!({ "type": "string", "x-cedar": "duration" }), json!("soon")),
        (json!({ "type": "string", "x-cedar": "duration" }), json!("m1")),
        (json!({ "type": "string", "x-cedar": "decimal" }), json!("1.")),
        (json!({ "type": "boolean" }), json!("true")),
        (json!({ "type": "array", "items": { "type": "string" } }), json!(["a", 1])),
    ] {
        assert_eq!(holds(&schema, &value, "context.risk.count == 1"), "deny:invalid_request", "{value}");
    }
}

#[test]
fn what_has_no_counterpart_is_not_visible() {
    let fields = input_fields(&json!({
        "type": "object",
        "$defs": { "leaf": { "type": "string" }, "loop": { "$ref": "#/$defs/loop" } },
        "properties": {
            "union": { "type": ["string", "integer"] },
            "forms": { "oneOf": [{ "type": "object", "properties": {} }] },
            "any": { "anyOf": [{ "type": "string" }] },
            "number": { "type": "number" },
            "fifths": { "type": "number", "multipleOf": 0.00001 },
            "map": { "type": "object", "additionalProperties": { "type": "string" } },
            "tuple": { "type": "array", "prefixItems": [{ "type": "string" }] },
            "loop": { "$ref": "#/$defs/loop" },
            "far": { "$ref": "https://example.com/schema" },
            "other": { "type": "string", "x-cedar": "secret" },
            "leaf": { "$ref": "#/$defs/leaf" },
        },
    }));
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["leaf"]);
    assert_eq!(fields["leaf"].kind, Kind::Text(None));
}

#[test]
fn a_schema_that_unfolds_without_end_is_cut_off_t56() {
    let mut definitions = serde_json::Map::new();
    for level in 0..40 {
        let next = json!({ "$ref": format!("#/$defs/l{}", level + 1) });
        let both = json!({ "type": "object", "properties": { "a": next, "b": next } });
        definitions.insert(format!("l{level}"), both);
    }
    let schema =
        json!({ "type": "object", "$defs": definitions, "properties": { "x": { "$ref": "#/$defs/l0" } } });
    assert!(input_fields(&schema).len() <= 1);
}

#[test]
fn a_default_stands_for_an_absent_field_and_only_if_it_fits() {
    let fields = input_fields(&json!({
        "type": "object",
        "properties": { "good": { "type": "integer", "default": 5 }, "bad": { "type": "integer", "default": "5" } },
    }));
    assert!(fields["good"].is_always_there());
    assert!(!fields["bad"].is_always_there());
}

#[test]
fn decimals_are_exact_or_nothing() {
    let text = |t: &str| value::decimal(t).map(|d| format!("{d:?}").contains("decimal"));
    for good in
        ["0", "-0", "1", "1e2", "12E-2", "1.0000000", "0.1234", "922337203685477.5807", "1e-4", "0e999"]
    {
        assert_eq!(text(good), Some(true), "{good}");
    }
    for bad in [
        "",
        "-",
        ".",
        "1.",
        ".5",
        "+1",
        "1e",
        "1e-5",
        "0.12345",
        "1e400",
        "1e99999999999",
        "922337203685477.5808",
        "NaN",
        "0x1",
        "1_0",
        "--1",
        "1e1.5",
        "1 ",
        "99999999999999999999999999999999999999999",
    ] {
        assert_eq!(text(bad), None, "{bad}");
    }
    let signs = ["-0.0001", "nonsense", "-0.0"].map(|t| value::units(t).map(i64::is_negative));
    assert_eq!(signs, [Some(true), None, Some(false)]);
}

#[test]
fn cedars_magic_keys_are_plain_data_at_any_depth_t57() {
    // CVE-2026-55772: `{"__entity": …}` in untyped JSON would become an entity.
    let escapes = [
        json!({ "__entity": { "type": "Team", "id": "finance" } }),
        json!({ "__extn": { "fn": "decimal", "arg": "1.0" } }),
        json!({ "__expr": "principal" }),
        json!([{ "__entity": { "type": "Person", "id": "ann" } }]),
    ];
    let world = world(REFUNDS);
    for escape in escapes {
        for input in [
            json!({ "charge": escape }),
            json!({ "charge": "c", "amount": escape }),
            json!({ "charge": "c", "meta": { "__entity": escape } }),
            json!({ "charge": "c", "meta": escape.get("__entity").map_or(json!([]), |_| escape.clone()) }),
        ] {
            let decision = Question::refund(5).with(|q| q.input = input.clone()).ask(&world);
            assert_eq!(word(&decision), "deny:invalid_request", "{input}");
        }
        // Undeclared keys are not visible, whatever they are called; as text they are text.
        for input in [
            json!({ "charge": "c", "extra": escape, "__entity": { "type": "Team", "id": "finance" } }),
            json!({ "charge": escape.to_string() }),
            json!({ "charge": "c", "meta": { "__entity": escape.to_string(), "__extn": escape } }),
        ] {
            let decision = Question::refund(5).with(|q| q.input = input.clone()).ask(&world);
            assert_eq!(word(&decision), "allow", "{input}");
        }
    }
    let head = "(principal, action == Action::\"stripe.refund.create\", resource)";
    let reads = self::world(&format!(
        "@id(\"a\") permit {head} when {{ context.input has meta.__entity && context.input.meta.__entity == \"x\" }};"
    ));
    let question =
        Question::refund(5).with(|q| q.input = json!({ "charge": "c", "meta": { "__entity": "x" } }));
    assert_eq!(word(&question.ask(&reads)), "allow");
}

fn json_value() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        Just("__entity".to_owned()),
        Just("__extn".to_owned()),
        Just("type".to_owned()),
        "[a-z]{1,3}"
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..4).prop_map(Value::from_iter),
        ]
    })
}

/// Every kind that is checked without Cedar, alone and inside others.
fn checked_kind() -> impl Strategy<Value = Kind> {
    let field = |kind| (kind, any::<bool>(), any::<bool>());
    let leaf = prop::sample::select(vec![
        Kind::Bool,
        Kind::Long,
        Kind::Text(None),
        Kind::Decimal,
        Kind::DecimalText,
    ]);
    leaf.prop_recursive(2, 8, 2, move |inner| {
        prop_oneof![
            inner.clone().prop_map(|kind| Kind::Set(Box::new(kind))),
            prop::collection::btree_map("[a-z]{1,3}", field(inner), 0..3).prop_map(|fields| {
                let field = |(kind, required, null): (Kind, bool, bool)| {
                    let default = (!required && !null && kind == Kind::Long).then(|| json!(5));
                    Field { kind, required, default, is_email: false, nullable: false }
                };
                Kind::Record(fields.into_iter().map(|(name, of)| (name, field(of))).collect())
            }),
        ]
    })
}

/// Values of which some fit such a kind.
fn fitting(kind: &Kind) -> BoxedStrategy<Value> {
    let right = match kind {
        Kind::Bool => any::<bool>().prop_map(Value::from).boxed(),
        Kind::Long => any::<i64>().prop_map(|n| json!(n >> 9)).boxed(),
        Kind::Decimal => any::<i32>().prop_map(|n| json!(f64::from(n) / 100.0)).boxed(),
        Kind::DecimalText => any::<i64>().prop_map(|n| json!(format!("{n}e-4"))).boxed(),
        Kind::Set(item) => prop::collection::vec(fitting(item), 0..3).prop_map(Value::from).boxed(),
        Kind::Record(fields) => {
            let each: Vec<_> =
                fields.iter().map(|(name, f)| (Just(name.clone()), fitting(&f.kind))).collect();
            each.prop_map(Value::from_iter).boxed()
        }
        Kind::Text(_) | Kind::DateTime | Kind::Date | Kind::Ip | Kind::Duration => {
            ".{0,8}".prop_map(Value::from).boxed()
        }
    };
    prop_oneof![12 => right, 1 => json_value()].boxed()
}

fn accepted(value: RestrictedExpression) -> bool {
    Context::from_pairs([("x".to_owned(), value)]).is_ok()
}

/// A kind that Cedar reads itself is never left to us alone, wherever it is.
#[test]
fn what_only_cedar_can_check_is_always_shown_to_it() {
    let text = |format: &str| json!({ "type": "string", "format": format });
    let span = json!({ "type": "string", "x-cedar": "duration" });
    let deep = json!({ "type": "object", "properties": { "y": { "type": "array", "items": text("ipv4") } } });
    for (schema, good, bad) in [
        (text("ipv6"), json!("::1"), json!("::ffff:1.2.3.4")),
        (span.clone(), json!("1d"), json!("99999999999999999999d")),
        (text("date"), json!("2026-11-23"), json!("-000001-01-01")),
        (text("date-time"), json!("2026-11-23T00:00:00Z"), json!("yesterday")),
        (deep, json!({ "y": ["1.2.3.4"] }), json!({ "y": ["1.2.3.4", "::ffff:1.2.3.4"] })),
    ] {
        assert_eq!(holds(&schema, &good, "true"), "allow", "{schema}");
        assert_eq!(holds(&schema, &bad, "true"), "deny:invalid_request", "{schema}");
    }
}

/// `context.now` is left out where nobody reads it: there is no moment that Cedar would refuse.
#[test]
fn cedar_can_hold_every_moment_that_is_a_moment_here() {
    for text in [
        "0000-01-01T00:00:00Z",
        "0000-02-29T23:59:59.9Z",
        "1969-12-31T23:59:59.999999Z",
        "9999-12-30T22:00:00.999Z",
    ] {
        let moment: jiff::Timestamp = text.parse().unwrap();
        assert!(accepted(value::in_utc(value::utc(moment).unwrap())), "{text}");
    }
    assert!(accepted(value::in_utc(value::utc(jiff::Timestamp::MAX).unwrap())));
    assert!(value::utc(jiff::Timestamp::MIN).is_none());
}

proptest! {
    #[test]
    fn what_fits_is_what_becomes_a_value_that_cedar_accepts(
        (kind, value) in checked_kind().prop_flat_map(|kind| (Just(kind.clone()), fitting(&kind))),
    ) {
        prop_assert!(kind.is_checked_here());
        let made = value::to_cedar(&kind, &value);
        prop_assert_eq!(value::fits(&kind, &value), made.is_some());
        prop_assert!(made.is_none_or(accepted));
    }

    #[test]
    fn cedar_accepts_every_decimal_that_is_one_here(n in prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX)]) {
        let text = format!("{n}e-4");
        prop_assert_eq!(value::units(&text), Some(n));
        prop_assert!(value::decimal(&text).is_some_and(accepted));
    }

    #[test]
    fn no_input_changes_a_decision_that_does_not_read_it_t57(extra in json_value(), charge in ".{0,20}") {
        let world = world(REFUNDS);
        let plain = Question::refund(500).with(|q| q.input = json!({ "charge": "c" })).ask(&world);
        let odd = Question::refund(500).with(|q| q.input = json!({ "charge": charge, "extra": extra })).ask(&world);
        prop_assert_eq!(odd, plain);
    }

    #[test]
    fn a_field_of_another_shape_never_allows_t57(value in json_value()) {
        let world = world(REFUNDS);
        let decision = Question::refund(5).with(|q| q.input = json!({ "charge": value.clone() })).ask(&world);
        prop_assert_eq!(word(&decision) == "allow", value.is_string());
    }
}
