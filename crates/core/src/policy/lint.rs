//! What Cedar accepts and people get wrong: misspelt names, guards and ends of addresses that an agent can
//! step around, and arithmetic that can overflow.

use std::collections::BTreeSet;

use cedar_policy::EntityUid;
use serde_json::Value;

use super::est::{self, LikeSuffix, Node, context_path};
use super::load::Written;
use super::request::NO_PERSON;
use super::shape::{ActionShape, Fields, Kind, fields_along};
use crate::address::SuffixRule;
use crate::directory::{Directory, LinkProof};
use crate::problem::Problem;

/// What the lints compare policies with.
#[derive(Debug)]
pub(super) struct KnownNames<'a> {
    teams: BTreeSet<&'a str>,
    people: BTreeSet<&'a str>,
    agents: BTreeSet<&'a str>,
    systems: BTreeSet<&'a str>,
}

impl<'a> KnownNames<'a> {
    /// Collects every name that a policy may mention.
    pub(super) fn new(directory: &'a Directory, shapes: &'a [ActionShape]) -> Self {
        Self {
            teams: directory.teams().map(|(n, _)| n).collect(),
            people: directory.people().map(|(n, _)| n).collect(),
            agents: directory.agents().map(|(n, _)| n).collect(),
            systems: shapes.iter().map(|s| s.system.as_str()).collect(),
        }
    }

    /// The file in which a missing name should be, if this is a missing name.
    fn missing(&self, literal: &EntityUid) -> Option<&'static str> {
        let id = literal.id().unescaped();
        let (names, file) = match literal.type_name().basename() {
            "Team" => (&self.teams, "directory.toml"),
            "Person" => (&self.people, "directory.toml"),
            "Agent" => (&self.agents, "directory.toml"),
            "System" => (&self.systems, "actions/*.toml"),
            _ => return None,
        };
        (!names.contains(id)).then_some(file)
    }
}

/// Looks at one policy. `inputs` are the visible inputs of the actions it can apply to.
pub(super) fn lint(policy: &Written, inputs: &[&Fields], known: &KnownNames<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut named = BTreeSet::new();
    for literal in policy.policy.entity_literals() {
        if let Some(file) = known.missing(&literal).filter(|_| named.insert(literal.clone())) {
            let needle = format!("\"{}\"", literal.id().escaped());
            let message = format!("`{literal}` does not exist");
            problems.push(policy.place.error(
                &needle,
                message,
                format!("Correct the name, or add it to {file}."),
            ));
        }
    }
    let mut seen = Seen::default();
    for (unless, body) in est::conditions(&policy.est) {
        seen.walk(body, if unless { Sense::Negative } else { Sense::Positive });
    }
    problems.extend(seen.compared.iter().filter_map(|(path, text)| unlisted(policy, inputs, path, text)));
    problems.extend(seen.suffixes.iter().filter_map(|like| open_suffix(policy, inputs, like)));
    if let Some(operator) = seen.arithmetic {
        let message = "arithmetic can overflow, and a policy that fails denies everything it applies to";
        problems.push(policy.place.warning(
            operator,
            message,
            "Compare values of `context.risk` with constants.",
        ));
    }
    if seen.constant_asked {
        let message =
            "a named entity is asked for its parents or attributes, which a request does not bring along";
        let remedy = "Ask `principal`, `action`, `resource` or a field of `context`.";
        problems.push(policy.place.error("when", message, remedy));
    }
    if policy.forbids() {
        problems.extend(seen.guards.iter().filter_map(|path| escapable(policy, inputs, &seen, path)));
        if seen.amount_below {
            let message = "a forbid on small amounts: `context.risk.amount` is rounded up, so a part of a unit escapes it";
            problems.push(policy.place.warning(
                "amount",
                message,
                "Compare `context.risk.exact`, or forbid above a limit.",
            ));
        }
    }
    problems
}

