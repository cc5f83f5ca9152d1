//! Which parts of an action depend on the record that is read first. Found once, at load.
//!
//! The analysis looks at names only: an expression that mentions `before`, or a `preview.let` that does, counts
//! as reading the record, whatever it computes.

use std::collections::BTreeSet;

use super::{Guard, Plan};

/// The parts of a plan that depend on the record. The default is none.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "one independent answer for each part")]
pub(in crate::action) struct RecordParts {
    pub(super) lets: BTreeSet<String>,
    pub(super) resource: bool,
    /// `risk.amount` and `risk.currency`, which are computed together.
    pub(super) money: bool,
    pub(super) count: bool,
    /// By position.
    pub(super) effects: BTreeSet<usize>,
    pub(super) guard: bool,
    pub(super) url: bool,
    /// By name.
    pub(super) headers: BTreeSet<String>,
    pub(super) body: bool,
    pub(super) after: bool,
    /// The entity tag of the record is sent along.
    pub(super) etag: bool,
}

/// Which parts of the rendering that policy reads depend on the record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "one independent answer for each fact")]
pub struct RecordReads {
    /// A record is read at all, so the fidelity of the preview depends on it.
    pub read: bool,
    /// The id of the resource.
    pub resource: bool,
    /// `risk.amount`, `risk.exact` and `risk.currency`.
    pub amount: bool,
    /// `risk.count`.
    pub count: bool,
}

impl Plan {
    /// This plan with [`Plan::from_record`] filled in.
    pub(in crate::action) fn analysed(mut self) -> Self {
        let mut lets = BTreeSet::new();
        // Each value stands after those that it refers to.
        for (name, template) in &self.lets {
            if template.reads_record(&lets) {
                lets.insert(name.clone());
            }
        }
        let request = &self.request;
        let sentences = self.effects.iter().enumerate();
        let headers = request.headers.iter().filter(|(_, text)| text.reads_record(&lets));
        let reads =
            |template: &Option<super::Template>| template.as_ref().is_some_and(|t| t.reads_record(&lets));
        self.from_record = RecordParts {
            resource: self.resource_id.reads_record(&lets),
            money: self.money.as_ref().is_some_and(|(a, c)| a.reads_record(&lets) || c.reads_record(&lets)),
            count: reads(&self.count),
            effects: sentences.filter(|(_, s)| s.reads_record(&lets)).map(|(at, _)| at).collect(),
            guard: !matches!(self.guard, Guard::None),
            url: request.url.reads_record(&lets),
            headers: headers.map(|(name, _)| name.clone()).collect(),
            body: reads(&request.body),
            after: reads(&self.after),
            etag: matches!(self.guard, Guard::Etag),
            lets,
        };
        self
    }

    /// What of the rendering that policy reads depends on the record.
    pub(in crate::action) const fn record_reads(&self) -> RecordReads {
        let parts = &self.from_record;
        RecordReads {
            read: self.read.is_some(),
            resource: parts.resource,
            amount: parts.money,
            count: parts.count,
        }
    }

    /// Whether a sentence depends on the record.
    pub(in crate::action) fn effect_reads_record(&self, at: usize) -> bool {
        self.from_record.effects.contains(&at)
    }

    /// Whether the call depends on the record.
    pub(in crate::action) fn call_reads_record(&self) -> bool {
        let parts = &self.from_record;
        parts.url || parts.body || parts.etag || !parts.headers.is_empty()
    }
}
