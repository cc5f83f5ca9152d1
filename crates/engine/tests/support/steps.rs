//! Proposals and their moves, made by the rules themselves.

use std::time::Duration;

use countersign_core::action::Rendering;
use countersign_core::approval::{Approval, Approver, Standing};
use countersign_core::audit::{Actor, Entry, data};
use countersign_core::decision::Decision;
use countersign_core::digest::{Digest, domain};
use countersign_core::id::{AttemptId, ProposalId};
use countersign_core::outcome::{Outcome, Response};
use countersign_core::preview::{Fidelity, Preview};
use countersign_core::proposal::{Binding, Event, Proposal, Record, Salts, StateName, Step, apply, open};
use countersign_core::time::Timestamp;
use countersign_engine::fault::Stop;
use countersign_engine::seal::SealKeys;
use countersign_engine::store::{
    Admission, Committed, Filter, IdempotencyKey, Joining, Listed, Offered, Placed, Store,
};
use countersign_engine::world::World;
use serde_json::json;

/// Monday.
pub const START: Timestamp = Timestamp::from_micros(1_763_900_000_000_000);
/// How long a pending proposal waits.
pub const DECIDE_IN: Duration = Duration::from_hours(1);
/// How long a ready one does.
pub const USE_IN: Duration = Duration::from_mins(10);

/// A world whose clock stands still.
pub fn world(seed: u64) -> World {
    World::manual(seed, START)
}

/// The keys that seal what these tests store.
pub fn keys() -> SealKeys {
    SealKeys::new("gate.example/log", zeroize::Zeroizing::new([9; 32]), Vec::new())
}

/// The process that the steps of these tests belong to.
pub const OWNER: &str = "gate-1";

/// The digest of the rules in force in these tests.
pub fn rules() -> Digest {
    digest("rules")
}

/// The entry with which these tests put their rules in force.
pub fn started() -> Entry {
    let data = data::GateStarted {
        owner: OWNER.to_owned(),
        rule_set: rules(),
        policy_set: digest("policies"),
        version: "1".to_owned(),
        origin: "gate.example/log".to_owned(),
        witness: "new".to_owned(),
        differs: None,
    };
    Entry::new(START, Actor::Gate, data)
}

/// Offers steps as the gate does.
pub trait Offers {
    /// A step; a dispatch comes with an admission.
    fn put(&self, step: Step) -> impl Future<Output = Result<Committed, Stop>> + Send;
    /// The first step of a request with an idempotency key.
    fn put_keyed(
        &self,
        step: Step,
        key: IdempotencyKey,
    ) -> impl Future<Output = Result<Committed, Stop>> + Send;
    /// A request that gets an equal proposal.
    fn joins(&self, agent: &str, intent: Digest) -> impl Future<Output = Option<ProposalId>> + Send;
    /// One page of a list.
    fn listed(&self, filter: &Filter) -> impl Future<Output = Vec<Record>> + Send;
}

impl Offers for Store {
    async fn put(&self, step: Step) -> Result<Committed, Stop> {
        place(self, step, None).await
    }

    async fn put_keyed(&self, step: Step, key: IdempotencyKey) -> Result<Committed, Stop> {
        place(self, step, Some(key)).await
    }

    async fn joins(&self, agent: &str, intent: Digest) -> Option<ProposalId> {
        let data = data::Joined { intent, request: None, reason: None, run: None };
        let entry = Entry::new(START, Actor::Gate, data);
        self.join(Joining { agent: agent.to_owned(), intent, key: None, entry }).await.unwrap()
    }

    async fn listed(&self, filter: &Filter) -> Vec<Record> {
        let page = self.page(filter, None).await.unwrap();
        let mut records = Vec::new();
        for together in Listed::together(&page.listed) {
            records.extend(self.records(together).await.unwrap());
        }
        records
    }
}

