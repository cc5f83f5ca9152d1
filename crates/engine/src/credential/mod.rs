//! Secrets: where they come from, and the only way onto a request.
//!
//! A write secret is resolved for a [`Grant`], that is after its dispatch was recorded, never before (T84);
//! a preview gets read secrets only (T31). A secret is bound to one origin and refuses every other (T89). It
//! is never shown, logged, stored, or part of an error (T81). Which credential is used is the manifest's
//! word, never the agent's (T85).

mod env;
mod file;
mod oauth;
mod scrub;
mod secret;
mod spec;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use countersign_core::action::EffectClass;
use url::Url;
use zeroize::Zeroizing;

use crate::grant::{Grant, Look};
use crate::net::{Clients, NetworkPolicy};

pub(crate) use secret::Misplaced;
pub use secret::Secret;
pub use spec::{CredentialError, CredentialSpec, Kind, Placement, Use};

/// All credentials by name.
#[derive(Clone)]
pub struct Credentials(Arc<CredentialsInner>);

struct CredentialsInner {
    specs: BTreeMap<String, CredentialSpec>,
    clients: Clients,
    tokens: oauth::Cache,
}

impl Credentials {
    /// From configuration. Nothing is read yet; [`CredentialSpec::check`] says what is wrong with a spec.
    pub fn new(specs: BTreeMap<String, CredentialSpec>, networks: NetworkPolicy) -> Self {
        let clients = Clients::new(networks);
        Self(Arc::new(CredentialsInner { specs, clients, tokens: oauth::Cache::default() }))
    }

    /// Every credential that cannot work as things are: its settings are wrong, or its secret cannot be read. The
    /// secrets are read and forgotten at once; no token endpoint is asked.
    pub async fn check(&self) -> Vec<CredentialError> {
        let mut found = Vec::new();
        for (name, spec) in &self.0.specs {
            if let Err(error) = spec.check(name) {
                found.push(error);
                continue;
            }
            let usable = match &spec.kind {
                // It goes into a form, where every character may stand.
                Kind::OAuth { client_secret, .. } => stored(client_secret).await.map(drop),
                Kind::Env { .. } | Kind::File { .. } => {
                    stored(&spec.kind).await.and_then(|value| secret::check_value(&value))
                }
            };
            if let Err(detail) = usable {
                found.push(CredentialError { name: name.clone(), detail });
            }
        }
        found
    }

    /// For the call of a recorded dispatch. None when the call names no credential.
    pub async fn for_grant(&self, grant: &Grant) -> Result<Option<Secret>, CredentialError> {
        let call = grant.call();
        let Some(name) = call.credential() else { return Ok(None) };
        self.resolve(name, call.address(), usage_of(call.effect())).await.map(Some)
    }

    /// For a preview read. A write credential is refused.
    pub async fn for_look(&self, look: &Look) -> Result<Option<Secret>, CredentialError> {
        let call = look.call();
        let Some(name) = call.credential.as_deref() else { return Ok(None) };
        self.resolve(name, &call.url, Use::Read).await.map(Some)
    }

    async fn resolve(&self, name: &str, url: &str, usage: Use) -> Result<Secret, CredentialError> {
        let wrong = |detail: String| CredentialError { name: name.to_owned(), detail };
        let spec = self.0.specs.get(name).ok_or_else(|| wrong("no such credential is configured".into()))?;
        spec.check(name)?;
        if spec.usage != usage {
            return Err(wrong(format!(
                "it is a {} credential and this is a {}",
                spec.usage.name(),
                usage.name()
            )));
        }
        // INVARIANT: the origin is compared before anything is read, so a wrong one resolves nothing (T89).
        let origin = spec::origin_of(&spec.origin).map_err(wrong)?;
        let target = Url::parse(url).map_err(|_| wrong("the call's address is not a URL".into()))?.origin();
        if target.ascii_serialization() != origin {
            return Err(wrong(format!("it is for {origin} only")));
        }
        let value = self.value(name, spec).await.map_err(wrong)?;
        secret::check_value(&value).map_err(wrong)?;
        Ok(Secret::new(name, origin, spec, value))
    }

    async fn value(&self, name: &str, spec: &CredentialSpec) -> Result<Zeroizing<String>, String> {
        let Kind::OAuth { token_url, client_id, client_secret, scopes, resource } = &spec.kind else {
            return stored(&spec.kind).await;
        };
        let request = oauth::TokenRequest {
            name,
            token_url,
            client_id,
            client_secret: stored(client_secret).await?,
            scopes,
            resource: resource.as_deref(),
        };
        match spec.usage {
            Use::Read => self.0.tokens.get_or_fetch(&self.0.clients, &request).await,
            // A write token lives for one dispatch: nothing is kept that a revocation would not reach.
            Use::Write => oauth::fetch(&self.0.clients, &request).await.map(|token| token.value),
        }
    }
}

/// What kind of credential an effect class takes.
pub(crate) const fn usage_of(effect: EffectClass) -> Use {
    match effect {
        EffectClass::Read => Use::Read,
        EffectClass::Keyed | EffectClass::Conditional | EffectClass::Natural | EffectClass::Opaque => {
            Use::Write
        }
    }
}

/// A secret that lies somewhere on this machine.
async fn stored(kind: &Kind) -> Result<Zeroizing<String>, String> {
    match kind {
        Kind::Env { var } => env::read(var),
        Kind::File { path } => file::read(path).await,
        Kind::OAuth { .. } => Err("a client secret comes from `env:` or `file:`".into()),
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Credentials").field(&self.0.specs.keys().collect::<Vec<_>>()).finish()
    }
}

#[cfg(test)]
mod tests;
