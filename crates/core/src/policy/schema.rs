//! The Cedar schema, generated from the registered actions and the core vocabulary.
//!
//! Built as a JSON value, so that no name from a manifest is ever spliced into schema text.

use std::collections::{BTreeMap, BTreeSet};
use std::str::FromStr;

use cedar_policy::{EntityTypeName, Schema};
use serde_json::{Map, Value, json};

use super::sees::Sees;
use super::shape::{ActionShape, Fields, Kind};
use crate::action::Group;
use crate::preview::Fidelity;
use crate::problem::Problem;

/// The group of every action.
pub(super) const ANY: &str = "any";
/// Every level of a preview.
pub(super) const FIDELITIES: [Fidelity; 4] =
    [Fidelity::Exact, Fidelity::Computed, Fidelity::Declared, Fidelity::None];

/// Whether a resource type may not have this name.
pub(crate) fn is_taken(name: &str) -> bool {
    TAKEN.contains(&name)
}

/// Names that a resource type may not take: ours, then Cedar's own.
const TAKEN: [&str; 19] = [
    "Action",
    "Agent",
    "Environment",
    "Person",
    "PreviewLevel",
    "System",
    "Team",
    "Bool",
    "Boolean",
    "Entity",
    "Extension",
    "Long",
    "Record",
    "Set",
    "String",
    "datetime",
    "decimal",
    "duration",
    "ipaddr",
];

/// The groups that a group is part of.
pub(super) const fn group_parents(group: Group) -> &'static str {
    match group {
        Group::Read | Group::Write | Group::Sensitive => ANY,
        Group::Destructive | Group::Financial | Group::External | Group::Admin => Group::Write.name(),
    }
}

/// Generates the schema, or says which registered names cannot be part of one.
///
/// The context of an action that is in `sees` has only the fields that are named there.
pub(super) fn generate(
    shapes: &[ActionShape],
    inputs: &[Fields],
    environments: &[String],
    sees: &BTreeMap<&str, &Sees>,
) -> Result<Schema, Vec<Problem>> {
    let problems = check_names(shapes);
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut actions = groups();
    for (shape, input) in shapes.iter().zip(inputs) {
        let parents = shape.groups.iter().map(|g| g.name()).chain([ANY]);
        let sees = sees.get(shape.name.as_str()).copied().unwrap_or(&Sees::Everything);
        actions.insert(
            shape.name.clone(),
            json!({
                "memberOf": parents.map(|id| json!({ "id": id })).collect::<Vec<_>>(),
                "appliesTo": {
                    "principalTypes": ["Person", "Agent"],
                    "resourceTypes": [shape.resource_type],
                    "context": narrowed(context(input), sees),
                },
            }),
        );
    }
    let whole = json!({ "": { "entityTypes": entity_types(shapes, environments), "actions": actions } });
    Schema::from_json_value(whole).map_err(|e| {
        let message =
            format!("the registered actions give no valid policy schema: {}", fragment(&e.to_string()));
        vec![Problem::error(
            "actions",
            0,
            message,
            "Correct the names of actions, fields and resource types.",
        )]
    })
}

fn check_names(shapes: &[ActionShape]) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut refuse =
        |message: String, remedy: &str| found.push(Problem::error("actions", 0, message, remedy));
    for ActionShape { name, resource_type, .. } in shapes {
        if name == ANY || Group::ALL.iter().any(|g| g.name() == name) || !seen.insert(name) {
            refuse(format!("the action name `{name}` is taken"), "Give the action another name.");
        }
        if is_taken(resource_type) {
            let message =
                format!("the resource type `{resource_type}` of `{name}` is a word of the policy language");
            refuse(message, "Give the resource type another name.");
        } else if EntityTypeName::from_str(resource_type).is_err() || resource_type.contains(':') {
            let message = format!(
                "the resource type `{resource_type}` of `{name}` is not a name that policies can use"
            );
            refuse(message, "Use letters, digits and `_`, starting with a letter, such as `Charge`.");
        }
    }
    found
}

fn groups() -> Map<String, Value> {
    let mut actions = Map::new();
    actions.insert(ANY.to_owned(), json!({}));
    for group in Group::ALL {
        let parents = json!({ "memberOf": [{ "id": group_parents(group) }] });
        actions.insert(group.name().to_owned(), parents);
    }
    actions
}