/// What `context.chain.proof` can be.
const PROOFS: [&str; 3] = [LinkProof::Claimed.as_str(), LinkProof::Confirmed.as_str(), NO_PERSON];

/// `context.input.reason == "fradulent"`: a text that no applicable schema allows.
fn unlisted(policy: &Written, inputs: &[&Fields], path: &[&str], text: &str) -> Option<Problem> {
    if path == ["chain", "proof"] && !PROOFS.contains(&text) {
        let message = format!("`context.chain.proof` is never `{text}`");
        let remedy = format!("It is one of {}.", PROOFS.join(", "));
        return Some(policy.place.error(&format!("\"{text}\""), message, remedy));
    }
    let (first, below) = path.split_first()?;
    let mut listed = BTreeSet::new();
    for field in inputs.iter().filter_map(|i| fields_along(i, below).pop()) {
        let Kind::Text(Some(values)) = &field.kind else { return None };
        if values.contains(text) {
            return None;
        }
        listed.extend(values);
    }
    if *first != "input" || listed.is_empty() {
        return None;
    }
    let values: Vec<&str> = listed.into_iter().map(String::as_str).collect();
    let message = format!("`context.{}` is never `{text}`", path.join("."));
    let remedy = format!("Its schema allows {}.", values.join(", "));
    Some(policy.place.error(&format!("\"{text}\""), message, remedy))
}

/// `context.input.to like "*@corp.com"`, where a text that is no address, or a longer domain, ends so too.
fn open_suffix(policy: &Written, inputs: &[&Fields], like: &LikeSuffix<'_>) -> Option<Problem> {
    let below = like.path.strip_prefix(&["input"])?;
    let fields = inputs.iter().filter_map(|i| fields_along(i, below).pop());
    let (message, remedy) = fields.filter(|field| field.kind == Kind::Text(None)).find_map(|field| {
        let rule = SuffixRule {
            path: format!("context.{}", like.path.join(".")),
            name: (*below.last()?).to_owned(),
            is_email: field.is_email,
            literal: like.literal.clone(),
            suffix: like.suffix.clone(),
        };
        rule.fault()
    })?;
    Some(policy.place.warning(&format!("{}\"", like.suffix), message, remedy))
}

/// `context.input has x && context.input.x > 1` in a forbid: left out by the agent, it never matches.
fn escapable(policy: &Written, inputs: &[&Fields], seen: &Seen<'_>, path: &[&str]) -> Option<Problem> {
    let (first, below) = path.split_first()?;
    let optional = match *first {
        "run" => below.is_empty(),
        "input" => inputs.iter().any(|i| fields_along(i, below).iter().any(|f| !f.is_always_there())),
        _ => false,
    };
    let read = seen.reads.iter().any(|r| r.starts_with(path));
    if !optional || !read || seen.absences.contains(path) {
        return None;
    }
    let message =
        format!("a forbid is skipped when the agent omits this field: `context.{}`", path.join("."));
    Some(policy.place.warning(" has ", message, "Use `context.risk`, or add `|| !(… has …)`."))
}

/// Whether a true part makes the policy apply, or keeps it from applying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sense {
    Positive,
    Negative,
    /// Inside something that is neither.
    Unknown,
}

impl Sense {
    const fn flipped(self) -> Self {
        match self {
            Self::Positive => Self::Negative,
            Self::Negative => Self::Positive,
            Self::Unknown => Self::Unknown,
        }
    }
}

/// What the conditions of one policy contain.
#[derive(Debug, Default)]
struct Seen<'a> {
    /// Paths below `context` compared with a text.
    compared: Vec<(Vec<&'a str>, &'a str)>,
    /// What the policy asks of how a text ends.
    suffixes: BTreeSet<LikeSuffix<'a>>,
    /// Paths whose presence the policy asks for.
    guards: BTreeSet<Vec<&'a str>>,
    /// Paths whose absence the policy asks for.
    absences: BTreeSet<Vec<&'a str>>,
    /// Paths that are read.
    reads: BTreeSet<Vec<&'a str>>,
    /// An arithmetic operator.
    arithmetic: Option<&'a str>,
    /// `context.risk.amount` below something.
    amount_below: bool,
    /// `Person::"ann" in …`, `Agent::"bot".owner`: only who takes part is in the slice of a request, and of
    /// anybody else Cedar would quietly say no.
    constant_asked: bool,
}

