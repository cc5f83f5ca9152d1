//! Calls that MCP clients sent again: one effect at most for each, whatever the proposals, and answers that a model can
//! believe.

use super::requests::{Known, Marker, Unit};
use super::{Evidence, Promise, Violations, told as answers_to};

/// What the MCP clients did.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sendings {
    /// Different calls.
    pub(crate) calls: u64,
    /// How often they were sent, all together.
    pub(crate) sent: u64,
    /// Sent again when their effect was there already.
    pub(crate) after_effect: u64,
    /// Effects of these calls.
    pub(crate) effects: u64,
    /// Calls with more than one effect.
    pub(crate) double_effects: u64,
}

impl Sendings {
    /// How many were not the first sending of their call.
    pub(crate) const fn again(&self) -> u64 {
        self.sent.saturating_sub(self.calls)
    }
}

/// Counts what the MCP clients sent and what came of it.
pub(super) fn sendings(evidence: &Evidence) -> Sendings {
    let mut all = Sendings::default();
    for (name, marker) in &evidence.requests.markers {
        let first = evidence.applied.get(name).and_then(|ids| ids.values().min().copied());
        for unit in marker.units.values().filter(|unit| unit.mcp) {
            let late = unit.requests.iter().filter(|request| first.is_some_and(|at| request.asked > at));
            all.calls = all.calls.saturating_add(1);
            all.sent = all.sent.saturating_add(count(unit.requests.len()));
            all.after_effect = all.after_effect.saturating_add(count(late.count()));
        }
        if is_mcp(marker) {
            let effects = effects(evidence, name);
            all.effects = all.effects.saturating_add(effects);
            all.double_effects = all.double_effects.saturating_add(u64::from(effects > 1));
        }
    }
    all
}

/// One effect for each call, and another proposal only after one that was certainly not done.
pub(super) fn once(evidence: &Evidence, violations: &mut Violations) {
    for (name, marker) in evidence.requests.markers.iter().filter(|(_, marker)| is_mcp(marker)) {
        let effects = effects(evidence, name);
        if effects > 1 {
            let ids = evidence.applied.get(name).map(|ids| ids.keys().collect::<Vec<_>>());
            let what = format!(
                "{name}: one call was applied {effects} times, by {:?}: {}",
                ids.unwrap_or_default(),
                answers_to(marker)
            );
            violations.add(Promise::SentAgainOnce, what);
        }
        for (call, unit) in marker.units.iter().filter(|(_, unit)| unit.known == Known::Call) {
            if let Some((first, second)) = beside_each_other(evidence, unit) {
                let what = format!("{call} made {second}, although {first} had not ended without an effect");
                violations.add(Promise::SentAgainOnce, what);
            }
        }
    }
}

/// What a model reads is true when it is said: what is done is not called not done, and the other way round.
pub(super) fn told(evidence: &Evidence, violations: &mut Violations) {
    for told in &evidence.requests.told {
        let applied = evidence.applied.values().find_map(|ids| ids.get(&told.id).copied());
        let (id, words) = (&told.id, &told.words);
        match told.said.as_str() {
            "both" => {
                let what = format!("{id}: an answer says that it was done and that it was not: \"{words}\"");
                violations.add(Promise::NoMeansNo, what);
            }
            "not done" if applied.is_some_and(|at| at < told.asked) => {
                let what =
                    format!("{id} was applied, and an agent that asked afterwards was told: \"{words}\"");
                violations.add(Promise::NoMeansNo, what);
            }
            "done" | "already done" if applied.is_none_or(|at| at > told.answered) => {
                let what = format!("{id} was not applied, and an agent was told: \"{words}\"");
                violations.add(Promise::True, what);
            }
            _ => {}
        }
    }
}

fn is_mcp(marker: &Marker) -> bool {
    marker.units.values().any(|unit| unit.mcp)
}

/// How often the upstream applied what has this marker.
fn effects(evidence: &Evidence, marker: &str) -> u64 {
    let ids = evidence.applied.get(marker).into_iter().flat_map(|ids| ids.keys());
    count(ids.filter_map(|id| evidence.calls.get(id)).map(|calls| calls.applied).sum())
}

/// A proposal of the unit, and the next one, which was opened before that one had ended without an effect.
fn beside_each_other<'a>(evidence: &'a Evidence, unit: &'a Unit) -> Option<(&'a String, &'a String)> {
    let ids = evidence.proposals_of(unit);
    let mut spans: Vec<_> = ids.into_iter().filter_map(|id| Some((evidence.log.span(id)?, id))).collect();
    spans.sort_by_key(|(span, _)| span.opened);
    let mut pairs = spans.iter().zip(spans.iter().skip(1));
    pairs
        .find(|((first, _), (second, _))| first.not_done.is_none_or(|end| end > second.opened))
        .map(|((_, first), (_, second))| (*first, *second))
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
