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
        (json!({"type": "object", "additionalProperties": "yes"}), "neither true, false nor a schema"),
        (json!({"type": "object", "additionalProperties": {"type": "text"}}), "type `text`"),
        (json!({"type": ["string", "integer"]}), "not one name"),
        (json!({"type": ["string", "null", "integer"]}), "not one name"),
        (json!({"type": "string", "maxLength": 5, "nullable": "yes"}), "keyword `nullable`"),
        (json!({"oneOf": [{"type": "object"}]}), "has 1 forms"),
        (json!({"oneOf": [{"type": "object"}, text]}), "form 2: its type is not `object`"),
        (
            json!({"oneOf": [{"type": "object"}, {"type": "object"}], "type": "object"}),
            "`type` beside `oneOf`",
        ),
        (
            json!({"oneOf": [{"type": "object"}, {"type": "object", "properties": {"a": {"type": "text"}}}]}),
            "form 2: the type `text` is not known",
        ),
        (
            json!({"oneOf": [{"type": "object"}, {"type": "object", "properties":
                {"a": {"type": "boolean", "default": true}}}]}),
            "a default inside one of several forms",
        ),
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

/// A field that may be null, one that may be anything, and one of several forms.
fn wide() -> Value {
    fields(json!({
        "milestone": {"type": "integer", "nullable": true},
        "state": {"type": "string", "enum": ["open", "closed"], "nullable": true, "required": true},
        "title": {"type": "string", "maxLength": 9},
        "kind": {"type": "string", "maxLength": 9, "default": "a"},
        "labels": {"type": "object", "additionalProperties": {"type": "integer"}, "maxProperties": 3},
        "extra": {"type": "object", "additionalProperties": true, "maxProperties": 3},
        "to": {"oneOf": [
            {"type": "object", "properties": {
                "kind": {"type": "string", "const": "user", "required": true},
                "id": {"type": "integer", "required": true}}},
            {"type": "object", "properties": {
                "kind": {"type": "string", "const": "team", "required": true},
                "slug": {"type": "string", "maxLength": 9, "required": true}}},
        ]},
    }))
}

#[test]
fn null_is_a_value_where_the_schema_says_so_and_absent_where_a_field_may_be_absent() {
    let schema = wide();
    assert_eq!(schema["properties"]["milestone"], json!({"type": ["integer", "null"]}));
    assert_eq!(
        schema["properties"]["state"],
        json!({"type": ["string", "null"], "enum": ["open", "closed", null]})
    );
    for (input, expect) in [
        (json!({"state": "open", "title": null}), json!({"state": "open", "kind": "a"})),
        // A null for what has a default is the default.
        (json!({"state": null, "kind": null}), json!({"state": null, "kind": "a"})),
        (json!({"state": null, "milestone": null}), json!({"state": null, "milestone": null, "kind": "a"})),
        // In what may hold anything, null is what it says.
        (
            json!({"state": null, "extra": {"a": null}}),
            json!({"state": null, "extra": {"a": null}, "kind": "a"}),
        ),
    ] {
        assert_eq!(validate(&schema, input), Ok(expect));
    }
    let wrong = |input| validate(&schema, input).unwrap_err();
    assert_eq!(wrong(json!({})), [("/state".to_owned(), "the field `state` is missing".to_owned())]);
    assert_eq!(
        wrong(json!({"state": null, "milestone": "x"})),
        [("/milestone".to_owned(), "must be of the type integer or null".to_owned())]
    );
    // What must be there is not made absent.
    let refused = validate(&refund(), json!({"charge": null})).unwrap_err();
    assert_eq!(refused, [("/charge".to_owned(), "must be of the type string".to_owned())]);
}

