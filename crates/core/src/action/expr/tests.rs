use serde_json::json;

use super::*;

fn schema() -> Value {
    json!({
        "type": "object", "additionalProperties": false, "required": ["charge", "changes"],
        "properties": {
            "charge": {"type": "string"},
            "amount": {"type": "integer"},
            "reason": {"type": "string", "default": "x"},
            "ids": {"type": "array", "items": {"type": "string"}},
            "changes": {"type": "object", "properties": {"email": {"type": "string"}}},
        }
    })
}

fn words<'a>(schema: &'a Value, lets: &'a BTreeSet<String>) -> Vocabulary<'a> {
    Vocabulary { schema, before: true, proposal: true, lets }
}

fn compile(source: &str) -> Result<Expression, String> {
    let lets = BTreeSet::from(["minor".to_owned()]);
    Expression::compile("test", source, &words(&schema(), &lets))
}

fn eval(source: &str) -> Result<Option<Value>, RenderError> {
    let input = json!({"charge": "ch_1", "ids": ["a", "b"], "changes": {}});
    let before = json!({"amount": 2000, "refunded": 500, "rate": 1.5, "currency": "usd", "tags": ["x"]});
    let mut scope = Scope::new(&input, Some(&before), Some("prp_1"));
    scope.bind("minor", json!(1234)).unwrap();
    compile(source).unwrap_or_else(|e| panic!("{source}: {e}")).eval(&mut scope)
}

#[test]
fn an_expression_gives_a_typed_value() {
    for (source, expect) in [
        ("input.charge", json!("ch_1")),
        ("input.ids", json!(["a", "b"])),
        ("before.rate", json!(1.5)),
        ("proposal.id", json!("prp_1")),
        ("minor", json!(1234)),
        ("has(input.amount) ? input.amount : before.amount - before.refunded", json!(1500)),
        ("before.amount / 100", json!(20)),
        ("money(minor, before.currency)", json!("12.34")),
        ("money(before.amount, 'jpy')", json!("2000")),
        ("money(5, 'KWD')", json!("0.005")),
        ("money_text(1250000, 'usd')", json!("12,500.00 USD")),
        ("money_text(before.amount, 'jpy')", json!("2,000 JPY")),
        ("money(-5, 'usd')", json!("-0.05")),
        ("len(input.ids) + len('abc') + size(before)", json!(10)),
        ("lower('ABC')", json!("abc")),
        ("input.ids.exists(i, i == 'b')", json!(true)),
        ("input.ids.map(i, i + '!')", json!(["a!", "b!"])),
        ("input.ids.filter(i, i != 'a').map(i, i)", json!(["b"])),
        ("input.charge.matches('^ch_[0-9]+$')", json!(true)),
        ("{'a': [minor, null, true, 1.5]}", json!({"a": [1234, null, true, 1.5]})),
        ("string(minor) + input.charge", json!("1234ch_1")),
        ("before['amount']", json!(2000)),
    ] {
        assert_eq!(eval(source), Ok(Some(expect)), "{source}");
    }
}

#[test]
fn an_optional_field_that_was_left_out_is_no_value_and_anything_else_absent_is_an_error() {
    assert_eq!(eval("input.amount"), Ok(None));
    assert_eq!(eval("input.changes.email"), Ok(None));
    for source in ["before.nothing", "input.amount + 1", "before.tags[3]", "minor / 0", "minor.x"] {
        let error = eval(source).unwrap_err();
        assert_eq!(error.place, "test");
        assert!(!error.detail.contains("2000"), "{error}");
    }
}

#[test]
fn what_cannot_be_said_exactly_in_json_is_an_error() {
    for source in [
        "9007199254740991 + 1",
        "9223372036854775807 + 1",
        "1.0 / 0.0",
        "{1: 'a'}",
        "money(1, 'euro')",
        "before.amount + 'a'",
        "-(-9223372036854775807 - 1)",
        "(-9223372036854775807 - 1) / -1",
        "(-9223372036854775807 - 1) % -1",
        "input.ids[-1]",
        "int('abc')",
        "int(1e300)",
        "int('9223372036854775808')",
        "5 % 0",
        "before.tags + 1",
        "before.currency[0]",
        "before.tags.x",
        "before.amount ? 2 : 3",
    ] {
        assert!(eval(source).is_err(), "{source}");
    }
}

#[test]
fn careless_expressions_are_refused_at_load_t54() {
    for (source, part) in [
        ("input.nothing", "not in the input schema"),
        ("has(input.nothing)", "not in the input schema"),
        ("input.charge.x", "not in the input schema"),
        ("inptu.charge", "not known here"),
        ("proposal", "only `proposal.id`"),
        ("proposal.agent", "only `proposal.id`"),
        ("lower(proposal.id)", "must stand alone"),
        ("input.ids.exists(i, input.ids.exists(j, i == j))", "loop inside a loop"),
        ("input.ids.all(i, [1].map(j, j).size() > 0)", "loop inside a loop"),
        ("input.ids.exists(minor, minor == 'a')", "hides a variable"),
        ("input.charge.matches(input.reason)", "must be a literal"),
        ("input.charge.matches('(a')", "not a regular expression"),
        ("timestamp('2020-01-01T00:00:00Z')", "not available"),
        ("now()", "not available"),
        ("1u", "without `u`"),
        ("input.?amount", "not a CEL expression"),
        ("input.", "not a CEL expression"),
        ("a.b{c: 1}", "typed messages"),
    ] {
        let error = compile(source).map(|_| ()).unwrap_err();
        assert!(error.contains(part), "{source}: {error}");
    }
}

