//! Policy: Cedar, embedded, deny by default. stub

use std::collections::BTreeSet;

use crate::action::{Action, ActionName, Facts, Registry};
use crate::approval::Rules;
use crate::decision::Decision;
use crate::digest::Digest;
use crate::directory::{Chain, Directory};
use crate::json::CanonicalInput;
use crate::preview::Fidelity;
use crate::problem::{Problem, SourceFile};
use crate::time::Timestamp;

/// Everything one decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// The action.
    pub action: &'a Action,
    /// The validated input.
    pub input: &'a CanonicalInput,
    /// Who acts.
    pub chain: &'a Chain,
    /// Who exists, now.
    pub directory: &'a Directory,
    /// Resource, risk, environment.
    pub facts: &'a Facts,
    /// How faithful the preview is.
    pub fidelity: Fidelity,
    /// The agent's run label, if any.
    pub run: Option<&'a str>,
    /// Now.
    pub now: Timestamp,
}

/// The loaded policy set.
#[derive(Debug)]
pub struct Policies {}

impl Policies {
    /// Loads.
    pub fn load(
        _files: &[SourceFile],
        _registry: &Registry,
        _directory: &Directory,
        _rules: &Rules,
        _environments: &[String],
    ) -> Result<(Self, Vec<Problem>), Vec<Problem>> {
        todo!()
    }

    /// Decides. `approved`: ids of the gates whose rules are met now.
    pub fn decide(&self, _query: &Query<'_>, _approved: &BTreeSet<String>) -> Decision {
        todo!()
    }

    /// Digest of the set.
    pub fn digest(&self) -> Digest {
        todo!()
    }

    /// Actions that some permit's scope could allow for every link of the chain.
    pub fn reachable(&self, _chain: &Chain, _directory: &Directory, _registry: &Registry) -> Vec<ActionName> {
        todo!()
    }
}
