//! The rendering of one proposal, its parts in the order in which they depend on each other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Before, Encoding, Guard, Plan, Presence, RecordParts, RenderError, amount};
use crate::action::Action;
use crate::action::expr::{Scope, Template};
use crate::action::types::{
    Call, EffectClass, Group, HttpCall, Method, Precondition, ReadCall, Rendering, Resource, Risk,
};

/// Stands for the id of a resource that only the record could tell.
const NOT_READ: &str = "(not read)";

impl Plan {
    /// The read before, if the manifest names one.
    pub(in crate::action) fn read_call(
        &self,
        action: &Action,
        input: &Value,
    ) -> Result<Option<ReadCall>, RenderError> {
        let Some((method, url)) = &self.read else { return Ok(None) };
        let url = url.render(&mut Scope::new(input, None, None))?;
        Ok(Some(ReadCall { method: *method, url, credential: action.system.credential.read.clone() }))
    }

    /// Rendering and call.
    pub(in crate::action) fn rendering(
        &self,
        action: &Action,
        input: &Value,
        before: Option<&Before>,
        proposal_id: &str,
    ) -> Result<Rendering, RenderError> {
        let before = match (&self.read, before) {
            (None, _) => None,
            (Some(_), Some(before)) => Some(before),
            (Some(_), None) => return Err(RenderError::new("preview.read", "the record was not read")),
        };
        let mut scope = Scope::new(input, before.map(|b| &b.body), Some(proposal_id));
        self.compute(action, before, &mut scope, &RecordParts::default())
    }

    /// What can be said without the record. The parts that depend on it are left out: see
    /// [`Action::unread_rendering`].
    pub(in crate::action) fn unread_rendering(
        &self,
        action: &Action,
        input: &Value,
        proposal_id: &str,
    ) -> Result<Rendering, RenderError> {
        self.compute(action, None, &mut Scope::new(input, None, Some(proposal_id)), &self.from_record)
    }

    /// Everything but the parts to be left out.
    fn compute(
        &self,
        action: &Action,
        before: Option<&Before>,
        scope: &mut Scope<'_>,
        omit: &RecordParts,
    ) -> Result<Rendering, RenderError> {
        for (name, template) in self.lets.iter().filter(|(name, _)| !omit.lets.contains(name)) {
            let place = format!("preview.let.{name}");
            let value = required(template, scope, &place)?;
            scope.bind(name, value).map_err(|e| RenderError::new(&place, e))?;
        }
        let resource = self.resource(action, scope, omit)?;
        let risk = self.risk(action, scope, omit)?;
        let mut effects = Vec::with_capacity(self.effects.len());
        for (at, sentence) in self.effects.iter().enumerate() {
            if !omit.effects.contains(&at) {
                let text = sentence.render(scope)?;
                effects.push(text.ok_or_else(|| RenderError::new("preview.effects", "a sentence is empty"))?);
            }
        }
        let precondition = if omit.guard { Precondition::None } else { self.precondition(before)? };
        let body = match &self.request.body {
            Some(template) if !omit.body => Some(required(template, scope, "request.body")?),
            Some(_) | None => None,
        };
        let after = if omit.after { None } else { self.after(scope, before, body.as_ref())? };
        let call = self.call(action, scope, (body.as_ref(), &precondition), omit)?;
        let environment = action.system.environment.clone();
        Ok(Rendering { resource, environment, risk, effects, precondition, call, after })
    }

    fn resource(
        &self,
        action: &Action,
        scope: &mut Scope<'_>,
        omit: &RecordParts,
    ) -> Result<Resource, RenderError> {
        if omit.resource {
            let id = NOT_READ.to_owned();
            return Ok(Resource {
                kind: action.resource_type.clone(),
                id,
                system: action.system.name.clone(),
            });
        }
        let value = required(&self.resource_id, scope, "resource.id")?;
        let id = match &value {
            Value::String(text) => text.clone(),
            Value::Number(number) if number.is_i64() => number.to_string(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                String::new()
            }
        };
        if id.is_empty() {
            return Err(RenderError::new("resource.id", "it is not a non-empty text or an integer"));
        }
        Ok(Resource { kind: action.resource_type.clone(), id, system: action.system.name.clone() })
    }

