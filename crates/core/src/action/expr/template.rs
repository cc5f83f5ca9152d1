//! Where expressions stand: alone in a JSON tree, or inside text.
//!
//! A whole-string `${…}` is one typed value at its place of the tree. It can never become a second key or a
//! second value, whatever the agent sends.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Expression, Scope, Vocabulary, as_text};
use crate::action::RenderError;

/// A part of a text as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::action) enum Piece<'a> {
    /// Text as it is.
    Literal(&'a str),
    /// What stands between `${` and `}`.
    Code(&'a str),
}

/// Splits a text at its `${…}`. Braces and quotes inside an expression are understood.
pub(in crate::action) fn split(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((literal, code)) = rest.split_once("${") {
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        let end = end_of_code(code).ok_or_else(|| format!("`${{` in `{text}` has no `}}`"))?;
        let (inside, after) = code.split_at_checked(end).unwrap_or((code, ""));
        if inside.trim().is_empty() {
            return Err(format!("`${{}}` in `{text}` is empty"));
        }
        pieces.push(Piece::Code(inside.trim()));
        rest = after.strip_prefix('}').unwrap_or(after);
    }
    if !rest.is_empty() {
        pieces.push(Piece::Literal(rest));
    }
    Ok(pieces)
}

fn end_of_code(code: &str) -> Option<usize> {
    let mut depth = 0_usize;
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in code.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(q) if c == q => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c == '{' => depth = depth.saturating_add(1),
            None if c == '}' && depth == 0 => return Some(at),
            None if c == '}' => depth = depth.saturating_sub(1),
            Some(_) | None => {}
        }
    }
    None
}

/// What is wrong with a tree of values, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::action) struct Fault {
    /// Keys and positions from the root of the tree.
    pub(in crate::action) path: Vec<String>,
    /// A lower-case fragment.
    pub(in crate::action) message: String,
}

impl Fault {
    pub(in crate::action) const fn here(message: String) -> Self {
        Self { path: Vec::new(), message }
    }

    pub(in crate::action) fn under(mut self, key: &str) -> Self {
        self.path.insert(0, key.to_owned());
        self
    }
}

/// Text with expressions in it: a query value, a header value, a sentence.
#[derive(Debug)]
pub(in crate::action) struct Text {
    parts: Vec<TemplatePart>,
}

#[derive(Debug)]
enum TemplatePart {
    Literal(String),
    Value(Expression),
}

impl Text {
    pub(in crate::action) fn compile(
        place: &str,
        source: &str,
        words: &Vocabulary<'_>,
    ) -> Result<Self, String> {
        let parts = split(source)?
            .into_iter()
            .map(|piece| match piece {
                Piece::Literal(text) => Ok(TemplatePart::Literal(text.to_owned())),
                Piece::Code(code) => {
                    Expression::compile(place, code, words)?.must_be_text().map(TemplatePart::Value)
                }
            })
            .collect::<Result<_, String>>()?;
        Ok(Self { parts })
    }

    /// Whether the text depends on the record that is read; `lets` are the names that do.
    pub(in crate::action) fn reads_record(&self, lets: &BTreeSet<String>) -> bool {
        self.parts.iter().any(|part| match part {
            TemplatePart::Literal(_) => false,
            TemplatePart::Value(expression) => expression.reads_record(lets),
        })
    }

    /// The text, or `None` if it is exactly one expression whose value the agent left out.
    pub(in crate::action) fn render(&self, scope: &mut Scope<'_>) -> Result<Option<String>, RenderError> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                TemplatePart::Literal(text) => out.push_str(text),
                TemplatePart::Value(expression) => {
                    let alone = self.parts.len() == 1;
                    let Some(value) = expression.eval(scope)? else {
                        if alone {
                            return Ok(None);
                        }
                        return Err(expression.error("the input leaves it out"));
                    };
                    let text = as_text(&value)
                        .ok_or_else(|| expression.error("it is not text, a number or a boolean"))?;
                    out.push_str(&text);
                }
            }
        }
        Ok(Some(out))
    }
}

/// A JSON tree with typed values in it.
#[derive(Debug)]
pub(in crate::action) enum Template {
    /// A part without expressions.
    Literal(Value),
    /// A whole-string expression.
    Value(Expression),
    /// An array.
    Array(Vec<Template>),
    /// An object.
    Object(Vec<(String, Template)>),
}

