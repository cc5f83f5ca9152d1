//! Actions as tools: name, schema, and what the manifest says about their risk.

use std::sync::Arc;

use countersign_core::action::{Action, EffectClass, Group};
use rmcp::model::{Tool, ToolAnnotations};

/// The tool of an action. The annotations say no more than the manifest: they are hints for clients, and policy decides.
pub(super) fn of_action(action: &Action) -> Tool {
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
