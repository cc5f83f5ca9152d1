use proptest::prelude::*;
use serde_json::json;

use super::*;

fn fields(value: Value) -> Value {
    let Value::Object(map) = value else { panic!("{value} is not a table of fields") };
    close(map)
}

fn refund() -> Value {
    fields(json!({
        "charge": {"type": "string", "pattern": "^ch_[A-Za-z0-9]{8,64}$", "required": true},
        "amount": {"type": "integer", "minimum": 1, "maximum": 99_999_999},
        "reason": {"type": "string", "enum": ["duplicate", "fraudulent"], "default": "duplicate"},
        "meta": {"type": "object", "properties": {
            "note": {"type": "string", "maxLength": 5, "required": true},
            "kind": {"type": "string", "maxLength": 5, "default": "a"},
        }},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 3}, "maxItems": 2},
    }))
}

fn validate(schema: &Value, input: Value) -> Result<Value, Vec<(String, String)>> {
    InputSchema::compile(schema)
        .unwrap()
        .validate(schema, input)
        .map(|i| i.value().clone())
        .map_err(|errors| errors.into_iter().map(|e| (e.pointer, e.detail)).collect())
}

#[test]
fn the_short_form_becomes_a_closed_schema() {
    let schema = refund();
    assert_eq!(schema["additionalProperties"], json!(false));
    assert_eq!(schema["required"], json!(["charge"]));
    assert_eq!(schema["properties"]["meta"]["additionalProperties"], json!(false));
    assert_eq!(schema["properties"]["meta"]["required"], json!(["note"]));
    assert_eq!(schema["properties"]["charge"].get("required"), None);
    assert_eq!(lint(&schema), Vec::new());
}

#[test]
fn defaults_are_in_place_before_anybody_looks() {
    let input = json!({"charge": "ch_12345678", "meta": {"note": "x"}});
    let expect = json!({"charge": "ch_12345678", "reason": "duplicate", "meta": {"note": "x", "kind": "a"}});
    assert_eq!(validate(&refund(), input), Ok(expect));
}

#[test]
fn every_mistake_is_listed_with_its_place_and_sorted_t54() {
    let input = json!({
        "amount": 0, "reason": "x", "extra": 1, "Charge": "ch_12345678",
        "meta": {"note": "too long", "b~/c": 1}, "tags": ["abc", "abcd", "x"],
    });
    let errors = validate(&refund(), input).unwrap_err();
    let expect = [
        ("/Charge", "unknown field `Charge`; known are `amount`, `charge`, `meta`, `reason`, `tags`"),
        ("/amount", "must be 1 or more"),
        ("/charge", "the field `charge` is missing"),
        ("/extra", "unknown field `extra`; known are `amount`, `charge`, `meta`, `reason`, `tags`"),
        ("/meta/b~0~1c", "unknown field `b~/c`; known are `kind`, `note`"),
        ("/meta/note", "must have at most 5 characters"),
        ("/reason", "must be one of [\"duplicate\",\"fraudulent\"]"),
        ("/tags", "must have at most 2 elements"),
        ("/tags/1", "must have at most 3 characters"),
    ];
    assert_eq!(errors, expect.map(|(p, d)| (p.to_owned(), d.to_owned())));
}

#[test]
fn an_integer_is_written_without_a_fraction_t51_t54() {
    for amount in [json!(1.0), json!(2.5)] {
        let errors = validate(&refund(), json!({"charge": "ch_12345678", "amount": amount})).unwrap_err();
        assert!(errors.iter().any(|(p, d)| p == "/amount" && d.contains("without a fraction")));
    }
    for wrong in [json!([]), json!("x"), json!(null), json!(1)] {
        assert!(validate(&refund(), wrong).is_err());
    }
}

#[test]
fn at_most_fifty_mistakes_are_listed() {
    let many: Map<String, Value> = (0..200).map(|i| (format!("x{i}"), json!(1))).collect();
    assert_eq!(validate(&refund(), Value::Object(many)).unwrap_err().len(), ERRORS_MAX);
}

