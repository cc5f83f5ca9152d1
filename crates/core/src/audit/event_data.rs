//! The typed reading of an entry: what the life of a proposal depends on, and nothing else.
//!
//! Members that are not named here are ignored, so that a later gate may add some. A member that is named
//! must be there: an entry without it proves nothing.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IntoDeserializer as _};

use super::{Actor, EventCode};
use crate::approval::Approver;
use crate::decision::Decision;
use crate::digest::Digest;
use crate::id::{AttemptId, ProposalId};
use crate::proposal::{Clock, StateName};

/// One entry about a proposal.
#[derive(Debug, Clone, PartialEq)]
pub struct LifeEntry {
    /// Which proposal.
    pub proposal: ProposalId,
    /// The proposal's version after the event; 0 when the event does not move it.
    pub version: u32,
    /// Who caused it.
    pub actor: Actor,
    /// What happened.
    pub event: EventCode,
    /// The members of `data` that matter.
    pub data: EventData,
}

/// What an entry says about the life of a proposal.
#[derive(Debug, Clone, PartialEq)]
pub enum EventData {
    /// `proposal.denied`, `proposal.pending` or `proposal.allowed`.
    Opened(Opened),
    /// `proposal.approved`.
    Approved(Approved),
    /// `proposal.rejected`.
    Rejected(Rejected),
    /// `proposal.cancelled`, `proposal.superseded` or `proposal.refused`.
    Ended(StateName),
    /// `proposal.expired`.
    Expired(Expired),
    /// `proposal.revised` or `proposal.confirmed`.
    Revised(Revised),
    /// `proposal.dispatched`.
    Dispatched(Dispatched),
    /// `proposal.succeeded`, `proposal.failed` or `proposal.unknown`.
    Finished(StateName, Finished),
    /// `proposal.late_result`: evidence that moves nothing.
    LateResult(Finished),
    /// Any other event about a proposal. It moves nothing.
    Beside,
}

/// How a proposal begins.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Opened {
    /// The intent digest: what is decided on.
    pub intent: Digest,
    /// What policy said.
    pub decision: Decision,
    /// What people must add; empty unless policy asks for them.
    pub needs: Vec<Need>,
}

/// What one approval rule asks for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Need {
    /// The rule's name.
    pub rule: String,
    /// How many different people.
    pub want: u32,
    /// Everybody who has approved and may do so under this rule.
    pub approvers: Vec<Approver>,
    /// The people whom the rule names and who may not decide on this proposal.
    pub excluded: Vec<String>,
}

/// A person's "yes".
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Approved {
    /// The statement.
    pub approval: GivenApproval,
    /// Whether it was the last one needed.
    pub complete: bool,
    /// The rules under which this person may decide, and why.
    pub eligible: Vec<Eligible>,
    /// What people must add, with everybody who has approved by now.
    pub needs: Vec<Need>,
}

/// Who approved what.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GivenApproval {
    /// The person.
    pub person: String,
    /// The intent digest that they answered to.
    pub intent: Digest,
    /// The decision digest that they answered to.
    pub decision: Digest,
}

/// A rule under which a person may decide.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Eligible {
    /// The rule's name.
    pub rule: String,
    /// The entry of its `who` that names them.
    pub through: String,
}

/// A person's "no".
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Rejected {
    /// The intent digest that they answered to.
    pub intent: Digest,
}

/// A deadline that passed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Expired {
    /// Which one.
    pub clock: Clock,
}

/// What holds after it was decided again.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Revised {
    /// The intent digest.
    pub intent: Digest,
    /// What policy says.
    pub decision: Decision,
    /// What people must add, with everybody whose approval still counts.
    pub needs: Vec<Need>,
    /// The state before, where the entry says it.
    pub from: Option<StateName>,
    /// The state after, where the entry says it.
    pub to: Option<StateName>,
}

/// The recorded start of the call.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Dispatched {
    /// The attempt.
    pub attempt: AttemptId,
    /// The intent digest of what is sent.
    pub intent: Digest,
    /// The people whose approvals it rests on.
    pub approved_by: Vec<String>,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Finished {
    /// The attempt.
    pub attempt: AttemptId,
}

/// No members that matter.
#[derive(Deserialize)]
struct Nothing {}

