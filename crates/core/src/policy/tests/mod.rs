//! A small gate directory for the tests of policy.

mod decide;
mod input;
mod lint;
mod load;
mod plain;
mod properties;
mod sees;
mod speed;
mod unread;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::request::Asked;
use super::sees::Sees;
use super::shape::ActionShape;
use super::slice::Cut;
use super::{Policies, Surroundings};
use crate::action::{
    Call, EffectClass, Group, HttpCall, Method, Precondition, RecordReads, Rendering, Resource, Risk,
};
use crate::decision::{Answer, Decision};
use crate::digest::{Digest, domain};
use crate::directory::{Chain, Directory};
use crate::preview::Fidelity;
use crate::problem::{Problem, SourceFile};
use crate::time::Timestamp;

/// Monday, 2026-11-23, 12:00 UTC.
const NOON: Timestamp = Timestamp::from_micros(1_795_435_200_000_000);

const DIRECTORY: &str = r#"
[team.company]
[team.support]
parents = ["company"]
[team.finance]
[person.ann]
name = "Ann"
teams = ["support"]
[person.fay]
name = "Fay"
teams = ["finance"]
[agent.bot]
title = "Support bot"
owner = "fay"
teams = ["support"]
act_for = ["team:support"]
alone = true
[agent.sub]
title = "Sub bot"
owner = "fay"
alone = true
"#;

/// The example that the documentation gives.
const REFUNDS: &str = r#"// who may
@id("support-refunds")
permit (principal in Team::"support", action == Action::"stripe.refund.create", resource)
when { context.env == Environment::"support" };

// what needs a person
@id("refund-over-100")
@approval("finance")
@reason("Refunds over $100 need one finance lead.")
forbid (principal, action == Action::"stripe.refund.create", resource)
when { context.risk.amount > 100 };

// what never happens
@id("refund-cap")
@reason("No agent refunds more than $1000.")
forbid (principal, action == Action::"stripe.refund.create", resource)
when { context.risk.amount > 1000 };
"#;

/// Nothing left out.
const WHOLE: Cut = Cut { keep: |_, _| true, sees: |_, _| Sees::Everything };

/// Loaded policies with what they were loaded from.
struct World {
    policies: Policies,
    warnings: Vec<Problem>,
    directory: Directory,
}

fn directory() -> Directory {
    Directory::load(&SourceFile { path: "directory.toml".into(), text: DIRECTORY.into() }).unwrap()
}

fn refund() -> ActionShape {
    ActionShape {
        name: "stripe.refund.create".into(),
        groups: BTreeSet::from([Group::Write, Group::Financial, Group::External]),
        schema: json!({
            "type": "object",
            "additionalProperties": false,
            "required": ["charge"],
            "properties": {
                "charge": { "type": "string" },
                "amount": { "type": "integer" },
                "reason": { "type": "string", "enum": ["duplicate", "fraudulent"] },
                "note": { "type": "string", "default": "none" },
                "meta": { "type": "object", "properties": { "__entity": { "type": "string" } } },
            },
        }),
        resource_type: "Charge".into(),
        system: "stripe".into(),
        record: RecordReads { read: true, resource: false, amount: true, count: false },
    }
}

fn contact() -> ActionShape {
    ActionShape {
        name: "crm.contact.get".into(),
        groups: BTreeSet::from([Group::Read]),
        schema: json!({ "type": "object", "properties": { "id": { "type": "string" } }, "required": ["id"] }),
        resource_type: "Contact".into(),
        system: "crm".into(),
        record: RecordReads::default(),
    }
}

fn rules() -> BTreeMap<String, Digest> {
    ["finance", "release"].map(|n| (n.to_owned(), Digest::of(domain::RULE, n.as_bytes()))).into()
}

fn environments() -> Vec<String> {
    vec!["support".to_owned(), "ops".to_owned()]
}

fn file(text: &str) -> SourceFile {
    SourceFile { path: "policies/p.cedar".into(), text: text.into() }
}