#[test]
fn weak_schemas_are_refused_t54_t55_t56() {
    let text = json!({"type": "string", "maxLength": 5});
    for (field, part) in [
        (json!({"maxLength": 5}), "`type` is missing"),
        (json!({"type": ["string", "null"], "maxLength": 5}), "`type` is missing"),
        (json!({"type": "text"}), "not known"),
        (json!({"type": "null"}), "not known"),
        (json!({"type": "string", "maxlength": 5}), "keyword `maxlength`"),
        (json!({"type": "string", "minimum": 5}), "keyword `minimum`"),
        (json!({"type": "string", "$ref": "https://example.com/x.json"}), "keyword `$ref`"),
        (json!({"type": "string", "$ref": "file:///etc/passwd"}), "keyword `$ref`"),
        (json!({"type": "string", "$ref": "#/properties/a"}), "keyword `$ref`"),
        (json!({"type": "string", "$dynamicRef": "#a"}), "keyword `$dynamicRef`"),
        (json!({"type": "string", "anyOf": [text]}), "keyword `anyOf`"),
        (json!({"type": "object", "allOf": []}), "keyword `allOf`"),
        (json!({"type": "object", "patternProperties": {}}), "keyword `patternProperties`"),
        (json!({"type": "object", "additionalProperties": true}), "may only be false"),
        (json!({"type": "object", "additionalProperties": text}), "may only be false"),
        (json!({"type": "object", "required": ["nope"]}), "which is no field"),
        (json!({"type": "object", "required": "yes"}), "neither true"),
        (json!({"type": "array", "maxItems": 3}), "without `items`"),
        (json!({"type": "string", "maxLength": 5, "format": "emial"}), "format \"emial\""),
        (json!({"type": "string", "maxLength": 5, "pattern": "(?=a)"}), "does not compile"),
        (json!({"type": "string", "maxLength": 5, "pattern": "(a)\\1"}), "does not compile"),
        (json!({"type": "string", "maxLength": 5, "pattern": "(a"}), "does not compile"),
        (json!({"type": "string", "enum": []}), "not a list"),
        (json!({"type": "string", "maxLength": 5, "default": "too long"}), "does not fit"),
        (json!({"type": "integer", "default": 1.0}), "does not fit"),
        (json!("string"), "must be a table"),
    ] {
        let found = lint(&fields(json!({"f": field.clone()})));
        assert!(found.iter().any(|f| !f.warning && f.message.contains(part)), "{field}: {found:?}");
    }
    let mut deep = text;
    for _ in 0..SCHEMA_LEVELS {
        deep = json!({"type": "array", "maxItems": 1, "items": deep});
    }
    assert!(lint(&fields(json!({"f": deep}))).iter().any(|f| f.message.contains("deeper")));
    let big = json!({"type": "string", "enum": ["x".repeat(crate::limits::SCHEMA_BYTES_MAX)]});
    assert!(lint(&fields(json!({"f": big}))).iter().any(|f| f.message.contains("larger")));
    assert!(!lint(&close_long(json!({"type": "string", "maxLength": 3}))).is_empty());
}

const SCHEMA_LEVELS: usize = crate::limits::SCHEMA_DEPTH_MAX;

#[test]
fn unbounded_text_and_arrays_are_warned_about() {
    for field in [
        json!({"type": "string"}),
        json!({"type": "string", "pattern": "^c_[0-9]+$"}),
        json!({"type": "string", "pattern": "^a{1,}$"}),
        json!({"type": "string", "maxLength": 9, "pattern": "a{1,5}"}),
        json!({"type": "string", "format": "uri"}),
        json!({"type": "array", "items": {"type": "integer"}}),
    ] {
        let found = lint(&fields(json!({"f": field.clone()})));
        assert_eq!(found.len(), 1, "{field}: {found:?}");
        assert!(found.iter().all(|f| f.warning && f.path == ["f"]), "{field}: {found:?}");
    }
    for field in [
        json!({"type": "string", "pattern": "^ch_[+*]{1,5}\\+$"}),
        json!({"type": "string", "format": "uuid"}),
        json!({"type": "string", "format": "email"}),
        json!({"type": "string", "const": "x"}),
    ] {
        assert_eq!(lint(&fields(json!({"f": field.clone()}))), Vec::new(), "{field}");
    }
}

#[test]
fn formats_are_asserted() {
    let schema = fields(json!({"at": {"type": "string", "format": "date-time"},
        "id": {"type": "string", "format": "uuid"}, "mail": {"type": "string", "format": "email"}}));
    assert!(validate(&schema, json!({"at": "2026-11-23T12:30:00Z", "mail": "a@example.com"})).is_ok());
    for wrong in [json!({"at": "yesterday"}), json!({"id": "1"}), json!({"mail": "a"})] {
        assert!(validate(&schema, wrong).is_err());
    }
}

