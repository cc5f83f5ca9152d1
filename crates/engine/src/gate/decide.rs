//! Validating, looking and deciding: what `propose`, dry run, dispatch and reload have in common.
//! One function decides for every surface (T41).

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_core::action::{Action, Before, Facts, RenderError};
use countersign_core::approval::{Approval, Standing, standing};
use countersign_core::decision::Decision;
use countersign_core::directory::Chain;
use countersign_core::json::CanonicalInput;
use countersign_core::limits;
use countersign_core::policy::Query;
use countersign_core::preview::Preview;
use countersign_core::proposal::{Binding, Proposal};
use countersign_core::refusal::Refusal;
use countersign_core::ruleset::Ruleset;
use countersign_core::time::Timestamp;

use super::Gate;
use crate::fault::Stop;
use crate::grant::Look;
use crate::weaken::weakened;

impl Gate {
    /// Reads the record, if the action says how, and computes everything that will be bound.
    pub(super) async fn see(&self, action: &Action, proposal: &Proposal) -> Result<Binding, Refusal> {
        let before = self.look(action, &proposal.input).await?;
        let facts = action.facts(&proposal.input, before.as_ref(), &proposal.id.to_string());
        self.bind(action, proposal, before.as_ref(), facts)
    }

    /// The same for a proposal that is open already: a watched field that the record lost is a change.
    pub(super) async fn see_again(&self, action: &Action, proposal: &Proposal) -> Result<Binding, Refusal> {
        let before = self.look(action, &proposal.input).await?;
        let facts = action.facts_again(&proposal.input, before.as_ref(), &proposal.id.to_string());
        self.bind(action, proposal, before.as_ref(), facts)
    }

    fn bind(
        &self,
        action: &Action,
        proposal: &Proposal,
        before: Option<&Before>,
        facts: Result<Facts, RenderError>,
    ) -> Result<Binding, Refusal> {
        let facts = facts.map_err(|e| Refusal::NotRenderable { detail: e.to_string() })?;
        let preview = Preview::new(action, &facts, before, self.0.world.now());
        Ok(Binding::new(proposal, facts, preview))
    }

    /// The preview read: a safe method, a read credential, nothing more (T31).
    async fn look(&self, action: &Action, input: &CanonicalInput) -> Result<Option<Before>, Refusal> {
        let read = action.read_call(input).map_err(|e| Refusal::NotRenderable { detail: e.to_string() })?;
        let Some(read) = read else { return Ok(None) };
        let failed = |detail: String| Refusal::PreviewFailed { detail };
        let look =
            Look::new(read).ok_or_else(|| failed("a preview may only use a safe method".to_owned()))?;
        let secret = self.0.credentials.for_look(&look).await.map_err(|e| failed(e.to_string()))?;
        let before =
            self.0.connector.look(&look, secret.as_ref()).await.map_err(|e| failed(e.to_string()))?;
        Ok(Some(before))
    }

    /// What policy says with nothing approved.
    pub(super) fn decide(
        &self,
        rules: &Ruleset,
        action: &Action,
        proposal: &Proposal,
        binding: &Binding,
    ) -> Decision {
        decide_with(rules, action, proposal, binding, (&BTreeSet::new(), self.0.world.now()))
    }
}

/// What policy says when these gates are met.
pub(super) fn decide_with(
    rules: &Ruleset,
    action: &Action,
    proposal: &Proposal,
    binding: &Binding,
    (approved, now): (&BTreeSet<String>, Timestamp),
) -> Decision {
    let query = Query {
        action,
        input: &proposal.input,
        chain: &proposal.chain,
        directory: &rules.directory,
        facts: &binding.facts,
        fidelity: binding.preview.fidelity,
        run: proposal.run.as_deref(),
        now,
    };
    rules.policies.decide(&query, approved)
}

/// How far each rule of a decision is with these approvals.
pub(super) fn progress(
    rules: &Ruleset,
    decision: &Decision,
    approvals: &[&Approval],
    chain: &Chain,
) -> Vec<Standing> {
    let mut all = standing(&decision.rules(), approvals, &rules.rules, chain, &rules.directory);
    if weakened("quorum") {
        // The first approval is enough.
        all.iter_mut().filter(|s| s.have > 0).for_each(|s| s.have = s.want);
    }
    all
}

/// The ids of the gates whose rules are all met.
pub(super) fn met_gates(decision: &Decision, standing: &[Standing]) -> BTreeSet<String> {
    let met = |rule: &String| standing.iter().any(|s| s.rule == *rule && s.is_met());
    decision.gates().iter().filter(|g| g.rules.iter().all(met)).map(|g| g.policy.id.clone()).collect()
}

/// The two deadlines of a decision: to decide, and to use.
pub(super) fn deadlines(rules: &Ruleset, decision: &Decision, now: Timestamp) -> (Timestamp, Timestamp) {
    let shortest = |pick: fn(&countersign_core::approval::Rule) -> Duration, otherwise: Duration| {
        decision.rules().iter().filter_map(|name| rules.rules.get(name)).map(pick).min().unwrap_or(otherwise)
    };
    let decide_in = shortest(|r| r.decide_in, limits::DECIDE_IN);
    let use_in = shortest(|r| r.use_in, limits::USE_IN);
    (now.plus(decide_in), now.plus(use_in))
}

/// The action of this name.
pub(super) fn registered<'a>(rules: &'a Ruleset, name: &str) -> Result<&'a std::sync::Arc<Action>, Stop> {
    rules.registry.get(name).ok_or_else(|| Refusal::UnknownAction { action: name.to_owned() }.into())
}

/// Whether facts may be taken as they are, or the record must be read again first. A read from the future, seen
/// from a clock that stepped back, is of no known age and so is not fresh.
pub(super) fn is_fresh(binding: &Binding, now: Timestamp) -> bool {
    let age = binding.preview.at.age_at(now);
    binding.preview.source.is_none() || age.is_some_and(|age| age <= limits::PREVIEW_AGE_MAX)
}

/// Facts recomputed for an action without a preview read.
pub(super) fn render_again(action: &Action, proposal: &Proposal) -> Result<Facts, Refusal> {
    action
        .facts(&proposal.input, None, &proposal.id.to_string())
        .map_err(|e| Refusal::NotRenderable { detail: e.to_string() })
}
