//! The values that expressions see during one rendering.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use cel::{Context, Env, ExecutionError, Program};
use serde_json::Value;

use super::{convert, functions};

/// CEL's standard functions and ours, built once. Optional values are off: an absent field is an error.
static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::stdlib().with_optional_support(false);
    // INVARIANT: no other overload has these names. Were one missing, every expression that calls it would
    // fail, so the error is not lost.
    let declared = functions::declare(&mut env);
    debug_assert!(declared.is_ok(), "{declared:?}");
    Arc::new(env)
});

pub(super) fn environment() -> &'static Arc<Env> {
    &ENVIRONMENT
}

/// The variables of one rendering. CEL's own context is built only when the first compound expression asks.
pub(in crate::action) struct Scope<'a> {
    input: &'a Value,
    before: Option<&'a Value>,
    proposal_id: Option<&'a str>,
    lets: BTreeMap<String, Value>,
    context: Option<Context<'static, 'static>>,
}

impl<'a> Scope<'a> {
    pub(in crate::action) fn new(
        input: &'a Value,
        before: Option<&'a Value>,
        proposal_id: Option<&'a str>,
    ) -> Self {
        Self { input, before, proposal_id, lets: BTreeMap::new(), context: None }
    }

    pub(in crate::action) const fn input(&self) -> &'a Value {
        self.input
    }

    pub(super) const fn before(&self) -> Option<&'a Value> {
        self.before
    }

    pub(in crate::action) const fn proposal_id(&self) -> Option<&'a str> {
        self.proposal_id
    }

    pub(super) fn named(&self, name: &str) -> Option<&Value> {
        self.lets.get(name)
    }

    /// Adds a computed `preview.let` value.
    pub(in crate::action) fn bind(&mut self, name: &str, value: Value) -> Result<(), String> {
        if let Some(context) = &mut self.context {
            context.add_variable_from_value(name, convert::to_cel(&value)?);
        }
        self.lets.insert(name.to_owned(), value);
        Ok(())
    }

    /// Runs a compound expression.
    pub(super) fn run(&mut self, program: &Program) -> Result<Value, String> {
        let context = match self.context.take() {
            Some(context) => context,
            None => self.build()?,
        };
        let result = program.execute(&context);
        self.context = Some(context);
        convert::from_cel(&result.map_err(|e| in_our_words(&e))?)
    }

    fn build(&self) -> Result<Context<'static, 'static>, String> {
        let mut context = Context::with_env(Arc::clone(environment()));
        context.add_variable_from_value("input", convert::to_cel(self.input)?);
        if let Some(before) = self.before {
            context.add_variable_from_value("before", convert::to_cel(before)?);
        }
        for (name, value) in &self.lets {
            context.add_variable_from_value(name.as_str(), convert::to_cel(value)?);
        }
        Ok(context)
    }
}

/// CEL's own messages print values, and the record that was read is not the agent's to see (T77).
fn in_our_words(error: &ExecutionError) -> String {
    if let ExecutionError::NoSuchKey(key) = error {
        return format!("`{key}` is absent");
    }
    if let ExecutionError::UndeclaredReference(name) = error {
        return format!("`{name}` is not available");
    }
    if let ExecutionError::NoSuchOverload(overload) = error {
        return format!("`{}` cannot take these types", overload.function());
    }
    if let ExecutionError::FunctionError { function, message } = error
        && function != "matches"
    {
        return format!("{function}: {message}");
    }
    if matches!(error, ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_)) {
        return "division by zero".to_owned();
    }
    if matches!(error, ExecutionError::Overflow(..)) {
        return "the number is too large".to_owned();
    }
    if matches!(error, ExecutionError::IndexOutOfBounds(_)) {
        return "the index is out of bounds".to_owned();
    }
    "it cannot be computed for these values".to_owned()
}