/// Texts that are no plain address, though mail may know what to do with some of them.
const FORGED: [&str; 42] = [
    "x@evil.com\r\nBcc: y@corp.com",
    "x@evil.com\nBcc: y@corp.com",
    "\" z@evil.com, \"@corp.com",
    "\"a\"@corp.com",
    "x@evil.com,a@corp.com",
    "x@evil.com;a@corp.com",
    "x@evil.com@corp.com",
    "Ann <a@corp.com>",
    "<a@corp.com>",
    "mailto:a@corp.com",
    "a(x)@corp.com",
    "a@corp.com(x)",
    "(x)a@corp.com",
    " a@corp.com",
    "a@corp.com ",
    "a @corp.com",
    "a@corp.com\n",
    "a\t@corp.com",
    "a\0@corp.com",
    "a@[127.0.0.1]",
    "a@[IPv6:::1]",
    "a@127.0.0.1",
    "a@corp",
    "a@corp.com.",
    "a@.corp.com",
    "a@corp..com",
    "a@-corp.com",
    "a@corp-.com",
    "a@co_rp.com",
    ".a@corp.com",
    "a.@corp.com",
    "a..b@corp.com",
    "@corp.com",
    "a@",
    "@",
    "",
    "a",
    "a\\@corp.com",
    "ä@corp.com",
    "a@cörp.com",
    "a@corp\u{ff0e}com",
    "a\u{ff20}corp.com",
];

fn addressed() -> Value {
    fields(json!({"to": {"type": "string", "format": "email", "maxLength": 1000}}))
}

#[test]
fn an_email_is_one_plain_address_and_nothing_else_a10() {
    let schema = addressed();
    let accepted: Vec<_> =
        FORGED.into_iter().filter(|f| validate(&schema, json!({"to": f})).is_ok()).collect();
    assert_eq!(accepted, [""; 0]);
    for forged in FORGED {
        let errors = validate(&schema, json!({"to": forged})).unwrap_err();
        assert_eq!(errors.len(), 1, "{forged:?}: {errors:?}");
        assert_eq!(errors[0].0, "/to", "{forged:?}");
        assert!(errors[0].1.starts_with("must be one plain email address"), "{forged:?}: {errors:?}");
        assert!(forged.len() < 4 || !errors[0].1.contains(forged), "the value is not repeated: {errors:?}");
    }
    // What the format is for: a rule on the end cannot be met by a text that goes elsewhere.
    let rule = |to: &&str| to.ends_with("@corp.com");
    assert!(rule(&"a@corp.com") && FORGED.iter().filter(|f| rule(f)).count() > 5);
    assert!(validate(&schema, json!({"to": "a@corp.com"})).is_ok());
}

#[test]
fn an_email_has_the_length_that_mail_allows_a10() {
    let schema = addressed();
    let local = |n: usize| format!("{}@corp.com", "a".repeat(n));
    let labels = |n: usize| format!("a@{}.com", vec!["b".repeat(60); n].join("."));
    let label = |n: usize| format!("a@{}.com", "b".repeat(n));
    for good in [
        "ann.lee+refunds@mail.corp.com",
        "o'brien@corp.com",
        "first_last-2@a.b-c.example",
        "!#$%&*/=?^`{|}~@corp.com",
        "a@1and1.com",
        "a@xn--bcher-kva.example",
        &local(64),
        &labels(4),
        &label(63),
    ] {
        assert!(validate(&schema, json!({"to": good})).is_ok(), "{good:?}");
    }
    for long in [local(65), labels(5), label(64)] {
        assert!(validate(&schema, json!({"to": long})).is_err(), "{long:?}");
    }
}

#[test]
fn patterns_that_explode_elsewhere_end_in_linear_time_t56() {
    let text = format!("{}!", "a".repeat(60_000));
    for pattern in ["^(a+)+$", "^(a|aa)+$", "^(.*a){20}$", "^([a-zA-Z]+)*$", "(a*)*b"] {
        let schema = fields(json!({"f": {"type": "string", "pattern": pattern}}));
        assert!(validate(&schema, json!({"f": text.clone()})).is_err(), "{pattern}");
    }
}

proptest! {
    #[test]
    fn what_is_accepted_has_only_known_fields_t54(
        keys in proptest::collection::btree_set("[a-z]{1,6}", 0..6)
    ) {
        let schema = refund();
        let mut input: Map<String, Value> = keys.into_iter().map(|k| (k, json!("x"))).collect();
        input.insert("charge".to_owned(), json!("ch_12345678"));
        let unknown = input.keys().any(|k| schema["properties"].get(k).is_none());
        if unknown {
            prop_assert!(validate(&schema, Value::Object(input)).is_err());
        }
    }
}
