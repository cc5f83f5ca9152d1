//! The shapes on the wire. Kept apart from the domain's own types, so that neither binds the other.

use countersign_core::action::Call;
use countersign_core::decision::{Answer, DenyCode, PolicyRef};
use countersign_core::digest::Digest;
use countersign_core::json::{self, JsonError};
use countersign_core::limits;
use countersign_core::preview::RecordUse;
use countersign_core::proposal::{Binding, Clock, Evidence, Record, State, StateName};
use countersign_core::refusal::Refusal;
use countersign_core::text::visible;
use countersign_engine::gate::{Gate, Proposal, Verdict};
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, DeserializeSeed, IntoDeserializer as _, MapAccess};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The body of `POST /v1/proposals`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProposeBody {
    action: String,
    #[serde(default = "empty")]
    input: Value,
    on_behalf_of: Option<String>,
    reason: Option<String>,
    run: Option<String>,
    #[serde(default)]
    evidence: Vec<Evidence>,
    #[serde(default)]
    dry_run: bool,
}

fn empty() -> Value {
    json!({})
}

/// The body of `POST …/approve` and `POST …/reject` on the people's listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct VerdictBody {
    intent: Digest,
    decision: Digest,
    view: Digest,
    #[serde(default)]
    comment: String,
}

/// The body of `POST …/confirm` on the people's listener.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConfirmBody {
    /// The intent digest that was shown.
    pub(crate) intent: Digest,
}

/// Reads a body with the strict reader, then into its shape. Unknown fields are refused (T14).
pub(crate) fn read_body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Refusal> {
    let value = json::read(bytes).map_err(|e: JsonError| Refusal::MalformedRequest {
        detail: format!("{} at byte {}", e.detail, e.offset),
        pointer: e.pointer,
    })?;
    let mut at = String::new();
    let shaped = if let Value::Object(map) = value {
        let members = Members { rest: map.into_iter(), value: Value::Null, at: &mut at };
        T::deserialize(MapAccessDeserializer::new(members))
    } else {
        serde_json::from_value(value)
    };
    shaped.map_err(|e| Refusal::MalformedRequest { pointer: at, detail: visible(&e.to_string()).text })
}

/// The members of a body, which remember the one being read, so that a mistake has a place.
struct Members<'a> {
    rest: serde_json::map::IntoIter,
    value: Value,
    /// Pointer to the member; empty before the first and after the last.
    at: &'a mut String,
}

impl<'de> MapAccess<'de> for Members<'_> {
    type Error = serde_json::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Self::Error> {
        let Some((key, value)) = self.rest.next() else {
            self.at.clear();
            return Ok(None);
        };
        *self.at = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
        self.value = value;
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Self::Error> {
        seed.deserialize(std::mem::take(&mut self.value))
    }
}

impl ProposeBody {
    /// Whether only a preview is asked for.
    pub(crate) fn dry_run(&self) -> bool {
        self.dry_run
    }

    /// What the engine is asked, by the agent that was authenticated.
    pub(crate) fn into_proposal(self, agent: String, key: Option<String>) -> Result<Proposal, Refusal> {
        let too_long = |pointer: &str, limit: usize| Refusal::MalformedRequest {
            pointer: pointer.to_owned(),
            detail: format!("longer than {limit} bytes"),
        };
        let over = |text: &Option<String>, limit: usize| text.as_ref().is_some_and(|t| t.len() > limit);
        if over(&self.reason, limits::REASON_BYTES_MAX) {
            return Err(too_long("/reason", limits::REASON_BYTES_MAX));
        }
        if over(&self.run, limits::LABEL_BYTES_MAX) {
            return Err(too_long("/run", limits::LABEL_BYTES_MAX));
        }
        if self.evidence.len() > limits::EVIDENCE_ITEMS_MAX {
            let detail = format!("more than {} pieces", limits::EVIDENCE_ITEMS_MAX);
            return Err(Refusal::MalformedRequest { pointer: "/evidence".to_owned(), detail });
        }
        Ok(Proposal {
            agent,
            on_behalf_of: self.on_behalf_of,
            action: self.action,
            input: self.input,
            reason: self.reason,
            run: self.run,
            evidence: self.evidence,
            key,
        })
    }
}

impl VerdictBody {
    /// What the engine is asked, by the person who was authenticated.
    pub(crate) fn into_verdict(self, person: String, channel: &'static str) -> Result<Verdict, Refusal> {
        if self.comment.len() > limits::COMMENT_BYTES_MAX {
            let detail = format!("longer than {} bytes", limits::COMMENT_BYTES_MAX);
            return Err(Refusal::MalformedRequest { pointer: "/comment".to_owned(), detail });
        }
        let Self { intent, decision, view, comment } = self;
        Ok(Verdict { person, intent, decision, view, words: comment, channel })
    }
}

