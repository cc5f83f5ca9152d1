//! The functions that manifests have beside CEL's own: `money`, `len` and `lower`.

use cel::common::types::{CelInt, CelString, INT_TYPE, LIST_TYPE, MAP_TYPE, STRING_TYPE};
use cel::common::value::CowVal;
use cel::{DeclarationError, Env, ExecutionError};

/// Declares the functions.
pub(super) fn declare(env: &mut Env) -> Result<(), DeclarationError> {
    env.add_overload("money", "money_int_string", vec![INT_TYPE, STRING_TYPE], money)?;
    env.add_overload("lower", "lower_string", vec![STRING_TYPE], lower)?;
    env.add_overload("len", "len_string", vec![STRING_TYPE], len)?;
    env.add_overload("len", "len_list", vec![LIST_TYPE], len)?;
    env.add_overload("len", "len_map", vec![MAP_TYPE], len)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of a CEL function")]
fn money<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [minor, currency] = args.as_slice() else { return Err(wrong("money", "needs two arguments")) };
    let (Some(minor), Some(currency)) =
        (minor.downcast_ref::<CelInt>(), currency.downcast_ref::<CelString<'_>>())
    else {
        return Err(wrong("money", "needs an integer and a currency"));
    };
    let text = money_text(*minor.inner(), currency.inner())
        .ok_or_else(|| wrong("money", "the currency is not a three-letter code"))?;
    Ok(CowVal::owned(CelString::from(text)))
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

/// An amount of the smallest unit as exact decimal text, with the currency's own number of digits
/// (ISO 4217; two unless listed).
pub(super) fn money_text(minor: i64, currency: &str) -> Option<String> {
    let code = currency.to_ascii_lowercase();
    if code.len() != 3 || !code.bytes().all(|b| b.is_ascii_lowercase()) {
        return None;
    }
    let digits = match code.as_str() {
        // `mga` has fifths, which payment providers treat as whole units. Reading it as whole units can only
        // overstate an amount.
        "bif" | "clp" | "djf" | "gnf" | "isk" | "jpy" | "kmf" | "krw" | "mga" | "pyg" | "rwf" | "ugx"
        | "uyi" | "vnd" | "vuv" | "xaf" | "xof" | "xpf" => 0_usize,
        "bhd" | "iqd" | "jod" | "kwd" | "lyd" | "omr" | "tnd" => 3,
        "clf" | "uyw" => 4,
        _ => 2,
    };
    let sign = if minor < 0 { "-" } else { "" };
    let all = minor.unsigned_abs().to_string();
    if digits == 0 {
        return Some(format!("{sign}{all}"));
    }
    let width = digits.saturating_add(1);
    let padded = format!("{all:0>width$}");
    let (whole, fraction) = padded.split_at_checked(padded.len().saturating_sub(digits))?;
    Some(format!("{sign}{whole}.{fraction}"))
}