fn entity_types(shapes: &[ActionShape], environments: &[String]) -> Map<String, Value> {
    let levels: Vec<&str> = FIDELITIES.iter().map(|f| f.name()).collect();
    // An enumeration cannot be empty. Without environments no request can be made at all, so nothing is
    // lost by leaving the type open.
    let environment = if environments.is_empty() { json!({}) } else { json!({ "enum": environments }) };
    let mut types = Map::new();
    let mut add = |name: &str, definition: Value| types.insert(name.to_owned(), definition);
    add("Environment", environment);
    add("PreviewLevel", json!({ "enum": levels }));
    add("Team", json!({ "memberOfTypes": ["Team"] }));
    add("Person", json!({ "memberOfTypes": ["Team"] }));
    add("Agent", json!({ "memberOfTypes": ["Team"], "shape": typed_record([("owner", entity("Person"))]) }));
    add("System", json!({}));
    for shape in shapes {
        let attributes = typed_record([("system", entity("System")), ("id", plain("String"))]);
        add(&shape.resource_type, json!({ "memberOfTypes": ["System"], "shape": attributes }));
    }
    types
}

fn context(input: &Fields) -> Value {
    let optional = |mut of: Value| {
        if let Some(object) = of.as_object_mut() {
            object.insert("required".to_owned(), json!(false));
        }
        of
    };
    let risk = typed_record([
        ("mutating", plain("Boolean")),
        ("reversible", plain("Boolean")),
        ("external", plain("Boolean")),
        ("financial", plain("Boolean")),
        ("amount", plain("Long")),
        ("exact", extension("decimal")),
        ("currency", plain("String")),
        ("count", plain("Long")),
    ]);
    let chain = typed_record([
        ("agent", entity("Agent")),
        ("person", optional(entity("Person"))),
        ("depth", plain("Long")),
        ("proof", plain("String")),
    ]);
    typed_record([
        ("input", record(input)),
        ("env", entity("Environment")),
        ("risk", risk),
        ("chain", chain),
        ("run", optional(plain("String"))),
        ("now", extension("datetime")),
        ("clock", typed_record([("weekday", plain("String")), ("hour", plain("Long"))])),
        ("preview", entity("PreviewLevel")),
        ("approvals", json!({ "type": "Set", "element": plain("String") })),
    ])
}

/// Without the fields that are not seen, on the first two levels.
fn narrowed(mut context: Value, sees: &Sees) -> Value {
    let Some(fields) = context.get_mut("attributes").and_then(Value::as_object_mut) else { return context };
    fields.retain(|field, _| sees.field(field));
    for (field, of) in fields {
        if let Some(attributes) = of.get_mut("attributes").and_then(Value::as_object_mut) {
            attributes.retain(|below, _| sees.below(field, below));
        }
    }
    context
}

fn record(fields: &Fields) -> Value {
    let attributes: Map<String, Value> = fields
        .iter()
        .map(|(name, field)| {
            let mut of = cedar_type(&field.kind);
            if let Some(object) = of.as_object_mut() {
                object.insert("required".to_owned(), json!(field.is_always_there()));
            }
            (name.clone(), of)
        })
        .collect();
    json!({ "type": "Record", "attributes": attributes })
}

fn cedar_type(kind: &Kind) -> Value {
    match kind {
        Kind::Bool => plain("Boolean"),
        Kind::Long => plain("Long"),
        Kind::Text(_) => plain("String"),
        Kind::Decimal | Kind::DecimalText => extension("decimal"),
        Kind::DateTime | Kind::Date => extension("datetime"),
        Kind::Ip => extension("ipaddr"),
        Kind::Duration => extension("duration"),
        Kind::Set(item) => json!({ "type": "Set", "element": cedar_type(item) }),
        Kind::Record(fields) => record(fields),
    }
}

fn typed_record<const N: usize>(attributes: [(&str, Value); N]) -> Value {
    let attributes: Map<String, Value> = attributes.into_iter().map(|(n, t)| (n.to_owned(), t)).collect();
    json!({ "type": "Record", "attributes": attributes })
}

fn plain(name: &str) -> Value {
    json!({ "type": name })
}

fn entity(name: &str) -> Value {
    json!({ "type": "Entity", "name": name })
}

fn extension(name: &str) -> Value {
    json!({ "type": "Extension", "name": name })
}

/// Text of a Cedar error in the form that a problem has: one line, no full stop.
pub(super) fn fragment(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.trim_end_matches('.').to_owned()
}
