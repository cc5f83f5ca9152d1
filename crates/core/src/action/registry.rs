//! The loaded actions and the systems that they touch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::render::{Before, Plan, RecordReads, RenderError};
use super::schema::{InputSchema, OutputSchema};
use super::types::{ActionName, CredentialRefs, EffectClass, Group, MoneyField, ReadCall, Rendering, Undo};
use crate::digest::Digest;
use crate::json::CanonicalInput;
use crate::preview::{Disclosure, RecordUse};
use crate::refusal::InputError;

/// What an approver sees in place of a redacted value.
const REDACTED: &str = "(redacted)";

/// One external system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// Its name.
    pub name: String,
    /// `https://api.stripe.com`: scheme, host, port and perhaps a path prefix; no slash at the end.
    pub base_url: String,
    /// The environment, one of those in `countersign.toml`.
    pub environment: String,
    /// Who answers for it, also for going back.
    pub owner: String,
    /// Names of credentials.
    pub credential: CredentialRefs,
}

/// One registered action, compiled.
#[derive(Debug)]
pub struct Action {
    /// Full name.
    pub name: ActionName,
    /// Its name as a tool: `crm_note_add`, or what the manifest says. Unique; at most 64 of `A-Z a-z 0-9 _ -`, which
    /// every model API accepts.
    pub tool: String,
    /// Its system.
    pub system: Arc<System>,
    /// For people.
    pub title: String,
    /// For agents and people.
    pub description: String,
    /// Groups; never empty.
    pub groups: BTreeSet<Group>,
    /// Effect class.
    pub effect: EffectClass,
    /// What the manifest says about going back.
    pub undo: Undo,
    /// The resource type, e.g. `Charge`.
    pub resource_type: String,
    /// The input schema: JSON Schema 2020-12, every object closed, keys sorted.
    pub schema: Value,
    /// What the manifest says of the upstream's answer, if it says it.
    pub output: Option<OutputSchema>,
    /// Digest of everything in the manifest that concerns this action and its system.
    pub revision: Digest,
    /// The same by the format of version 1.
    pub(super) revision_v1: Digest,
    pub(super) input: InputSchema,
    pub(super) plan: Plan,
    /// Fields of the record that are amounts of money.
    pub(super) money_fields: Vec<MoneyField>,
    /// JSON pointers into the record that approvers do not see.
    pub(super) hidden: Vec<String>,
    /// `preview.agent`: the agent may see what its proposal takes from the record.
    pub(super) shared: bool,
}

impl Action {
    /// Whether a proposal that was made under this revision was made under this manifest.
    pub fn is_revision(&self, revision: &Digest) -> bool {
        self.revision == *revision || self.revision_v1 == *revision
    }

    /// Applies the schema's defaults and validates.
    ///
    /// `input` must come from [`crate::json::read`]: what that reader refuses is not looked for again. All
    /// mistakes are listed with their JSON pointers, sorted, at most fifty.
    pub fn validate(&self, input: Value) -> Result<CanonicalInput, Vec<InputError>> {
        self.input.validate(&self.schema, input)
    }

    /// The read before the change, or `None` if the manifest names none.
    pub fn read_call(&self, input: &CanonicalInput) -> Result<Option<ReadCall>, RenderError> {
        self.plan.read_call(self, input.value())
    }

    /// Everything that is bound by the intent digest, computed from the input and the record.
    ///
    /// `before` must be there if [`Action::read_call`] gave a call; it is ignored if not. A record without a
    /// watched field is refused, unless the field is optional: the manifest was not written for such a record.
    pub fn rendering(
        &self,
        input: &CanonicalInput,
        before: Option<&Before>,
        proposal_id: &str,
    ) -> Result<Rendering, RenderError> {
        let rendering = self.render_again_with(input, before, proposal_id)?;
        let Some(gone) = rendering.precondition.gone() else { return Ok(rendering) };
        let detail = format!(
            "the record has no {gone}, which the manifest watches; what a record may lack, the manifest lists \
             in `optional`"
        );
        Err(RenderError::new("preview.watch", detail))
    }

    /// The same for a proposal whose record had every watched field: one that is missing now is a change of the
    /// record, and stands in the precondition as gone.
    pub fn render_again_with(
        &self,
        input: &CanonicalInput,
        before: Option<&Before>,
        proposal_id: &str,
    ) -> Result<Rendering, RenderError> {
        self.plan.rendering(self, input.value(), before, proposal_id)
    }

    /// The rendering without the record: what needs no read is as in [`Action::rendering`]. A resource id that only the
    /// record could tell reads `(not read)`; amount and count are the smallest, the sentences and the parts of
    /// the call that depend on the record are left out, and nothing guards it. Never for a call that is made.
    pub fn unread_rendering(
        &self,
        input: &CanonicalInput,
        proposal_id: &str,
    ) -> Result<Rendering, RenderError> {
        self.plan.unread_rendering(self, input.value(), proposal_id)
    }

    /// Which parts of the rendering that policy reads depend on the record.
    pub const fn record_reads(&self) -> RecordReads {
        self.plan.record_reads()
    }

    /// What of a proposal its agent may see. `read`: it was computed with the record.
    pub fn disclosure(&self, rendering: &Rendering, read: bool) -> Disclosure {
        let record = match (self.record_reads().read, self.shared) {
            (false, _) => RecordUse::Unused,
            (true, true) => RecordUse::Shared,
            (true, false) => RecordUse::Withheld,
        };
        // Without the record, the sentences that need it are not there.
        let shown = |at: usize| !read || !self.plan.effect_reads_record(at);
        let sentences = rendering.effects.iter().enumerate().filter(|(at, _)| shown(*at));
        Disclosure {
            record,
            effects: sentences.map(|(_, sentence)| sentence.clone()).collect(),
            resource: !self.record_reads().resource,
            call: !self.plan.call_reads_record(),
        }
    }

    /// Fields of the record that are amounts of money: `preview.fields`.
    pub fn money_fields(&self) -> &[MoneyField] {
        &self.money_fields
    }

    /// A copy of the record, before or after, in which what the manifest hides reads `(redacted)`.
    pub fn redact(&self, value: &Value) -> Value {
        let mut shown = value.clone();
        for pointer in &self.hidden {
            if let Some(hidden) = shown.pointer_mut(pointer) {
                *hidden = Value::from(REDACTED);
            }
        }
        shown
    }

    /// The name of the credential of the call itself.
    pub(super) fn credential(&self) -> Option<&str> {
        match self.effect {
            EffectClass::Read => self.system.credential.read.as_deref(),
            EffectClass::Keyed | EffectClass::Conditional | EffectClass::Natural | EffectClass::Opaque => {
                self.system.credential.write.as_deref()
            }
        }
    }
}

/// All registered actions.
#[derive(Debug, Default)]
pub struct Registry {
    pub(super) actions: BTreeMap<ActionName, Arc<Action>>,
    pub(super) tools: BTreeMap<String, ActionName>,
    pub(super) systems: BTreeMap<String, Arc<System>>,
}

impl Registry {
    /// An action by its full name.
    pub fn get(&self, name: &str) -> Option<&Arc<Action>> {
        self.actions.get(name)
    }

    /// An action by its name as a tool.
    pub fn tool(&self, name: &str) -> Option<&Arc<Action>> {
        self.actions.get(self.tools.get(name)?)
    }

    /// All actions, by name.
    pub fn actions(&self) -> impl Iterator<Item = &Arc<Action>> {
        self.actions.values()
    }

    /// All systems, by name.
    pub fn systems(&self) -> impl Iterator<Item = &Arc<System>> {
        self.systems.values()
    }
}
