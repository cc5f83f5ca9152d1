//! A manifest's text with the place of every key, and the findings about it.

use serde::de::DeserializeOwned;
use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue, ValueDeserializer};

use crate::action::expr::Fault;
use crate::limits::JSON_INTEGER_MAX;
use crate::problem::{Problem, SourceFile, toml_problem};

/// One parsed file.
pub(super) struct Source<'a> {
    file: &'a SourceFile,
    root: Spanned<DeValue<'a>>,
    /// Where each line but the first begins: a manifest may have a thousand actions with many findings each.
    lines: Vec<usize>,
}

impl<'a> Source<'a> {
    /// Parses; every syntax error becomes a problem.
    pub(super) fn parse(file: &'a SourceFile, problems: &mut Vec<Problem>) -> Option<Self> {
        let (root, errors) = DeTable::parse_recoverable(&file.text);
        // A table that is there twice makes each of its keys a second one; the first says it all.
        let mut twice = false;
        for error in &errors {
            let again = error.message() == "duplicate key" && std::mem::replace(&mut twice, true);
            if !again {
                problems.push(toml_problem(file, error, 0));
            }
        }
        let span = root.span();
        let root = Spanned::new(span, DeValue::Table(root.into_inner()));
        let lines = file.text.match_indices('\n').map(|(at, _)| at.saturating_add(1)).collect();
        errors.is_empty().then_some(Self { file, root, lines })
    }

    /// The keys of a table, in file order.
    pub(super) fn keys(&self, path: &[&str]) -> Vec<&str> {
        let Some(table) = self.find(path).and_then(|v| v.get_ref().as_table()) else { return Vec::new() };
        let mut keys: Vec<(usize, &str)> =
            table.iter().map(|(k, _)| (k.span().start, k.get_ref().as_ref())).collect();
        keys.sort_unstable();
        keys.into_iter().map(|(_, k)| k).collect()
    }

    fn find(&self, path: &[&str]) -> Option<&Spanned<DeValue<'a>>> {
        path.iter().try_fold(&self.root, |at, key| child(at.get_ref(), key).map(|(_, value)| value))
    }

    /// The line of the deepest part of `path` that exists.
    pub(super) fn line(&self, path: &[&str]) -> usize {
        let mut at = self.root.get_ref();
        let mut offset = None;
        for key in path {
            let Some((start, value)) = child(at, key) else { break };
            offset = Some(start);
            at = value.get_ref();
        }
        let line = |offset| self.lines.partition_point(|start| *start <= offset).saturating_add(1);
        offset.map_or(0, line)
    }

    /// Reads a part into a type; unknown keys are refused by the type.
    pub(super) fn read<T: DeserializeOwned>(&self, path: &[&str]) -> Result<T, Problem> {
        let Some(value) = self.find(path) else {
            let name = path.join(".");
            let message = format!("`[{name}]` is missing");
            return Err(Problem::error(&self.file.path, 0, message, "Add the table."));
        };
        T::deserialize(ValueDeserializer::from(value.clone()))
            .map_err(|e| toml_problem(self.file, &e, self.line(path)))
    }

    /// A part as JSON. Dates and numbers that JSON cannot hold exactly are refused.
    pub(super) fn json(&self, path: &[&str]) -> Result<Value, Fault> {
        let value: toml::Value = self.read(path).map_err(|p| Fault::here(p.message))?;
        to_json(&value)
    }
}

/// A member or element, and where its key, or else itself, begins.
fn child<'v, 'a>(value: &'v DeValue<'a>, key: &str) -> Option<(usize, &'v Spanned<DeValue<'a>>)> {
    if let Some(table) = value.as_table() {
        let (name, member) = table.get_key_value(key)?;
        return Some((name.span().start, member));
    }
    let element = value.as_array()?.get(key.parse::<usize>().ok()?)?;
    Some((element.span().start, element))
}

fn to_json(value: &toml::Value) -> Result<Value, Fault> {
    let wrong = |message: &str| Err(Fault::here(message.to_owned()));
    Ok(match value {
        toml::Value::String(text) => Value::from(text.as_str()),
        toml::Value::Boolean(b) => Value::from(*b),
        toml::Value::Integer(i) if (-JSON_INTEGER_MAX..=JSON_INTEGER_MAX).contains(i) => Value::from(*i),
        toml::Value::Integer(_) => return wrong("an integer is beyond what JSON holds exactly"),
        toml::Value::Float(f) => match Number::from_f64(*f) {
            Some(number) => Value::Number(number),
            None => return wrong("a number is not finite"),
        },
        toml::Value::Datetime(_) => return wrong("a date must be written in quotes"),
        toml::Value::Array(items) => Value::Array(
            items
                .iter()
                .enumerate()
                .map(|(at, item)| to_json(item).map_err(|f| f.under(&at.to_string())))
                .collect::<Result<_, _>>()?,
        ),
        toml::Value::Table(table) => {
            let mut map = Map::new();
            for (key, member) in table {
                map.insert(key.clone(), to_json(member).map_err(|f| f.under(key))?);
            }
            Value::Object(map)
        }
    })
}

/// Collects findings about one part of a file.
pub(super) struct Report<'a> {
    source: &'a Source<'a>,
    root: Vec<&'a str>,
    problems: Vec<Problem>,
}

impl<'a> Report<'a> {
    pub(super) fn new(source: &'a Source<'a>, root: &[&'a str]) -> Self {
        Self { source, root: root.to_vec(), problems: Vec::new() }
    }

    fn line(&self, path: &[&str]) -> usize {
        let whole: Vec<&str> = self.root.iter().chain(path).copied().collect();
        self.source.line(&whole)
    }

    pub(super) fn error(&mut self, path: &[&str], message: impl Into<String>, remedy: &str) {
        let line = self.line(path);
        self.problems.push(Problem::error(&self.source.file.path, line, message, remedy));
    }

    pub(super) fn warn(&mut self, path: &[&str], message: impl Into<String>, remedy: &str) {
        let line = self.line(path);
        self.problems.push(Problem::warning(&self.source.file.path, line, message, remedy));
    }

    /// Keeps the value or reports the fault below `path`.
    pub(super) fn keep<T>(&mut self, path: &[&str], result: Result<T, Fault>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(fault) => {
                let whole: Vec<&str> =
                    path.iter().copied().chain(fault.path.iter().map(String::as_str)).collect();
                self.error(&whole, fault.message.clone(), "Correct the value.");
                None
            }
        }
    }

    /// The same for a fault without a place of its own.
    pub(super) fn keep_text<T>(&mut self, path: &[&str], result: Result<T, String>) -> Option<T> {
        self.keep(path, result.map_err(Fault::here))
    }

    /// A section or key that a later version will understand.
    pub(super) fn unsupported(&mut self, path: &[&str], present: bool) {
        if present {
            let name = path.join(".");
            self.error(path, format!("`{name}` is not supported yet"), "Remove it; it would have no effect.");
        }
    }

    pub(super) fn push(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// How many errors were reported so far.
    pub(super) fn errors(&self) -> usize {
        self.problems.iter().filter(|p| p.severity == crate::problem::Severity::Error).count()
    }

    pub(super) fn take(self) -> Vec<Problem> {
        self.problems
    }
}
