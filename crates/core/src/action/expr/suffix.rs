//! Rules in expressions that compare how a text of the input ends, such as `input.to.endsWith('@corp.com')`.

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue};
use serde_json::Value;

use super::check::property;
use super::scope::environment;
use crate::action::schema::type_of;
use crate::address::SuffixRule;

/// Every such rule of one expression, over the closed schema of `input`. An expression that does not compile has
/// none: compiling it for use says what is wrong.
pub(in crate::action) fn suffix_rules(source: &str, schema: &Value) -> Vec<SuffixRule> {
    let Ok(program) = environment().compile(source) else { return Vec::new() };
    let input = FieldAccess { path: "input".to_owned(), name: "input".to_owned(), schema };
    let mut walk = SuffixWalk { bound: vec![("input".to_owned(), Some(input))], rules: Vec::new() };
    walk.expr(program.expression());
    walk.rules
}

/// A part of the input.
#[derive(Debug, Clone)]
struct FieldAccess<'s> {
    path: String,
    name: String,
    schema: &'s Value,
}

impl FieldAccess<'_> {
    /// One element, if this is an array.
    fn item(self) -> Option<Self> {
        let schema = self.schema.get("items")?;
        Some(Self { path: format!("{}[]", self.path), schema, ..self })
    }
}

struct SuffixWalk<'s> {
    /// Variables, each with the part of the input that it stands for.
    bound: Vec<(String, Option<FieldAccess<'s>>)>,
    rules: Vec<SuffixRule>,
}

impl<'s> SuffixWalk<'s> {
    fn expr(&mut self, expr: &IdedExpr) {
        match &expr.expr {
            Expr::Unspecified | Expr::Struct(_) | Expr::Literal(_) | Expr::Ident(_) => {}
            Expr::Select(select) => self.expr(&select.operand),
            Expr::List(list) => {
                for element in &list.elements {
                    self.expr(element);
                }
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    match &entry.expr {
                        EntryExpr::StructField(field) => self.expr(&field.value),
                        EntryExpr::MapEntry(entry) => {
                            self.expr(&entry.key);
                            self.expr(&entry.value);
                        }
                    }
                }
            }
            Expr::Call(call) => {
                self.call(call);
                for part in call.target.as_deref().into_iter().chain(&call.args) {
                    self.expr(part);
                }
            }
            Expr::Comprehension(it) => self.comprehension(it),
        }
    }

    fn call(&mut self, call: &CallExpr) {
        let (Some(target), "endsWith") = (&call.target, call.func_name.as_str()) else { return };
        let Some(field) = self.field(target) else { return };
        let word = |key: &str| field.schema.get(key).and_then(Value::as_str);
        let listed = ["enum", "const"].iter().any(|key| field.schema.get(*key).is_some());
        if type_of(field.schema).is_none_or(|(kind, _)| kind != "string") || listed {
            return;
        }
        let mut suffix = String::new();
        if let Some(Expr::Literal(LiteralValue::String(text))) = call.args.first().map(|arg| &arg.expr) {
            text.inner().clone_into(&mut suffix);
        }
        let is_email = word("format") == Some("email");
        let FieldAccess { path, name, .. } = field;
        self.rules.push(SuffixRule { path, name, is_email, literal: suffix.clone(), suffix });
    }

    fn comprehension(&mut self, it: &ComprehensionExpr) {
        self.expr(&it.iter_range);
        let item = self.field(&it.iter_range).and_then(FieldAccess::item);
        let before = self.bound.len();
        self.bound.push((it.iter_var.clone(), item));
        for part in [&it.accu_init, &it.loop_cond, &it.loop_step, &it.result] {
            self.expr(part);
        }
        self.bound.truncate(before);
    }

    /// The part of the input that an expression stands for.
    fn field(&self, expr: &IdedExpr) -> Option<FieldAccess<'s>> {
        match &expr.expr {
            Expr::Ident(name) => self.bound.iter().rev().find(|(n, _)| n == name)?.1.clone(),
            Expr::Select(select) => {
                let parent = self.field(&select.operand)?;
                let schema = property(parent.schema, &select.field)?;
                let path = format!("{}.{}", parent.path, select.field);
                Some(FieldAccess { path, name: select.field.clone(), schema })
            }
            Expr::Call(call) if call.func_name == "lower" => self.field(call.args.first()?),
            Expr::Call(call) if call.func_name == "_[_]" => self.field(call.args.first()?)?.item(),
            Expr::Unspecified
            | Expr::Struct(_)
            | Expr::Literal(_)
            | Expr::List(_)
            | Expr::Map(_)
            | Expr::Call(_)
            | Expr::Comprehension(_) => None,
        }
    }
}