#[test]
fn a_record_with_a_long_array_is_refused_instead_of_looped_over() {
    let input = json!({});
    let before = json!({"xs": vec![1; crate::limits::EXPRESSION_ITEMS_MAX + 1]});
    let lets = BTreeSet::new();
    let run = |source: &str| {
        let mut scope = Scope::new(&input, Some(&before), None);
        Expression::compile("test", source, &words(&json!({}), &lets)).unwrap().eval(&mut scope)
    };
    assert!(run("before.xs.exists(x, x == 2)").unwrap_err().detail.contains("more than"));
    assert!(run("before.xs").is_ok(), "a plain path does not loop");
}

#[test]
fn text_is_split_at_expressions_and_nowhere_else() {
    use Piece::{Code, Literal};
    for (text, expect) in [
        ("", vec![]),
        ("a", vec![Literal("a")]),
        ("${ a }", vec![Code("a")]),
        ("x${a}y${b}", vec![Literal("x"), Code("a"), Literal("y"), Code("b")]),
        ("${{'a': '}'}}!", vec![Code("{'a': '}'}"), Literal("!")]),
        ("${'\\'}'}", vec![Code("'\\'}'")]),
        ("$a $ {b}", vec![Literal("$a $ {b}")]),
    ] {
        assert_eq!(split(text).unwrap(), expect, "{text}");
    }
    for text in ["${a", "${}", "${ }", "${'a}"] {
        assert!(split(text).is_err(), "{text}");
    }
}

#[test]
fn a_value_can_only_become_itself_at_its_place() {
    let schema = schema();
    let lets = BTreeSet::new();
    let tree =
        json!({"charge": "${input.charge}", "n": {"amount": "${input.amount}"}, "k": [1, "${input.ids}"]});
    let template = Template::compile("request.body", &tree, &words(&schema, &lets)).unwrap();
    let evil = "ch_1\",\"amount\":1,\"x\":\"${proposal.id}";
    let input = json!({"charge": evil, "ids": ["${input.charge}"], "changes": {}});
    let value = template.render(&mut Scope::new(&input, None, Some("prp_1"))).unwrap();
    assert_eq!(value, Some(json!({"charge": evil, "n": {}, "k": [1, ["${input.charge}"]]})));

    assert!(Template::compile("b", &json!("a-${input.charge}"), &words(&schema, &lets)).is_err());
}

#[test]
fn what_no_valid_input_can_be_computed_for_is_refused_at_load() {
    for (source, says) in [
        ("input.charge + input.amount", "a text and an integer cannot be joined with `+`; write `string(…)`"),
        ("input.charge - 1", "`-` needs numbers, and this is a text"),
        ("input.charge > 5", "a text cannot be compared with an integer"),
        ("input.charge == 5", "a text never equals an integer"),
        ("input.ids == 'a'", "an array never equals a text"),
        ("input.ids.name", "in the input schema"),
        ("size(input.amount)", "`size` needs a text, an array or an object, and this is an integer"),
        ("input.amount.startsWith('a')", "`startsWith` needs texts, and this is an integer"),
        ("input.ids.exists(i, i > 5)", "a text cannot be compared with an integer"),
        ("input.ids.exists(i, i.name == 'x')", "a text has no field `name`"),
        ("input.amount.exists(i, i == 1)", "a loop needs an array or an object, and this is an integer"),
        ("input.charge ? 1 : 2", "`?_:` needs a condition, and this is a text"),
        ("input.charge && true", "`&&` needs conditions, and this is a text"),
        ("lower(input.amount)", "`lower` needs a text, and this is an integer"),
        ("money(input.charge, 'usd')", "`money` needs an integer of the smallest unit, and this is a text"),
        ("'a' in input.charge", "`@in` needs an array or an object, and this is a text"),
    ] {
        let error = compile(source).unwrap_err();
        assert!(error.contains(says), "{source}: {error}");
    }
    // What the record holds is not known, and an integer may be compared with any number.
    for source in [
        "before.amount + 1",
        "before.name + 'x'",
        "input.amount > 1.5",
        "input.ids.filter(i, i != before.owner)",
        "input.ids.map(i, i + 'x')",
        "has(input.amount) && input.amount == before.amount",
        "input.changes.email == 'a'",
        "minor + 1",
    ] {
        compile(source).unwrap_or_else(|e| panic!("{source}: {e}"));
    }
}

#[test]
fn a_value_that_cannot_stand_where_it_is_used_is_refused_at_load() {
    let schema = json!({ "type": "object", "required": ["ids", "some"], "properties": {
        "ids": {"type": "array", "items": {"type": "string"}},
        "some": {"type": "array", "minItems": 1, "items": {"type": "string"}} } });
    let lets = BTreeSet::from(["outside".to_owned()]);
    let words = Vocabulary { schema: &schema, before: true, proposal: true, lets: &lets };
    let text = Text::compile("request.query.q", "${input.ids}", &words).unwrap_err();
    assert!(
        text.contains("`input.ids` is an array, and here stands a text, a number or a boolean"),
        "{text}"
    );
    Text::compile("request.query.q", "${input.ids[0]}", &words).unwrap();
    let count = |code: &str| Expression::compile("risk.count", code, &words).unwrap().must_be_count();
    for code in ["size(outside)", "size(input.ids)", "len(before.items)"] {
        let error = count(code).unwrap_err();
        assert!(
            error.contains("can be 0") && error.contains(&format!("write `{code} > 0 ? {code} : 1`")),
            "{error}"
        );
    }
    for code in ["size(input.some)", "size(outside) > 0 ? size(outside) : 1", "before.n", "3"] {
        count(code).unwrap_or_else(|e| panic!("{code}: {e}"));
    }
    assert!(count("input.ids[0]").unwrap_err().contains("is a text, and a count is an integer"));
}
