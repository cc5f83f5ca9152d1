#![expect(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    reason = "the numbers of these tests are small and fixed"
)]

use proptest::prelude::*;

use super::*;
use crate::audit::{Actor, Entry, LogKey, consistency_proof, data, export_end, export_line, root_of};

const SEED: [u8; 32] = [7; 32];

fn key() -> LogKey {
    LogKey::from_seed("gate.example/log", &SEED).unwrap()
}

/// A log of `n` entries: bodies and leaf hashes. Bodies are written by hand to be independent of the writer.
struct Log {
    bodies: Vec<Vec<u8>>,
    leaves: Vec<Digest>,
}

fn log(n: usize) -> Log {
    let body = |i: usize| {
        let at = 1_763_900_000_000_000 + i;
        format!(
            r#"{{"actor":{{"kind":"gate"}},"at":{at},"data":{{"n":{i}}},"event":"proposal.expired","v":1}}"#
        )
    };
    let bodies: Vec<Vec<u8>> = (0..n).map(|i| body(i).into_bytes()).collect();
    let leaves = bodies
        .iter()
        .enumerate()
        .map(|(i, b)| {
            entry_hash(Timestamp::from_micros(1_763_900_000_000_000 + i64::try_from(i).unwrap()), b)
        })
        .collect();
    Log { bodies, leaves }
}

impl Log {
    fn head(&self, size: usize) -> Checkpoint {
        Checkpoint {
            origin: "gate.example/log".into(),
            size: size as u64,
            root: root_of(&self.leaves[..size]),
        }
    }

    fn note(&self, size: usize) -> String {
        key().sign(&self.head(size))
    }

    /// The lines of an export of `[from, to)` under the checkpoint of size `size`.
    fn lines(&self, from: usize, to: usize, size: usize) -> Vec<Vec<u8>> {
        let mut before = Frontier::default();
        before.extend(self.leaves[..from].iter().copied());
        let proof = consistency_proof(&self.leaves[..size], to).unwrap();
        let header = ExportHeader { key: key().public(), before, count: (to - from) as u64, proof };
        let mut lines = vec![header.to_line()];
        lines.extend((from..to).map(|i| export_line(&self.leaves[i], &self.bodies[i])));
        let end = export_end(&self.note(size));
        lines.extend(end.split_inclusive(|b| *b == b'\n').map(<[u8]>::to_vec));
        lines
    }

    fn export(&self, from: usize, to: usize, size: usize) -> Vec<u8> {
        self.lines(from, to, size).concat()
    }
}

fn verify(bytes: &[u8], expected: Expected) -> Verification {
    go_on(Verifier::new(expected), bytes)
}

fn go_on(mut verifier: Verifier, bytes: &[u8]) -> Verification {
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        verifier.line(line);
    }
    verifier.finish()
}

fn anchored(note: String) -> Expected {
    Expected { key: Some(key().public()), anchor: Some(note) }
}

fn is_broken(bytes: &[u8], anchor: Option<String>) -> bool {
    matches!(verify(bytes, Expected { key: None, anchor }).finding, Finding::Broken { .. })
}

#[test]
fn an_export_looks_like_this() {
    let log = log(3);
    let text = String::from_utf8(log.export(1, 3, 3)).unwrap();
    insta::assert_snapshot!(text);
}

#[test]
fn a_whole_log_is_verified_beside_a_checkpoint_and_unanchored_without_t117() {
    let log = log(20);
    let export = log.export(0, 20, 20);
    for held in 1..=20 {
        let answer = verify(&export, anchored(log.note(held)));
        assert_eq!(answer.finding, Finding::Verified { up_to: held as u64 });
        assert_eq!((answer.from, answer.entries), (0, 20));
        assert_eq!(answer.checkpoint, Some(log.head(20)));
        assert_eq!(answer.key, Some(key().public()));
    }
    let lone = verify(&export, Expected::default()).finding;
    assert_eq!(lone, Finding::Unanchored { why: "no checkpoint held elsewhere was given".into() });
    assert!(matches!(verify(&export, anchored(log.note(0))).finding, Finding::Unanchored { .. }));
}

