//! What the strict reader accepts, `serde_json` reads as the same value, and it has one canonical text. What it
//! refuses as bad syntax, `serde_json` refuses too.
#![no_main]

use countersign_core::json;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// What the reader refuses beyond RFC 8259, by the start of what it says.
const STRICTER: &[&str] = &[
    "a byte order mark",
    "a string is longer than",
    "an integer is beyond",
    "an object has more than",
    "exponents are not accepted",
    "keys that begin with",
    "more than",
    "nested deeper than",
    "not a valid escape, or half of a surrogate pair",
    "the decimal",
    "the key",
    "`-0`",
];

fuzz_target!(|bytes: &[u8]| {
    let theirs = serde_json::from_slice::<Value>(bytes);
    match json::read(bytes) {
        Ok(ours) => {
            let theirs = theirs.expect("what the strict reader accepts is JSON");
            assert!(same(&ours, &theirs), "{ours} is not {theirs}");
            let text = json::canonical(&ours);
            assert_eq!(json::read(&text).as_ref(), Ok(&ours), "the canonical text is the same value");
        }
        Err(error) => {
            assert!(error.offset <= bytes.len(), "{error} is behind the end");
            if !STRICTER.iter().any(|known| error.detail.starts_with(known)) {
                assert!(theirs.is_err(), "`{error}` is no fault of syntax for serde_json");
            }
        }
    }
});

/// Equal, where a whole number may be written with a fraction of zero.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}
