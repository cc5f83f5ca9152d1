//! Reads the JSON form of a policy's conditions, and writes the one condition that this gate adds.
//!
//! Everything that looks inside a condition does it here, on the parsed tree, never on the text. A node of
//! a shape that is not known is an error: what cannot be read cannot be vouched for.

use serde_json::{Value, json};

/// The context field that only the generated condition may read.
pub(super) const APPROVALS: &str = "approvals";

/// One node of a condition.
#[derive(Debug)]
pub(super) enum Node<'a> {
    /// `principal`, `action`, `resource` or `context`.
    Var(&'a str),
    /// A literal.
    Literal(&'a Value),
    /// `left.attr` or `left["attr"]`.
    Attr { left: &'a Value, attr: &'a str },
    /// `left has a.b`.
    Has { left: &'a Value, attrs: Vec<&'a str> },
    /// `if c then t else e`.
    If { condition: &'a Value, then: &'a Value, otherwise: &'a Value },
    /// Any other operator or call, with its operands in order.
    Op { name: &'a str, operands: Vec<&'a Value> },
}

impl<'a> Node<'a> {
    /// Reads one node; `None` when its shape is not known.
    pub(super) fn read(expr: &'a Value) -> Option<Self> {
        let object = expr.as_object().filter(|o| o.len() == 1)?;
        let (name, args) = object.iter().next()?;
        Some(match name.as_str() {
            "Var" => Self::Var(args.as_str()?),
            "Value" => Self::Literal(args),
            "." => Self::Attr { left: args.get("left")?, attr: args.get("attr")?.as_str()? },
            "has" => Self::Has { left: args.get("left")?, attrs: attributes(args.get("attr")?)? },
            "if-then-else" => {
                Self::If { condition: args.get("if")?, then: args.get("then")?, otherwise: args.get("else")? }
            }
            "Record" => Self::Op { name, operands: args.as_object()?.values().collect() },
            _ => Self::Op { name, operands: operands(args)? },
        })
    }

    /// The expressions directly below, in order.
    pub(super) fn children(&self) -> Vec<&'a Value> {
        match self {
            Self::Var(_) | Self::Literal(_) => Vec::new(),
            Self::Attr { left, .. } | Self::Has { left, .. } => vec![left],
            Self::If { condition, then, otherwise } => vec![condition, then, otherwise],
            Self::Op { operands, .. } => operands.clone(),
        }
    }
}

fn attributes(attr: &Value) -> Option<Vec<&str>> {
    match attr {
        Value::String(one) => Some(vec![one]),
        Value::Array(many) => many.iter().map(Value::as_str).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => None,
    }
}

fn operands(args: &Value) -> Option<Vec<&Value>> {
    match args {
        Value::Array(items) => Some(items.iter().collect()),
        Value::Object(named) => {
            let mut found = Vec::new();
            for (key, value) in named {
                match key.as_str() {
                    "left" | "right" | "arg" | "in" => found.push(value),
                    // The type of `is` and the pattern of `like` are data, not expressions.
                    "entity_type" | "pattern" => {}
                    _ => return None,
                }
            }
            Some(found)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

/// `["input", "amount"]` for `context.input.amount`; `None` for anything else.
pub(super) fn context_path(expr: &Value) -> Option<Vec<&str>> {
    match Node::read(expr)? {
        Node::Var("context") => Some(Vec::new()),
        Node::Attr { left, attr } => {
            let mut path = context_path(left)?;
            path.push(attr);
            Some(path)
        }
        Node::Var(_) | Node::Literal(_) | Node::Has { .. } | Node::If { .. } | Node::Op { .. } => None,
    }
}

/// A `like` whose pattern says how `context.…` ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LikeSuffix<'a> {
    /// Path below `context`.
    pub(super) path: Vec<&'a str>,
    /// All text of the pattern.
    pub(super) literal: String,
    /// What stands after its last wildcard.
    pub(super) suffix: String,
}

/// Reads `context.a.b like "…*end"`; `None` for anything else.
pub(super) fn like_suffix(expr: &Value) -> Option<LikeSuffix<'_>> {
    let like = expr.get("like")?;
    let path = context_path(like.get("left")?)?;
    let pattern = like.get("pattern")?.as_array()?;
    let text = |parts: &[Value]| -> String {
        parts.iter().filter_map(|part| part.get("Literal").and_then(Value::as_str)).collect()
    };
    let wildcard = pattern.iter().rposition(|part| part.as_str() == Some("Wildcard"))?;
    let suffix = text(pattern.get(wildcard..)?);
    (!suffix.is_empty()).then(|| LikeSuffix { path, literal: text(pattern), suffix })
}

/// The bodies of all conditions, each with whether it is an `unless`.
pub(super) fn conditions(est: &Value) -> Vec<(bool, &Value)> {
    let clauses = est.get("conditions").and_then(Value::as_array);
    clauses
        .into_iter()
        .flatten()
        .filter_map(|c| Some((c.get("kind")?.as_str()? == "unless", c.get("body")?)))
        .collect()
}

/// What an author may not do with `context`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContextMisuse {
    /// `context.approvals`, `context["approvals"]` or `context has approvals`.
    Approvals,
    /// `context` other than as `context.<field>` or `context has <field>`: an alias could hide the field.
    Alias,
    /// A shape that this version of the gate does not know.
    Unreadable,
}

/// Looks for a misuse of `context` anywhere in a policy.
pub(super) fn context_misuse(est: &Value) -> Option<ContextMisuse> {
    let clauses = est.get("conditions").and_then(Value::as_array);
    let bodies = conditions(est);
    if clauses.map_or(0, Vec::len) != bodies.len() {
        return Some(ContextMisuse::Unreadable);
    }
    bodies.into_iter().find_map(|(_, body)| misuse(body))
}

fn misuse(expr: &Value) -> Option<ContextMisuse> {
    let Some(node) = Node::read(expr) else { return Some(ContextMisuse::Unreadable) };
    let (left, field) = match &node {
        Node::Var("context") => return Some(ContextMisuse::Alias),
        Node::Attr { left, attr } => (Some(*left), Some(*attr)),
        Node::Has { left, attrs } => (Some(*left), attrs.first().copied()),
        Node::Var(_) | Node::Literal(_) | Node::If { .. } | Node::Op { .. } => (None, None),
    };
    if left.and_then(context_path).is_some_and(|path| path.is_empty()) {
        return (field == Some(APPROVALS)).then_some(ContextMisuse::Approvals);
    }
    node.children().into_iter().find_map(misuse)
}

/// Every path below `context` that a policy reads or asks the presence of; `None` unless all are certain.
pub(super) fn context_reads(est: &Value) -> Option<Vec<Vec<&str>>> {
    let mut found = Vec::new();
    // This also refuses a form whose conditions cannot be told.
    if matches!(context_misuse(est), Some(ContextMisuse::Alias | ContextMisuse::Unreadable)) {
        return None;
    }
    for (_, body) in conditions(est) {
        reads(body, &mut found)?;
    }
    Some(found)
}

fn reads<'a>(expr: &'a Value, found: &mut Vec<Vec<&'a str>>) -> Option<()> {
    let node = Node::read(expr)?;
    let path = match &node {
        Node::Has { left, attrs } => context_path(left).map(|mut path| {
            path.extend(attrs);
            path
        }),
        Node::Var(_) | Node::Literal(_) | Node::Attr { .. } | Node::If { .. } | Node::Op { .. } => {
            context_path(expr)
        }
    };
    match path {
        Some(path) if path.is_empty() => None,
        Some(path) => {
            found.push(path);
            Some(())
        }
        None => node.children().into_iter().try_for_each(|child| reads(child, found)),
    }
}

/// The policy with `unless { context.approvals.contains("<id>") }` as its last condition.
///
/// `None` when the form has no list of conditions.
pub(super) fn lifted(est: &Value, id: &str) -> Option<Value> {
    let mut lifted = est.clone();
    let field = json!({ ".": { "left": { "Var": "context" }, "attr": APPROVALS } });
    let body = json!({ "contains": { "left": field, "right": { "Value": id } } });
    let clauses = lifted.get_mut("conditions")?.as_array_mut()?;
    clauses.push(json!({ "kind": "unless", "body": body }));
    Some(lifted)
}

/// The same as [`lifted`], as policy text. `None` unless the text ends a policy and the id is plain.
pub(super) fn lifted_text(text: &str, id: &str) -> Option<String> {
    let head = text.strip_suffix(';')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    id.chars().all(plain).then(|| format!("{head}\nunless {{ context.{APPROVALS}.contains(\"{id}\") }};"))
}