/// Every bit of two exports: a whole log, and a slice in the middle with roots and a proof.
#[test]
fn flipping_any_single_bit_breaks_an_export_t116() {
    let log = log(11);
    for (from, to, size) in [(0, 2, 2), (7, 9, 11)] {
        assert!(!is_broken(&log.export(from, to, size), None));
        let lines = log.lines(from, to, size);
        let mut before = Verifier::new(Expected::default());
        for (number, line) in lines.iter().enumerate() {
            for (index, bit) in (0..line.len()).flat_map(|i| (0..8).map(move |b| (i, b))) {
                let mut flipped = line.clone();
                flipped[index] ^= 1 << bit;
                // The rest of the bytes as a reader cuts them: a new or missing line feed moves the cuts.
                let rest = [flipped.as_slice(), &lines[number + 1..].concat()].concat();
                let finding = go_on(before.clone(), &rest).finding;
                let broken = matches!(finding, Finding::Broken { .. });
                assert!(broken, "bit {bit} of byte {index} of line {number} of {from}..{to}");
            }
            before.line(line);
        }
    }
}

#[test]
fn cutting_an_export_anywhere_breaks_it_t117() {
    let export = log(4).export(0, 4, 4);
    for length in 0..export.len() {
        assert!(is_broken(&export[..length], None), "{length}");
    }
    for more in ["\n", "x", "\n\n", "— gate.example/log AAAAAAEC\n"] {
        assert!(is_broken(&[export.as_slice(), more.as_bytes()].concat(), None), "{more:?}");
    }
}

#[test]
fn removing_moving_and_repeating_any_line_breaks_an_export_t116() {
    let lines = log(6).lines(0, 6, 6);
    let breaks = |lines: &[Vec<u8>], what: &str| assert!(is_broken(&lines.concat(), None), "{what}");
    for i in 0..lines.len() {
        let mut removed = lines.clone();
        removed.remove(i);
        breaks(&removed, &format!("without line {i}"));
        for j in 0..lines.len() {
            let mut repeated = lines.clone();
            repeated.insert(j, lines[i].clone());
            breaks(&repeated, &format!("line {i} again at {j}"));
            if lines[i] != lines[j] {
                let mut swapped = lines.clone();
                swapped.swap(i, j);
                breaks(&swapped, &format!("lines {i} and {j} swapped"));
            }
        }
    }
}

