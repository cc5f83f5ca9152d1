use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::json::canonical;

fn refused(bytes: &[u8]) -> JsonError {
    match read(bytes) {
        Ok(value) => panic!("{:?} was read as {value}", String::from_utf8_lossy(bytes)),
        Err(error) => error,
    }
}

/// Text, the pointer of the error, a part of its message. T50, T51, T53, T60, T62, R23, R39.
const BAD: &[(&str, &str, &str)] = &[
    ("", "", "ends where"),
    (" ", "", "ends where"),
    ("{} {}", "", "more after"),
    ("1 1", "", "more after"),
    ("\u{feff}{}", "", "byte order mark"),
    ("{\"a\":1,\"a\":2}", "/a", "twice"),
    ("{\"a\":1,\"\\u0061\":2}", "/a", "twice"),
    ("{\"x\":[{\"a\":1,\"a\":1}]}", "/x/0/a", "twice"),
    ("{\"a\":1,\"A\":2}", "/A", "differs"),
    ("{\"set\":1,\"\u{17f}et\":2}", "/\u{17f}et", "differs"),
    ("{\"key\":1,\"\u{212a}ey\":2}", "/\u{212a}ey", "normalization"),
    ("{\"straße\":1,\"STRASSE\":2}", "/STRASSE", "differs"),
    ("{\"σ\":1,\"ς\":2}", "/ς", "differs"),
    ("{\"\u{ff41}\":1,\"a\":2}", "/a", "differs"),
    ("{\"e\u{301}\":1}", "/e\u{301}", "normalization"),
    ("{\"$serde_json::private::Number\":\"1\"}", "/$serde_json::private::Number", "reserved"),
    ("{\"$serde_json::private::RawValue\":\"1\"}", "/$serde_json::private::RawValue", "reserved"),
    ("[9007199254740992]", "/0", "beyond"),
    ("[-9007199254740992]", "/0", "beyond"),
    ("[123456789012345678901234567890]", "/0", "beyond"),
    ("-0", "", "write `0`"),
    ("-0.0", "", "write `0`"),
    ("1e2", "", "exponents"),
    ("1E400", "", "exponents"),
    ("1.5e1", "", "exponents"),
    ("0.1000000000000000055511151231257827", "", "write it as `0.1`"),
    ("0.00000001", "", "as a string"),
    ("01", "", "start with"),
    ("-", "", "start with"),
    ("1.", "", "after the decimal point"),
    (".5", "", "expected a JSON value"),
    ("+1", "", "expected a JSON value"),
    ("NaN", "", "expected a JSON value"),
    ("Infinity", "", "expected a JSON value"),
    ("nul", "", "expected a JSON value"),
    ("True", "", "expected a JSON value"),
    ("'a'", "", "expected a JSON value"),
    ("[1,]", "/1", "expected a JSON value"),
    ("[1 2]", "", "expected `,` or `]`"),
    ("{\"a\":1,}", "", "expected a key"),
    ("{a:1}", "", "expected a key"),
    ("{\"a\" 1}", "/a", "expected `:`"),
    ("{\"a\":1 \"b\":2}", "", "expected `,` or `}`"),
    ("{\"a~/b\":[x]}", "/a~0~1b/0", "expected a JSON value"),
    ("\"\\ud800\"", "", "surrogate"),
    ("\"\\udc00\\ud800\"", "", "surrogate"),
    ("\"\\ud800\\u0041\"", "", "surrogate"),
    ("\"\\ud800x\"", "", "surrogate"),
    ("\"\\x41\"", "", "escape"),
    ("\"\\u00g0\"", "", "escape"),
    ("\"\\u00é\"", "", "escape"),
    ("\"\\u12", "", "escape"),
    ("\"\\", "", "escape"),
    ("\"a\nb\"", "", "control characters"),
    ("\"a\u{0}b\"", "", "control characters"),
    ("\"abc", "", "ends inside"),
    ("/* c */ 1", "", "expected a JSON value"),
    ("[1] // c", "", "more after"),
    ("\u{a0}1", "", "expected a JSON value"),
    ("\u{c}1", "", "expected a JSON value"),
    ("%YAML 1.2", "", "expected a JSON value"),
    ("a=1&b=2", "", "expected a JSON value"),
];

#[test]
fn documents_that_could_mean_two_things_are_refused_t50_t51_t53_t60_t62() {
    for (text, pointer, part) in BAD {
        let error = refused(text.as_bytes());
        assert!(error.detail.contains(part), "{text:?}: {error}");
        assert_eq!(&error.pointer, pointer, "{text:?}: {error}");
        assert!(error.offset <= text.len(), "{text:?}: {error}");
    }
}