/// Why a rule was asked for.
#[derive(Debug, Clone, Serialize)]
struct Because {
    policy: String,
    reason: String,
}

/// What an agent is told whom no policy permits.
const NO_PERMIT: &str = "NOT DONE. No policy permits this. Asking again will not help.";

/// What people must still add.
#[derive(Debug, Clone, Serialize)]
struct Need {
    rule: String,
    have: u32,
    want: u32,
    because: Vec<Because>,
}

/// A proposal as its agent sees it: what was decided, what to do next, and the result. The card and the
/// record that was read stay with the people; what depends on the record is here only when the manifest says
/// so, and never in a denial.
pub(crate) fn for_agent(record: &Record) -> Value {
    let Binding { rendering, preview, intent, .. } = &record.binding;
    let disclosure = &preview.disclosure;
    let whole = sees_record(record);
    let policies: &[PolicyRef] = if hides_why(record) { &[] } else { &record.decision.policies };
    let mut body = json!({
        "id": record.proposal.id,
        "state": record.state.name(),
        "action": record.proposal.action,
        "environment": rendering.environment,
        "effects": if whole { &rendering.effects } else { &disclosure.effects },
        "undo": { "possible": record.proposal.reversible, "why": record.proposal.undo.why },
        "policies": policies,
        "approved_by": record.standing_approvals().iter().map(|a| &a.person).collect::<Vec<_>>(),
        "message": message_for_agent(record),
    });
    if let Some(map) = body.as_object_mut() {
        if whole || disclosure.resource {
            map.insert("resource".to_owned(), json!(rendering.resource));
        }
        // The digest covers values of the record, which could be guessed and compared.
        if whole {
            map.insert("intent".to_owned(), json!(intent));
        }
        if whole || !is_denied(record) {
            let shown = json!({ "fidelity": preview.fidelity, "at": preview.at.to_rfc3339() });
            map.insert("preview".to_owned(), shown);
        }
        map.extend(of_state(record));
    }
    body
}

/// The answer of policy as the agent sees it.
pub(crate) fn answer_for_agent(record: &Record) -> Answer {
    if hides_why(record) {
        return Answer::Deny { code: DenyCode::NoPermit };
    }
    record.decision.answer.clone()
}

/// The call as the agent sees it in a dry run: not of a denial, and not with values of the record.
pub(crate) fn call_for_agent(record: &Record) -> Option<Value> {
    let shown = !is_denied(record) && (sees_record(record) || record.binding.preview.disclosure.call);
    let Call::Http(call) = &record.binding.rendering.call;
    shown.then(|| {
        json!({ "kind": "http", "method": call.method, "url": call.url, "headers": call.headers,
            "body": call.body.as_ref().map(|(_, b)| b), "credential": call.credential })
    })
}

fn is_denied(record: &Record) -> bool {
    matches!(record.decision.answer, Answer::Deny { .. })
}

/// Whether the agent may see what depends on the record.
fn sees_record(record: &Record) -> bool {
    match record.binding.preview.disclosure.record {
        RecordUse::Unused => true,
        RecordUse::Shared => !is_denied(record),
        RecordUse::Withheld => false,
    }
}

/// Whether the reason of a denial stays with the people: it may depend on the record that was read. The agent
/// is told the same as one whom no policy permits. That nobody is left to decide is told: it says no more than
/// the rules that a waiting proposal names.
fn hides_why(record: &Record) -> bool {
    let nobody = record.decision.answer == (Answer::Deny { code: DenyCode::NobodyMayDecide });
    is_denied(record) && !nobody && record.binding.preview.source.is_some()
}

fn message_for_agent(record: &Record) -> String {
    if record.state.name() == StateName::Denied && hides_why(record) {
        return NO_PERMIT.to_owned();
    }
    message(record)
}

/// The fields that only some states have.
fn of_state(record: &Record) -> serde_json::Map<String, Value> {
    let fields = match &record.state {
        State::Pending { standing, decide_by } => {
            let needs: Vec<Need> = standing.iter().map(|s| need(record, &s.rule, s.have, s.want)).collect();
            json!({ "needs": needs, "decide_by": decide_by.to_rfc3339(), "detail": record.decision.detail })
        }
        State::Ready { use_by } => json!({ "use_by": use_by.to_rfc3339() }),
        State::Succeeded { .. } => json!({
            "status": record.response.as_ref().map(|r| r.status),
            "result": record.response.as_ref().map(|r| &r.body),
        }),
        State::Failed { cause, .. } | State::Unknown { cause, .. } => json!({
            "cause": cause,
            "status": record.response.as_ref().map(|r| r.status),
            "result": record.response.as_ref().map(|r| &r.body),
        }),
        State::Rejected { by, reason, .. } => json!({ "rejected_by": by, "reason": reason }),
        State::Expired { clock, .. } => json!({ "clock": clock }),
        State::Superseded { by, .. } => json!({ "superseded_by": by }),
        State::Refused { code, detail, .. } => json!({ "cause": code, "detail": detail }),
        State::Denied { .. } if hides_why(record) => json!({ "cause": DenyCode::NoPermit }),
        State::Denied { code } => match &record.decision.detail {
            Some(detail) => json!({ "cause": code, "detail": detail }),
            None => json!({ "cause": code }),
        },
        State::Dispatched { .. } | State::Cancelled { .. } => json!({}),
    };
    if let Value::Object(map) = fields { map } else { serde_json::Map::new() }
}

