//! Effects against answers: at most one for each proposal, key and request, and none that was denied to an agent.

use std::collections::BTreeSet;

use super::requests::Marker;
use super::{Evidence, told};

/// At most one effect for each proposal, and one proposal for each idempotency key.
pub(super) fn once(evidence: &Evidence, violations: &mut Vec<String>) {
    for (id, calls) in &evidence.calls {
        if calls.received > 1 {
            violations.push(format!(
                "{id} was sent {} times; the upstream applied it {} times",
                calls.received, calls.applied
            ));
        }
    }
    for (name, marker) in &evidence.requests.markers {
        for (unit_name, unit) in &marker.units {
            let existing = |id: &&String| evidence.requests.exists(id);
            let ids: BTreeSet<&String> = unit.ids.iter().chain(unit.doubtful.iter().filter(existing)).collect();
            if ids.len() > 1 {
                violations.push(format!("{unit_name} ({name}) made more than one proposal: {ids:?}"));
            }
        }
    }
}

/// Each effect has a proposal that some answer named, or a request that got no answer. What is left ran after
/// its agent was told that nothing was done.
pub(super) fn as_answered(evidence: &Evidence, violations: &mut Vec<String>) {
    let none = Marker::default();
    for (name, applied) in &evidence.applied {
        let marker = evidence.requests.markers.get(name).unwrap_or(&none);
        let named: BTreeSet<&String> =
            marker.units.values().flat_map(|unit| unit.ids.iter().chain(&unit.doubtful)).collect();
        let unnamed: Vec<&String> = applied.iter().filter(|id| !named.contains(id)).collect();
        let open = marker.units.values().filter(|unit| unit.uncertain && unit.ids.is_empty()).count();
        if unnamed.len() > open {
            violations.push(format!(
                "{name}: the upstream applied {unnamed:?}, but every answer said that nothing was done, or named \
                 another proposal: {}",
                told(marker)
            ));
        }
    }
}
