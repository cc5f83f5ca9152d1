//! The words of the card that the console and the command line share.

use countersign_core::action::{EffectClass, Reversible, Risk};
use countersign_core::decision::PolicyRef;
use countersign_core::preview::Fidelity;
use countersign_core::proposal::StateName;
use countersign_core::view::Card;

/// The name of a state for people.
pub(crate) const fn label(state: StateName) -> &'static str {
    match state {
        StateName::Denied => "Denied by policy",
        StateName::Pending => "Waiting for approval",
        StateName::Ready => "About to be sent",
        StateName::Dispatched => "On its way",
        StateName::Succeeded => "Done",
        StateName::Failed => "Failed",
        StateName::Unknown => "Outcome unknown",
        StateName::Rejected => "Rejected",
        StateName::Expired => "Expired",
        StateName::Cancelled => "Cancelled",
        StateName::Superseded => "Superseded",
        StateName::Refused => "Refused",
    }
}

/// How many things are touched, and whether they change.
pub(crate) fn touched(risk: &Risk) -> String {
    let count = if risk.count == 1 { "1 thing".to_owned() } else { format!("{} things", risk.count) };
    if risk.mutating { format!("Changes {count}") } else { format!("Reads {count}") }
}

/// Said of what reaches somebody outside the organisation.
pub(crate) const OUTSIDE: &str = "Reaches somebody outside";
/// Said of what is declared irreversible.
pub(crate) const IRREVERSIBLE: &str = "Cannot be undone";

/// Only what is declared irreversible is shown as such, and never a read.
pub(crate) fn is_irreversible(card: &Card) -> bool {
    card.risk.mutating && card.reversible == Reversible::Never
}

/// What happens when the call is sent twice.
pub(crate) const fn if_sent_twice(effect: EffectClass) -> &'static str {
    match effect {
        EffectClass::Read => "Nothing changes: it only reads.",
        EffectClass::Keyed => "The upstream drops a repeat with the same key.",
        EffectClass::Conditional => "A condition makes a second one fail.",
        EffectClass::Natural => "The result is the same as after one.",
        EffectClass::Opaque => "Not known, so the gate sends it once and never again.",
    }
}

/// How the difference was made.
pub(crate) const fn meaning(fidelity: Fidelity) -> &'static str {
    match fidelity {
        Fidelity::Exact => "The upstream itself computed this.",
        Fidelity::Computed => "The gate read the record and applied the change to it.",
        Fidelity::Declared => "Nothing was computed: there are only the action's own sentences.",
        Fidelity::None => "Nothing is known about what this changes.",
    }
}

/// Why a policy asks for people.
pub(crate) fn why(policy: &PolicyRef) -> &str {
    if policy.reason.is_empty() { "The policy gives no reason." } else { &policy.reason }
}