async fn place(store: &Store, step: Step, key: Option<IdempotencyKey>) -> Result<Committed, Stop> {
    let dispatches = step.record.state.name() == StateName::Dispatched;
    let admission = Admission {
        rules: rules(),
        decided_at: Duration::ZERO,
        use_by: Timestamp::from_micros(i64::MAX),
        owner: OWNER.to_owned(),
    };
    let placed = Placed { key, joinable: true, admission: dispatches.then_some(admission) };
    match store.offer(step, placed).await? {
        Offered::Committed(committed) => Ok(*committed),
        Offered::NotAdmitted(why) => panic!("it is admitted: {why}"),
    }
}

/// A digest of a text.
pub fn digest(text: &str) -> Digest {
    Digest::of(domain::TOKEN, text.as_bytes())
}

fn proposal(world: &World, agent: &str, person: Option<&str>, amount: u64) -> Proposal {
    let mut chain = vec![json!({ "kind": "agent", "id": agent, "proof": "key" })];
    if let Some(id) = person {
        chain.insert(0, json!({ "kind": "person", "id": id, "proof": "claimed" }));
    }
    serde_json::from_value(json!({
        "id": world.id::<countersign_core::id::kind::ProposalKind>(),
        "action": "stripe.refund.create",
        "title": "Refund a charge",
        "revision": digest("revision"),
        "input": { "charge": "ch_1", "amount": amount, "reason": "requested_by_customer" },
        "salts": Salts::new(|| "00112233445566778899aabbccddeeff".to_owned()),
        "chain": chain,
        "could_be": [],
        "confirmed_at": null,
        "undo": { "why": "a refund cannot be taken back", "reversible": "never" },
        "reason": "the customer was charged twice",
        "run": "run-1",
        "evidence": [],
        "created_at": world.now(),
    }))
    .unwrap()
}

fn rendering(proposal: &Proposal, amount: u64) -> Rendering {
    serde_json::from_value(json!({
        "resource": { "type": "Charge", "id": "ch_1", "system": "stripe" },
        "environment": "production",
        "risk": {
            "mutating": true, "reversible": false, "external": true, "financial": true,
            "amount": amount, "exact": amount.to_string(), "currency": "eur", "count": 1,
        },
        "effects": [format!("refunds {amount} EUR of charge ch_1")],
        "precondition": { "kind": "none" },
        "call": {
            "kind": "http", "method": "POST", "url": "https://api.stripe.com/v1/refunds",
            "headers": [["idempotency-key", proposal.id.to_string()]],
            "body": ["application/x-www-form-urlencoded", format!("charge=ch_1&amount={amount}")],
            "credential": "stripe-write", "ok": [200], "timeout_ms": 20_000, "effect": "keyed",
        },
        "after": null,
    }))
    .unwrap()
}

fn binding(proposal: &Proposal, amount: u64) -> Binding {
    let preview = Preview {
        fidelity: Fidelity::Declared,
        at: START,
        source: None,
        before: None,
        after: None,
        patch: Vec::new(),
        money: Vec::new(),
        disclosure: countersign_core::preview::Disclosure::default(),
    };
    Binding::new(proposal, rendering(proposal, amount), preview).unwrap()
}

fn allow() -> Decision {
    serde_json::from_value(json!({
        "answer": "allow", "policies": [], "policy_set": digest("policies"), "digest": digest("no gates"),
    }))
    .unwrap()
}

fn ask() -> Decision {
    let policy = json!({ "id": "refunds-need-finance", "digest": digest("policy"), "reason": "money" });
    serde_json::from_value(json!({
        "answer": "needs_approval", "gates": [{ "policy": policy, "rules": ["finance"] }],
        "policies": [policy], "policy_set": digest("policies"), "digest": digest("gates"),
    }))
    .unwrap()
}

fn finance(have: u32) -> Vec<Standing> {
    let ann = || Approver { person: "ann".to_owned(), through: "person:ann".to_owned() };
    let approvers = (0..have).map(|_| ann()).collect();
    vec![Standing { rule: "finance".to_owned(), have, want: 1, approvers, excluded: Vec::new() }]
}

