//! Effects against answers: at most one for each proposal, key and request, and none that was denied to an agent.

use super::requests::{Known, Marker};
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
        // A call without a key may make another proposal when the first one was certainly not done.
        for (unit_name, unit) in marker.units.iter().filter(|(_, unit)| unit.known != Known::Call) {
            let ids = evidence.proposals_of(unit);
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
        let open = units().filter(|unit| unit.may_hide_one(|id| applied.contains_key(id))).count();
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
