//! What people are told.

use countersign_core::action::Risk;
use countersign_core::approval::{Approval, Deciders};
use countersign_core::digest::Digest;
use countersign_core::outcome::Response;
use countersign_core::proposal::{Evidence, State, StateName};
use countersign_core::view::{Card, Who};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A proposal as a person sees it: the card with its digest, progress, and the agent's own words apart.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PersonProposal {
    /// Everything that an approval binds. Times in it are microseconds since the epoch.
    pub(crate) card: Card,
    /// The digest of the card; a decision echoes it.
    pub(crate) view: Option<Digest>,
    /// Where it is. Times in it are microseconds since the epoch.
    pub(crate) state: State,
    /// What the upstream answered, if it did.
    pub(crate) response: Option<Response>,
    /// How often it has moved.
    pub(crate) version: u32,
    /// When it was proposed.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) created_at: String,
    /// Every approval ever given, also those that no longer count.
    pub(crate) approvals: Vec<GivenApproval>,
    /// Who can decide on it now, by rule; empty when it does not wait for people.
    pub(crate) deciders: Vec<Deciders>,
    /// Whether this person may decide on it now.
    pub(crate) yours: bool,
    /// Why it is not theirs to decide; empty when it is.
    pub(crate) why_not: Vec<String>,
    /// Whether this person may say that it is for them.
    pub(crate) confirm: bool,
    /// Who answers for its system, if its action is still registered.
    pub(crate) owner: Option<String>,
    /// Where it is, in a sentence for people.
    pub(crate) message: String,
    /// What the agent wrote. Nothing of it was checked.
    pub(crate) written_by_the_agent: AgentWords,
}

/// An approval that was given.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct GivenApproval {
    /// The person's display name.
    pub(crate) name: String,
    /// Whether it still answers to what is bound.
    pub(crate) counts: bool,
    /// What was recorded.
    #[serde(flatten)]
    pub(crate) approval: Approval,
}

/// The agent's own words.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct AgentWords {
    /// Why, as it says.
    pub(crate) reason: Option<String>,
    /// Its label of its run.
    pub(crate) run: Option<String>,
    /// What it attached.
    pub(crate) evidence: Vec<Evidence>,
}

/// A proposal in a list.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PersonSummary {
    /// Its id.
    pub(crate) id: String,
    /// Where it is.
    pub(crate) state: StateName,
    /// What, on which thing, where; shortened.
    pub(crate) headline: String,
    /// The action.
    pub(crate) action: String,
    /// Who acts, root first.
    pub(crate) who: Vec<Who>,
    /// Typed risk.
    pub(crate) risk: Risk,
    /// Whether it is declared irreversible.
    pub(crate) irreversible: bool,
    /// Why people are asked: the first reason that a policy gives; shortened.
    pub(crate) why: Option<String>,
    /// When it was proposed.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) created_at: String,
    /// Its next deadline, while it is open.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) due: Option<String>,
    /// Whether this person may decide on it now.
    pub(crate) yours: bool,
}

/// A page of proposals that a person may see.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PersonPage {
    /// In the order that was asked for.
    pub(crate) proposals: Vec<PersonSummary>,
    /// `before` of the next page, or `from` with `order=due`; none on the last one.
    pub(crate) next: Option<String>,
    /// Whether the search came to its bound before the page was full. More may be found from `next` on.
    pub(crate) stopped: bool,
    /// How far back the search came, when it stopped.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) searched_to: Option<String>,
}

/// Who is signed in.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Me {
    /// Name in the directory.
    pub(crate) person: String,
    /// Display name.
    pub(crate) name: Option<String>,
}

/// A new session.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct NewSession {
    /// Its token, to be sent as `Authorization: Bearer`.
    pub(crate) session: String,
    /// Whose it is.
    pub(crate) person: String,
}

/// It was done, and there is no more to say.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Done {}