fn opened(world: &World, who: (&str, Option<&str>), amount: u64, decision: Decision) -> Step {
    let proposal = proposal(world, who.0, who.1, amount);
    let binding = binding(&proposal, amount);
    let deadlines = (world.now().plus(DECIDE_IN), world.now().plus(USE_IN));
    open(proposal, binding, decision, finance(0), deadlines)
}

/// A new proposal that waits for people.
pub fn pending(world: &World, agent: &str, person: Option<&str>, amount: u64) -> Step {
    opened(world, (agent, person), amount, ask())
}

/// A new proposal of this action in this environment, which waits for people.
pub fn pending_in(world: &World, agent: &str, (action, environment): (&str, &str), amount: u64) -> Step {
    let action = serde_json::from_value(json!(action)).unwrap();
    let proposal = Proposal { action, ..proposal(world, agent, None, amount) };
    let rendering = Rendering { environment: environment.to_owned(), ..rendering(&proposal, amount) };
    let binding = Binding::new(&proposal, rendering, binding(&proposal, amount).preview).unwrap();
    let deadlines = (world.now().plus(DECIDE_IN), world.now().plus(USE_IN));
    open(proposal, binding, ask(), finance(0), deadlines)
}

/// A new proposal that may run.
pub fn ready(world: &World, agent: &str) -> Step {
    opened(world, (agent, None), 5, allow())
}

/// Somebody approves.
pub fn approve(world: &World, record: &Record) -> Step {
    let approval: Approval = serde_json::from_value(json!({
        "person": "ann", "at": world.now(), "intent": record.binding.intent,
        "decision": record.decision.digest, "view": digest("view"), "policy_set": digest("policies"),
        "nonce": "00", "proof": "click", "channel": "console", "comment": "fine",
    }))
    .unwrap();
    let use_by = world.now().plus(USE_IN);
    moved(record, &Event::Approve { approval, standing: finance(1), use_by }, world.now())
}

/// Somebody rejects.
pub fn reject(world: &World, record: &Record) -> Step {
    let (person, reason, channel) = ("ann".to_owned(), "no".to_owned(), "console".to_owned());
    moved(record, &Event::Reject { person, reason, channel }, world.now())
}

/// The agent withdraws it.
pub fn cancel(world: &World, record: &Record) -> Step {
    moved(record, &Event::Cancel { by: Actor::Gate }, world.now())
}

/// It is decided again over another amount.
pub fn revise(world: &World, record: &Record, amount: u64) -> Step {
    let event = Event::Revise {
        binding: Box::new(binding(&record.proposal, amount)),
        decision: ask(),
        standing: finance(0),
        decide_by: world.now().plus(DECIDE_IN),
        use_by: world.now().plus(USE_IN),
        because: "the record changed".to_owned(),
    };
    moved(record, &event, world.now())
}

/// The point of no return, as this attempt.
pub fn dispatch_as(world: &World, record: &Record, attempt: AttemptId) -> Step {
    let event = Event::Dispatch {
        attempt,
        owner: "gate-1".to_owned(),
        decision: allow(),
        intent: record.binding.intent,
    };
    moved(record, &event, world.now())
}

/// The point of no return.
pub fn dispatch(world: &World, record: &Record) -> Step {
    dispatch_as(world, record, world.id())
}

/// The upstream says it is done.
pub fn succeed(world: &World, record: &Record, attempt: AttemptId) -> Step {
    let response = Response {
        status: 200,
        body: json!({ "id": "re_1" }),
        content_type: "application/json".to_owned(),
        scrubbed: false,
    };
    moved(record, &Event::Finish { attempt, outcome: Outcome::Succeeded { response } }, world.now())
}

fn moved(record: &Record, event: &Event, now: Timestamp) -> Step {
    apply(record, event, now).unwrap()
}

/// An entry that moves nothing.
pub fn sign_in(world: &World, person: &str) -> Entry {
    let data = data::SignedIn { by: "one-time link".to_owned() };
    Entry::new(world.now(), Actor::Person { id: person.to_owned() }, data)
}