fn need(record: &Record, rule: &str, have: u32, want: u32) -> Need {
    let asking = record.decision.gates().iter().filter(|g| g.rules.iter().any(|r| r == rule));
    let because =
        asking.map(|g| Because { policy: g.policy.id.clone(), reason: g.policy.reason.clone() }).collect();
    Need { rule: rule.to_owned(), have, want, because }
}

/// One or two sentences that a model cannot misread: what happened, and what to do.
pub(crate) fn message(record: &Record) -> String {
    let id = record.proposal.id;
    match &record.state {
        State::Pending { standing, .. } => {
            let missing: Vec<String> = standing
                .iter()
                .filter(|s| !s.is_met())
                .map(|s| format!("{} of {} from {}", s.have, s.want, s.rule))
                .collect();
            let first = record.decision.detail.as_ref().map(|d| format!(" First, {d}.")).unwrap_or_default();
            format!(
                "NOT DONE. Waiting for approval ({}).{first} Do not propose this again; ask for {id}.",
                missing.join(", ")
            )
        }
        State::Ready { use_by } => format!(
            "NOT DONE YET. Approved; it is sent as soon as it can be, until {}. Ask for {id}.",
            use_by.to_rfc3339()
        ),
        State::Dispatched { .. } => {
            format!("Being sent; the result is not recorded yet. Do not repeat it; ask for {id}.")
        }
        State::Succeeded { .. } => "Done.".to_owned(),
        State::Failed { cause, .. } => format!("NOT DONE: {}.", cause.to_text()),
        State::Unknown { cause, .. } => {
            format!(
                "It is not known whether this was done: {}. Do not repeat it; ask for {id}, which changes when a \
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
pub(crate) fn undecided(record: &Record) -> &'static str {
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

/// The member at a JSON pointer; `null` when there is none, as `serde_json` does for an index.
pub(crate) fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    const NOTHING: &Value = &Value::Null;
    value.pointer(pointer).unwrap_or(NOTHING)
}

/// Characters of one line of a list.
const LINE_CHARS_MAX: usize = 300;

/// A line of a list: what is longer ends with an ellipsis.
fn line(text: &str) -> String {
    let mut line: String = text.chars().take(LINE_CHARS_MAX).collect();
    if line.len() < text.len() {
        line.push('…');
    }
    line
}

/// A proposal in a list, for its agent. What it is in full, and its result, is read by its id.
pub(crate) fn summary_for_agent(record: &Record) -> Value {
    let Binding { rendering, preview, .. } = &record.binding;
    let effects = if sees_record(record) { &rendering.effects } else { &preview.disclosure.effects };
    json!({
        "id": record.proposal.id,
        "state": record.state.name(),
        "action": record.proposal.action,
        "environment": rendering.environment,
        "effect": effects.first().map(|effect| line(effect)),
        "created_at": record.proposal.created_at.to_rfc3339(),
        "due": record.due().map(countersign_core::time::Timestamp::to_rfc3339),
    })
}

/// A proposal in a list, for people.
pub(crate) fn summary(gate: &Gate, record: &Record, person: &str) -> Value {
    let card = gate.card(record);
    json!({
        "id": card.id,
        "state": record.state.name(),
        "headline": line(&card.headline),
        "action": card.action,
        "who": card.who,
        "risk": card.risk,
        "created_at": record.proposal.created_at.to_rfc3339(),
        "due": record.due().map(countersign_core::time::Timestamp::to_rfc3339),
        "yours": gate.may_decide(record, person),
    })
}

/// A proposal as a person sees it: the card with its digest, progress, and the agent's own words apart.
pub(crate) fn for_person(gate: &Gate, record: &Record, person: &str) -> Value {
    let card = gate.card(record);
    json!({
        "card": card,
        "view": card.digest(),
        "state": record.state,
        "version": record.version,
        "created_at": record.proposal.created_at.to_rfc3339(),
        "approvals": record.approvals,
        "yours": gate.may_decide(record, person),
        "confirm": gate.may_confirm(record, person),
        "message": message(record),
        "written_by_the_agent": {
            "reason": record.proposal.reason,
            "run": record.proposal.run,
            "evidence": record.proposal.evidence,
        },
    })
}
