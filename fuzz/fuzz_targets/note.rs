//! Signed notes and checkpoints beside `signed_note`: both open a note, and to the same text, or neither does.
//!
//! The text is signed by `signed_note` with the log's key, because no fuzzer
//! guesses a signature, and more lines come below it; or the input is the whole note.
#![no_main]

use std::sync::LazyLock;

use countersign_core::audit::{Checkpoint, LogKey, LogPublicKey};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use signed_note::{Note, StandardSigner, StandardVerifier, VerifierList};

const ORIGIN: &str = "gate.example/log";

/// The log's key (the seed is 32 bytes of 7), as C2SP writes it with its secret.
const SIGNER: &str = "PRIVATE+KEY+gate.example/log+dacdf0b6+AQcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH";

static KEYS: LazyLock<(LogPublicKey, StandardVerifier, StandardSigner)> = LazyLock::new(|| {
    let ours = LogKey::from_seed(ORIGIN, &[7; 32]).unwrap().public();
    let theirs = StandardVerifier::new(&ours.to_vkey()).unwrap();
    (ours, theirs, StandardSigner::new(SIGNER).unwrap())
});

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    whole: bool,
    /// A text, then the lines below its signature behind a zero byte.
    text: &'a str,
}

fuzz_target!(|input: Input<'_>| {
    let (text, lines) = input.text.split_once('\0').unwrap_or((input.text, ""));
    let note = if input.whole { text.to_owned() } else { signed(text, lines) };
    let (ours, theirs, _) = &*KEYS;
    let theirs = Note::from_bytes(note.as_bytes()).ok().filter(|note| {
        note.verify(&VerifierList::new(vec![Box::new(theirs.clone())])).is_ok()
    });
    match (ours.open(&note), &theirs) {
        (Ok(checkpoint), Some(theirs)) => {
            assert_eq!(checkpoint.to_text().as_bytes(), theirs.text(), "another text");
            assert_eq!(checkpoint.origin, ORIGIN);
        }
        (Ok(_), None) => panic!("signed_note does not open it: {note:?}"),
        (Err(_), None) => {}
        // What is stricter here, on purpose: control characters up to 0x7f, checkpoints of exactly three lines and of
        // this log alone, and every signature under the log's key, where signed_note looks at the first.
        (Err(error), Some(theirs)) => {
            let signatures = note.lines().filter(|line| line.starts_with(&format!("— {ORIGIN} "))).count();
            let text = String::from_utf8(theirs.text().to_vec()).unwrap();
            let other = Checkpoint::from_text(&text).map_or(true, |c| c.origin != ORIGIN);
            assert!(note.contains('\u{7f}') || other || signatures > 1, "refused without a reason: {error}");
        }
    }
    if let Ok(checkpoint) = Checkpoint::from_text(text) {
        assert_eq!(checkpoint.to_text(), text, "a checkpoint has one text");
    }
});

/// The text signed, and these lines below.
fn signed(text: &str, lines: &str) -> String {
    let Ok(mut note) = Note::new(text.as_bytes(), &[]) else { return format!("{text}\n{lines}") };
    if note.add_sigs(&[&KEYS.2]).is_err() {
        return format!("{text}\n{lines}");
    }
    String::from_utf8(note.to_bytes()).unwrap() + lines
}
