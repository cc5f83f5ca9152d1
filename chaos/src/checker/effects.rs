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
            let ids: BTreeSet<&String> =
                unit.ids.iter().chain(unit.doubtful.iter().filter(existing)).collect();
            if ids.len() > 1 {
                let what = format!("{unit_name} ({name}) made more than one proposal: {ids:?}");
                violations.add(Promise::OneKeyOneProposal, what);
            }
        }
    }
}

/// Each effect follows from a request that was sent before it and was not told that nothing was done. An effect
/// that no answer names may belong to a request without an answer, one for each.
pub(super) fn as_answered(evidence: &Evidence, violations: &mut Violations) {
    let none = Marker::default();
    for (name, applied) in &evidence.applied {
        let marker = evidence.requests.markers.get(name).unwrap_or(&none);
        let units = || marker.units.values();
        let (mut denied, mut unnamed) = (Vec::new(), Vec::new());
        for (id, _) in applied.iter().filter(|(id, at)| !units().any(|unit| unit.justifies(id, **at))) {
            let named = units().any(|unit| unit.ids.contains(id));
            if named { denied.push(id) } else { unnamed.push(id) }
        }
        let open = units().filter(|unit| unit.uncertain() && unit.ids.is_empty()).count();
        if unnamed.len() > open {
            denied.append(&mut unnamed);
        }
        if !denied.is_empty() {
            let what = format!(
                "{name}: the upstream applied {denied:?}, but every answer before said that nothing was done, or \
                 named another proposal: {}",
                told(marker)
            );
            violations.add(Promise::NoMeansNo, what);
        }
    }
}
