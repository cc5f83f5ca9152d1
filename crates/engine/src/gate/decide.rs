//! Validating, looking and deciding: what `propose`, dry run, dispatch and reload have in common.
//! One function decides for every surface (T41).

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_core::action::{Action, Before, ReadCall, RenderError, Rendering};
use countersign_core::approval::{Approval, Reach, Standing, reach, standing};
use countersign_core::decision::Decision;
use countersign_core::intent::IntentVersion;
use countersign_core::limits;
use countersign_core::policy::{Query, Unread};
use countersign_core::preview::Preview;
use countersign_core::proposal::{Binding, Proposal, Record};
use countersign_core::refusal::Refusal;
use countersign_core::ruleset::Ruleset;
use countersign_core::time::Timestamp;

use super::Gate;
use crate::connector::{LookError, LookFailure};
use crate::fault::Stop;
use crate::grant::Look;
use crate::weaken::weakened;

/// A new proposal bound and decided.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) binding: Binding,
    pub(super) decision: Decision,
    /// When the record was read, or else when it was decided, by the monotonic clock.
    pub(super) at: Duration,
}

/// Why nothing could be bound.
#[derive(Debug)]
pub(super) struct Unseen {
    /// The answer.
    pub(super) refusal: Refusal,
    /// What it says about another try.
    pub(super) kind: LookFailure,
}

impl Unseen {
    /// A refusal that another try does not change.
    pub(super) fn refused(refusal: Refusal) -> Self {
        Self { refusal, kind: LookFailure::Permanent }
    }

    fn not_renderable(error: &RenderError) -> Self {
        Self { refusal: not_renderable(error), kind: LookFailure::Permanent }
    }

    /// Whether the refusal depends on the record: on whether it exists, or on what is in it.
    fn tells_of_record(&self) -> bool {
        self.kind == LookFailure::NotFound || matches!(self.refusal, Refusal::NotRenderable { .. })
    }
}

impl Gate {
    /// Binds and decides a new proposal. Policy comes before any read: a chain that no policy could permit causes
    /// none, and is answered alike whether the record exists or not.
    pub(super) async fn bind_new(
        &self,
        rules: &Ruleset,
        action: &Action,
        proposal: &Proposal,
    ) -> Result<Bound, Refusal> {
        let rendering = action
            .unread_rendering(&proposal.input, &proposal.id.to_string())
            .map_err(|e| not_renderable(&e))?;
        let now = self.0.world.now();
        let preview = Preview::new(action, &rendering, None, now);
        let unread = Binding::new(proposal, rendering, preview)?;
        if !action.record_reads().read {
            let decision = self.decide(rules, action, proposal, &unread);
            return Ok(Bound { binding: unread, decision, at: self.0.world.ticks() });
        }
        let at = self.0.world.ticks();
        let answer = rules.policies.decide_unread(&query(rules, action, (proposal, &unread), now));
        let permitted = match answer {
            Unread::Denied(decision) => return Ok(Bound { binding: unread, decision: *decision, at }),
            Unread::Read { permitted } => permitted,
        };
        match self.see(action, proposal).await {
            Ok((binding, at)) => {
                let decision = self.decide(rules, action, proposal, &binding);
                Ok(Bound { binding, decision, at })
            }
            Err(unseen) if !permitted && unseen.tells_of_record() => {
                tracing::info!(action = %action.name, why = %unseen.refusal, "denied: policy needs the record");
                let decision = rules.policies.deny_unseen(&query(rules, action, (proposal, &unread), now));
                Ok(Bound { binding: unread, decision, at })
            }
            Err(unseen) => Err(unseen.refusal),
        }
    }

    /// Reads the record, if the action says how, and computes everything that will be bound. Gives it with the time
    /// of the read, by the monotonic clock.
    pub(super) async fn see(
        &self,
        action: &Action,
        proposal: &Proposal,
    ) -> Result<(Binding, Duration), Unseen> {
        let before = self.look(action, proposal).await?;
        let at = self.0.world.ticks();
        let rendering = action.rendering(&proposal.input, before.as_ref(), &proposal.id.to_string());
        let binding = self.bind(action, (proposal, IntentVersion::CURRENT), before.as_ref(), rendering)?;
        Ok((binding, at))
    }

    /// The same for a proposal that is open already: a watched field that the record lost is a change. It is bound
    /// by the format of what was approved, so that its approvals stand when nothing but the format is new.
    pub(super) async fn see_again(
        &self,
        action: &Action,
        record: &Record,
    ) -> Result<(Binding, Duration), Unseen> {
        let proposal = &record.proposal;
        let before = self.look(action, proposal).await?;
        let at = self.0.world.ticks();
        let rendering = action.render_again_with(&proposal.input, before.as_ref(), &proposal.id.to_string());
        let binding = self.bind(action, (proposal, record.binding.version), before.as_ref(), rendering)?;
        Ok((binding, at))
    }

    fn bind(
        &self,
        action: &Action,
        (proposal, version): (&Proposal, IntentVersion),
        before: Option<&Before>,
        rendering: Result<Rendering, RenderError>,
    ) -> Result<Binding, Unseen> {
        let rendering = rendering.map_err(|e| Unseen::not_renderable(&e))?;
        let preview = Preview::new(action, &rendering, before, self.0.world.now());
        Binding::by(version, proposal, rendering, preview).map_err(|e| Unseen::refused(e.into()))
    }

