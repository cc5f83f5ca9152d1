//! What an expression may say, decided at load: known variables and functions, no loop in a loop.
//!
//! CEL always ends but has no cost limit of its own; two nested loops over two thousand elements take
//! seconds. So nesting is refused here, and `limits::EXPRESSION_ITEMS_MAX` bounds a single loop.

use std::collections::BTreeSet;
use std::sync::Arc;

use cel::Context;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, IdedExpr, LiteralValue};
use serde_json::Value;

use super::scope::environment;

/// The functions that an expression may call; operators are listed with CEL's own names for them.
const FUNCTIONS: [&str; 28] = [
    "_?_:_",
    "_&&_",
    "_||_",
    "!_",
    "_-_",
    "_+_",
    "_*_",
    "_/_",
    "_%_",
    "_==_",
    "_!=_",
    "_>=_",
    "_<=_",
    "_>_",
    "_<_",
    "-_",
    "_[_]",
    "@in",
    "size",
    "startsWith",
    "endsWith",
    "contains",
    "string",
    "int",
    "len",
    "lower",
    "money",
    "money_text",
];

/// What an expression at one place of a manifest may refer to.
#[derive(Debug, Clone, Copy)]
pub(in crate::action) struct Vocabulary<'a> {
    /// The closed schema of `input`.
    pub(in crate::action) schema: &'a Value,
    /// Whether `before`, the record, is there.
    pub(in crate::action) before: bool,
    /// Whether `proposal.id` is there: in the request only, because the digest masks it nowhere else.
    pub(in crate::action) proposal: bool,
    /// The names of `preview.let` that are there.
    pub(in crate::action) lets: &'a BTreeSet<String>,
}

impl Vocabulary<'_> {
    /// Whether a valid input may lack `input.a.b`.
    pub(super) fn input_may_lack(&self, fields: &[&str]) -> bool {
        let mut schema = self.schema;
        for field in fields {
            let required = schema
                .get("required")
                .and_then(Value::as_array)
                .is_some_and(|names| names.iter().any(|n| n == field));
            let Some(next) = property(schema, field) else { return true };
            if !required && next.get("default").is_none() {
                return true;
            }
            schema = next;
        }
        false
    }

    fn knows(&self, name: &str) -> bool {
        match name {
            "input" => true,
            "before" => self.before,
            "proposal" => self.proposal,
            _ => self.lets.contains(name),
        }
    }

    fn names(&self) -> String {
        let mut names = vec!["`input`"];
        names.extend(self.before.then_some("`before`"));
        names.extend(self.proposal.then_some("`proposal.id`"));
        let lets: Vec<String> = self.lets.iter().map(|l| format!("`{l}`")).collect();
        names.extend(lets.iter().map(String::as_str));
        names.join(", ")
    }
}

pub(super) fn property<'v>(schema: &'v Value, name: &str) -> Option<&'v Value> {
    schema.get("properties").and_then(|p| p.get(name))
}

/// What an expression refers to, besides the input.
#[derive(Debug, Default)]
pub(super) struct References {
    /// Names of `preview.let`.
    pub(super) lets: BTreeSet<String>,
    /// Whether it names the record itself.
    pub(super) before: bool,
}

/// Checks a whole expression and returns what it refers to.
pub(super) fn check(expr: &IdedExpr, words: &Vocabulary<'_>) -> Result<References, String> {
    let mut walk = CheckWalk { words, bound: Vec::new(), in_loop: false, found: References::default() };
    walk.expr(expr)?;
    Ok(walk.found)
}

/// Whether an expression mentions a variable at all.
pub(super) fn mentions(expr: &IdedExpr, variable: &str) -> bool {
    expr.references().has_variable(variable)
}

/// Whether it is the size of something that may be empty: of everything but what the schema says has elements.
pub(super) fn may_be_zero(expr: &IdedExpr, words: &Vocabulary<'_>) -> bool {
    let Expr::Call(call) = &expr.expr else { return false };
    if !matches!(call.func_name.as_str(), "size" | "len") {
        return false;
    }
    let Some(("input", fields)) = call.target.as_deref().or_else(|| call.args.first()).and_then(super::chain)
    else {
        return true;
    };
    let found = fields.iter().try_fold(words.schema, |schema, field| property(schema, field));
    let least = |key| found.and_then(|schema| schema.get(key)?.as_u64()).unwrap_or(0);
    words.input_may_lack(&fields)
        || (least("minItems") == 0 && least("minLength") == 0 && least("minProperties") == 0)
}

