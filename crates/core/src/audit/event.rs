//! The events of the log: their codes, what each means, and what each holds. One row for each.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use super::data::{
    AgentLimited, Approved, Dispatched, Empty, Expired, Finished, GateReloaded, GateRestored, GateStarted,
    Invalid, Joined, LateResult, LinkMade, LogTokenMade, LogTokensRevoked, Opened, Previewed, Quarantined,
    Refused, Rejected, ReloadRefused, Repaired, Revised, SignInRefused, SignedIn, Superseded,
};

macro_rules! events {
    ($($name:ident($data:ident) $code:literal $doc:literal)*) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        pub enum EventCode {
            $(#[doc = $doc] #[serde(rename = $code)] $name,)*
        }

        /// Every event code with what it means, in the order of the reference.
        pub const EVENT_CODES: &[(EventCode, &str)] = &[$((EventCode::$name, $doc),)*];

        /// What happened, with what the entry holds about it.
        #[derive(Debug, Clone, PartialEq)]
        pub enum EventData {
            $(#[doc = $doc] $name(Box<$data>),)*
        }

        impl EventData {
            /// The code of the event.
            pub const fn code(&self) -> EventCode {
                match self {
                    $(Self::$name(_) => EventCode::$name,)*
                }
            }

            /// The schema of what an entry of this code holds.
            pub fn schema_of(code: EventCode, generator: &mut SchemaGenerator) -> Schema {
                match code {
                    $(EventCode::$name => generator.subschema_for::<$data>(),)*
                }
            }

            /// Reads what an entry of this code holds. A member that is not known is an error that names it.
            pub(super) fn read(code: EventCode, data: Value) -> Result<Self, serde_json::Error> {
                match code {
                    $(EventCode::$name => serde_json::from_value(data).map(Self::$name),)*
                }
            }
        }

        impl Serialize for EventData {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$name(data) => data.serialize(serializer),)*
                }
            }
        }

        $(events!(@from $name $data);)*
    };
    // Shapes that stand for one event alone become it.
    (@from $name:ident Opened) => {};
    (@from $name:ident Finished) => {};
    (@from $name:ident Empty) => {};
    (@from Confirmed Revised) => {};
    (@from $name:ident $data:ident) => {
        impl From<$data> for EventData {
            fn from(data: $data) -> Self {
                Self::$name(Box::new(data))
            }
        }
    };
}

events! {
    GateStarted(GateStarted) "gate.started" "The gate started, under this gate directory."
    GateReloaded(GateReloaded) "gate.reloaded" "The gate directory was loaded again."
    Invalid(Invalid) "proposal.invalid"
        "A proposal that could not be opened: unknown action, bad input, no preview."
    Previewed(Previewed) "proposal.previewed" "A dry run: decided and shown, never executable."
    Denied(Opened) "proposal.denied" "Policy refused."
    Pending(Opened) "proposal.pending" "Policy asks for people."
    Allowed(Opened) "proposal.allowed" "Policy allows it as it is."
    Approved(Approved) "proposal.approved" "A person approved."
    Rejected(Rejected) "proposal.rejected" "A person rejected."
    Cancelled(Empty) "proposal.cancelled" "The proposer or an operator withdrew it."
    Expired(Expired) "proposal.expired"
        "Too few people decided in time, or what was approved could not be sent in time."
    Superseded(Superseded) "proposal.superseded" "An edited proposal took its place."
    Revised(Revised) "proposal.revised" "The record or the policy changed, so it was decided again."
    Refused(Refused) "proposal.refused" "It can no longer be allowed."
    Dispatched(Dispatched) "proposal.dispatched" "Sent to the upstream."
    Succeeded(Finished) "proposal.succeeded" "The upstream says it is done."
    Failed(Finished) "proposal.failed" "Certainly no effect, or the upstream says it failed."
    Unknown(Finished) "proposal.unknown" "Nobody knows what became of it."
    LateResult(LateResult) "proposal.late_result"
        "A result that came after its attempt had been given up, kept as evidence."
    Joined(Joined) "proposal.joined" "Another request for the same effect joined it: people are asked once."
    Confirmed(Revised) "proposal.confirmed" "The person whom the agent named said that it acts for them."
    Quarantined(Quarantined) "proposal.quarantined"
        "What is stored is not what the gate wrote: it is set aside until an operator has looked."
    Repaired(Repaired) "proposal.repaired" "An operator had it checked again, and it was sound."
    ReloadRefused(ReloadRefused) "gate.reload_refused"
        "A gate directory could not be loaded; the one in force stays."
    GateRestored(GateRestored) "gate.restored"
        "The loss of an older or another database was accepted; what was open in it was closed."
    AgentLimited(AgentLimited) "agent.limited"
        "How often an agent reached its limits lately; what was refused for it left no entry of its own."
    LinkMade(LinkMade) "person.link_made" "A one-time sign-in link was made."
    LogTokenMade(LogTokenMade) "person.log_token_made"
        "A token was made with which a program reads checkpoints and exports for a person."
    LogTokensRevoked(LogTokensRevoked) "person.log_tokens_revoked" "All such tokens of a person were revoked."
    SignInRefused(SignInRefused) "person.sign_in_refused" "A sign-in link was refused: unknown, used or too old."
    SignedOut(Empty) "person.signed_out" "A person ended their session."
    SignedIn(SignedIn) "person.signed_in" "A person signed in."
    LogExported(Empty) "log.exported" "A person exported the log."
}

impl EventCode {
    /// The event with this code.
    pub fn from_code(code: &str) -> Option<Self> {
        EVENT_CODES.iter().map(|(event, _)| *event).find(|event| event.to_string() == code)
    }

    /// What it means, in a sentence.
    pub fn meaning(self) -> &'static str {
        EVENT_CODES.iter().find(|(event, _)| *event == self).map_or("", |(_, meaning)| meaning)
    }
}

impl fmt::Display for EventCode {
    /// The code as it stands in the log: `proposal.approved`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
