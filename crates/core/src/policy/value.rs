//! Values from the outside become Cedar values here, one typed constructor at a time (T57).
//!
//! Never through Cedar's JSON reader, which gives `__entity` and `__extn` a meaning, and never through
//! policy text. A value that does not fit its type exactly is refused, never rounded.

use std::net::IpAddr;

use cedar_policy::RestrictedExpression;
use jiff::civil;
use serde_json::{Map, Value};

use super::shape::{Field, Fields, Kind};
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
            let date: civil::Date = value.as_str()?.parse().ok()?;
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

/// Whether [`to_cedar`] has a value for it, for the kinds that are checked here.
pub(super) fn fits(kind: &Kind, value: &Value) -> bool {
    match kind {
        Kind::Bool => value.is_boolean(),
        Kind::Long => integer(value).is_some(),
        Kind::Text(_) => value.is_string(),
        Kind::Decimal => value.as_number().is_some_and(|n| units(&n.to_string()).is_some()),
        Kind::DecimalText => value.as_str().is_some_and(|t| units(t).is_some()),
        Kind::Set(item) => value.as_array().is_some_and(|items| items.iter().all(|v| fits(item, v))),
        Kind::Record(fields) => value.as_object().is_some_and(|object| {
            fields.iter().all(|(name, field)| match given(object, name, field) {
                Some(found) => fits(&field.kind, found),
                None => !field.required,
            })
        }),
        Kind::DateTime | Kind::Date | Kind::Ip | Kind::Duration => to_cedar(kind, value).is_some(),
    }
}

/// What an object says about a property, or what its absence stands for. Where null is a value, it is absent.
fn given<'a>(object: &'a Map<String, Value>, name: &str, field: &'a Field) -> Option<&'a Value> {
    let found = object.get(name).filter(|value| !(field.nullable && value.is_null()));
    found.or(field.default.as_ref())
}

/// The visible input, with only those properties that `shown` names. All are checked: none of a kind that is
/// not [`Kind::is_checked_here`] may be left out, or Cedar would not get to see it.
pub(super) fn input(
    fields: &Fields,
    value: &Value,
    shown: impl Fn(&str) -> bool,
) -> Option<RestrictedExpression> {
    let object = value.as_object()?;
    let mut pairs = Vec::new();
    for (name, field) in fields {
        match given(object, name, field) {
            Some(found) if shown(name) => {
                pairs.push((name.clone(), to_cedar(&field.kind, found)?));
            }
            Some(found) if !fits(&field.kind, found) => return None,
            None if field.required => return None,
            Some(_) | None => {}
        }
    }
    RestrictedExpression::new_record(pairs).ok()
}

/// An object of declared properties. What is not declared is not visible; what is absent and has a default
/// stands for the default.
pub(super) fn record(fields: &Fields, value: &Value) -> Option<RestrictedExpression> {
    input(fields, value, |_| true)
}

/// A decimal from the text of a JSON number, exact or not at all.
pub(super) fn decimal(text: &str) -> Option<RestrictedExpression> {
    let scaled = units(text)?;
    let sign = if scaled < 0 { "-" } else { "" };
    let size = i128::from(scaled).checked_abs()?;
    let (whole, part) = (size.checked_div(SCALE)?, size.checked_rem(SCALE)?);
    Some(RestrictedExpression::new_decimal(format!("{sign}{whole}.{part:04}")))
}

/// Ten-thousandths of a decimal that Cedar can hold.
pub(super) fn units(text: &str) -> Option<i64> {
    i64::try_from(scaled(text)?).ok()
}

/// A moment in UTC, to the millisecond below.
pub(super) fn date_time(moment: jiff::Timestamp) -> Option<RestrictedExpression> {
    utc(moment).map(in_utc)
}

/// A moment in UTC, if Cedar can hold it: it writes years with four digits.
pub(super) fn utc(moment: jiff::Timestamp) -> Option<civil::DateTime> {
    Some(jiff::tz::Offset::UTC.to_datetime(moment)).filter(|at| at.year() >= 0)
}

/// A moment that [`utc`] gave.
pub(super) fn in_utc(at: civil::DateTime) -> RestrictedExpression {
    RestrictedExpression::new_datetime(format!("{}Z", format_civil(at)))
}

fn format_civil(at: civil::DateTime) -> String {
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