/// An attacker who may rewrite header, hashes and bodies alike, but does not hold the key.
#[test]
fn a_log_that_was_made_consistent_again_is_still_broken_t116() {
    let honest = log(6);
    let rebuilt = |change: &dyn Fn(&mut Log)| {
        let mut forged = log(6);
        change(&mut forged);
        let n = forged.bodies.len();
        let mut lines = forged.lines(0, n, n);
        let end = lines.len() - 5;
        lines.truncate(end);
        lines.push(honest.note(6).into_bytes());
        lines.concat()
    };
    assert!(!is_broken(&rebuilt(&|_| ()), None));
    for i in 0..6 {
        assert!(
            is_broken(&rebuilt(&|l| drop((l.bodies.remove(i), l.leaves.remove(i)))), None),
            "removed {i}"
        );
        assert!(
            is_broken(
                &rebuilt(&|l| {
                    l.bodies.insert(i, l.bodies[i].clone());
                    l.leaves.insert(i, l.leaves[i]);
                }),
                None
            ),
            "repeated {i}"
        );
        assert!(
            is_broken(
                &rebuilt(&|l| {
                    l.bodies[i] = br#"{"at":5}"#.to_vec();
                    l.leaves[i] = entry_hash(Timestamp::from_micros(5), br#"{"at":5}"#);
                }),
                None
            ),
            "replaced {i}"
        );
        if i > 0 {
            assert!(
                is_broken(
                    &rebuilt(&|l| {
                        l.bodies.swap(i, i - 1);
                        l.leaves.swap(i, i - 1);
                    }),
                    None
                ),
                "swapped {i}"
            );
        }
    }
}

#[test]
fn a_shorter_history_is_unanchored_alone_and_broken_beside_a_later_checkpoint_t117() {
    let log = log(12);
    for shorter in 0..12 {
        let export = log.export(0, shorter, shorter);
        assert!(matches!(verify(&export, Expected::default()).finding, Finding::Unanchored { .. }));
        for held in shorter + 1..=12 {
            assert!(is_broken(&export, Some(log.note(held))), "{shorter} beside {held}");
        }
    }
}

#[test]
fn another_history_under_the_same_key_is_broken_beside_any_earlier_checkpoint_t118() {
    let (honest, mut forked) = (log(9), log(9));
    forked.bodies[2] = br#"{"at":5}"#.to_vec();
    forked.leaves[2] = entry_hash(Timestamp::from_micros(5), &forked.bodies[2]);
    let export = forked.export(0, 9, 9);
    for held in 1..=9 {
        let broken = is_broken(&export, Some(honest.note(held)));
        assert_eq!(broken, held > 2, "{held}");
    }
}

#[test]
fn another_key_is_broken_t123() {
    let log = log(2);
    let export = log.export(0, 2, 2);
    let other = LogKey::from_seed("gate.example/log", &[8; 32]).unwrap();
    let expected = Expected { key: Some(other.public()), anchor: None };
    assert!(matches!(verify(&export, expected).finding, Finding::Broken { at: None, .. }));
    assert!(is_broken(&export, Some(other.sign(&log.head(2)))), "the anchor is of another key");
    assert!(is_broken(&export, Some("not a note".into())));
}

#[test]
fn the_answer_names_the_entry_that_was_changed() {
    let log = log(8);
    for (from, changed) in [(0, 0), (0, 5), (3, 3), (3, 7)] {
        let mut lines = log.lines(from, 8, 8);
        let line = &mut lines[1 + changed - from];
        let position = line.len() - 3;
        line[position] ^= 1;
        let answer = verify(&lines.concat(), Expected::default());
        assert!(
            matches!(answer.finding, Finding::Broken { at: Some(n), .. } if n == changed as u64),
            "{changed} from {from}: {answer:?}"
        );
        assert_eq!((answer.from, answer.entries), (from as u64, (changed - from) as u64));
    }
}

#[test]
fn a_slice_is_anchored_only_where_it_passes() {
    let log = log(30);
    let export = log.export(10, 20, 25);
    for held in 1..=30 {
        let finding = verify(&export, anchored(log.note(held))).finding;
        let verified = finding == Finding::Verified { up_to: held as u64 };
        let broken = matches!(finding, Finding::Broken { .. });
        assert_eq!((verified, broken), ((10..=20).contains(&held) || held == 25, held > 25), "{held}");
    }
}

#[test]
fn an_entry_as_the_gate_writes_it_verifies_t121() {
    let at = Timestamp::from_micros(-5);
    let data = data::Quarantined { why: "line\none \u{1b}[2J \u{2028} \"at\":9".into() };
    let entry = Entry::new(at, Actor::Person { id: "ann\n".into() }, data);
    let body = entry.to_bytes().unwrap();
    let log = Log { leaves: vec![entry_hash(at, &body)], bodies: vec![body] };
    assert_eq!(verify(&log.export(0, 1, 1), anchored(log.note(1))).finding, Finding::Verified { up_to: 1 });
}

#[test]
fn a_header_has_one_form() {
    let log = log(1);
    let lines = log.lines(0, 1, 1);
    let header = String::from_utf8(lines[0].clone()).unwrap();
    for changed in [
        header.replace(":1,", ": 1,"),
        header.replace('{', "{ "),
        header.replace("\"from\":0", "\"from\":0,\"from\":0"),
        header.replace("\"from\":0", "\"from\":0,\"more\":0"),
        header.replace("\"from\":0", "\"from\":-0"),
        header.replace("\"from\":0", "\"from\":0.0"),
        header.replace("\"countersign_log\":1", "\"countersign_log\":2"),
        header.replace("\"count\":1", "\"count\":18446744073709551615"),
        header.replace("gate", "\\u0067ate"),
        header.replace('\n', "\r\n"),
    ] {
        assert_ne!(changed, header);
        let bytes = [changed.as_bytes(), &lines[1..].concat()].concat();
        assert!(is_broken(&bytes, None), "{changed}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_slice_of_a_log_verifies_t125(
        n in 1_usize..120, a: prop::sample::Index, b: prop::sample::Index, c: prop::sample::Index
    ) {
        let log = log(n);
        let mut ends = [a.index(n + 1), b.index(n + 1), c.index(n + 1)];
        ends.sort_unstable();
        let [from, to, size] = ends;
        let answer = verify(&log.export(from, to, size), anchored(log.note(size)));
        let expect = if size == 0 {
            Finding::Unanchored { why: "the checkpoint held elsewhere is of an empty log".into() }
        } else {
            Finding::Verified { up_to: size as u64 }
        };
        prop_assert_eq!(answer.finding, expect);
        prop_assert_eq!(answer.entries, (to - from) as u64);
    }

    #[test]
    fn no_bytes_at_all_make_the_verifier_fail(bytes: Vec<u8>) {
        prop_assert!(is_broken(&bytes, None));
    }
}
