//! The functions that manifests have beside CEL's own: `money`, `money_text`, `len` and `lower`.

use cel::common::types::{CelInt, CelString, INT_TYPE, LIST_TYPE, MAP_TYPE, STRING_TYPE};
use cel::common::value::CowVal;
use cel::{DeclarationError, Env, ExecutionError};

use crate::money;

/// Declares the functions.
pub(super) fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_overload("money", "money_int_string", vec![INT_TYPE, STRING_TYPE], money)?;
    env.add_overload("money_text", "money_text_int_string", vec![INT_TYPE, STRING_TYPE], money_text)?;
    env.add_overload("lower", "lower_string", vec![STRING_TYPE], lower)?;
    env.add_overload("len", "len_string", vec![STRING_TYPE], len)?;
    env.add_overload("len", "len_list", vec![LIST_TYPE], len)?;
    env.add_overload("len", "len_map", vec![MAP_TYPE], len)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of a CEL function")]
fn money<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let (text, _) = decimal("money", &args)?;
    Ok(CowVal::owned(CelString::from(text)))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of a CEL function")]
fn money_text<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let (text, currency) = decimal("money_text", &args)?;
    Ok(CowVal::owned(CelString::from(money::shown(&text, currency))))
}

/// The exact decimal text of an amount of the smallest unit, and its currency.
fn decimal<'a>(function: &str, args: &'a [CowVal<'_, '_>]) -> Result<(String, &'a str), ExecutionError> {
    let [minor, currency] = args else { return Err(wrong(function, "needs two arguments")) };
    let (Some(minor), Some(currency)) =
        (minor.downcast_ref::<CelInt>(), currency.downcast_ref::<CelString<'_>>())
    else {
        return Err(wrong(function, "needs an integer and a currency"));
    };
    let text = money::decimal(*minor.inner(), currency.inner())
        .ok_or_else(|| wrong(function, "the currency is not a code of ISO 4217"))?;
    Ok((text, currency.inner()))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of a CEL function")]
fn lower<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    match args.first().and_then(|a| a.downcast_ref::<CelString<'_>>()) {
        Some(text) => Ok(CowVal::owned(CelString::from(text.inner().to_lowercase()))),
        None => Err(wrong("lower", "needs a string")),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of a CEL function")]
fn len<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    match args.first().and_then(|a| a.as_sizer()) {
        Some(sizer) => Ok(CowVal::owned(sizer.size())),
        None => Err(wrong("len", "needs a string, list or map")),
    }
}

fn wrong(function: &str, message: &str) -> ExecutionError {
    ExecutionError::FunctionError { function: function.to_owned(), message: message.to_owned() }
}
