//! Actions as tools: name, schema, and what the manifest says about their risk.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, Weak};

use countersign_core::action::{Action, EffectClass, Group};
use countersign_core::ruleset::Ruleset;
use rmcp::model::{Tool, ToolAnnotations};

/// The tools of all actions, by name.
type Tools = Arc<BTreeMap<String, Tool>>;

/// The tools of the rules in force, made once for each set of rules: a list of a thousand is asked for often.
#[derive(Debug, Default)]
pub(super) struct ToolCache(RwLock<(Weak<Ruleset>, Tools)>);

impl ToolCache {
    /// The tools of these rules.
    pub(super) fn of(&self, rules: &Arc<Ruleset>) -> Tools {
        let these = Arc::downgrade(rules);
        {
            let made = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if Weak::ptr_eq(&made.0, &these) {
                return Arc::clone(&made.1);
            }
        }
        let actions = rules.registry.actions();
        let tools: Tools = Arc::new(actions.map(|action| (action.tool.clone(), of_action(action))).collect());
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = (these, Arc::clone(&tools));
        tools
    }
}

/// The tool of an action. The annotations say no more than the manifest: they are hints for clients, and policy decides.
fn of_action(action: &Action) -> Tool {
    // The manifest loader closes every schema as an object.
    let schema = action.schema.as_object().cloned().unwrap_or_default();
    let reads = action.effect == EffectClass::Read;
    let mut hints = ToolAnnotations::with_title(action.title.clone())
        .read_only(reads)
        .open_world(action.groups.contains(&Group::External));
    if !reads {
        hints = hints
            .destructive(action.groups.contains(&Group::Destructive))
            .idempotent(action.effect != EffectClass::Opaque);
    }
    let mut tool = Tool::new(action.tool.clone(), action.description.clone(), Arc::new(schema))
        .with_title(action.title.clone())
        .with_annotations(hints);
    let output = action.output.as_ref().and_then(|output| output.schema().as_object());
    tool.output_schema = output.map(|output| Arc::new(output.clone()));
    tool
}
