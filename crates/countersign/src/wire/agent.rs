//! What agents are told.

use countersign_core::action::{ActionName, EffectClass, Group, Method, Resource, Reversible};
use countersign_core::decision::{Answer, DenyCode, PolicyRef};
use countersign_core::digest::Digest;
use countersign_core::id::ProposalId;
use countersign_core::outcome::Cause;
use countersign_core::preview::Fidelity;
use countersign_core::proposal::{Clock, RefusedCode, StateName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A proposal as its agent sees it: what was decided, what to do next, and the result. What depends on the record that
/// was read is here only when the manifest says so, and never in a denial.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct AgentProposal {
    /// Absent in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<ProposalId>,
    /// Where it is.
    pub(crate) state: StateName,
    /// The action.
    pub(crate) action: ActionName,
    /// Where it acts.
    pub(crate) environment: String,
    /// What will happen, in the manifest's sentences.
    pub(crate) effects: Vec<String>,
    /// What the manifest says about going back; absent when nothing changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) undo: Option<AgentUndo>,
    /// The policies that determined the decision.
    pub(crate) policies: Vec<PolicyRef>,
    /// The people whose approvals count now.
    pub(crate) approved_by: Vec<String>,
    /// What happened and what to do, in one or two sentences. Begins with NOT DONE when nothing was done.
    pub(crate) message: String,
    /// What to do next; absent in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<Advice>,
    /// Where to ask for it again, on this listener; absent in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// The page where people see and decide it; absent in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) console_url: Option<String>,
    /// What is touched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resource: Option<Resource>,
    /// The intent digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) intent: Option<Digest>,
    /// How the preview was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) preview: Option<PreviewHead>,
    /// While it is pending: what people must still add.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) needs: Option<Vec<Need>>,
    /// While it is pending: when it expires undecided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub(crate) decide_by: Option<String>,
    /// While it is ready: when it expires unused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"))]
    pub(crate) use_by: Option<String>,
    /// The upstream's status, once it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<u16>,
    /// The upstream's answer, once it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) result: Option<Value>,
    /// Why it was denied, refused, failed or is unknown: a stable code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<AgentCause>,
    /// More about that, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
    /// Who rejected it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rejected_by: Option<String>,
    /// Why they did, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Which deadline passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) clock: Option<Clock>,
    /// What took its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) superseded_by: Option<ProposalId>,
    /// True in a dry run: nothing was done and nothing waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dry_run: Option<bool>,
    /// In a dry run: what policy says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) decision: Option<Answer>,
    /// In a dry run: what would be sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) call: Option<SentCall>,
}

/// What an agent does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Advice {
    /// Ask again later, and do not propose it again.
    Wait,
    /// Ask a person: only they can say what is to be done.
    Ask,
    /// Propose again with another input or another request.
    ChangeInput,
    /// Nothing: it is done, or it will never be. Do not send this again.
    Stop,
}

/// Why something was not done, or nobody knows.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum AgentCause {
    /// Policy denied it.
    Denied(DenyCode),
    /// It can no longer be allowed.
    Refused(RefusedCode),
    /// The call failed, or its outcome is unknown.
    Call(Cause),
}

/// What the manifest says about going back.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct AgentUndo {
    /// Whether the manifest knows a way back.
    pub(crate) possible: bool,
    /// How, or why not.
    pub(crate) why: String,
}

/// How a preview was made.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PreviewHead {
    /// How faithful it is.
    pub(crate) fidelity: Fidelity,
    /// When the record was read, or when this was computed.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) at: String,
}

/// What people must still add.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Need {
    /// The approval rule.
    pub(crate) rule: String,
    /// Approvals that count towards it.
    pub(crate) have: u32,
    /// Approvals it asks for.
    pub(crate) want: u32,
    /// Who can give them, in words: names, and the team through which they decide.
    pub(crate) people: String,
    /// Why it was asked for.
    pub(crate) because: Vec<Because>,
}

/// Why a rule was asked for.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Because {
    /// The policy's id.
    pub(crate) policy: String,
    /// Its reason.
    pub(crate) reason: String,
}

/// The exact call, without its credential.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SentCall {
    /// The connector: `http`.
    pub(crate) kind: String,
    /// The method.
    pub(crate) method: Method,
    /// The whole URL.
    pub(crate) url: String,
    /// Name and value of each header.
    #[schemars(with = "Vec<Vec<String>>")]
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Option<String>,
    /// The name of the credential that is added.
    pub(crate) credential: Option<String>,
}

/// A proposal in a list.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct AgentSummary {
    /// Its id.
    pub(crate) id: ProposalId,
    /// Where it is.
    pub(crate) state: StateName,
    /// The action.
    pub(crate) action: ActionName,
    /// Where it acts.
    pub(crate) environment: String,
    /// Its first effect, shortened.
    pub(crate) effect: Option<String>,
    /// When it was proposed.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) created_at: String,
    /// Its next deadline, while it is open.
    #[schemars(extend("format" = "date-time"))]
    pub(crate) due: Option<String>,
}

/// A page of an agent's own proposals.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct AgentPage {
    /// Newest first.
    pub(crate) proposals: Vec<AgentSummary>,
    /// `before` of the next page; none on the last one. With filters a page before it may be short, or empty.
    pub(crate) next: Option<ProposalId>,
}

/// An action that an agent may try.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ActionShape {
    /// Its name.
    pub(crate) name: ActionName,
    /// A few words.
    pub(crate) title: String,
    /// What it does.
    pub(crate) description: String,
    /// JSON Schema 2020-12 of its input.
    #[schemars(with = "Map<String, Value>")]
    pub(crate) input: Value,
    /// JSON Schema 2020-12 of the upstream's answer, if the manifest says what it is.
    #[schemars(with = "Option<Map<String, Value>>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Value>,
    /// Its groups by risk.
    pub(crate) groups: Vec<Group>,
    /// What the upstream does with a repeated call.
    pub(crate) effect: EffectClass,
    /// Whether there is a way back, as the manifest declares it; absent when nothing changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reversible: Option<Reversible>,
}

/// The actions that policy could let a chain propose.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ActionList {
    /// By name.
    pub(crate) actions: Vec<ActionShape>,
}
