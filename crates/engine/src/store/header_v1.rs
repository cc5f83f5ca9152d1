//! Rows of version 1: read as they were written, checked by their own authentication code and intent digest, and
//! written as the current version when they move. To be removed with the version after the next.

use std::collections::BTreeSet;

use countersign_core::action::{
    ActionName, Call, EffectClass, HttpCall, Method, Precondition, Rendering, Resource, Risk, Undo,
};
use countersign_core::approval::{Approval, Standing};
use countersign_core::audit::Actor;
use countersign_core::decision::{Decision, DenyCode};
use countersign_core::digest::{Digest, domain};
use countersign_core::directory::Chain;
use countersign_core::id::{AttemptId, ProposalId};
use countersign_core::intent::IntentVersion;
use countersign_core::json::CanonicalInput;
use countersign_core::outcome::{Cause, Response};
use countersign_core::preview::Preview;
use countersign_core::proposal::{
    Binding, Clock, Evidence, Proposal, Record, RefusedCode, Salts, State, StoredParts,
};
use countersign_core::time::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::columns::{Columns, PartTexts, parse, undo};
use crate::seal::{Purpose, SealKeys};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProposalV1 {
    id: ProposalId,
    action: ActionName,
    title: String,
    revision: Digest,
    input: CanonicalInput,
    salt: String,
    chain: Chain,
    could_be: Vec<String>,
    confirmed_at: Option<Timestamp>,
    undo: Undo,
    reversible: bool,
    reason: Option<String>,
    run: Option<String>,
    evidence: Vec<Evidence>,
    created_at: Timestamp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BindingV1 {
    facts: FactsV1,
    preview: Preview,
    intent: Digest,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FactsV1 {
    resource: Resource,
    environment: String,
    risk: Risk,
    effects: Vec<String>,
    precondition: Precondition,
    call: CallV1,
    after: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallV1 {
    method: Method,
    url: String,
    headers: Vec<(String, String)>,
    body: Option<(String, String)>,
    credential: Option<String>,
    ok: BTreeSet<u16>,
    timeout_ms: u64,
    effect: EffectClass,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MovingV1 {
    #[serde(deserialize_with = "Decision::deserialize_v1")]
    decision: Decision,
    approvals: Vec<Approval>,
    state: StateV1,
}

#[derive(Deserialize)]
#[serde(tag = "state", rename_all = "snake_case", deny_unknown_fields)]
enum StateV1 {
    Denied { code: DenyCode },
    Pending { standing: Vec<Standing>, decide_by: Timestamp },
    Ready { use_by: Timestamp },
    Dispatched { attempt: AttemptId, owner: String, at: Timestamp },
    Succeeded { attempt: AttemptId, at: Timestamp, response: Response },
    Failed { attempt: AttemptId, at: Timestamp, cause: Cause, response: Option<Response> },
    Unknown { attempt: AttemptId, at: Timestamp, cause: Cause, response: Option<Response> },
    Rejected { by: String, reason: String, at: Timestamp },
    Expired { at: Timestamp, clock: Clock },
    Cancelled { by: Actor, at: Timestamp },
    Superseded { by: ProposalId, at: Timestamp },
    Refused { code: RefusedCode, detail: String, at: Timestamp },
}

impl StateV1 {
    fn split(self) -> (State, Option<Response>) {
        match self {
            Self::Denied { code } => (State::Denied { code }, None),
            Self::Pending { standing, decide_by } => (State::Pending { standing, decide_by }, None),
            Self::Ready { use_by } => (State::Ready { use_by }, None),
            Self::Dispatched { attempt, owner, at } => (State::Dispatched { attempt, owner, at }, None),
            Self::Succeeded { attempt, at, response } => (State::Succeeded { attempt, at }, Some(response)),
            Self::Failed { attempt, at, cause, response } => (State::Failed { attempt, at, cause }, response),
            Self::Unknown { attempt, at, cause, response } => {
                (State::Unknown { attempt, at, cause }, response)
            }
            Self::Rejected { by, reason, at } => (State::Rejected { by, reason, at }, None),
            Self::Expired { at, clock } => (State::Expired { at, clock }, None),
            Self::Cancelled { by, at } => (State::Cancelled { by, at }, None),
            Self::Superseded { by, at } => (State::Superseded { by, at }, None),
            Self::Refused { code, detail, at } => (State::Refused { code, detail, at }, None),
        }
    }
}

/// The record. It had one salt for everything; its parts get theirs from it, and are written with its next move.
pub(super) fn read(header: &str, parts: &PartTexts<'_>, version: u32) -> Result<Record, String> {
    let MovingV1 { decision, approvals, state } = parse("column `header`", header)?;
    let was: ProposalV1 = parse("its part `input`", parts.input)?;
    let BindingV1 { facts, preview, intent } = parse("its part `preview`", parts.preview)?;
    let (state, response) = state.split();
    let CallV1 { method, url, headers, body, credential, ok, timeout_ms, effect } = facts.call;
    let call = Call::Http(HttpCall { method, url, headers, body, credential, ok, timeout_ms, effect });
    let FactsV1 { resource, environment, risk, effects, precondition, after, .. } = facts;
    let rendering = Rendering { resource, environment, risk, effects, precondition, call, after };
    let mut part = 0_u8;
    let salts = Salts::new(|| {
        part = part.saturating_add(1);
        Digest::of(domain::PART, format!("{part}{}", was.salt).as_bytes()).to_hex().chars().take(32).collect()
    });
    let proposal = Proposal {
        id: was.id,
        action: was.action,
        title: was.title,
        revision: was.revision,
        input: was.input,
        salts,
        chain: was.chain,
        could_be: was.could_be,
        confirmed_at: was.confirmed_at,
        undo: undo(was.undo, was.reversible),
        reason: was.reason,
        run: was.run,
        evidence: was.evidence,
        created_at: was.created_at,
    };
    let binding = Binding { rendering, preview, intent, version: IntentVersion::V1 };
    let parts = StoredParts::default();
    Ok(Record { proposal, binding, decision, approvals, state, response, version, parts })
}

/// Whether the code of the row fits: it covers the digests of the two parts as they are stored.
pub(super) fn fits(columns: &Columns<'_>, parts: &PartTexts<'_>, keys: &SealKeys, code: &[u8]) -> bool {
    let digest = |text: &str| *Digest::of(domain::PART_V1, text.as_bytes()).as_bytes();
    let (body, binding) = (digest(parts.input), digest(parts.preview));
    columns.with_fields(&[&body, &binding], |fields| keys.fits(Purpose::ProposalV1, fields, code))
}
