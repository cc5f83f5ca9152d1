//! One canonical byte form of a JSON value.
//!
//! Keys are sorted here and nowhere else: whether `serde_json` sorts its maps or keeps the order of
//! insertion depends on features that any crate of the build may switch on.

use serde::Serialize;
use serde_json::Value;

use super::serializer::Canonical;

/// Canonical bytes of a value: keys sorted by code point, no white space, numbers as `serde_json` prints them.
pub fn canonical(value: &Value) -> Vec<u8> {
    canonical_of(value)
}

/// Canonical bytes of anything that serialises to JSON. What cannot be serialised gives no bytes at all.
pub fn canonical_of<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    match value.serialize(Canonical(&mut out)) {
        Ok(()) => out,
        // No bytes are no JSON, so nothing compares equal to them.
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_sorted_by_code_point_at_every_level_whatever_the_map_does() {
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
            let bytes = canonical_of(&shape);
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
    fn what_is_no_json_has_no_bytes() {
        let pairs = std::collections::BTreeMap::from([((1, 2), 3)]);
        assert_eq!(canonical_of(&pairs), b"");
        assert_eq!(canonical_of(&Twice { a: 1, b: [("a".to_owned(), 2)].into() }), b"");
    }

    #[test]
    fn scalars_are_printed_as_serde_json_prints_them() {
        let value = json!([null, true, -7, 1.5, "a\"b\\\n\u{1}é"]);
        assert_eq!(
            String::from_utf8(canonical(&value)).unwrap(),
            "[null,true,-7,1.5,\"a\\\"b\\\\\\n\\u0001é\"]"
        );
    }
}
