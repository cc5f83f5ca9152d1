//! A record as a person sees it: the card with its digest, progress, and the agent's own words apart.

use countersign_core::approval::{Approval, may_decide};
use countersign_core::audit::StoredEntry;
use countersign_core::id::ProposalId;
use countersign_core::proposal::{Record, StateName};
use countersign_core::time::Timestamp;
use countersign_core::view::Card;
use countersign_engine::gate::Gate;
use countersign_engine::store::LoggedEntry;

use super::{is_irreversible, message_for_person, person_name};
use crate::wire::{AgentWords, GivenApproval, LogAbout, LogEntry, PersonProposal, PersonSummary};

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
        why: card.gates.iter().map(|gate| &gate.policy.reason).find(|r| !r.is_empty()).map(|r| line(r)),
        irreversible: is_irreversible(&card),
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
        approvals: record.approvals.iter().map(|approval| given(approval, record, gate)).collect(),
        deciders: gate.deciders(record),
        yours: gate.may_decide(record, person),
        why_not: why_not(gate, record, person),
        confirm: gate.may_confirm(record, person),
        owner: gate.owner_of(&record.proposal.action),
        message: message_for_person(record, &gate.ruleset().directory),
        written_by_the_agent: AgentWords {
            reason: record.proposal.reason.clone(),
            run: record.proposal.run.clone(),
            evidence: record.proposal.evidence.clone(),
        },
    }
}

fn given(approval: &Approval, record: &Record, gate: &Gate) -> GivenApproval {
    GivenApproval {
        name: person_name(&gate.ruleset().directory, &approval.person),
        counts: approval.answers_to(&record.binding.intent, &record.decision.digest),
        approval: approval.clone(),
    }
}

/// Why a proposal is not this person's to decide: each rule's own answer. Empty when it is.
pub(crate) fn why_not(gate: &Gate, record: &Record, person: &str) -> Vec<String> {
    if gate.may_decide(record, person) {
        return Vec::new();
    }
    if record.state.name() != StateName::Pending {
        return vec!["It does not wait for people.".to_owned()];
    }
    if record.standing_approvals().iter().any(|a| a.person == person) {
        return vec!["You have approved it. Others must still decide.".to_owned()];
    }
    let rules = gate.ruleset();
    let by = record.proposal.proposed_by();
    let asked = record.decision.rules();
    let asked = asked.iter().filter_map(|name| rules.rules.get(name));
    let mut answers: Vec<String> = asked
        .filter_map(|rule| may_decide(rule, person, by, &rules.directory).err())
        .map(|refusal| refusal.to_string())
        .collect();
    answers.dedup();
    answers
}

/// An entry of the log.
pub(crate) fn log_entry(logged: &LoggedEntry) -> LogEntry {
    log_entry_about(logged, None)
}

/// An entry of the log, with the proposal that it is about.
pub(crate) fn log_entry_about(logged: &LoggedEntry, about: Option<LogAbout>) -> LogEntry {
    LogEntry { index: logged.index, entry: StoredEntry::from_bytes(&logged.body).ok(), about }
}

/// What an entry of the log says about its proposal.
pub(crate) fn log_about(gate: &Gate, record: &Record) -> LogAbout {
    let Card { headline, action, risk, .. } = gate.card(record);
    LogAbout { action, headline: line(&headline), risk }
}

/// When a proposal was made, by its id.
pub(crate) fn made_at(id: ProposalId) -> Timestamp {
    Timestamp::from_micros(i64::try_from(id.millis().saturating_mul(1_000)).unwrap_or(i64::MAX))
}
