//! Effects against answers: at most one for each proposal, key and request, and none that was denied to an agent.

use std::collections::BTreeSet;

use super::requests::Marker;
use super::{Evidence, Promise, Violations, told};

/// At most one effect for each proposal, and one proposal for each idempotency key.
pub(super) fn once(evidence: &Evidence, violations: &mut Violations) {
    for (id, calls) in &evidence.calls {
        if calls.received > 1 {
            let what = format!("{id} was sent {} times and applied {} times", calls.received, calls.applied);
            violations.add(Promise::SentOnce, what);
        }
    }
    for (name, marker) in &evidence.requests.markers {
        for (unit_name, unit) in &marker.units {
            let existing = |id: &&String| evidence.requests.exists(id);
            let ids: BTreeSet<&String> = unit.ids.iter().chain(unit.doubtful.iter().filter(existing)).collect();
            if ids.len() > 1 {
                let what = format!("{unit_name} ({name}) made more than one proposal: {ids:?}");
                violations.add(Promise::OneKeyOneProposal, what);
            }
        }
    }
}

/// Each effect has a proposal that some answer named, or a request that got no answer. What is left ran after
/// its agent was told that nothing was done.
pub(super) fn as_answered(evidence: &Evidence, violations: &mut Violations) {
    let none = Marker::default();
    for (name, applied) in &evidence.applied {
        let marker = evidence.requests.markers.get(name).unwrap_or(&none);
        let named: BTreeSet<&String> =
            marker.units.values().flat_map(|unit| unit.ids.iter().chain(&unit.doubtful)).collect();
        let unnamed: Vec<&String> = applied.iter().filter(|id| !named.contains(id)).collect();
        let open = marker.units.values().filter(|unit| unit.uncertain && unit.ids.is_empty()).count();
        if unnamed.len() > open {
            let what = format!(
                "{name}: the upstream applied {unnamed:?}, but every answer said that nothing was done, or named \
                 another proposal: {}",
                told(marker)
            );
            violations.add(Promise::NoMeansNo, what);
        }
    }
}