impl Template {
    pub(in crate::action) fn compile(
        place: &str,
        tree: &Value,
        words: &Vocabulary<'_>,
    ) -> Result<Self, Fault> {
        match tree {
            Value::String(text) => Self::compile_string(place, text, words).map_err(Fault::here),
            Value::Array(items) => {
                let compile = |(at, item): (usize, &Value)| {
                    Self::compile(&format!("{place}[{at}]"), item, words)
                        .map_err(|fault| fault.under(&at.to_string()))
                };
                let parts = items.iter().enumerate().map(compile).collect::<Result<Vec<_>, _>>()?;
                if parts.iter().all(Self::is_literal) {
                    return Ok(Self::Literal(tree.clone()));
                }
                Ok(Self::Array(parts))
            }
            Value::Object(map) => {
                let compile = |(key, member): (&String, &Value)| {
                    Self::compile(&format!("{place}.{key}"), member, words)
                        .map(|part| (key.clone(), part))
                        .map_err(|fault| fault.under(key))
                };
                let parts = map.iter().map(compile).collect::<Result<Vec<_>, _>>()?;
                if parts.iter().all(|(_, part)| part.is_literal()) {
                    return Ok(Self::Literal(tree.clone()));
                }
                Ok(Self::Object(parts))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(Self::Literal(tree.clone())),
        }
    }

    /// The number of things that are changed: a literal, or one expression that is at least 1.
    pub(in crate::action) fn must_be_count(self) -> Result<Self, Fault> {
        match self {
            Self::Value(expression) => expression.must_be_count().map(Self::Value).map_err(Fault::here),
            Self::Literal(value) if value.as_u64().is_some_and(|n| n >= 1) => Ok(Self::Literal(value)),
            Self::Literal(_) | Self::Array(_) | Self::Object(_) => {
                Err(Fault::here("a count is an integer of at least 1".to_owned()))
            }
        }
    }

    fn compile_string(place: &str, text: &str, words: &Vocabulary<'_>) -> Result<Self, String> {
        match split(text)?.as_slice() {
            [Piece::Code(code)] => Expression::compile(place, code, words).map(Self::Value),
            pieces if pieces.iter().any(|p| matches!(p, Piece::Code(_))) => Err(format!(
                "`{text}` mixes text and `${{…}}`; here a value is one expression, such as `${{'a' + input.b}}`"
            )),
            _ => Ok(Self::Literal(Value::from(text))),
        }
    }

    const fn is_literal(&self) -> bool {
        matches!(self, Self::Literal(_))
    }

    /// The `preview.let` names that the tree refers to.
    pub(in crate::action) fn lets(&self) -> Vec<&str> {
        match self {
            Self::Literal(_) => Vec::new(),
            Self::Value(expression) => expression.lets().collect(),
            Self::Array(items) => items.iter().flat_map(Self::lets).collect(),
            Self::Object(members) => members.iter().flat_map(|(_, m)| m.lets()).collect(),
        }
    }

    /// Whether the value depends on the record that is read; `lets` are the names that do.
    pub(in crate::action) fn reads_record(&self, lets: &BTreeSet<String>) -> bool {
        match self {
            Self::Literal(_) => false,
            Self::Value(expression) => expression.reads_record(lets),
            Self::Array(items) => items.iter().any(|item| item.reads_record(lets)),
            Self::Object(members) => members.iter().any(|(_, member)| member.reads_record(lets)),
        }
    }

    /// The value, or `None` if the whole is an optional field that the agent left out. Inside an object such
    /// a field drops its key; inside an array it is an error, because the others would move.
    pub(in crate::action) fn render(&self, scope: &mut Scope<'_>) -> Result<Option<Value>, RenderError> {
        match self {
            Self::Literal(value) => Ok(Some(value.clone())),
            Self::Value(expression) => expression.eval(scope),
            Self::Array(items) => {
                let values = items.iter().map(|item| item.element(scope)).collect::<Result<_, _>>()?;
                Ok(Some(Value::Array(values)))
            }
            Self::Object(members) => {
                let mut map = Map::with_capacity(members.len());
                for (key, member) in members {
                    if let Some(value) = member.render(scope)? {
                        map.insert(key.clone(), value);
                    }
                }
                Ok(Some(Value::Object(map)))
            }
        }
    }

    fn element(&self, scope: &mut Scope<'_>) -> Result<Value, RenderError> {
        if let Self::Value(expression) = self {
            return expression.require(scope);
        }
        Ok(self.render(scope)?.unwrap_or(Value::Null))
    }
}