    /// The preview read: a safe method, a read credential, nothing more (T31).
    async fn look(&self, action: &Action, proposal: &Proposal) -> Result<Option<Before>, Unseen> {
        let read = action.read_call(&proposal.input).map_err(|e| Unseen::not_renderable(&e))?;
        let Some(read) = read else { return Ok(None) };
        let what = format!("{} {}", read.method.as_str(), host_of(&read.url));
        let result = self.look_once(read).await;
        result.map(Some).map_err(|error| {
            let detail = format!("{what}: {error}");
            let refusal = match error.kind {
                LookFailure::NotFound => {
                    tracing::info!(action = %action.name, detail, "a preview found no record");
                    Refusal::NoSuchResource { resource: resource_of(action, proposal) }
                }
                LookFailure::Transient | LookFailure::Permanent => {
                    tracing::warn!(action = %action.name, detail, "a preview read failed");
                    Refusal::PreviewFailed { detail }
                }
            };
            Unseen { refusal, kind: error.kind }
        })
    }

    async fn look_once(&self, read: ReadCall) -> Result<Before, LookError> {
        let failed = |detail: String| LookError { kind: LookFailure::Permanent, detail };
        let look =
            Look::new(read).ok_or_else(|| failed("a preview may only use a safe method".to_owned()))?;
        let secret = self.credentials().for_look(&look).await.map_err(|e| failed(e.to_string()))?;
        self.0.connector.look(&look, secret.as_ref()).await
    }

    /// What policy says with nothing approved, and whether the people whom it asks for exist.
    pub(super) fn decide(
        &self,
        rules: &Ruleset,
        action: &Action,
        proposal: &Proposal,
        binding: &Binding,
    ) -> Decision {
        let nothing = BTreeSet::new();
        let decision = decide_with(rules, action, proposal, binding, (&nothing, self.0.world.now()));
        within_reach(rules, proposal, decision)
    }
}

/// What nobody could ever approve is denied now, with the rule that lacks people; what waits for a confirmation
/// first says so.
fn within_reach(rules: &Ruleset, proposal: &Proposal, decision: Decision) -> Decision {
    if decision.gates().is_empty() {
        return decision;
    }
    let reach = reach(&decision.rules(), proposal.proposed_by(), &rules.rules, &rules.directory);
    let detail = reach.detail(&proposal.chain, &rules.rules);
    match (reach, detail) {
        (Reach::Never { .. }, Some(detail)) => decision.with_nobody_to_decide(detail),
        (_, detail) => Decision { detail, ..decision },
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
    rules.policies.decide(&query(rules, action, (proposal, binding), now), approved)
}

/// The question that policy is asked.
fn query<'a>(
    rules: &'a Ruleset,
    action: &'a Action,
    (proposal, binding): (&'a Proposal, &'a Binding),
    now: Timestamp,
) -> Query<'a> {
    Query {
        action,
        input: &proposal.input,
        chain: &proposal.chain,
        directory: &rules.directory,
        rendering: &binding.rendering,
        fidelity: binding.preview.fidelity,
        run: proposal.run.as_deref(),
        now,
    }
}

/// Type and id of the resource, as far as the input tells.
fn resource_of(action: &Action, proposal: &Proposal) -> String {
    let rendering = action.unread_rendering(&proposal.input, &proposal.id.to_string());
    match rendering {
        Ok(rendering) if !action.record_reads().resource => {
            format!("{} {}", rendering.resource.kind, rendering.resource.id)
        }
        Ok(_) | Err(_) => format!("{} for this input", action.resource_type),
    }
}

/// The host of a URL that was rendered and parsed before.
fn host_of(url: &str) -> String {
    let parsed = url::Url::parse(url).ok();
    parsed.and_then(|url| url.host_str().map(ToOwned::to_owned)).unwrap_or_default()
}

fn not_renderable(error: &RenderError) -> Refusal {
    Refusal::NotRenderable { detail: error.to_string() }
}

/// How far each rule of a decision is with these approvals.
pub(super) fn progress(
    rules: &Ruleset,
    decision: &Decision,
    approvals: &[&Approval],
    proposal: &Proposal,
) -> Vec<Standing> {
    let by = proposal.proposed_by();
    let mut all = standing(&decision.rules(), approvals, &rules.rules, by, &rules.directory);
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

/// Whether a rendering may be taken as it is, or the record must be read again first. A read from the future, seen
/// from a clock that stepped back, is of no known age and so is not fresh.
pub(super) fn is_fresh(binding: &Binding, now: Timestamp) -> bool {
    let age = binding.preview.at.age_at(now);
    binding.preview.source.is_none() || age.is_some_and(|age| age <= limits::PREVIEW_AGE_MAX)
}

/// Rendering recomputed for an action without a preview read.
pub(super) fn render_again(action: &Action, proposal: &Proposal) -> Result<Rendering, Refusal> {
    action.rendering(&proposal.input, None, &proposal.id.to_string()).map_err(|e| not_renderable(&e))
}
