use super::*;
use crate::digest::Digest;

/// The example of C2SP signed-note and of Go's `golang.org/x/mod/sumdb/note`.
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETER_TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const PETER_SIGNATURE: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

/// Computed with Python's `cryptography` from the seed 00 01 02 … 1f.
const ORIGIN: &str = "gate.example/log";
const VKEY: &str = "gate.example/log+e3ea2cd1+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
const NOTE: &str = "gate.example/log
8
XcnaeacGWamtVZy3Ad7ZoqudgjqtL0lgz+Nw7/RgQyg=

— gate.example/log 4+os0S2of9JWNvaMldem5w8EqHZXybeH87XofijdJqAHj3/8Segv8FaSI1JqtzMyvbky5DGdOBGePFc4rMHOyyIAhwM=
";
const WITNESS: &str = "— witness.example/w1 AAAAAAEC\n";

fn seed() -> [u8; 32] {
    std::array::from_fn(|i| u8::try_from(i).unwrap())
}

fn key() -> LogKey {
    LogKey::from_seed(ORIGIN, &seed()).unwrap()
}

fn head() -> Checkpoint {
    let root = "sha256:5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328";
    Checkpoint { origin: ORIGIN.into(), size: 8, root: root.parse::<Digest>().unwrap() }
}

#[test]
fn the_published_example_opens() {
    let key = LogPublicKey::from_vkey(PETER).unwrap();
    assert_eq!(key.to_vkey(), PETER);
    let note = format!("{PETER_TEXT}\n{PETER_SIGNATURE}");
    assert_eq!(key.open_text(&note), Ok(PETER_TEXT));
    assert!(key.open_text(&note.replace("problem is", "problem was")).is_err());
}

#[test]
fn key_and_note_are_byte_for_byte_those_of_another_implementation() {
    assert_eq!(key().public().to_vkey(), VKEY);
    assert_eq!(key().sign(&head()), NOTE);
    assert_eq!(LogPublicKey::from_vkey(VKEY), Ok(key().public()));
    assert_eq!(key().public().open(NOTE), Ok(head()));
}

#[test]
fn no_single_bit_of_a_note_can_change_t116() {
    let public = key().public();
    for index in 0..NOTE.len() {
        for bit in 0..8 {
            let mut bytes = NOTE.as_bytes().to_vec();
            bytes[index] ^= 1 << bit;
            let opened = std::str::from_utf8(&bytes).is_ok_and(|note| public.open(note).is_ok());
            assert!(!opened, "bit {bit} of byte {index}");
        }
    }
}

#[test]
fn a_key_speaks_for_its_own_log_only_t123() {
    let other = Checkpoint { origin: "other.example/log".into(), ..head() };
    assert_eq!(key().sign(&other), NOTE);
    let other_key = LogKey::from_seed("other.example/log", &seed()).unwrap().public();
    assert!(other_key.open(NOTE).is_err());
    // The same key bytes under another name, and that name's signature over our text.
    let signed = LogKey::from_seed("other.example/log", &seed()).unwrap().sign(&head());
    let smuggled = signed.replacen("other.example/log", ORIGIN, 1);
    assert!(other_key.open(&smuggled).is_err());
}

#[test]
fn witness_lines_are_passed_over_if_they_are_well_formed() {
    let public = key().public();
    assert_eq!(public.open(&format!("{NOTE}{WITNESS}")), Ok(head()));
    let (text, ours) = NOTE.split_once("\n\n").unwrap();
    assert_eq!(public.open(&format!("{text}\n\n{WITNESS}{ours}")), Ok(head()));
    for line in [
        "\n",
        "witness\n",
        "- witness AAAAAAEC\n",
        "— AAAAAAEC\n",
        "—  AAAAAAEC\n",
        "— a+b AAAAAAEC\n",
        "— a\u{a0}b AAAAAAEC\n",
        "— witness AAAAAAE\n",
        "— witness AAAAAA==\n",
        "— witness  AAAAAAEC\n",
        "— witness AAAAAAEC \n",
        "— witness AAAAAAEC",
        "— witness\tAAAAAAEC\n",
    ] {
        assert!(public.open(&format!("{NOTE}{line}")).is_err(), "{line:?}");
    }
    assert!(public.open(&format!("{NOTE}{}", WITNESS.repeat(SIGNATURES_MAX))).is_err());
}

#[test]
fn a_bad_signature_under_our_own_name_spoils_the_note() {
    let (_, ours) = NOTE.split_once("\n\n").unwrap();
    let forged = ours.replace("HOyyIAhwM=", "HOyyIAhwA=");
    assert!(key().public().open(&format!("{NOTE}{forged}")).is_err());
    assert!(key().public().open(&NOTE.replace(ours, WITNESS)).is_err());
    assert!(key().public().open(NOTE.trim_end()).is_err());
    assert!(key().public().open("").is_err());
}

#[test]
fn what_is_almost_a_key_is_refused() {
    let hash_of_other_name = VKEY.replace("gate", "gbte");
    let upper_case = VKEY.replace("e3ea2cd1", "E3EA2CD1");
    // The point of order one: every signature would verify under it.
    let weak = LogPublicKey { origin: "o".into(), key: VerifyingKey::from_bytes(&identity()).unwrap() };
    for text in [
        "",
        "gate.example/log",
        "gate.example/log+e3ea2cd1",
        &hash_of_other_name,
        &upper_case,
        &format!("{VKEY}="),
        &format!("{VKEY} "),
        &format!(" {VKEY}"),
        &VKEY.replace("+AQ", "+Ag"),
        &VKEY.replace("gate", ""),
        &weak.to_vkey(),
    ] {
        assert!(LogPublicKey::from_vkey(text).is_err(), "{text:?}");
    }
}

fn identity() -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes[0] = 1;
    bytes
}

#[test]
fn an_origin_is_plain_text() {
    for origin in ["", "a b", "a+b", "a\nb", "gаte.example", "a\u{200b}b", &"x".repeat(256)] {
        assert!(LogKey::from_seed(origin, &seed()).is_err(), "{origin:?}");
    }
}

#[test]
fn a_private_key_shows_nothing_t81() {
    assert_eq!(format!("{:?}", key()), "LogKey(..)");
}