/// The pattern of `matches` must be a literal, so that no agent writes patterns, and it must compile.
fn check_pattern(call: &CallExpr) -> Result<(), String> {
    let Some(pattern @ IdedExpr { expr: Expr::Literal(LiteralValue::String(_)), .. }) = call.args.last()
    else {
        return Err("the pattern of `matches` must be a literal".to_owned());
    };
    let probe = IdedExpr {
        id: 0,
        expr: Expr::Call(CallExpr {
            func_name: call.func_name.clone(),
            target: Some(Box::new(pattern.clone())),
            args: vec![pattern.clone()],
        }),
    };
    let context = Context::with_env(Arc::clone(environment()));
    cel::Value::resolve(&probe, &context)
        .map(|_| ())
        .map_err(|_| "the pattern of `matches` is not a regular expression".to_owned())
}

struct CheckWalk<'a> {
    words: &'a Vocabulary<'a>,
    bound: Vec<&'a str>,
    in_loop: bool,
    found: References,
}

impl<'a> CheckWalk<'a> {
    fn expr(&mut self, expr: &'a IdedExpr) -> Result<(), String> {
        match &expr.expr {
            Expr::Unspecified => Err("a part of it is empty".to_owned()),
            Expr::Struct(_) => Err("typed messages are not available".to_owned()),
            Expr::Literal(LiteralValue::UInt(_)) => {
                Err("write integers without `u`: all integers here are signed".to_owned())
            }
            Expr::Literal(LiteralValue::Bytes(_)) => Err("bytes are not available".to_owned()),
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.ident(name),
            Expr::Select(_) => self.select(expr),
            Expr::List(list) => list.elements.iter().try_for_each(|e| self.expr(e)),
            Expr::Map(map) => map.entries.iter().try_for_each(|e| self.entry(e)),
            Expr::Call(call) => self.call(call),
            Expr::Comprehension(comprehension) => self.comprehension(comprehension),
        }
    }

    fn ident(&mut self, name: &str) -> Result<(), String> {
        if name.starts_with('@') || self.bound.contains(&name) {
            return Ok(());
        }
        if name == "proposal" {
            return Err("only `proposal.id` of a proposal is available".to_owned());
        }
        if !self.words.knows(name) {
            return Err(format!("`{name}` is not known here; known are {}", self.words.names()));
        }
        if self.words.lets.contains(name) {
            self.found.lets.insert(name.to_owned());
        }
        self.found.before |= name == "before";
        Ok(())
    }

    /// A field selection; `input.a.b` must exist in the schema, `proposal.id` is the only proposal field.
    fn select(&mut self, expr: &'a IdedExpr) -> Result<(), String> {
        let mut fields = Vec::new();
        let mut at = expr;
        while let Expr::Select(select) = &at.expr {
            fields.push(select.field.as_str());
            at = &select.operand;
        }
        fields.reverse();
        let Expr::Ident(root) = &at.expr else { return self.expr(at) };
        if self.bound.contains(&root.as_str()) {
            return Ok(());
        }
        if root == "proposal" && self.words.proposal && fields == ["id"] {
            return Ok(());
        }
        self.ident(root)?;
        if root != "input" {
            return Ok(());
        }
        let mut schema = self.words.schema;
        let mut path = String::from("input");
        for field in fields {
            path.push('.');
            path.push_str(field);
            schema = property(schema, field).ok_or_else(|| format!("`{path}` is not in the input schema"))?;
        }
        Ok(())
    }

    fn entry(&mut self, entry: &'a IdedEntryExpr) -> Result<(), String> {
        match &entry.expr {
            EntryExpr::StructField(field) => self.expr(&field.value),
            EntryExpr::MapEntry(entry) => {
                self.expr(&entry.key)?;
                self.expr(&entry.value)
            }
        }
    }

    fn call(&mut self, call: &'a CallExpr) -> Result<(), String> {
        let name = call.func_name.as_str();
        if name == "matches" {
            check_pattern(call)?;
        } else if name != "@not_strictly_false" && !FUNCTIONS.contains(&name) {
            return Err(format!("the function `{name}` is not available"));
        }
        call.target.as_deref().map_or(Ok(()), |target| self.expr(target))?;
        call.args.iter().try_for_each(|arg| self.expr(arg))
    }

    fn comprehension(&mut self, it: &'a ComprehensionExpr) -> Result<(), String> {
        if self.in_loop {
            return Err("a loop inside a loop (`exists`, `all`, `map`, `filter`) is refused; give the inner one a name in `[preview.let]` and use that".to_owned());
        }
        self.expr(&it.iter_range)?;
        let names = [Some(it.iter_var.as_str()), it.iter_var2.as_deref(), Some(it.accu_var.as_str())];
        if let Some(taken) = names.iter().flatten().find(|n| self.words.knows(n)) {
            return Err(format!("the loop variable `{taken}` hides a variable; choose another name"));
        }
        let before = self.bound.len();
        self.bound.extend(names.into_iter().flatten());
        self.in_loop = true;
        let inside = [&it.accu_init, &it.loop_cond, &it.loop_step, &it.result];
        let outcome = inside.into_iter().try_for_each(|part| self.expr(part));
        self.in_loop = false;
        self.bound.truncate(before);
        outcome
    }
}