#[test]
fn an_object_may_have_any_fields_or_one_of_several_forms_t54() {
    let schema = wide();
    let with = |name: &str, value: Value| {
        let mut input = json!({"state": "open"});
        input[name] = value;
        validate(&schema, input)
    };
    for (name, value) in [
        ("labels", json!({})),
        ("labels", json!({"a": 1, "b": 2})),
        ("extra", json!({"a": {"b": [1, "x"]}})),
        ("to", json!({"kind": "user", "id": 7})),
        ("to", json!({"kind": "team", "slug": "ops"})),
    ] {
        assert!(with(name, value.clone()).is_ok(), "{name} {value}");
    }
    for (name, value, place, said) in [
        ("labels", json!({"a": "x"}), "/labels/a", "must be of the type integer"),
        ("labels", json!({"a": 1.0}), "/labels/a", "must be an integer, written without a fraction"),
        ("labels", json!({"a": 1, "b": 1, "c": 1, "d": 1}), "/labels", "must have at most 3 fields"),
        ("to", json!({"kind": "user", "id": "x"}), "/to/id", "must be of the type integer"),
        (
            "to",
            json!({"kind": "user", "id": 7.0}),
            "/to/id",
            "must be an integer, written without a fraction",
        ),
        ("to", json!({"kind": "user", "id": 7, "slug": "x"}), "/to/slug", "unknown field `slug`"),
        ("to", json!({"kind": "team"}), "/to/slug", "the field `slug` is missing"),
        ("to", json!({"kind": "x"}), "/to", "fits none of the 2 forms that it may have"),
        ("to", json!("x"), "/to", "fits none of the 2 forms that it may have"),
    ] {
        let errors = with(name, value.clone()).unwrap_err();
        assert_eq!(errors[0].0, place, "{value}: {errors:?}");
        assert!(errors[0].1.starts_with(said), "{value}: {errors:?}");
    }
    let twice = fields(json!({"to": {"oneOf": [{"type": "object"}, {"type": "object"}]}}));
    assert_eq!(
        validate(&twice, json!({"to": {}})).unwrap_err(),
        [("/to".to_owned(), "fits more than one of the forms that it may have".to_owned())]
    );
    // People are told what policies do not see.
    let unseen: Vec<_> =
        lint(&schema).into_iter().filter(|f| f.message.starts_with("policies do not see")).collect();
    assert_eq!(unseen.iter().map(|f| f.path.join("/")).collect::<Vec<_>>(), ["extra", "labels", "to"]);
    assert!(lint(&schema).iter().all(|finding| finding.warning));
}

#[test]
fn references_are_written_out_within_the_document_and_within_bounds_t55_t56() {
    let document = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "from": {"$ref": "#/$defs/address", "description": "Where it comes from."},
            "to": {"type": "array", "maxItems": 2, "items": {"$ref": "#/$defs/address"}},
            // A field may have the name of a keyword, and a default the looks of a reference.
            "definitions": {"type": "string", "maxLength": 5},
            "note": {"type": "string", "maxLength": 5, "default": "x", "examples": [{"$ref": "#/nothing"}]},
        },
        "$defs": {
            "address": {"type": "object", "properties": {"zip": {"$ref": "#/$defs/zip"}}},
            "zip": {"type": "string", "pattern": "^[0-9]{5}$"},
        },
    });
    let address = json!({"type": "object", "additionalProperties": false,
                         "properties": {"zip": {"type": "string", "pattern": "^[0-9]{5}$"}}});
    let schema = close_long(inline(&document, &document).unwrap());
    let mut from = address.clone();
    from["description"] = json!("Where it comes from.");
    assert_eq!(schema["properties"]["from"], from);
    assert_eq!(schema["properties"]["to"]["items"], address);
    assert_eq!(schema["properties"]["definitions"], json!({"type": "string", "maxLength": 5}));
    assert!(schema.get("$defs").is_none() && schema.get("$schema").is_none());
    assert_eq!(lint(&schema), Vec::new());

    let refused = |references: Value, definitions: Value| {
        let document = json!({"type": "object", "properties": {"f": references}, "$defs": definitions});
        inline(&document, &document).unwrap_err()
    };
    for (reference, said) in [
        ("https://example.com/schema", "is to no schema in this document"),
        ("file:///etc/passwd", "is to no schema in this document"),
        ("other.json#/a", "is to no schema in this document"),
        ("#name", "is to no schema in this document"),
        ("#", "is to no schema in this document"),
        ("#/$defs/none", "is to no schema in this document"),
        ("#/$defs/loop", "leads back to itself"),
    ] {
        let definitions = json!({"loop": {"type": "array", "items": {"$ref": "#/$defs/loop"}}});
        let message = refused(json!({"$ref": reference}), definitions);
        assert!(message.contains(said) && message.contains(reference), "{message}");
    }
    let beside = refused(json!({"$ref": "#/$defs/a", "maxLength": 3}), json!({"a": {"type": "string"}}));
    assert_eq!(beside, "`maxLength` beside the reference `#/$defs/a`");
    let mut levels = Map::new();
    for level in 0..26 {
        let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
        levels.insert(format!("l{level}"), json!({"type": "object", "properties": {"a": next, "b": next}}));
    }
    levels.insert("l26".to_owned(), json!({"type": "boolean"}));
    let message = refused(json!({"$ref": "#/$defs/l0"}), Value::Object(levels));
    assert!(message.contains("more than 12 references in each other"), "{message}");
    let mut wide = Map::new();
    for level in 0..11 {
        let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
        wide.insert(format!("l{level}"), json!({"type": "object", "properties": {"a": next, "b": next}}));
    }
    wide.insert("l11".to_owned(), json!({"type": "boolean"}));
    let message = refused(json!({"$ref": "#/$defs/l0"}), Value::Object(wide));
    assert!(message.contains("unfold to more than 2000 schemas"), "{message}");
}