    fn risk(&self, action: &Action, scope: &mut Scope<'_>, omit: &RecordParts) -> Result<Risk, RenderError> {
        let (amount, exact, currency) = match &self.money {
            Some((amount, currency)) if !omit.money => {
                let value = required(amount, scope, "risk.amount")?;
                let (units, exact) =
                    amount::amount(&value).map_err(|e| RenderError::new("risk.amount", e))?;
                let code = required(currency, scope, "risk.currency")?;
                let code = amount::currency(&code).map_err(|e| RenderError::new("risk.currency", e))?;
                (units, exact, code)
            }
            Some(_) | None => (0, "0.0".to_owned(), String::new()),
        };
        let count =
            match &self.count {
                None => i64::try_from(amount::longest_array(scope.input())).unwrap_or(i64::MAX).max(1),
                Some(_) if omit.count => 1,
                Some(template) => required(template, scope, "risk.count")?
                    .as_i64()
                    .filter(|count| *count >= 1)
                    .ok_or_else(|| RenderError::new("risk.count", "it is not an integer of at least 1"))?,
            };
        Ok(Risk {
            mutating: action.effect != EffectClass::Read,
            reversible: action.undo.is_possible(),
            external: action.groups.contains(&Group::External),
            financial: action.groups.contains(&Group::Financial),
            amount,
            exact,
            currency,
            count,
        })
    }

    fn precondition(&self, before: Option<&Before>) -> Result<Precondition, RenderError> {
        match (&self.guard, before) {
            (Guard::None, _) => Ok(Precondition::None),
            (Guard::Etag, before) => {
                let etag = before.and_then(|b| b.etag.as_deref()).filter(|e| is_header_text(e));
                let etag = etag.ok_or_else(|| {
                    RenderError::new("preview.bind", "the upstream sent no usable entity tag")
                })?;
                Ok(Precondition::Etag { etag: etag.to_owned() })
            }
            (Guard::Watch(pointers), before) => {
                let (mut values, mut gone) = (BTreeMap::new(), BTreeSet::new());
                for (pointer, presence) in pointers {
                    let value = before.and_then(|b| b.body.pointer(pointer)).cloned();
                    if value.is_none() && *presence == Presence::Required {
                        gone.insert(pointer.clone());
                    } else {
                        values.insert(pointer.clone(), value.unwrap_or_default());
                    }
                }
                Ok(Precondition::Watched { values, gone })
            }
        }
    }

    /// The record as it would be: what the manifest says, else what the method and encoding mean.
    fn after(
        &self,
        scope: &mut Scope<'_>,
        before: Option<&Before>,
        body: Option<&Value>,
    ) -> Result<Option<Value>, RenderError> {
        let request = &self.request;
        let patch = match &self.after {
            Some(template) => Some(required(template, scope, "preview.after")?),
            None if request.encoding == Encoding::MergePatch => body.cloned(),
            None if request.method == Method::Put && request.encoding == Encoding::Json => {
                return Ok(body.cloned());
            }
            None => None,
        };
        let (Some(patch), Some(before)) = (patch, before) else { return Ok(None) };
        let mut after = before.body.clone();
        json_patch::merge(&mut after, &patch);
        Ok(Some(after))
    }

    fn call(
        &self,
        action: &Action,
        scope: &mut Scope<'_>,
        (body, precondition): (Option<&Value>, &Precondition),
        omit: &RecordParts,
    ) -> Result<Call, RenderError> {
        let request = &self.request;
        let url = if omit.url { action.system.base_url.clone() } else { request.url.render(scope)? };
        let mut headers = Vec::with_capacity(request.headers.len().saturating_add(2));
        for (name, text) in request.headers.iter().filter(|(name, _)| !omit.headers.contains(name)) {
            let Some(value) = text.render(scope)? else { continue };
            if !is_header_text(&value) {
                let place = format!("request.headers.{name}");
                return Err(RenderError::new(&place, "the value is not visible ASCII text"));
            }
            headers.push((name.clone(), value));
        }
        if let (Some(name), Some(id)) = (&request.key_header, scope.proposal_id()) {
            headers.push((name.clone(), id.to_owned()));
        }
        if let Precondition::Etag { etag } = precondition {
            headers.push(("if-match".to_owned(), etag.clone()));
        }
        let body = match body {
            Some(value) => {
                let written = request.encoding.write(value);
                Some(written.map_err(|e| RenderError::new("request.body", e))?)
            }
            None => None,
        };
        Ok(Call::Http(HttpCall {
            method: request.method,
            url,
            headers,
            body,
            credential: action.credential().map(ToOwned::to_owned),
            ok: request.ok.clone(),
            timeout_ms: request.timeout_ms,
            effect: action.effect,
        }))
    }
}

/// A value that must be there.
fn required(template: &Template, scope: &mut Scope<'_>, place: &str) -> Result<Value, RenderError> {
    template.render(scope)?.ok_or_else(|| RenderError::new(place, "the input leaves it out"))
}

/// Visible ASCII, with spaces only inside (T69).
pub(super) fn is_header_text(value: &str) -> bool {
    !value.is_empty()
        && value.bytes().all(|b| (0x20..=0x7e).contains(&b))
        && !value.starts_with(' ')
        && !value.ends_with(' ')
}
