//! A record as a person sees it: the card with its digest, progress, and the agent's own words apart.

use countersign_core::audit::StoredEntry;
use countersign_core::proposal::Record;
use countersign_core::time::Timestamp;
use countersign_engine::gate::Gate;
use countersign_engine::store::LoggedEntry;

use super::message;
use crate::wire::{AgentWords, LogEntry, PersonProposal, PersonSummary};

/// Characters of one line of a list.
const LINE_CHARS_MAX: usize = 300;

/// A line of a list: what is longer ends with an ellipsis.
pub(super) fn line(text: &str) -> String {
    let mut line: String = text.chars().take(LINE_CHARS_MAX).collect();
    if line.len() < text.len() {
        line.push('…');
    }
    line
}

/// A proposal in a list.
pub(crate) fn summary(gate: &Gate, record: &Record, person: &str) -> PersonSummary {
    let card = gate.card(record);
    PersonSummary {
        id: card.id,
        state: record.state.name(),
        headline: line(&card.headline),
        action: card.action,
        who: card.who,
        risk: card.risk,
        created_at: record.proposal.created_at.to_rfc3339(),
        due: record.due().map(Timestamp::to_rfc3339),
        yours: gate.may_decide(record, person),
    }
}

/// A proposal in full.
pub(crate) fn for_person(gate: &Gate, record: &Record, person: &str) -> PersonProposal {
    let card = gate.card(record);
    PersonProposal {
        view: card.digest(),
        card,
        state: record.state.clone(),
        response: record.response.clone(),
        version: record.version,
        created_at: record.proposal.created_at.to_rfc3339(),
        approvals: record.approvals.clone(),
        yours: gate.may_decide(record, person),
        confirm: gate.may_confirm(record, person),
        owner: gate.owner_of(&record.proposal.action),
        message: message(record),
        written_by_the_agent: AgentWords {
            reason: record.proposal.reason.clone(),
            run: record.proposal.run.clone(),
            evidence: record.proposal.evidence.clone(),
        },
    }
}

/// An entry of the log.
pub(crate) fn log_entry(logged: &LoggedEntry) -> LogEntry {
    LogEntry { index: logged.index, entry: StoredEntry::from_bytes(&logged.body).ok() }
}
