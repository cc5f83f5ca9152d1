//! P8: what a decision costs when there are many policies for other actions. In this process, over
//! `countersign-core`: with HTTP and a disk in between, a microsecond could not be seen.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use countersign_core::action::Rendering;
use countersign_core::decision::Answer;
use countersign_core::directory::Chain;
use countersign_core::json::CanonicalInput;
use countersign_core::policy::Query;
use countersign_core::preview::Fidelity;
use countersign_core::problem::{Problem, SourceFile};
use countersign_core::ruleset::{GateFiles, Ruleset};
use countersign_core::time::Timestamp;

use crate::options::Pace;
use crate::protocol::{Outcome, Round, judge};
use crate::stats::Samples;
use crate::{clock, gatedir, subject};

/// The environment of everything here.
pub(crate) const ENVIRONMENT: &str = "support";
/// Actions among which many policies are shared out.
const OTHER_ACTIONS: usize = 100;
/// Policies of the small set besides those that decide: ten in all.
const FEW: usize = 8;
/// The large set: ten thousand in all.
const MANY: usize = 9_998;
/// Decisions between two looks at the clock: one alone is near the clock's own cost.
const BLOCK: u32 = 32;

/// The manifest of so many actions that nobody proposes.
pub(crate) fn other_actions(count: usize) -> String {
    let system = format!(
        "[system]\nname = \"other\"\nbase_url = \"https://other.example\"\nenv = \"{ENVIRONMENT}\"\nowner = \"olga\"\n"
    );
    let action = |n: usize| OTHER_ACTION.replace("NUMBER", &n.to_string());
    (0..count).map(action).fold(system, |text, action| text + &action)
}

const OTHER_ACTION: &str = r#"
[action."thingNUMBER.read"]
title       = "Read thing NUMBER"
description = "Reads thing NUMBER."
groups      = ["read"]

[action."thingNUMBER.read".input]
id   = { type = "string", pattern = "^[a-z0-9]{1,40}$", required = true }
size = { type = "integer", minimum = 1, maximum = 1000000, required = true }

[action."thingNUMBER.read".resource]
type = "Thing"
id   = "${input.id}"

[action."thingNUMBER.read".request]
method = "GET"
path   = "/things/${input.id}"
ok     = [200]
"#;

/// So many policies, shared out among so many of those actions.
pub(crate) fn other_policies(count: usize, actions: usize) -> String {
    let policy = |n: usize| {
        let action = n.checked_rem(actions).unwrap_or(0);
        let below = n.saturating_add(2);
        format!(
            "@id(\"other-{n}\")\n\
             permit (principal in Team::\"support\", action == Action::\"other.thing{action}.read\", resource)\n\
             when {{ context.env == Environment::\"{ENVIRONMENT}\" && context.input.size < {below} }};\n\n"
        )
    };
    (0..count).map(policy).collect()
}

/// A loaded gate directory and one question to it.
struct Asked {
    rules: Ruleset,
    input: CanonicalInput,
    chain: Chain,
    rendering: Rendering,
}

impl Asked {
    fn load(policies: usize) -> Result<Self> {
        let actions = policies.min(OTHER_ACTIONS);
        let file = |path: &str, text: String| SourceFile { path: path.to_owned(), text };
        let files = GateFiles {
            directory: Some(file("directory.toml", gatedir::directory(1))),
            approvals: Some(file("approvals.toml", gatedir::APPROVALS.to_owned())),
            actions: vec![
                file("actions/bench.toml", gatedir::manifest("127.0.0.1:1")),
                file("actions/other.toml", other_actions(actions)),
            ],
            policies: vec![
                file("policies/bench.cedar", gatedir::POLICIES.to_owned()),
                file("policies/other.cedar", other_policies(policies, actions)),
            ],
            environments: vec![ENVIRONMENT.to_owned()],
        };
        let (rules, _) = Ruleset::load(&files).map_err(|problems| refused(&problems))?;
        let action = rules.registry.get(gatedir::EXECUTED).context("the action is not registered")?;
        let body: serde_json::Value =
            serde_json::from_str(&subject::body(gatedir::EXECUTED, "100000000000"))?;
        let value = body.get("input").cloned().unwrap_or_default();
        let Ok(input) = action.validate(value) else { bail!("the input does not fit its schema") };
        let Ok(rendering) = action.rendering(&input, None, "prp_bench") else {
            bail!("the action cannot be rendered")
        };
        let chain = rules.directory.chain("bench-0000", Some(gatedir::REQUESTER))?;
        let asked = Self { rules, input, chain, rendering };
        match asked.decide()? {
            Answer::Allow => Ok(asked),
            other @ (Answer::Deny { .. } | Answer::NeedsApproval { .. }) => {
                bail!("policy was to allow the action and said {other:?}")
            }
        }
    }

    fn decide(&self) -> Result<Answer> {
        let action = self.rules.registry.get(gatedir::EXECUTED).context("the action is not registered")?;
        let query = Query {
            action,
            input: &self.input,
            chain: &self.chain,
            directory: &self.rules.directory,
            rendering: &self.rendering,
            fidelity: Fidelity::Declared,
            run: None,
            now: Timestamp::from_micros(1_800_000_000_000_000),
        };
        Ok(self.rules.policies.decide(&query, &BTreeSet::new()).answer)
    }

    /// The median decision in microseconds.
    fn measure(&self, length: Duration) -> Result<f64> {
        let mut samples = Samples::default();
        let end = clock::after(clock::now(), length);
        while clock::now() < end {
            let begin = clock::now();
            for _ in 0..BLOCK {
                std::hint::black_box(self.decide()?);
            }
            samples.push(begin.elapsed().checked_div(BLOCK).unwrap_or_default());
        }
        Ok(samples.summary().p50_us)
    }
}

fn refused(problems: &[Problem]) -> anyhow::Error {
    let first: Vec<String> = problems.iter().take(3).map(ToString::to_string).collect();
    anyhow::anyhow!("the gate directory of the benchmark does not load: {}", first.join("; "))
}

/// Ten policies as the yardstick, ten thousand as the subject.
pub(crate) fn growth(pace: &Pace) -> Result<Outcome> {
    let (few, many) = (Asked::load(FEW)?, Asked::load(MANY)?);
    // A decision takes microseconds: a third of the usual time is thousands of samples.
    let length = pace.segment.checked_div(3).unwrap_or(pace.segment);
    let mut rounds = Vec::with_capacity(pace.rounds);
    for _ in 0..pace.rounds {
        let before = few.measure(length)?;
        let subject = many.measure(length)?;
        let after = few.measure(length)?;
        rounds.push(Round { before, subject, after });
    }
    Ok(judge(&rounds))
}
