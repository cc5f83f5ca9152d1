//! The verifier of exports never fails on bytes, and an export that it verifies is the one that was signed, byte by
//! byte.
//!
//! The input is an export as it is, or entries that are made into one, which is then changed in one place.
#![no_main]

use std::sync::Once;

use countersign_core::audit::{
    Checkpoint, Expected, ExportHeader, Finding, Frontier, LogKey, Verifier, entry_hash, export_end, export_line,
};
use countersign_core::digest::Digest;
use countersign_core::time::Timestamp;
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input<'a> {
    whole: bool,
    /// Where the export is changed, and to what.
    change: Option<(u16, u8)>,
    /// The whole export, or the bodies of its entries, one a line.
    text: &'a [u8],
}

/// Whether real entries were verified, without which the check of changed exports would check nothing.
static SOUND: Once = Once::new();

fuzz_target!(|input: Input<'_>| {
    SOUND.call_once(|| {
        let demo = include_bytes!("../seeds/export/demo");
        let (export, expected) = signed(&demo[2..]);
        assert!(matches!(verify(export.split_inclusive(line_end), expected), Finding::Verified { .. }));
    });
    if input.whole {
        // In lines, as a reader gives them, or in pieces that no reader should give.
        match input.change {
            None => verify(input.text.split_inclusive(line_end), Expected::default()),
            Some((_, size)) => verify(input.text.chunks(usize::from(size) + 1), Expected::default()),
        };
        return;
    }
    let (export, expected) = signed(input.text);
    verify(export.split_inclusive(line_end), expected.clone());
    let Some((at, byte)) = input.change else { return };
    let mut changed = export.clone();
    let at = usize::from(at) % changed.len();
    changed[at] = byte;
    if matches!(verify(changed.split_inclusive(line_end), expected), Finding::Verified { .. }) {
        assert_eq!(changed, export, "a changed export is verified");
    }
});

/// The export of a log with these entries, one a line, and what its reader knows from elsewhere.
fn signed(text: &[u8]) -> (Vec<u8>, Expected) {
    let key = LogKey::from_seed("gate.example/log", &[7; 32]).unwrap();
    let bodies: Vec<&[u8]> = text.split(|b| *b == b'\n').filter(|b| !b.is_empty()).collect();
    let mut tree = Frontier::default();
    let lines: Vec<Vec<u8>> = bodies
        .iter()
        .map(|body| {
            let leaf = entry_hash(time_of(body), body);
            tree.push(leaf);
            export_line(&leaf, body)
        })
        .collect();
    let head = Checkpoint { origin: key.origin().to_owned(), size: tree.size(), root: tree.root() };
    let note = key.sign(&head);
    let proof: Vec<Digest> = Vec::new();
    let header = ExportHeader { key: key.public(), before: Frontier::default(), count: tree.size(), proof };
    let export = [header.to_line(), lines.concat(), export_end(&note)].concat();
    (export, Expected { key: Some(key.public()), anchor: Some(note) })
}

fn line_end(byte: &u8) -> bool {
    *byte == b'\n'
}

fn verify<'a>(pieces: impl Iterator<Item = &'a [u8]>, expected: Expected) -> Finding {
    let mut verifier = Verifier::new(expected);
    pieces.for_each(|piece| verifier.line(piece));
    verifier.finish().finding
}

/// The time that a body says it is of; any other makes the leaf wrong.
fn time_of(body: &[u8]) -> Timestamp {
    let entry: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    Timestamp::from_micros(entry.and_then(|e| e.get("at")?.as_i64()).unwrap_or_default())
}
