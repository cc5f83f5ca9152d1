//! stub
use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::*;
use crate::digest::Digest;
use crate::json::CanonicalInput;
use crate::problem::{Problem, SourceFile};
use crate::refusal::InputError;

/// One external system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct System {
    /// Its name.
    pub name: String,
    /// `https://api.stripe.com`: scheme, host, port; no path beyond an optional prefix.
    pub base_url: String,
    /// The environment, one of those in `countersign.toml`.
    pub environment: String,
    /// Who owns rollback.
    pub owner: String,
    /// Names of credentials.
    pub credential: CredentialRefs,
}

/// One registered action.
#[derive(Debug)]
pub struct Action {
    /// Full name.
    pub name: ActionName,
    /// Its system.
    pub system: Arc<System>,
    /// For people.
    pub title: String,
    /// For agents and people.
    pub description: String,
    /// Groups.
    pub groups: BTreeSet<Group>,
    /// Can be undone.
    pub reversible: bool,
    /// Effect class.
    pub effect: EffectClass,
    /// What the manifest says about going back.
    pub undo: Undo,
    /// The resource type, e.g. `Charge`.
    pub resource_type: String,
    /// The input schema: JSON Schema 2020-12, closed.
    pub schema: Value,
    /// Digest of everything in the manifest that concerns this action and its system.
    pub revision: Digest,
}

impl Action {
    /// Validates.
    pub fn validate(&self, _input: Value) -> Result<CanonicalInput, Vec<InputError>> {
        todo!()
    }
    /// The read before.
    pub fn read_call(&self, _input: &CanonicalInput) -> Result<Option<ReadCall>, RenderError> {
        todo!()
    }
    /// Facts.
    pub fn facts(
        &self,
        _input: &CanonicalInput,
        _before: Option<&Before>,
        _proposal_id: &str,
    ) -> Result<Facts, RenderError> {
        todo!()
    }
    /// Redacts for approvers.
    pub fn redact(&self, _value: &Value) -> Value {
        todo!()
    }
}

/// All registered actions.
#[derive(Debug, Default)]
pub struct Registry {}

impl Registry {
    /// Loads manifests.
    pub fn load(
        _files: &[SourceFile],
        _environments: &[String],
    ) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        todo!()
    }
    /// By name.
    pub fn get(&self, _name: &str) -> Option<&Arc<Action>> {
        todo!()
    }
    /// All.
    pub fn actions(&self) -> impl Iterator<Item = &Arc<Action>> {
        std::iter::empty()
    }
    /// All systems.
    pub fn systems(&self) -> impl Iterator<Item = &Arc<System>> {
        std::iter::empty()
    }
}
