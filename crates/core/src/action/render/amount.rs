//! Exact decimal amounts. No floating point touches money.

use serde_json::Value;

/// Digits before the point: one less than what a 64-bit decimal with four decimals holds.
const WHOLE_DIGITS_MAX: usize = 14;
const DECIMALS_MAX: usize = 4;

/// An amount as whole units rounded up, and as exact text with one to four decimals.
pub(super) fn amount(value: &Value) -> Result<(i64, String), &'static str> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            return Err("an amount is decimal text or a number");
        }
    };
    if text.starts_with('-') {
        return Err("an amount must not be negative");
    }
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(decimals) {
        return Err("an amount is decimal text such as `12.50`");
    }
    if decimals.len() > DECIMALS_MAX {
        return Err("an amount has at most four decimals");
    }
    let whole = whole.trim_start_matches('0');
    if whole.len() > WHOLE_DIGITS_MAX {
        return Err("the amount is too large");
    }
    let whole = if whole.is_empty() { "0" } else { whole };
    let units: i64 = whole.parse().map_err(|_| "the amount is too large")?;
    let fraction = decimals.bytes().any(|b| b != b'0');
    Ok((units.saturating_add(i64::from(fraction)), format!("{whole}.{decimals}")))
}

/// An ISO 4217 code in lower case.
pub(super) fn currency(value: &Value) -> Result<String, &'static str> {
    let code = value.as_str().ok_or("a currency is text")?.to_ascii_lowercase();
    if code.len() == 3 && code.bytes().all(|b| b.is_ascii_lowercase()) {
        return Ok(code);
    }
    Err("a currency is a three-letter code")
}

/// How many things an input touches when the manifest does not say: the length of its longest array, which
/// can only be too careful.
pub(super) fn longest_array(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(longest_array).max().unwrap_or(0).max(items.len()),
        Value::Object(map) => map.values().map(longest_array).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}