#[test]
fn bytes_that_are_not_utf8_are_refused_t60() {
    for bytes in [
        b"\"\xff\"".as_slice(),
        b"\"\xc0\xaf\"",
        b"\"\xed\xa0\x80\"",
        b"\xff\xfe{\0}\0",
        b"\xfe\xff\0{\0}",
        b"\x1f\x8b\x08\0",
    ] {
        refused(bytes);
    }
    assert_eq!(refused(b"\"ab\xff\"").offset, 3);
}

#[test]
fn what_is_accepted_keeps_its_meaning_and_one_value_has_one_text() {
    for (text, expect) in [
        ("null", json!(null)),
        (" [ true , false ] ", json!([true, false])),
        ("9007199254740991", json!(9_007_199_254_740_991_i64)),
        ("-9007199254740991", json!(-9_007_199_254_740_991_i64)),
        ("1.5", json!(1.5)),
        ("1.0", json!(1)),
        ("1.50", json!(1.5)),
        ("-4.00", json!(-4)),
        ("9007199254740991.0", json!(9_007_199_254_740_991_i64)),
        ("0.1", json!(0.1)),
        ("\"\\ud83d\\ude00 \\u00e9\\/\\b\\f\\n\\r\\t\\\"\\\\\"", json!("😀 é/\u{8}\u{c}\n\r\t\"\\")),
        ("{\"\":{},\"a\":[]}", json!({"": {}, "a": []})),
        ("{\"straße\":1,\"strasze\":2}", json!({"straße": 1, "strasze": 2})),
    ] {
        let value = read(text.as_bytes()).unwrap();
        assert_eq!(value, expect, "{text}");
    }
    for (number, text) in [
        ("1.0", "1"),
        ("4", "4"),
        ("4.0", "4"),
        ("0.1", "0.1"),
        ("123.4560", "123.456"),
        ("-7.25", "-7.25"),
        ("0", "0"),
    ] {
        let value = read(number.as_bytes()).unwrap();
        assert_eq!(canonical(&value), text.as_bytes());
        assert_eq!(value.to_string(), text, "what is shown is what is hashed");
    }
}

#[test]
fn each_limit_holds_at_the_limit_and_not_one_above_t62() {
    let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(read(nested(JSON_DEPTH_MAX).as_bytes()).is_ok());
    assert!(refused(nested(JSON_DEPTH_MAX + 1).as_bytes()).detail.contains("deeper"));
    assert!(refused("[".repeat(1_000_000).as_bytes()).detail.contains("deeper"));

    let wide = |n: usize| format!("[{}]", vec!["0"; n].join(","));
    assert!(read(wide(JSON_NODES_MAX).as_bytes()).is_ok());
    assert!(refused(wide(JSON_NODES_MAX + 1).as_bytes()).detail.contains("members"));

    let keys =
        |n: usize| format!("{{{}}}", (0..n).map(|i| format!("\"k{i}\":0")).collect::<Vec<_>>().join(","));
    assert!(read(keys(JSON_KEYS_MAX).as_bytes()).is_ok());
    assert!(refused(keys(JSON_KEYS_MAX + 1).as_bytes()).detail.contains("keys"));

    let long = |n: usize| format!("\"{}\"", "a".repeat(n));
    assert!(read(long(JSON_STRING_BYTES_MAX).as_bytes()).is_ok());
    assert!(refused(long(JSON_STRING_BYTES_MAX + 1).as_bytes()).detail.contains("longer"));
    let escaped = format!("\"{}\"", "\\u0061".repeat(JSON_STRING_BYTES_MAX + 1));
    assert!(refused(escaped.as_bytes()).detail.contains("longer"));
}

fn document() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-JSON_INTEGER_MAX..=JSON_INTEGER_MAX).prop_map(Value::from),
        (-1_000_000_i32..1_000_000).prop_map(|i| json!(f64::from(i) / 64.0)),
        "\\PC{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::btree_map("[a-zäß]{0,6}", inner, 0..6)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_accepted_means_the_same_to_serde_json_and_survives_its_canonical_form(value in document()) {
        let text = serde_json::to_string_pretty(&value).unwrap();
        if let Ok(read_back) = read(text.as_bytes()) {
            // `4.0` and `4` are one number to us and two to serde_json.
            prop_assert_eq!(canonical(&read_back), canonical(&serde_json::from_str::<Value>(&text).unwrap()));
            let bytes = canonical(&read_back);
            prop_assert_eq!(&read(&bytes).unwrap(), &read_back);
            prop_assert_eq!(canonical(&read(&bytes).unwrap()), bytes);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = read(&bytes);
    }

    #[test]
    fn text_that_looks_like_json_agrees_with_serde_json(text in "[\\[\\]{},:\"a0-9.eE\\\\u\\- tfn]{0,24}") {
        if let Ok(value) = read(text.as_bytes()) {
            prop_assert_eq!(canonical(&serde_json::from_str::<Value>(&text).unwrap()), canonical(&value));
        }
    }
}
