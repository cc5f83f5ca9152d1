//! Which parts of the context the policies of one action read, found when they are loaded.
//!
//! What none of them reads is checked like the rest, but not made into Cedar values for every decision. Where
//! a condition cannot be read for certain, everything counts as read: too much costs time, too little would
//! make `has` quietly false.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::Policy;

use super::est;
use super::shape::Fields;

/// The field of the context that carries the visible input.
pub(super) const INPUT: &str = "input";

/// What some policies read of `context`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sees {
    /// All of it, or nobody knows.
    Everything,
    /// These fields.
    Only(BTreeMap<String, FieldReads>),
}

/// What some policies read of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FieldReads {
    /// The field itself.
    Whole,
    /// These fields below it.
    Below(BTreeSet<String>),
}

impl Sees {
    /// What these policies read; of the input also every field that only Cedar can check.
    pub(super) fn of<'a>(policies: impl IntoIterator<Item = &'a Policy>, input: &Fields) -> Self {
        let mut only = BTreeMap::new();
        for (name, _) in input.iter().filter(|(_, field)| !field.kind.is_checked_here()) {
            add(&mut only, INPUT, Some(name));
        }
        for policy in policies {
            let Ok(est) = policy.to_json() else { return Self::Everything };
            let Some(paths) = est::context_reads(&est) else { return Self::Everything };
            for path in &paths {
                let Some(field) = path.first() else { return Self::Everything };
                add(&mut only, field, path.get(1).copied());
            }
        }
        Self::Only(only)
    }

    /// Whether `context.<field>` is there at all.
    pub(super) fn field(&self, field: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Only(fields) => fields.contains_key(field),
        }
    }

    /// Whether `context.<field>.<below>` is there.
    pub(super) fn below(&self, field: &str, below: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Only(fields) => match fields.get(field) {
                None => false,
                Some(FieldReads::Whole) => true,
                Some(FieldReads::Below(some)) => some.contains(below),
            },
        }
    }
}

fn add(only: &mut BTreeMap<String, FieldReads>, field: &str, below: Option<&str>) {
    let part = only.entry(field.to_owned()).or_insert_with(|| FieldReads::Below(BTreeSet::new()));
    match (&mut *part, below) {
        (FieldReads::Whole, _) => {}
        (FieldReads::Below(some), Some(below)) => {
            some.insert(below.to_owned());
        }
        (FieldReads::Below(_), None) => *part = FieldReads::Whole,
    }
}
