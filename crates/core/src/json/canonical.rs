//! One canonical byte form of a JSON value.

use serde::Serialize;
use serde_json::Value;

/// Canonical bytes of a value: keys sorted by code point, no white space, numbers as `serde_json` prints them.
pub fn canonical(_value: &Value) -> Vec<u8> {
    todo!()
}

/// Canonical bytes of anything that serialises to JSON. What cannot be serialised gives no bytes at all.
pub fn canonical_of<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    serde_json::to_value(value).map(|v| canonical(&v)).unwrap_or_default()
}
