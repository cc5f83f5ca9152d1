//! One canonical byte form of a JSON value.
//!
//! Keys are sorted here and nowhere else: whether `serde_json` sorts its maps or keeps the order of
//! insertion depends on features that any crate of the build may switch on.

use serde::Serialize;
use serde_json::{Map, Value};

/// Canonical bytes of a value: keys sorted by code point, no white space, numbers as `serde_json` prints them.
pub fn canonical(value: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(128);
    write(value, &mut out);
    out
}

/// Canonical bytes of anything that serialises to JSON. What cannot be serialised gives no bytes at all.
pub fn canonical_of<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    serde_json::to_value(value).map(|v| canonical(&v)).unwrap_or_default()
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => scalar(value, out),
        Value::String(text) => scalar(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(map) => write_object(map, out),
    }
}

fn write_object(map: &Map<String, Value>, out: &mut Vec<u8>) {
    // UTF-8 sorts like code points, so comparing `String`s is comparing code points.
    let mut members: Vec<(&String, &Value)> = map.iter().collect();
    if !members.is_sorted_by_key(|(key, _)| *key) {
        members.sort_unstable_by_key(|(key, _)| *key);
    }
    out.push(b'{');
    for (at, (key, value)) in members.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        scalar(key, out);
        out.push(b':');
        write(value, out);
    }
    out.push(b'}');
}

/// Writes a string, number, boolean or null as `serde_json` prints it.
fn scalar<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    // INVARIANT: a scalar always serialises and a `Vec` always takes it. Should that ever change, what was
    // written is cut off, so the bytes are no JSON and nothing compares equal to them.
    let start = out.len();
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(start);
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

    #[test]
    fn scalars_are_printed_as_serde_json_prints_them() {
        let value = json!([null, true, -7, 1.5, "a\"b\\\n\u{1}é"]);
        assert_eq!(
            String::from_utf8(canonical(&value)).unwrap(),
            "[null,true,-7,1.5,\"a\\\"b\\\\\\n\\u0001é\"]"
        );
    }
}
