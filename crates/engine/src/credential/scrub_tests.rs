//! Spellings of a secret in text, and texts that only look like one.

use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;

use super::*;

const SECRET: &str = "sk_live_C4n4ry/+=~\"value.0123456789";

fn clean(text: &str) -> (String, bool) {
    let mut scrubber = Scrubber::new(SECRET);
    let text = scrubber.text(text.to_owned());
    (text, scrubber.found())
}

#[test]
fn every_spelling_of_a_secret_is_removed_t82() {
    let each = |spell: fn(u8) -> String| SECRET.bytes().map(spell).collect::<String>();
    let spelled = [
        SECRET.to_owned(),
        STANDARD.encode(SECRET),
        STANDARD_NO_PAD.encode(SECRET),
        URL_SAFE.encode(SECRET),
        STANDARD.encode(format!("{SECRET}:")),
        STANDARD.encode(format!("u:{SECRET}")),
        URL_SAFE.encode(format!("us:{SECRET}:more")),
        each(|b| format!("{b:02x}")),
        each(|b| format!("{b:02X}")),
        each(|b| format!("%{b:02x}")),
        each(percent_upper),
        each(percent_lower),
        percent_encoding_twice(SECRET),
        each(|b| format!("\\u{b:04x}")),
        each(|b| format!("\\x{b:02x}")),
        each(|b| format!("&#{b};")),
        each(|b| format!("&#x{b:x};")),
        serde_json::to_string(SECRET).unwrap(),
        serde_json::to_string(&serde_json::to_string(SECRET).unwrap()).unwrap(),
        url::form_urlencoded::byte_serialize(SECRET.as_bytes()).collect(),
        SECRET.replace('"', "&quot;"),
        STANDARD
            .encode(SECRET)
            .as_bytes()
            .chunks(10)
            .map(|c| String::from_utf8_lossy(c))
            .collect::<Vec<_>>()
            .join("\r\n "),
    ];
    for spelling in spelled {
        for text in [spelling.clone(), format!("before {spelling} after"), format!("{spelling}{spelling}")] {
            let (kept, found) = clean(&text);
            assert!(found && kept.contains(MARK), "{text} became {kept}");
            for part in ["C4n4ry", "0123456789", "433466", "NHJ5", "4n4r"] {
                assert!(!kept.contains(part), "{text} became {kept}");
            }
        }
    }
}

fn percent_encoding_twice(text: &str) -> String {
    text.bytes().map(percent_upper).collect::<String>().bytes().map(percent_upper).collect()
}

#[test]
fn what_stands_around_a_listed_spelling_stays() {
    assert_eq!(clean(&format!("key {SECRET}, please")), (format!("key {MARK}, please"), true));
}

#[test]
fn numbers_and_keys_are_looked_at_too() {
    let mut scrubber = Scrubber::new("1234567890");
    let value = scrubber.value(serde_json::json!({"1234567890": 1_234_567_890, "n": 42, "b": [true, null]}));
    assert_eq!(value, serde_json::json!({MARK: MARK, "n": 42, "b": [true, null]}));
    assert!(scrubber.found());
}

#[test]
fn text_full_of_escapes_is_read_in_bounded_time() {
    for unit in ["&#", "%", "\\", "&#1", "%25", "\\\\"] {
        assert!(!clean(&unit.repeat(200_000)).1, "{unit}");
    }
}

proptest! {
    #[test]
    fn text_without_the_secret_is_kept_byte_for_byte(text in "[ -~äöü\\n\\\\%&#;]{0,200}") {
        prop_assert_eq!(clean(&text), (text, false));
    }

    #[test]
    fn a_secret_never_survives_wherever_it_stands(
        secret in "[!-~]{8,60}", before in "[ -~]{0,20}", after in "[ -~]{0,20}",
    ) {
        for text in [
            format!("{before}{secret}{after}"),
            STANDARD.encode(format!("{before}{secret}{after}")),
            URL_SAFE.encode(format!("{before}{secret}{after}")),
        ] {
            let mut scrubber = Scrubber::new(&secret);
            let kept = scrubber.text(text.clone());
            prop_assert!(scrubber.found(), "{} became {}", text, kept);
        }
    }
}
