//! The types of expressions, as far as the input schema says them. What the schema leaves open, and everything of the
//! record, is of any type: a mistake is only reported when no valid input could be computed.

use std::collections::BTreeMap;

use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, LiteralValue};
use serde_json::Value;

use super::check::{Vocabulary, property};

/// What a value can be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::action) enum Type<'a> {
    /// Anything: nothing is known.
    Any,
    Null,
    Bool,
    Int,
    /// A number that may have a fraction.
    Number,
    Text,
    /// An array; its items' schema, if it is known.
    List(Option<&'a Value>),
    /// An object; its schema, if it is known.
    Object(Option<&'a Value>),
}

impl<'a> Type<'a> {
    fn of_schema(schema: &'a Value) -> Self {
        match schema.get("type").and_then(Value::as_str) {
            Some("null") => Self::Null,
            Some("boolean") => Self::Bool,
            Some("integer") => Self::Int,
            Some("number") => Self::Number,
            Some("string") => Self::Text,
            Some("array") => Self::List(schema.get("items")),
            Some("object") => Self::Object(Some(schema)),
            Some(_) | None => Self::Any,
        }
    }

    /// The type in words, with its article.
    pub(in crate::action) const fn name(self) -> &'static str {
        match self {
            Self::Any => "anything",
            Self::Null => "null",
            Self::Bool => "a boolean",
            Self::Int => "an integer",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    const fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Number | Self::Any)
    }

    const fn is_text(self) -> bool {
        matches!(self, Self::Text | Self::Any)
    }

    /// Whether it can stand inside a text: in a path, a query, a header, a sentence.
    pub(in crate::action) const fn can_be_text(self) -> bool {
        !matches!(self, Self::List(_) | Self::Object(_) | Self::Null)
    }

    /// Whether it may be an integer.
    pub(in crate::action) const fn can_be_integer(self) -> bool {
        self.is_number()
    }

    fn may_equal(self, other: Self) -> bool {
        match (self, other) {
            (Self::Any | Self::Null, _) | (_, Self::Any | Self::Null) => true,
            (a, b) if a.is_number() && b.is_number() => true,
            (Self::List(_), Self::List(_)) | (Self::Object(_), Self::Object(_)) => true,
            (a, b) => a == b,
        }
    }

    fn joined(self, other: Self) -> Self {
        if self == other { self } else { Self::Any }
    }
}

/// The type of an expression, or why no valid input could be computed.
pub(super) fn type_of<'a>(expr: &'a IdedExpr, words: &Vocabulary<'a>) -> Result<Type<'a>, String> {
    Typing { words, bound: BTreeMap::new() }.expr(expr)
}

struct Typing<'a, 'w> {
    words: &'w Vocabulary<'a>,
    /// The variables of the loop that is being looked at.
    bound: BTreeMap<&'a str, Type<'a>>,
}