impl<'a> Seen<'a> {
    fn walk(&mut self, expr: &'a Value, sense: Sense) {
        let Some(node) = Node::read(expr) else { return };
        match &node {
            Node::Attr { left, .. } => {
                self.constant_asked |= names_entity(left);
                self.reads.extend(context_path(expr));
            }
            Node::Has { left, attrs } => {
                self.constant_asked |= names_entity(left);
                self.has(left, attrs, sense);
            }
            Node::If { condition, then, otherwise } => {
                // `if c then x else false` is `c && x`; any other branch may catch what the guard lets go.
                let is_false = matches!(Node::read(otherwise), Some(Node::Literal(Value::Bool(false))));
                self.walk(condition, if is_false { sense } else { Sense::Unknown });
                self.walk(then, sense);
                self.walk(otherwise, sense);
                return;
            }
            Node::Op { name, operands } => {
                self.suffixes.extend(est::like_suffix(expr));
                self.operator(name, operands, sense);
            }
            Node::Var(_) | Node::Literal(_) => {}
        }
        let below = match &node {
            Node::Op { name: "&&" | "||", .. } => sense,
            Node::Op { name: "!", .. } => sense.flipped(),
            Node::Var(_)
            | Node::Literal(_)
            | Node::Attr { .. }
            | Node::Has { .. }
            | Node::If { .. }
            | Node::Op { .. } => Sense::Unknown,
        };
        for child in node.children() {
            self.walk(child, below);
        }
    }

    fn has(&mut self, left: &'a Value, attrs: &[&'a str], sense: Sense) {
        let Some(mut path) = context_path(left) else { return };
        for attr in attrs {
            path.push(attr);
            match sense {
                Sense::Positive => self.guards.insert(path.clone()),
                Sense::Negative => self.absences.insert(path.clone()),
                Sense::Unknown => false,
            };
        }
    }

    fn operator(&mut self, name: &'a str, operands: &[&'a Value], sense: Sense) {
        let (left, right) = (operands.first().copied(), operands.get(1).copied());
        match name {
            "+" | "-" | "*" | "neg" => self.arithmetic = Some(if name == "neg" { "-" } else { name }),
            "==" | "!=" => {
                self.compare(left, right);
                self.compare(right, left);
            }
            "contains" => {
                let members = left.and_then(Node::read);
                if let Some(Node::Op { name: "Set", operands: members }) = members {
                    for member in members {
                        self.compare(right, Some(member));
                    }
                }
            }
            "in" => self.constant_asked |= left.is_some_and(names_entity),
            "is" if operands.len() > 1 => self.constant_asked |= left.is_some_and(names_entity),
            "<" | "<=" if sense == Sense::Positive => self.amount_below |= is_amount(left),
            ">" | ">=" if sense == Sense::Positive => self.amount_below |= is_amount(right),
            _ => {}
        }
    }

    fn compare(&mut self, path: Option<&'a Value>, text: Option<&'a Value>) {
        let literal = text.and_then(Node::read);
        if let (Some(path), Some(Node::Literal(Value::String(text)))) = (path.and_then(context_path), literal)
        {
            self.compared.push((path, text));
        }
    }
}

fn is_amount(expr: Option<&Value>) -> bool {
    expr.and_then(context_path).is_some_and(|path| path == ["risk", "amount"])
}

/// Whether an entity is named anywhere in an expression.
fn names_entity(expr: &Value) -> bool {
    match Node::read(expr) {
        Some(Node::Literal(literal)) => literal.get("__entity").is_some(),
        Some(node) => node.children().into_iter().any(names_entity),
        None => true,
    }
}
