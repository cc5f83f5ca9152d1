//! Values from the outside become Cedar values here, one typed constructor at a time (T57).
//!
//! Never through Cedar's JSON reader, which gives `__entity` and `__extn` a meaning, and never through
//! policy text. A value that does not fit its type exactly is refused, never rounded.

use std::net::IpAddr;

use cedar_policy::RestrictedExpression;
use serde_json::Value;

use super::shape::{Fields, Kind};
use crate::limits;

/// Ten-thousandths in one: Cedar's decimal has four decimals.
const SCALE: i128 = 10_000;
/// Digits and powers of ten beyond which a number is not worth reading: no 64-bit value has as many.
const DIGITS_MAX: usize = 40;

/// A value of a visible type; `None` when it does not fit.
pub(super) fn to_cedar(kind: &Kind, value: &Value) -> Option<RestrictedExpression> {
    match kind {
        Kind::Bool => value.as_bool().map(RestrictedExpression::new_bool),
        Kind::Long => integer(value).map(RestrictedExpression::new_long),
        Kind::Text(_) => value.as_str().map(|t| RestrictedExpression::new_string(t.to_owned())),
        Kind::Decimal => decimal(&value.as_number()?.to_string()),
        Kind::DecimalText => decimal(value.as_str()?),
        Kind::DateTime => {
            let moment: jiff::Timestamp = value.as_str()?.parse().ok()?;
            date_time(moment)
        }
        Kind::Date => {
            let date: jiff::civil::Date = value.as_str()?.parse().ok()?;
            (date.year() >= 0).then(|| RestrictedExpression::new_datetime(date.to_string()))
        }
        Kind::Ip => ip(value.as_str()?),
        Kind::Duration => duration(value.as_str()?),
        Kind::Set(item) => {
            let items: Option<Vec<_>> = value.as_array()?.iter().map(|v| to_cedar(item, v)).collect();
            items.map(RestrictedExpression::new_set)
        }
        Kind::Record(fields) => record(fields, value),
    }
}

/// An object of declared properties. What is not declared is not visible; what is absent and has a default
/// stands for the default.
pub(super) fn record(fields: &Fields, value: &Value) -> Option<RestrictedExpression> {
    let object = value.as_object()?;
    let mut pairs = Vec::with_capacity(fields.len());
    for (name, field) in fields {
        match object.get(name).or(field.default.as_ref()) {
            Some(found) => pairs.push((name.clone(), to_cedar(&field.kind, found)?)),
            None if field.required => return None,
            None => {}
        }
    }
    RestrictedExpression::new_record(pairs).ok()
}

/// A decimal from the text of a JSON number, exact or not at all.
pub(super) fn decimal(text: &str) -> Option<RestrictedExpression> {
    let scaled = i64::try_from(scaled(text)?).ok()?;
    let sign = if scaled < 0 { "-" } else { "" };
    let size = i128::from(scaled).checked_abs()?;
    let (whole, part) = (size.checked_div(SCALE)?, size.checked_rem(SCALE)?);
    Some(RestrictedExpression::new_decimal(format!("{sign}{whole}.{part:04}")))
}

/// Whether the text of a decimal is below zero.
pub(super) fn is_negative(text: &str) -> bool {
    scaled(text).is_none_or(|n| n < 0)
}

/// A moment in UTC, to the millisecond below.
pub(super) fn date_time(moment: jiff::Timestamp) -> Option<RestrictedExpression> {
    let civil = jiff::tz::Offset::UTC.to_datetime(moment);
    // Cedar writes years with four digits.
    (civil.year() >= 0).then(|| RestrictedExpression::new_datetime(format!("{}Z", format_civil(civil))))
}

fn format_civil(at: jiff::civil::DateTime) -> String {
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond()
    )
}

/// Whether every multiple of this number has at most four decimals.
pub(super) fn is_short_decimal(multiple_of: &Value) -> bool {
    multiple_of.as_number().and_then(|n| scaled(&n.to_string())).is_some_and(|n| n > 0)
}

fn integer(value: &Value) -> Option<i64> {
    let number = value.as_number()?;
    // JSON Schema counts `1.0` and `1e2` as integers.
    let exact = if let Some(plain) = number.as_i64() {
        plain
    } else {
        let scaled = scaled(&number.to_string())?;
        if scaled.checked_rem(SCALE)? != 0 {
            return None;
        }
        i64::try_from(scaled.checked_div(SCALE)?).ok()?
    };
    (exact.unsigned_abs() <= limits::JSON_INTEGER_MAX.unsigned_abs()).then_some(exact)
}

/// Ten-thousandths of a decimal number in JSON notation; `None` when that is not a whole number.
fn scaled(text: &str) -> Option<i128> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            (mantissa, exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?)
        }
        None => (text, 0_i32),
    };
    let (whole, part) = match mantissa.split_once('.') {
        Some((_, "")) => return None,
        Some(both) => both,
        None => (mantissa, ""),
    };
    let digits = format!("{whole}{part}");
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !plain || digits.len() > DIGITS_MAX {
        return None;
    }
    let unsigned: i128 = digits.parse().ok()?;
    let signed = if negative { unsigned.checked_neg()? } else { unsigned };
    let decimals = i32::try_from(part.len()).ok()?;
    let power = exponent.checked_add(4)?.checked_sub(decimals)?;
    let factor = 10_i128.checked_pow(power.unsigned_abs());
    match factor {
        _ if signed == 0 => Some(0),
        Some(factor) if power >= 0 => signed.checked_mul(factor),
        Some(factor) if signed.checked_rem(factor)? == 0 => signed.checked_div(factor),
        _ => None,
    }
}

fn ip(text: &str) -> Option<RestrictedExpression> {
    let address: IpAddr = text.parse().ok()?;
    // Cedar refuses the mixed notation of a mapped address, so the request is refused with it: taken as
    // IPv6 it would slip past a range of IPv4.
    Some(RestrictedExpression::new_ip(address.to_string()))
}

fn duration(text: &str) -> Option<RestrictedExpression> {
    let plain = |c: char| c.is_ascii_digit() || matches!(c, '-' | 'd' | 'h' | 'm' | 's');
    (!text.is_empty() && text.chars().all(plain)).then(|| RestrictedExpression::new_duration(text))
}
