//! Whatever is changed in the arguments changes what is approved.

use serde_json::{Map, Value, json};

use super::*;

/// Numbers that look random and are the same in every run (`SplitMix64`; Steele, Lea, Flood 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) >> 33).unwrap().checked_rem(sides).unwrap()
    }

    fn tree(&mut self, depth: usize) -> Value {
        match self.roll(if depth == 0 { 5 } else { 7 }) {
            0 => Value::Null,
            1 => json!(self.roll(2) == 0),
            2 => json!(self.roll(1_000)),
            3 => json!(["", "a", " a", "a ", "A", "é", "e\u{301}", "0", "null"][self.roll(9)]),
            4 => json!(format!("t{}", self.roll(100))),
            5 => (0..self.roll(4)).map(|_| self.tree(depth.saturating_sub(1))).collect(),
            _ => Value::Object(self.object(depth.saturating_sub(1))),
        }
    }

    fn object(&mut self, depth: usize) -> Map<String, Value> {
        (0..self.roll(4)).map(|n| (format!("k{n}"), self.tree(depth))).collect()
    }

    /// Changes one place: a leaf, a type, a key, an element more or less, two elements exchanged.
    fn change(&mut self, value: &mut Value) {
        match value {
            Value::Object(members) if !members.is_empty() && self.roll(4) > 0 => {
                let key = members.keys().nth(self.roll(members.len())).unwrap().clone();
                match self.roll(3) {
                    0 => drop(members.remove(&key)),
                    1 => {
                        let moved = members.remove(&key).unwrap();
                        members.insert(format!("{key} "), moved);
                    }
                    _ => self.change(members.get_mut(&key).unwrap()),
                }
            }
            Value::Object(members) => drop(members.insert("new".to_owned(), Value::Null)),
            Value::Array(items) if !items.is_empty() && self.roll(4) > 0 => {
                let at = self.roll(items.len());
                match self.roll(3) {
                    0 => drop(items.remove(at)),
                    1 => items.push(items[at].clone()),
                    _ => self.change(&mut items[at]),
                }
            }
            Value::Array(items) => items.push(Value::Null),
            Value::String(text) if self.roll(2) == 0 => text.push(' '),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => {
                // Another type with the same text: `7` and `"7"`, `null` and `"null"`.
                let text =
                    if let Value::String(text) = other { format!("{text}.") } else { other.to_string() };
                *other = json!(text);
            }
        }
    }
}

#[test]
fn one_change_anywhere_in_the_arguments_is_another_intent_t01_t02() {
    let (mut dice, rendering) = (Dice(1), binding(5).rendering);
    let intent = |input: &Value| {
        let input = crate::json::CanonicalInput::new(input.clone());
        Proposal { input, ..proposal() }.intent(&rendering, IntentVersion::CURRENT).unwrap()
    };
    for n in 0..100_000 {
        let input = Value::Object(dice.object(3));
        let mut changed = input.clone();
        dice.change(&mut changed);
        assert_ne!(input, changed, "{n}: the change is none");
        assert_ne!(intent(&input), intent(&changed), "{n}: {input} and {changed}");
    }
}

#[test]
fn an_input_of_version_1_keeps_its_numbers_when_it_is_written_anew_d16() {
    let input = crate::json::CanonicalInput::new(json!({ "charge": "ch_1", "rate": 4.0, "large": 1e21 }));
    let old = Proposal { input, ..proposal() };
    let (rendering, preview) = (binding(5).rendering, binding(5).preview);
    let bound = Binding::by(IntentVersion::V1, &old, rendering, preview).unwrap();
    let record = Record { proposal: old, binding: bound, ..opened(allow()) };
    assert!(record.is_intact());
    let parts = record.unstored().unwrap();
    let text = &parts.iter().find(|part| part.name == PartName::Input).unwrap().text;
    let read: crate::json::CanonicalInput = serde_json::from_str(text).unwrap();
    let read = Record { proposal: Proposal { input: read, ..record.proposal.clone() }, ..record };
    assert!(read.is_intact(), "{text}");
}

#[test]
fn texts_that_look_alike_are_different_intents_t02() {
    let rendering = binding(5).rendering;
    let intent = |text: &str| {
        let input = crate::json::CanonicalInput::new(json!({ "charge": text }));
        Proposal { input, ..proposal() }.intent(&rendering, IntentVersion::CURRENT).unwrap()
    };
    let alike =
        ["ch_1", "ch_1 ", " ch_1", "CH_1", "ch_1\u{200b}", "ch\u{ad}_1", "сh_1", "é", "e\u{301}", "E\u{301}"];
    let intents: BTreeSet<Digest> = alike.into_iter().map(intent).collect();
    assert_eq!(intents.len(), alike.len());
}
