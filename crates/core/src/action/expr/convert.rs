//! JSON to CEL and back. JSON integers become CEL `int`, never `uint`, so that arithmetic works.

use std::collections::HashMap;
use std::sync::Arc;

use cel::Value as Cel;
use cel::objects::{Key, Map as CelMap};
use serde_json::{Map, Value};

use crate::json::{number, number_text};
use crate::limits::{BODY_BYTES_MAX, EXPRESSION_ITEMS_MAX, JSON_DEPTH_MAX, JSON_INTEGER_MAX};

/// A JSON value as CEL sees it. Refuses what an expression may not loop over.
pub(super) fn to_cel(value: &Value) -> Result<Cel, String> {
    Ok(match value {
        Value::Null => Cel::Null,
        Value::Bool(b) => Cel::Bool(*b),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(i), _) => Cel::Int(i),
            (None, Some(f)) if !number.is_u64() => Cel::Float(f),
            _ => return Err("an integer is too large to compute with".to_owned()),
        },
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(items) => {
            bounded(items.len())?;
            Cel::List(Arc::new(items.iter().map(to_cel).collect::<Result<_, _>>()?))
        }
        Value::Object(members) => {
            bounded(members.len())?;
            let mut map = HashMap::with_capacity(members.len());
            for (key, member) in members {
                map.insert(Key::from(key.as_str()), to_cel(member)?);
            }
            Cel::Map(CelMap { map: Arc::new(map) })
        }
    })
}

fn bounded(items: usize) -> Result<(), String> {
    if items > EXPRESSION_ITEMS_MAX {
        return Err(format!("an array or object has more than {EXPRESSION_ITEMS_MAX} elements"));
    }
    Ok(())
}

/// What an expression computed, as JSON. Refuses what JSON cannot say exactly.
pub(super) fn from_cel(value: &Cel) -> Result<Value, String> {
    let mut budget = BODY_BYTES_MAX;
    convert(value, 0, &mut budget)
}

fn convert(value: &Cel, depth: usize, budget: &mut usize) -> Result<Value, String> {
    let inner = depth.saturating_add(1);
    if depth > JSON_DEPTH_MAX {
        return Err("the result is nested too deeply".to_owned());
    }
    spend(budget, 1)?;
    Ok(match value {
        Cel::Null => Value::Null,
        Cel::Bool(b) => Value::Bool(*b),
        Cel::Int(i) if (-JSON_INTEGER_MAX..=JSON_INTEGER_MAX).contains(i) => Value::from(*i),
        Cel::Int(_) | Cel::UInt(_) => return Err(format!("the result is beyond {JSON_INTEGER_MAX}")),
        Cel::Float(f) => Value::Number(number(*f).ok_or("the result is not a finite number")?),
        Cel::String(text) => {
            spend(budget, text.len())?;
            Value::from(text.as_str())
        }
        Cel::List(items) => {
            Value::Array(items.iter().map(|i| convert(i, inner, budget)).collect::<Result<_, _>>()?)
        }
        Cel::Map(map) => {
            let mut out = Map::new();
            for (key, member) in map.map.iter() {
                let Key::String(name) = key else {
                    return Err("the result has a key that is not a string".to_owned());
                };
                spend(budget, name.len())?;
                out.insert(name.to_string(), convert(member, inner, budget)?);
            }
            Value::Object(out)
        }
        Cel::Function(..) | Cel::Bytes(_) | Cel::Opaque(_) | Cel::Struct(_) => {
            return Err("the result is not a JSON value".to_owned());
        }
    })
}

fn spend(budget: &mut usize, bytes: usize) -> Result<(), String> {
    *budget = budget.checked_sub(bytes).ok_or("the result is too large")?;
    Ok(())
}

/// A scalar as the text that a URL, header, form field or sentence takes; `None` for anything else.
pub(in crate::action) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number_text(number)),
        Value::Bool(b) => Some(b.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
