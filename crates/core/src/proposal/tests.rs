//! The whole state × event matrix, and every order in which a few events can come.

mod arguments;
mod forged;
mod lives;
mod matrix;
mod orders;

use std::collections::BTreeSet;

use serde_json::json;

use super::*;
use crate::action::{Call, EffectClass, HttpCall, Method, Precondition, Resource, Risk};
use crate::approval::{Approver, Proof, Standing};
use crate::audit::Actor;
use crate::decision::{Answer, DenyCode, Gate, PolicyRef, decision_digest};
use crate::digest::domain;
use crate::id::AttemptId;
use crate::outcome::{Cause, Outcome, Response};
use crate::preview::Fidelity;

/// When the deadlines of these tests are.
const DUE: Timestamp = Timestamp::from_micros(3);
const PEOPLE_ASKED: u32 = 2;

fn at(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn digest(text: &str) -> Digest {
    Digest::of(domain::POLICY, text.as_bytes())
}

fn attempt(n: u8) -> AttemptId {
    AttemptId::from_parts(0, [n; 10])
}

fn proposal() -> Proposal {
    let id = ProposalId::from_parts(0, [1; 10]);
    serde_json::from_value(json!({
        "id": id, "action": "stripe.refund.create", "title": "Refund", "revision": digest("manifest"),
        "input": {"charge": "ch_1"}, "salts": Salts::new(|| "00".to_owned()), "undo": {"why": "it is money"},
        "chain": [
            {"kind": "person", "id": "eve", "proof": "claimed"}, {"kind": "agent", "id": "bot", "proof": "key"},
        ],
        "could_be": ["eve"], "confirmed_at": null,
        "reason": null, "run": null, "evidence": [], "created_at": at(0),
    }))
    .unwrap()
}

/// What is bound when the record was read as having this amount.
fn binding(amount: i64) -> Binding {
    let risk = Risk {
        mutating: true,
        reversible: false,
        external: false,
        financial: true,
        amount,
        exact: amount.to_string(),
        currency: "eur".into(),
        count: 1,
    };
    let call = Call::Http(HttpCall {
        method: Method::Post,
        url: "https://api.stripe.example/v1/refunds".into(),
        headers: vec![],
        body: None,
        credential: Some("stripe".into()),
        ok: BTreeSet::from([200]),
        timeout_ms: 1_000,
        effect: EffectClass::Keyed,
    });
    let resource = Resource { kind: "Charge".into(), id: "ch_1".into(), system: "stripe".into() };
    let rendering = Rendering {
        resource,
        environment: "staging".into(),
        risk,
        effects: vec![],
        precondition: Precondition::None,
        call,
        after: None,
    };
    let preview = Preview {
        fidelity: Fidelity::None,
        at: at(0),
        source: None,
        before: None,
        after: None,
        patch: vec![],
        money: Vec::new(),
        disclosure: crate::preview::Disclosure::default(),
    };
    Binding::new(&proposal(), rendering, preview).unwrap()
}

fn decision(answer: Answer) -> Decision {
    let gates = match &answer {
        Answer::NeedsApproval { gates } => gates.clone(),
        Answer::Allow | Answer::Deny { .. } => vec![],
    };
    let digest = decision_digest(&gates, digest);
    Decision {
        answer,
        policies: vec![],
        policy_set: self::digest("policies"),
        digest,
        detail: None,
        given: None,
    }
}

fn allow() -> Decision {
    decision(Answer::Allow)
}

fn deny() -> Decision {
    decision(Answer::Deny { code: DenyCode::Forbidden })
}

/// Policy asks for people; `policy` tells one asking from another.
fn ask(policy: &str) -> Decision {
    let policy = PolicyRef { id: policy.into(), digest: digest(policy), reason: String::new() };
    decision(Answer::NeedsApproval { gates: vec![Gate { policy, rules: vec!["finance".into()] }] })
}

/// How far a rule is that asks for two people, counted as the engine does: those who answer to what is bound.
fn standing(approvals: &[Approval], intent: &Digest, decision: &Decision) -> Vec<Standing> {
    let people: BTreeSet<&str> = approvals
        .iter()
        .filter(|a| a.answers_to(intent, &decision.digest))
        .map(|a| a.person.as_str())
        .collect();
    let have = u32::try_from(people.len()).unwrap();
    let approver = |person: &str| Approver { person: person.into(), through: "team:finance".into() };
    let approvers = people.into_iter().map(approver).collect();
    vec![Standing {
        rule: "finance".into(),
        have,
        want: PEOPLE_ASKED,
        approvers,
        excluded: vec!["carol".into()],
    }]
}

fn approval(person: &str, intent: Digest, decision: Digest) -> Approval {
    Approval {
        person: person.into(),
        at: at(0),
        intent,
        decision,
        view: digest("view"),
        policy_set: digest("policies"),
        nonce: person.into(),
        proof: Proof::Click,
        channel: "api".into(),
        comment: String::new(),
    }
}

/// `person` approves what is bound in `record`.
fn approve(record: &Record, person: &str) -> Event {
    let approval = approval(person, record.binding.intent, record.decision.digest);
    let all = [record.approvals.as_slice(), std::slice::from_ref(&approval)].concat();
    let standing = standing(&all, &record.binding.intent, &record.decision);
    Event::Approve { approval, standing, use_by: DUE }
}

/// The same approval with every rule claimed to be met, whoever has approved.
fn as_last(event: Event) -> Event {
    let Event::Approve { approval, standing, use_by } = event else { return event };
    let standing = standing.into_iter().map(|s| Standing { have: s.want, ..s }).collect();
    Event::Approve { approval, standing, use_by }
}

/// The same approval, but of this effect under these rules.
fn of(event: Event, intent: Digest, decision: Digest) -> Event {
    let Event::Approve { approval, standing, use_by } = event else { return event };
    Event::Approve { approval: Approval { intent, decision, ..approval }, standing, use_by }
}

fn reject() -> Event {
    Event::Reject { person: "ann".into(), reason: "no".into(), channel: "api".into() }
}

fn cancel() -> Event {
    Event::Cancel { by: Actor::Person { id: "ann".into() } }
}

fn supersede() -> Event {
    Event::Supersede { by: ProposalId::from_parts(0, [2; 10]) }
}

fn refuse() -> Event {
    Event::Refuse { code: RefusedCode::IdentityGone, detail: "agent `bot` is suspended".into() }
}

/// It is decided again; its new deadlines are `due`.
fn revise(record: &Record, binding: Binding, decision: Decision, due: Timestamp) -> Event {
    let standing = standing(&record.approvals, &binding.intent, &decision);
    Event::Revise {
        binding: Box::new(binding),
        decision,
        standing,
        decide_by: due,
        use_by: due,
        because: "the record changed".into(),
    }
}

/// `person` says that it is for them, and then policy says this.
fn confirm(record: &Record, person: &str, decision: Decision, due: Timestamp) -> Event {
    let proposal = record.proposal.confirmed(at(1)).unwrap_or_else(|| record.proposal.clone());
    let (rendering, preview) = (record.binding.rendering.clone(), record.binding.preview.clone());
    let binding = Binding::new(&proposal, rendering, preview).unwrap();
    let standing = standing(&record.approvals, &binding.intent, &decision);
    let revision = Revision { binding, decision, standing, decide_by: due, use_by: due };
    Event::Confirm { person: person.into(), revision: Box::new(revision) }
}

fn dispatch(intent: Digest, decision: Decision) -> Event {
    Event::Dispatch { attempt: attempt(1), owner: "one".into(), decision, intent }
}

fn response() -> Response {
    Response {
        status: 200,
        body: json!({"ok": true}),
        content_type: "application/json".into(),
        scrubbed: false,
    }
}

fn outcomes() -> [Outcome; 3] {
    [
        Outcome::Succeeded { response: response() },
        Outcome::Failed { cause: Cause::NotConnected, response: None },
        Outcome::Unknown { cause: Cause::TimedOut, response: None },
    ]
}

/// An entry as it stands in the log.
fn written(entry: &Entry) -> serde_json::Value {
    serde_json::from_slice(&entry.to_bytes().unwrap()).unwrap()
}

fn opened(decision: Decision) -> Record {
    let binding = binding(100);
    let standing = standing(&[], &binding.intent, &decision);
    open(proposal(), binding, decision, standing, (DUE, DUE)).record
}

#[test]
fn a_late_result_enters_the_log_without_the_body_of_the_answer() {
    let answer = Response { body: json!({ "card": "4242-said-once" }), ..response() };
    let outcome = Outcome::Unknown { cause: Cause::UnclearStatus, response: Some(answer) };
    let record = opened(allow());
    let entry = late_result(&record, attempt(1), &outcome, at(5));
    assert_eq!((entry.proposal, entry.version), (Some(record.proposal.id), 0));
    let written = written(&entry);
    let data = &written["data"];
    assert_eq!((&data["outcome"], &data["response"]["status"]), (&json!("unknown"), &json!(200)));
    assert!(data["response"]["body"].as_str().unwrap().starts_with("sha256:"));
    assert!(!written.to_string().contains("4242"));
}

fn http(record: &mut Record) -> &mut HttpCall {
    let Call::Http(call) = &mut record.binding.rendering.call;
    call
}

#[test]
fn a_record_that_was_altered_is_never_dispatched_t01() {
    let whole = opened(allow());
    let event = dispatch(whole.binding.intent, allow());
    assert!(apply(&whole, &event, at(1)).is_ok());
    let alterations: [fn(&mut Record); 6] = [
        |r| http(r).url.push('x'),
        |r| http(r).body = Some(("application/json".into(), "{}".into())),
        |r| http(r).credential = Some("another".into()),
        |r| r.binding.rendering.risk.amount = 1,
        |r| r.binding.rendering.precondition = Precondition::Etag { etag: "\"1\"".into() },
        |r| r.proposal.revision = digest("another manifest"),
    ];
    for (n, alter) in alterations.into_iter().enumerate() {
        let mut altered = whole.clone();
        alter(&mut altered);
        assert!(!altered.is_intact(), "alteration {n}");
        assert!(apply(&altered, &event, at(1)).is_err(), "alteration {n}");
    }
}