impl<'a> Typing<'a, '_> {
    fn expr(&mut self, expr: &'a IdedExpr) -> Result<Type<'a>, String> {
        Ok(match &expr.expr {
            Expr::Literal(literal) => literal_type(literal),
            Expr::Ident(name) => match self.bound.get(name.as_str()) {
                Some(bound) => *bound,
                None if name == "input" => Type::Object(Some(self.words.schema)),
                None => Type::Any,
            },
            Expr::Select(select) => {
                let from = self.expr(&select.operand)?;
                if select.test { Type::Bool } else { field_of(from, &select.field)? }
            }
            Expr::List(list) => {
                list.elements.iter().try_for_each(|e| self.expr(e).map(drop))?;
                Type::List(None)
            }
            Expr::Map(_) => Type::Object(None),
            Expr::Call(call) => self.call(call)?,
            Expr::Comprehension(comprehension) => self.comprehension(comprehension)?,
            Expr::Unspecified | Expr::Struct(_) => Type::Any,
        })
    }

    fn call(&mut self, call: &'a CallExpr) -> Result<Type<'a>, String> {
        let target = call.target.as_deref().map(|t| self.expr(t)).transpose()?;
        let args: Vec<Type<'a>> = call.args.iter().map(|a| self.expr(a)).collect::<Result<_, _>>()?;
        let operands: Vec<Type<'a>> = target.into_iter().chain(args).collect();
        let first = operands.first().copied().unwrap_or(Type::Any);
        let second = operands.get(1).copied().unwrap_or(Type::Any);
        let name = call.func_name.as_str();
        let needs = |what: &str, ok: bool, found: Type<'_>| {
            let word = name.trim_matches('_');
            if ok { Ok(()) } else { Err(format!("`{word}` needs {what}, and this is {}", found.name())) }
        };
        Ok(match name {
            "_?_:_" => {
                needs("a condition", matches!(first, Type::Bool | Type::Any), first)?;
                second.joined(operands.get(2).copied().unwrap_or(Type::Any))
            }
            "_&&_" | "_||_" | "!_" => {
                for operand in &operands {
                    needs("conditions", matches!(operand, Type::Bool | Type::Any), *operand)?;
                }
                Type::Bool
            }
            "_+_" => added(first, second)?,
            "_-_" | "_*_" | "_/_" | "_%_" | "-_" => {
                for operand in &operands {
                    needs("numbers", operand.is_number(), *operand)?;
                }
                operands.iter().copied().reduce(Type::joined).unwrap_or(Type::Any)
            }
            "_==_" | "_!=_" if first.may_equal(second) => Type::Bool,
            "_==_" | "_!=_" => return Err(format!("{} never equals {}", first.name(), second.name())),
            "_<_" | "_<=_" | "_>_" | "_>=_" => compared(first, second)?,
            "_[_]" => element_of(first),
            "@in" => {
                needs("an array or an object", !scalar(second), second)?;
                Type::Bool
            }
            "size" | "len" => {
                needs("a text, an array or an object", first.is_text() || !scalar(first), first)?;
                Type::Int
            }
            "startsWith" | "endsWith" | "matches" => {
                needs("texts", first.is_text(), first)?;
                needs("texts", second.is_text(), second)?;
                Type::Bool
            }
            "contains" => Type::Bool,
            "string" => Type::Text,
            "int" => Type::Int,
            "lower" => {
                needs("a text", first.is_text(), first)?;
                Type::Text
            }
            "money" | "money_text" => {
                needs("an integer of the smallest unit", first.is_number(), first)?;
                needs("a currency", second.is_text(), second)?;
                Type::Text
            }
            _ => Type::Any,
        })
    }

    /// `exists` and `all` give a boolean, `map` and `filter` an array; which one it was shows in what is built up.
    fn comprehension(&mut self, it: &'a ComprehensionExpr) -> Result<Type<'a>, String> {
        let range = self.expr(&it.iter_range)?;
        if scalar(range) {
            return Err(format!("a loop needs an array or an object, and this is {}", range.name()));
        }
        let accumulator = match &it.accu_init.expr {
            Expr::Literal(literal) => literal_type(literal),
            Expr::List(_) => Type::List(None),
            Expr::Unspecified
            | Expr::Call(_)
            | Expr::Comprehension(_)
            | Expr::Ident(_)
            | Expr::Map(_)
            | Expr::Select(_)
            | Expr::Struct(_) => Type::Any,
        };
        let outer = self.bound.clone();
        // The keys of an object are texts.
        let element = if matches!(range, Type::Object(_)) { Type::Text } else { element_of(range) };
        self.bound.insert(&it.iter_var, if it.iter_var2.is_some() { Type::Any } else { element });
        if let Some(second) = &it.iter_var2 {
            self.bound.insert(second, Type::Any);
        }
        self.bound.insert(&it.accu_var, accumulator);
        let result = self.expr(&it.loop_step).and_then(|_| self.expr(&it.result));
        self.bound = outer;
        result
    }
}

const fn literal_type(literal: &LiteralValue) -> Type<'static> {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Int(_) | LiteralValue::UInt(_) => Type::Int,
        LiteralValue::Double(_) => Type::Number,
        LiteralValue::String(_) => Type::Text,
        LiteralValue::Null => Type::Null,
        LiteralValue::Bytes(_) => Type::Any,
    }
}

const fn scalar(of: Type<'_>) -> bool {
    matches!(of, Type::Null | Type::Bool | Type::Int | Type::Number | Type::Text)
}

fn field_of<'a>(of: Type<'a>, field: &str) -> Result<Type<'a>, String> {
    match of {
        Type::Object(Some(schema)) => Ok(property(schema, field).map_or(Type::Any, Type::of_schema)),
        Type::Any | Type::Object(None) => Ok(Type::Any),
        Type::List(_) => Err(format!("an array has no field `{field}`; loop over it, or take one element")),
        Type::Null | Type::Bool | Type::Int | Type::Number | Type::Text => {
            Err(format!("{} has no field `{field}`", of.name()))
        }
    }
}

fn element_of(of: Type<'_>) -> Type<'_> {
    if let Type::List(Some(items)) = of { Type::of_schema(items) } else { Type::Any }
}

fn compared<'a>(first: Type<'a>, second: Type<'a>) -> Result<Type<'a>, String> {
    let ordered = (first.is_number() && second.is_number())
        || (first.is_text() && second.is_text())
        || matches!((first, second), (Type::Bool, Type::Bool));
    if ordered {
        Ok(Type::Bool)
    } else {
        Err(format!("{} cannot be compared with {}", first.name(), second.name()))
    }
}

fn added<'a>(first: Type<'a>, second: Type<'a>) -> Result<Type<'a>, String> {
    match (first, second) {
        (Type::Text, Type::Text) => Ok(Type::Text),
        (Type::Int, Type::Int) => Ok(Type::Int),
        (a, b) if a.is_number() && b.is_number() => Ok(Type::Any),
        (Type::Any | Type::List(_), Type::Any | Type::List(_)) => Ok(Type::Any),
        (a, b) if a.is_text() && b.is_text() => Ok(Type::Any),
        (Type::Text, other) | (other, Type::Text) => Err(format!(
            "a text and {} cannot be joined with `+`; write `string(…)` around the other one",
            other.name()
        )),
        (a, b) => Err(format!("{} and {} cannot be added", a.name(), b.name())),
    }
}