/// What every entry begins with. Entries of other kinds may lack any of it.
#[derive(Deserialize)]
struct Head {
    event: Option<String>,
    proposal: Option<ProposalId>,
    #[serde(default)]
    version: u32,
}

#[derive(Deserialize)]
struct Body<T> {
    actor: Actor,
    data: T,
}

/// What an entry's bytes mean to the life of proposals.
#[derive(Debug, Clone, PartialEq)]
pub enum Meaning {
    /// A gate began to work under a gate directory.
    RulesInForce,
    /// It is about a proposal.
    Life(Box<LifeEntry>),
    /// Neither.
    Nothing,
}

impl Meaning {
    /// Reads the bytes of an entry as they are stored. The error is a lower-case fragment.
    pub fn of(body: &[u8]) -> Result<Self, String> {
        let head: Head = parse(body)?;
        let name = head.event.unwrap_or_default();
        let code: Result<EventCode, serde::de::value::Error> =
            EventCode::deserialize(name.as_str().into_deserializer());
        let Ok(event) = code else {
            return match head.proposal {
                Some(id) if head.version > 0 => Err(format!(
                    "this verifier does not know the event `{name}`, which moved proposal {id}: \
                     use the one of the gate that wrote the log"
                )),
                _ => Ok(Self::Nothing),
            };
        };
        if matches!(event, EventCode::GateStarted | EventCode::GateReloaded) {
            return Ok(Self::RulesInForce);
        }
        let Some(proposal) = head.proposal else {
            return if about_an_effect(event) {
                Err(format!("the event `{name}` names no proposal"))
            } else {
                Ok(Self::Nothing)
            };
        };
        let Body { actor, data } = data_of(event, body).map_err(|e| format!("proposal {proposal}: {e}"))?;
        Ok(Self::Life(Box::new(LifeEntry { proposal, version: head.version, actor, event, data })))
    }
}

/// Whether an event says that something was sent or what became of it. Without a proposal it could not be
/// held against any approval.
fn about_an_effect(event: EventCode) -> bool {
    matches!(event, EventCode::Dispatched | EventCode::Succeeded | EventCode::Failed | EventCode::Unknown)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|e| format!("the entry cannot be read: {e}"))
}

fn data_of(event: EventCode, body: &[u8]) -> Result<Body<EventData>, String> {
    match event {
        EventCode::Denied | EventCode::Pending | EventCode::Allowed => read(body, EventData::Opened),
        EventCode::Approved => read(body, EventData::Approved),
        EventCode::Rejected => read(body, EventData::Rejected),
        EventCode::Cancelled => read(body, |_: Nothing| EventData::Ended(StateName::Cancelled)),
        EventCode::Superseded => read(body, |_: Nothing| EventData::Ended(StateName::Superseded)),
        EventCode::Refused => read(body, |_: Nothing| EventData::Ended(StateName::Refused)),
        EventCode::Expired => read(body, EventData::Expired),
        EventCode::Revised | EventCode::Confirmed => read(body, EventData::Revised),
        EventCode::Dispatched => read(body, EventData::Dispatched),
        EventCode::Succeeded => read(body, |f| EventData::Finished(StateName::Succeeded, f)),
        EventCode::Failed => read(body, |f| EventData::Finished(StateName::Failed, f)),
        EventCode::Unknown => read(body, |f| EventData::Finished(StateName::Unknown, f)),
        EventCode::LateResult => read(body, EventData::LateResult),
        EventCode::GateStarted
        | EventCode::GateReloaded
        | EventCode::GateRestored
        | EventCode::ReloadRefused
        | EventCode::Invalid
        | EventCode::Previewed
        | EventCode::Joined
        | EventCode::Quarantined
        | EventCode::Repaired
        | EventCode::AgentLimited
        | EventCode::LinkMade
        | EventCode::SignInRefused
        | EventCode::SignedOut
        | EventCode::SignedIn
        | EventCode::LogExported => read(body, |_: Nothing| EventData::Beside),
    }
}

fn read<T: DeserializeOwned>(
    body: &[u8],
    make: impl FnOnce(T) -> EventData,
) -> Result<Body<EventData>, String> {
    let Body { actor, data } = parse::<Body<T>>(body)?;
    Ok(Body { actor, data: make(data) })
}
