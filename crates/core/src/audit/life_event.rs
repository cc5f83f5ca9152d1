//! The reading of an entry for the life of its proposal: what that depends on, and nothing else.
//!
//! Entries of the current version are read whole, and what is not known in them is an error. Of those of version 1
//! only the members that are named here are read: one that is named must be there, for an entry without it proves
//! nothing.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IntoDeserializer as _};

use super::{Actor, ENTRY_VERSION, Entry, EventCode, EventData, data};
use crate::approval::{Approval, Approver, Standing};
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
    pub data: LifeEvent,
}

/// What an entry says about the life of a proposal.
#[derive(Debug, Clone, PartialEq)]
pub enum LifeEvent {
    /// `proposal.denied`, `proposal.pending` or `proposal.allowed`.
    Opened(LifeOpened),
    /// `proposal.approved`.
    Approved(LifeApproved),
    /// `proposal.rejected`.
    Rejected(LifeRejected),
    /// `proposal.cancelled`, `proposal.superseded` or `proposal.refused`.
    Ended(StateName),
    /// `proposal.expired`.
    Expired(LifeExpired),
    /// `proposal.revised` or `proposal.confirmed`.
    Revised(LifeRevised),
    /// `proposal.dispatched`.
    Dispatched(LifeDispatched),
    /// `proposal.succeeded`, `proposal.failed` or `proposal.unknown`.
    Finished(StateName, LifeFinished),
    /// `proposal.late_result`: evidence that moves nothing.
    LateResult(LifeFinished),
    /// Any other event about a proposal. It moves nothing.
    Beside,
}

/// How a proposal begins.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LifeOpened {
    /// The intent digest: what is decided on.
    pub intent: Digest,
    /// What policy said.
    #[serde(deserialize_with = "Decision::deserialize_v1")]
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
pub struct LifeApproved {
    /// The statement.
    pub approval: GivenApproval,
    /// Whether it was the last one needed.
    pub complete: bool,
    /// The rules under which this person may decide, and why.
    pub eligible: Vec<LifeEligible>,
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
pub struct LifeEligible {
    /// The rule's name.
    pub rule: String,
    /// The entry of its `who` that names them.
    pub through: String,
}

/// A person's "no".
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LifeRejected {
    /// The intent digest that they answered to.
    pub intent: Digest,
}

/// A deadline that passed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LifeExpired {
    /// Which one.
    pub clock: Clock,
}

/// What holds after it was decided again.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LifeRevised {
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
pub struct LifeDispatched {
    /// The attempt.
    pub attempt: AttemptId,
    /// The intent digest of what is sent.
    pub intent: Digest,
    /// The people whose approvals it rests on.
    pub approved_by: Vec<String>,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LifeFinished {
    /// The attempt.
    pub attempt: AttemptId,
}

/// No members that matter.
#[derive(Deserialize)]
struct Nothing {}

/// What every entry begins with. Entries of other kinds may lack any of it.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    v: u8,
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
        let wrong = |e: String| format!("proposal {proposal}: {e}");
        let (actor, data) = match head.v {
            ENTRY_VERSION => {
                let Entry { actor, data, .. } = Entry::from_bytes(body).map_err(wrong)?;
                (actor, LifeEvent::from(data))
            }
            1 => {
                let Body { actor, data } = data_of_v1(event, body).map_err(wrong)?;
                (actor, data)
            }
            v => {
                return Err(wrong(format!(
                    "version {v} of entries is not known to this verifier: use the one of the gate that wrote the log"
                )));
            }
        };
        Ok(Self::Life(Box::new(LifeEntry { proposal, version: head.version, actor, event, data })))
    }
}

