//! What happened to a proposal, in one or two sentences: for agents, with what to do, and for people.

use countersign_core::audit::Actor;
use countersign_core::decision::{Answer, DenyCode};
use countersign_core::directory::Directory;
use countersign_core::proposal::{Clock, Record, State};

/// What an agent is told whom no policy permits.
pub(super) const NO_PERMIT: &str = "NOT DONE. No policy permits this. Asking again will not help.";

/// One or two sentences that a model cannot misread: what happened, and what to do. `again` says how to ask how it
/// stands: `ask for /v1/proposals/prp_…`.
pub(super) fn message(record: &Record, again: &str) -> String {
    match &record.state {
        State::Pending { standing, .. } => {
            let missing: Vec<String> = standing
                .iter()
                .filter(|s| !s.is_met())
                .map(|s| format!("{} of {} from {}", s.have, s.want, s.rule))
                .collect();
            let first = record.decision.detail.as_ref().map(|d| format!(" First, {d}.")).unwrap_or_default();
            format!(
                "NOT DONE. Waiting for approval ({}).{first} Do not propose this again; {again}.",
                missing.join(", ")
            )
        }
        State::Ready { use_by } => format!(
            "NOT DONE YET. Approved; it is sent as soon as it can be, until {}. To see how it stands, {again}.",
            use_by.to_rfc3339()
        ),
        State::Dispatched { .. } => {
            format!("Being sent; the result is not recorded yet. Do not repeat it; {again}.")
        }
        State::Succeeded { .. } => "Done.".to_owned(),
        State::Failed { cause, .. } => format!("NOT DONE: {}.", cause.to_text()),
        State::Unknown { cause, .. } => {
            format!(
                "It is not known whether this was done: {}. Do not repeat it; {again}, which changes when a \
                 late answer says more, or let a person look at the upstream.",
                cause.to_text()
            )
        }
        State::Denied { .. } => denied(record),
        State::Rejected { by, reason, .. } if reason.is_empty() => format!("NOT DONE. {by} rejected it."),
        State::Rejected { by, reason, .. } => format!("NOT DONE. {by} rejected it: {reason}"),
        State::Expired { clock: Clock::DecideBy, .. } => format!("NOT DONE. {}", undecided(record)),
        State::Expired { clock: Clock::UseBy, .. } => {
            "NOT DONE. It was approved, and could not be sent in time.".to_owned()
        }
        State::Cancelled { .. } => "NOT DONE. It was cancelled.".to_owned(),
        State::Superseded { by, .. } => format!("NOT DONE. {by} took its place."),
        State::Refused { detail, .. } => format!("NOT DONE. {detail}."),
    }
}

/// Why the time to decide passed without a decision.
fn undecided(record: &Record) -> &'static str {
    if record.standing_approvals().is_empty() {
        "Nobody decided in time."
    } else {
        "Too few people approved it in time."
    }
}

fn denied(record: &Record) -> String {
    let reasons: Vec<&str> =
        record.decision.policies.iter().map(|p| p.reason.as_str()).filter(|r| !r.is_empty()).collect();
    if let Some(detail) = &record.decision.detail {
        format!("NOT DONE: {detail}. Asking again will not help.")
    } else if record.decision.answer == (Answer::Deny { code: DenyCode::NoPermit }) {
        NO_PERMIT.to_owned()
    } else if reasons.is_empty() {
        "NOT DONE. Policy refuses this. Asking again will not help.".to_owned()
    } else {
        format!("NOT DONE. {} Asking again will not help.", reasons.join(" "))
    }
}

/// Where a proposal is, in one sentence for people.
pub(crate) fn message_for_person(record: &Record, directory: &Directory) -> String {
    match &record.state {
        State::Pending { .. } => "Nothing has been done. It waits for people.".to_owned(),
        State::Ready { .. } => "Everything it needs is there. The gate is about to send it.".to_owned(),
        State::Dispatched { .. } => "The request was sent. The answer has not come yet.".to_owned(),
        State::Succeeded { .. } => "The upstream says that it is done.".to_owned(),
        State::Failed { cause, .. } => format!("It was not done: {}.", cause.to_text()),
        State::Unknown { cause, .. } => format!(
            "Nobody knows whether it was done: {}. It is not sent again; look at the upstream.",
            cause.to_text()
        ),
        State::Denied { .. } => match &record.decision.detail {
            Some(detail) => format!("It was denied: {detail}."),
            None => "Policy refuses it, and no approval can change that.".to_owned(),
        },
        State::Rejected { by, reason, .. } if reason.is_empty() => {
            format!("{} rejected it.", person_name(directory, by))
        }
        State::Rejected { by, reason, .. } => {
            format!("{} rejected it: {reason}", person_name(directory, by))
        }
        State::Expired { clock: Clock::DecideBy, .. } => undecided(record).to_owned(),
        State::Expired { clock: Clock::UseBy, .. } => {
            "It was allowed, but could not be sent in time.".to_owned()
        }
        State::Cancelled { by, .. } => format!("{} withdrew it.", actor(by, directory)),
        State::Superseded { by, .. } => format!("{by} took its place."),
        State::Refused { detail, .. } => format!("It will never run: {detail}."),
    }
}

/// Who caused something.
pub(crate) fn actor(actor: &Actor, directory: &Directory) -> String {
    match actor {
        Actor::Agent { chain } => {
            let agent = chain.agent();
            let title = directory.agent(agent).map_or(agent, |a| a.title.as_str());
            chain.person().map_or_else(
                || title.to_owned(),
                |person| format!("{title} for {}", person_name(directory, person)),
            )
        }
        Actor::Person { id } => person_name(directory, id),
        Actor::Gate => "The gate".to_owned(),
    }
}

/// A person's display name in the directory, or what stands in its place.
pub(crate) fn person_name(directory: &Directory, id: &str) -> String {
    directory.person(id).map_or_else(|| id.to_owned(), |p| p.name.clone())
}
