//! The `${…}` values of a manifest: CEL, compiled at load, evaluated over the input and what was read.
//!
//! An expression's text comes only from the manifest; agent data is bound as variables and is never part of
//! a source. Evaluation has no IO, no clock and no loop in a loop, and every error refuses the proposal.

mod check;
mod convert;
mod functions;
mod scope;
mod suffix;
mod template;
mod typing;

use std::collections::BTreeSet;

use cel::Program;
use cel::common::ast::{Expr, IdedExpr};
use serde_json::Value;

use check::References;
pub(super) use check::Vocabulary;
pub(super) use convert::as_text;
pub(super) use scope::Scope;
pub(super) use suffix::suffix_rules;
pub(super) use template::{Fault, Piece, Template, Text, split};

use super::RenderError;

/// One compiled expression and the place of the manifest where it stands.
#[derive(Debug)]
pub(super) struct Expression {
    place: String,
    source: String,
    kind: ExpressionKind,
    references: References,
    typed: Typed,
}

/// What is known of an expression's value.
#[derive(Debug, Clone, Copy)]
struct Typed {
    is_text: bool,
    is_integer: bool,
    name: &'static str,
    may_be_zero: bool,
}

#[derive(Debug)]
enum ExpressionKind {
    /// A plain chain such as `input.charge`: looked up without CEL, which costs nothing and keeps every
    /// JSON value exactly as it was read.
    Path { root: Root, fields: Vec<String>, optional: bool },
    /// Anything else.
    Cel(Box<Program>),
}

#[derive(Debug)]
enum Root {
    Input,
    Before,
    Let(String),
    ProposalId,
}

impl Expression {
    /// Compiles the text between `${` and `}`. The error is a fragment for a [`crate::problem::Problem`].
    pub(super) fn compile(place: &str, source: &str, words: &Vocabulary<'_>) -> Result<Self, String> {
        let program = scope::environment().compile(source).map_err(|errors| {
            let text = errors.to_string();
            let first = text.lines().next().unwrap_or_default();
            format!("`{source}` is not a CEL expression: {}", first.trim())
        })?;
        let references =
            check::check(program.expression(), words).map_err(|e| format!("in `{source}`: {e}"))?;
        let found =
            typing::type_of(program.expression(), words).map_err(|e| format!("in `{source}`: {e}"))?;
        let typed = Typed {
            is_text: found.can_be_text(),
            is_integer: found.can_be_integer(),
            name: found.name(),
            may_be_zero: check::may_be_zero(program.expression(), words),
        };
        let kind = match plain_path(program.expression(), words) {
            Some(path) => path,
            None if check::mentions(program.expression(), "proposal") => {
                return Err("`proposal.id` must stand alone: `${proposal.id}`".to_owned());
            }
            None => ExpressionKind::Cel(Box::new(program)),
        };
        Ok(Self { place: place.to_owned(), source: source.to_owned(), kind, references, typed })
    }

    /// Refuses a value that cannot stand inside a text.
    pub(super) fn must_be_text(self) -> Result<Self, String> {
        if self.typed.is_text {
            return Ok(self);
        }
        let Self { source, typed, .. } = &self;
        Err(format!(
            "`{source}` is {}, and here stands a text, a number or a boolean; take one element or field of it",
            typed.name
        ))
    }

    /// Refuses a value that is no integer of at least 1 for a valid input.
    pub(super) fn must_be_count(self) -> Result<Self, String> {
        let Self { source, typed, .. } = &self;
        if !typed.is_integer {
            return Err(format!("`{source}` is {}, and a count is an integer of at least 1", typed.name));
        }
        if typed.may_be_zero {
            return Err(format!(
                "`{source}` can be 0, and then every such proposal is refused; write `{source} > 0 ? {source} : 1`"
            ));
        }
        Ok(self)
    }

    /// The `preview.let` names it refers to.
    pub(super) fn lets(&self) -> impl Iterator<Item = &str> {
        self.references.lets.iter().map(String::as_str)
    }

    /// Whether its value depends on the record that is read; `lets` are the names that do.
    pub(super) fn reads_record(&self, lets: &BTreeSet<String>) -> bool {
        self.references.before || !self.references.lets.is_disjoint(lets)
    }

    /// The value, or `None` if it is exactly an optional field of the input that the agent left out.
    pub(super) fn eval(&self, scope: &mut Scope<'_>) -> Result<Option<Value>, RenderError> {
        let result = match &self.kind {
            ExpressionKind::Path { root, fields, optional } => follow(scope, root, fields, *optional),
            ExpressionKind::Cel(program) => scope.run(program).map(Some),
        };
        result.map_err(|detail| self.error(&detail))
    }

    /// The value; an absent one is an error.
    pub(super) fn require(&self, scope: &mut Scope<'_>) -> Result<Value, RenderError> {
        self.eval(scope)?.ok_or_else(|| self.error("the input leaves it out"))
    }

    /// An error of this expression. `detail` must not contain values: the agent sees it (T77).
    pub(super) fn error(&self, detail: &str) -> RenderError {
        RenderError { place: self.place.clone(), detail: format!("`{}`: {detail}", self.source) }
    }
}

fn follow(
    scope: &Scope<'_>,
    root: &Root,
    fields: &[String],
    optional: bool,
) -> Result<Option<Value>, String> {
    let mut value = match root {
        Root::Input => scope.input(),
        Root::Before => scope.before().ok_or("the record was not read")?,
        Root::Let(name) => scope.named(name).ok_or("it is not computed yet")?,
        Root::ProposalId => {
            return scope.proposal_id().map(|id| Some(Value::from(id))).ok_or("no id yet".to_owned());
        }
    };
    for field in fields {
        match value.get(field) {
            Some(found) => value = found,
            None if optional => return Ok(None),
            None => return Err(format!("`{field}` is absent")),
        }
    }
    Ok(Some(value.clone()))
}

fn plain_path(expr: &IdedExpr, words: &Vocabulary<'_>) -> Option<ExpressionKind> {
    let (root, fields) = chain(expr)?;
    let (root, fields, optional) = match root {
        "input" => {
            let optional = words.input_may_lack(&fields);
            (Root::Input, fields, optional)
        }
        "before" => (Root::Before, fields, false),
        "proposal" => (Root::ProposalId, Vec::new(), false),
        name => (Root::Let(name.to_owned()), fields, false),
    };
    Some(ExpressionKind::Path { root, fields: fields.into_iter().map(ToOwned::to_owned).collect(), optional })
}

/// `a.b.c` as its root and the selected fields; `None` for anything else.
fn chain(expr: &IdedExpr) -> Option<(&str, Vec<&str>)> {
    let mut fields = Vec::new();
    let mut at = expr;
    while let Expr::Select(select) = &at.expr {
        if select.test {
            return None;
        }
        fields.push(select.field.as_str());
        at = &select.operand;
    }
    fields.reverse();
    match &at.expr {
        Expr::Ident(name) => Some((name, fields)),
        Expr::Unspecified
        | Expr::Call(_)
        | Expr::Comprehension(_)
        | Expr::List(_)
        | Expr::Literal(_)
        | Expr::Map(_)
        | Expr::Select(_)
        | Expr::Struct(_) => None,
    }
}

#[cfg(test)]
mod tests;