impl From<EventData> for LifeEvent {
    fn from(data: EventData) -> Self {
        let finished = |data: data::Finished| LifeFinished { attempt: data.attempt };
        match data {
            EventData::Denied(opened) | EventData::Pending(opened) | EventData::Allowed(opened) => {
                let data::Opened { intent, decision, needs, .. } = *opened;
                Self::Opened(LifeOpened { intent, decision, needs: all(needs) })
            }
            EventData::Approved(approved) => {
                let data::Approved { approval, complete, eligible, needs } = *approved;
                let eligible =
                    eligible.into_iter().map(|e| LifeEligible { rule: e.rule, through: e.through });
                let Approval { person, intent, decision, .. } = approval;
                let approval = GivenApproval { person, intent, decision };
                Self::Approved(LifeApproved {
                    approval,
                    complete,
                    eligible: eligible.collect(),
                    needs: all(needs),
                })
            }
            EventData::Rejected(rejected) => Self::Rejected(LifeRejected { intent: rejected.intent }),
            EventData::Cancelled(_) => Self::Ended(StateName::Cancelled),
            EventData::Superseded(_) => Self::Ended(StateName::Superseded),
            EventData::Refused(_) => Self::Ended(StateName::Refused),
            EventData::Expired(expired) => Self::Expired(LifeExpired { clock: expired.clock }),
            EventData::Revised(revised) | EventData::Confirmed(revised) => {
                let data::Revised { intent, decision, needs, from, to, .. } = *revised;
                let (from, to) = (Some(from), Some(to));
                Self::Revised(LifeRevised { intent, decision, needs: all(needs), from, to })
            }
            EventData::Dispatched(sent) => {
                let data::Dispatched { attempt, intent, approved_by, .. } = *sent;
                Self::Dispatched(LifeDispatched { attempt, intent, approved_by })
            }
            EventData::Succeeded(data) => Self::Finished(StateName::Succeeded, finished(*data)),
            EventData::Failed(data) => Self::Finished(StateName::Failed, finished(*data)),
            EventData::Unknown(data) => Self::Finished(StateName::Unknown, finished(*data)),
            EventData::LateResult(late) => Self::LateResult(LifeFinished { attempt: late.attempt }),
            EventData::GateStarted(_)
            | EventData::GateReloaded(_)
            | EventData::GateRestored(_)
            | EventData::ReloadRefused(_)
            | EventData::Invalid(_)
            | EventData::Previewed(_)
            | EventData::Joined(_)
            | EventData::Quarantined(_)
            | EventData::Repaired(_)
            | EventData::AgentLimited(_)
            | EventData::LinkMade(_)
            | EventData::LogTokenMade(_)
            | EventData::LogTokensRevoked(_)
            | EventData::SignInRefused(_)
            | EventData::SignedOut(_)
            | EventData::SignedIn(_)
            | EventData::LogExported(_) => Self::Beside,
        }
    }
}

/// What the rules ask for, without their own count.
fn all(needs: Vec<Standing>) -> Vec<Need> {
    let need =
        |Standing { rule, want, approvers, excluded, .. }: Standing| Need { rule, want, approvers, excluded };
    needs.into_iter().map(need).collect()
}

/// Whether an event says that something was sent or what became of it. Without a proposal it could not be
/// held against any approval.
fn about_an_effect(event: EventCode) -> bool {
    matches!(event, EventCode::Dispatched | EventCode::Succeeded | EventCode::Failed | EventCode::Unknown)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body).map_err(|e| format!("the entry cannot be read: {e}"))
}

fn data_of_v1(event: EventCode, body: &[u8]) -> Result<Body<LifeEvent>, String> {
    match event {
        EventCode::Denied | EventCode::Pending | EventCode::Allowed => read(body, LifeEvent::Opened),
        EventCode::Approved => read(body, LifeEvent::Approved),
        EventCode::Rejected => read(body, LifeEvent::Rejected),
        EventCode::Cancelled => read(body, |_: Nothing| LifeEvent::Ended(StateName::Cancelled)),
        EventCode::Superseded => read(body, |_: Nothing| LifeEvent::Ended(StateName::Superseded)),
        EventCode::Refused => read(body, |_: Nothing| LifeEvent::Ended(StateName::Refused)),
        EventCode::Expired => read(body, LifeEvent::Expired),
        EventCode::Revised | EventCode::Confirmed => read(body, LifeEvent::Revised),
        EventCode::Dispatched => read(body, LifeEvent::Dispatched),
        EventCode::Succeeded => read(body, |f| LifeEvent::Finished(StateName::Succeeded, f)),
        EventCode::Failed => read(body, |f| LifeEvent::Finished(StateName::Failed, f)),
        EventCode::Unknown => read(body, |f| LifeEvent::Finished(StateName::Unknown, f)),
        EventCode::LateResult => read(body, LifeEvent::LateResult),
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
        | EventCode::LogTokenMade
        | EventCode::LogTokensRevoked
        | EventCode::SignInRefused
        | EventCode::SignedOut
        | EventCode::SignedIn
        | EventCode::LogExported => read(body, |_: Nothing| LifeEvent::Beside),
    }
}

fn read<T: DeserializeOwned>(
    body: &[u8],
    make: impl FnOnce(T) -> LifeEvent,
) -> Result<Body<LifeEvent>, String> {
    let Body { actor, data } = parse::<Body<T>>(body)?;
    Ok(Body { actor, data: make(data) })
}
