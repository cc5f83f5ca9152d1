//! One canonical byte form of a JSON value: RFC 8785, the JSON Canonicalization Scheme.
//!
//! Keys are sorted here and nowhere else: whether `serde_json` sorts its maps or keeps the order of
//! insertion depends on features that any crate of the build may switch on.

use serde::Serialize;
use serde_json::{Number, Value};

use super::serializer::{Canonical, Form, NotCanonical};

/// Canonical bytes of a value (RFC 8785): keys sorted by UTF-16 code units, no white space, numbers as ECMAScript
/// prints them. An integer beyond 2^53, which the RFC leaves out, is written with all its digits and never rounded.
pub fn canonical(value: &Value) -> Vec<u8> {
    // INVARIANT: a `Value` has only texts as keys, each once, and only finite numbers.
    canonical_of(value).unwrap_or_default()
}

/// Canonical bytes (RFC 8785) of anything that serialises to JSON.
pub fn canonical_of<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, NotCanonical> {
    written(value, Form::Rfc8785)
}

/// The form that digests of version 1 were made of: keys sorted by code point, decimals with a point.
pub fn canonical_v1<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, NotCanonical> {
    written(value, Form::V1)
}

/// The number of a value that was computed: a whole one is an integer, so that it has the text that it is sent with.
/// None for infinities and NaN.
pub fn number(value: f64) -> Option<Number> {
    let mut buffer = ryu_js::Buffer::new();
    let text = if value.is_finite() { buffer.format_finite(value) } else { return None };
    text.parse::<i64>().ok().map(Number::from).or_else(|| Number::from_f64(value))
}

/// The canonical text of a number: what is hashed and sent is what is shown.
pub fn number_text(number: &Number) -> String {
    match (number.as_f64(), number.is_f64()) {
        (Some(value), true) => ryu_js::Buffer::new().format_finite(value).to_owned(),
        _ => number.to_string(),
    }
}

fn written<T: Serialize + ?Sized>(value: &T, form: Form) -> Result<Vec<u8>, NotCanonical> {
    let mut out = Vec::with_capacity(256);
    value.serialize(Canonical(&mut out, form))?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_sorted_at_every_level_whatever_the_map_does() {
        let value = json!({"b": {"z": 1, "a": [{"y": 1, "x": 2}]}, "a": 1, "ä": 2, "Z": 3, "": 4});
        assert_eq!(
            String::from_utf8(canonical(&value)).unwrap(),
            r#"{"":4,"Z":3,"a":1,"b":{"a":[{"x":2,"y":1}],"z":1},"ä":2}"#
        );
    }

    #[derive(Serialize)]
    struct Shape<'a> {
        zeta: Option<u8>,
        kind: Kind<'a>,
        kinds: Vec<Kind<'a>>,
        alpha: (u8, &'a str, ()),
        #[serde(flatten)]
        rest: std::collections::HashMap<String, f64>,
    }

    #[derive(Serialize)]
    enum Kind<'a> {
        Unit,
        New(&'a str),
        Tuple(u8, i64),
        Struct { b: bool, a: char },
    }

    #[test]
    fn whatever_is_serialised_has_the_bytes_of_its_value() {
        let kinds = || vec![Kind::Unit, Kind::New("ü"), Kind::Tuple(1, -2), Kind::Struct { b: true, a: '"' }];
        for kind in kinds() {
            let rest = [("beta".to_owned(), 0.5), ("é".to_owned(), 1e300)].into();
            let shape = Shape { zeta: None, kind, kinds: kinds(), alpha: (7, "x", ()), rest };
            let value = serde_json::to_value(&shape).unwrap();
            let bytes = canonical_of(&shape).unwrap();
            assert_eq!(bytes, canonical(&value));
            assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap(), value);
            assert!(bytes.starts_with(br#"{"alpha":[7,"x",null],"beta":0.5,"kind":"#));
        }
    }

    #[derive(Serialize)]
    struct Twice {
        a: u8,
        #[serde(flatten)]
        b: std::collections::BTreeMap<String, u8>,
    }

    #[test]
    fn what_is_no_json_is_an_error_and_never_equal_to_another_failure() {
        let pairs = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert!(canonical_of(&pairs).is_err());
        assert!(canonical_of(&Twice { a: 1, b: [("a".to_owned(), 2)].into() }).is_err());
    }

    #[test]
    fn scalars_are_printed_as_the_rfc_prints_them() {
        let value = json!([null, true, -7, 1.5, 4.0, 1e21, 1e-7, -0.0, "a\"b\\\n\u{1}é/"]);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        assert_eq!(text(canonical(&value)), "[null,true,-7,1.5,4,1e+21,1e-7,0,\"a\\\"b\\\\\\n\\u0001é/\"]");
        assert_eq!(
            text(canonical_v1(&value).unwrap()),
            "[null,true,-7,1.5,4.0,1e+21,1e-7,-0.0,\"a\\\"b\\\\\\n\\u0001é/\"]"
        );
    }

    #[test]
    fn keys_beyond_the_first_plane_are_sorted_by_utf_16_and_before_by_code_point() {
        let value = json!({"\u{fb33}": 1, "\u{1f600}": 2, "z": 3});
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        assert_eq!(text(canonical(&value)), "{\"z\":3,\"\u{1f600}\":2,\"\u{fb33}\":1}");
        assert_eq!(text(canonical_v1(&value).unwrap()), "{\"z\":3,\"\u{fb33}\":1,\"\u{1f600}\":2}");
    }

    #[test]
    fn an_integer_beyond_the_safe_range_keeps_its_digits() {
        let value = json!([9_007_199_254_740_993_i64, u64::MAX]);
        assert_eq!(canonical(&value), b"[9007199254740993,18446744073709551615]");
    }

    proptest::proptest! {
        #[test]
        fn another_implementation_of_the_rfc_gives_the_same_bytes(value in documents()) {
            proptest::prop_assert_eq!(canonical(&value), serde_jcs::to_vec(&value).unwrap());
        }
    }

    /// Documents whose integers every implementation can hold.
    fn documents() -> impl proptest::strategy::Strategy<Value = Value> {
        use proptest::prelude::*;
        let key = || "[a-z\u{e000}-\u{ffff}\u{10000}-\u{1f6ff}\"\\\\]{0,4}";
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
            any::<f64>().prop_filter_map("finite", |f| serde_json::Number::from_f64(f).map(Value::Number)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(key(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }
}
