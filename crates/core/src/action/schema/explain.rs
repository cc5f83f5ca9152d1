//! A validator's findings in our words: what is wrong, where, and what would be right. Never the value.

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use serde_json::Value;

use super::{child, properties};
use crate::json;
use crate::refusal::InputError;

const EMAIL: &str = "must be one plain email address such as `ann@example.com`, in ASCII: no name, quotes, \
                     comments, spaces or line breaks, a domain name with a dot, at most 254 bytes";

/// Appends one finding; unknown fields become one mistake each.
pub(super) fn explain(error: &ValidationError<'_>, schema: &Value, into: &mut Vec<InputError>) {
    let pointer = error.instance_path().as_str().to_owned();
    if let Kind::AdditionalProperties { unexpected } = error.kind() {
        let known = known_fields(schema, &pointer);
        for name in unexpected {
            into.push(InputError {
                pointer: child(&pointer, name),
                detail: format!("unknown field `{name}`; {known}"),
            });
        }
        return;
    }
    if let Kind::OneOfNotValid { context } = error.kind()
        && let Some(meant) = meant(context)
    {
        for error in meant {
            explain(error, schema, into);
        }
        return;
    }
    // What is missing is named by its own place, where the agent has to put it.
    let pointer = if let Kind::Required { property } = error.kind() {
        child(&pointer, property.as_str().unwrap_or_default())
    } else {
        pointer
    };
    into.push(InputError { pointer, detail: detail(error.kind()) });
}

/// The findings of the one form that a value was meant to have: the only one whose fixed values are all right.
fn meant<'a, 'e>(forms: &'a [Vec<ValidationError<'e>>]) -> Option<&'a Vec<ValidationError<'e>>> {
    let is_fixed =
        |error: &ValidationError<'_>| matches!(error.kind(), Kind::Constant { .. } | Kind::Enum { .. });
    let mut fitting = forms.iter().filter(|errors| !errors.iter().any(is_fixed));
    fitting.next().filter(|_| fitting.next().is_none())
}

fn detail(kind: &Kind) -> String {
    match kind {
        Kind::Required { property } => {
            format!("the field `{}` is missing", property.as_str().unwrap_or_default())
        }
        Kind::Type { kind: TypeKind::Single(expected) } => format!("must be of the type {expected}"),
        Kind::Enum { options } => format!("must be one of {options}"),
        Kind::Constant { expected_value } => format!("must be {expected_value}"),
        Kind::Pattern { pattern } => format!("must match `{pattern}`"),
        Kind::Format { format } if format == "email" => EMAIL.to_owned(),
        Kind::Format { format } => format!("must have the format `{format}`"),
        Kind::MinLength { limit } => format!("must have at least {limit} characters"),
        Kind::MaxLength { limit } => format!("must have at most {limit} characters"),
        Kind::MinItems { limit } => format!("must have at least {limit} elements"),
        Kind::MaxItems { limit } => format!("must have at most {limit} elements"),
        Kind::MinProperties { limit } => format!("must have at least {limit} fields"),
        Kind::MaxProperties { limit } => format!("must have at most {limit} fields"),
        Kind::Minimum { limit } => format!("must be {limit} or more"),
        Kind::Maximum { limit } => format!("must be {limit} or less"),
        Kind::ExclusiveMinimum { limit } => format!("must be more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("must be a multiple of {multiple_of}"),
        Kind::UniqueItems => "must not contain the same element twice".to_owned(),
        Kind::Type { kind: TypeKind::Multiple(types) } => {
            let mut names: Vec<String> = types.iter().map(|name| name.to_string()).collect();
            // Null last, as it is written.
            names.sort_by_key(|name| name == "null");
            format!("must be of the type {}", names.join(" or "))
        }
        Kind::OneOfNotValid { context } => {
            format!("fits none of the {} forms that it may have", context.len())
        }
        Kind::OneOfMultipleValid { .. } => "fits more than one of the forms that it may have".to_owned(),
        // None of these keywords is accepted by the linter, so none of these findings can appear.
        Kind::AdditionalProperties { .. }
        | Kind::AdditionalItems { .. }
        | Kind::AnyOf { .. }
        | Kind::BacktrackLimitExceeded { .. }
        | Kind::RegexEngineFailure { .. }
        | Kind::Contains
        | Kind::ContentEncoding { .. }
        | Kind::ContentMediaType { .. }
        | Kind::Custom { .. }
        | Kind::FalseSchema
        | Kind::FromUtf8 { .. }
        | Kind::Not { .. }
        | Kind::PropertyNames { .. }
        | Kind::UnevaluatedItems { .. }
        | Kind::UnevaluatedProperties { .. }
        | Kind::Referencing(_) => format!("does not satisfy `{}`", kind.keyword()),
    }
}

/// The fields that the object at `pointer` may have.
fn known_fields(schema: &Value, pointer: &str) -> String {
    let mut at = schema;
    for token in pointer.split('/').skip(1) {
        let name = json::unescape_token(token);
        let next = properties(at).and_then(|p| p.get(&name)).or_else(|| at.get("items"));
        let Some(next) = next else { break };
        at = next;
    }
    let names: Vec<&str> = properties(at).map(|p| p.keys().map(String::as_str).collect()).unwrap_or_default();
    if names.is_empty() {
        return "no field is expected here".to_owned();
    }
    format!("known are `{}`", names.join("`, `"))
}