fn load_with(files: &[SourceFile], cut: Cut) -> Result<World, Vec<Problem>> {
    let directory = directory();
    let (rules, environments) = (rules(), environments());
    let around = Surroundings { directory: &directory, rules: &rules, environments: &environments };
    let (policies, warnings) = Policies::load_sliced(files, &[refund(), contact()], around, cut)?;
    Ok(World { policies, warnings, directory })
}

fn load(text: &str) -> Result<World, Vec<Problem>> {
    load_with(&[file(text)], Cut::CLOSE)
}

fn world(text: &str) -> World {
    load(text).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    })
}

/// A chain of any length, which the directory itself does not build yet.
fn chain(links: &[(&str, &str)]) -> Chain {
    let proof = |kind: &str| if kind == "person" { "claimed" } else { "key" };
    let link = |(kind, id): &(&str, &str)| json!({ "kind": kind, "id": id, "proof": proof(kind) });
    let links: Vec<Value> = links.iter().map(link).collect();
    serde_json::from_value(Value::Array(links)).unwrap()
}

/// One question, to be changed by a test.
#[derive(Debug, Clone)]
struct Question {
    action: &'static str,
    input: Value,
    chain: Chain,
    rendering: Rendering,
    run: Option<&'static str>,
    approved: BTreeSet<String>,
}

impl Question {
    fn refund(amount: i64) -> Self {
        Self {
            action: "stripe.refund.create",
            input: json!({ "charge": "ch_1", "amount": amount }),
            chain: chain(&[("person", "ann"), ("agent", "bot")]),
            rendering: rendering("Charge", "stripe", amount),
            run: None,
            approved: BTreeSet::new(),
        }
    }

    fn contact() -> Self {
        Self {
            action: "crm.contact.get",
            input: json!({ "id": "c_1" }),
            rendering: rendering("Contact", "crm", 0),
            ..Self::refund(0)
        }
    }

    fn approved(mut self, ids: &[&str]) -> Self {
        self.approved = ids.iter().map(|i| (*i).to_owned()).collect();
        self
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn ask(&self, world: &World) -> Decision {
        self.ask_of(&world.policies)
    }

    fn ask_of(&self, policies: &Policies) -> Decision {
        policies.answer(&self.asked(), &self.approved)
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            action: self.action,
            input: &self.input,
            chain: &self.chain,
            rendering: &self.rendering,
            fidelity: Fidelity::Declared,
            run: self.run,
            now: NOON,
        }
    }
}

fn rendering(kind: &str, system: &str, amount: i64) -> Rendering {
    Rendering {
        resource: Resource { kind: kind.into(), id: "x_1".into(), system: system.into() },
        environment: "support".into(),
        risk: Risk {
            mutating: true,
            reversible: false,
            external: true,
            financial: true,
            amount,
            exact: amount.to_string(),
            currency: "usd".into(),
            count: 1,
        },
        effects: Vec::new(),
        precondition: Precondition::None,
        call: Call::Http(HttpCall {
            method: Method::Post,
            url: "https://api.example.com/".into(),
            headers: Vec::new(),
            body: None,
            credential: None,
            ok: BTreeSet::from([200]),
            timeout_ms: 1_000,
            effect: EffectClass::Opaque,
        }),
        after: None,
    }
}

/// `allow`, `deny:<code>` or `approval{rules}:gates`.
fn word(decision: &Decision) -> String {
    match &decision.answer {
        Answer::Allow => "allow".to_owned(),
        Answer::Deny { code } => format!("deny:{}", serde_json::to_value(code).unwrap().as_str().unwrap()),
        Answer::NeedsApproval { gates } => {
            let ids: Vec<&str> = gates.iter().map(|g| g.policy.id.as_str()).collect();
            format!("approval{{{}}}:{}", decision.rules().join(","), ids.join(","))
        }
    }
}

fn ids(decision: &Decision) -> Vec<&str> {
    decision.policies.iter().map(|p| p.id.as_str()).collect()
}
