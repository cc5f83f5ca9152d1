//! The configured authorization servers with their keys.
//!
//! Keys are asked for when a token needs them and kept for a while. A fetch is one for everybody who waits, runs to its
//! own end whoever hangs up, and is bounded in how often it is made, so that nobody can make the gate call an issuer
//! at will. An issuer that is down stops tokens after a while, and never keys.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use countersign_core::time::Timestamp;
use tokio::sync::watch;

use super::claims::{Expectations, verify};
use super::fetch;
use super::jws::{SignedToken, TokenError};
use super::keys::KeySet;
use super::spec::IssuerSpec;
use crate::net::{Clients, NetworkPolicy};
use crate::world::World;

/// How long keys are used without asking again. A key that its issuer withdrew is good for this long at most.
const FRESH: Duration = Duration::from_mins(5);
/// How long keys are used while their issuer does not answer.
const STALE_MAX: Duration = Duration::from_hours(1);
/// Between two tries to fetch keys that are missing or no longer fresh.
const AGAIN: Duration = Duration::from_secs(10);
/// Between two fetches because of a key that is not known: anybody can invent its name.
const UNKNOWN_KEY_EVERY: Duration = Duration::from_secs(30);

/// Who a good token names, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenAgent {
    /// The agent's name, which the directory may not have.
    pub agent: String,
    /// Who signed it: `iss`.
    pub issuer: String,
    /// When it stops being good.
    pub expires: Timestamp,
    /// What the claim says.
    value: String,
    /// What was expected of it.
    under: Arc<IssuerSpec>,
}

/// Why a token names nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAccepted {
    /// The token is not good.
    Token(TokenError),
    /// It cannot be told: the issuer's keys are not to be had.
    NoKeys {
        /// Which issuer.
        issuer: String,
        /// When to try again, in seconds.
        retry_after_s: u32,
    },
}

impl From<TokenError> for NotAccepted {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

/// The authorization servers whose tokens agents may present.
#[derive(Clone)]
pub struct Issuers(Arc<IssuersInner>);

struct IssuersInner {
    world: World,
    clients: Clients,
    /// By `iss`. Held only to look up or replace.
    by_id: RwLock<BTreeMap<String, Arc<TrustedIssuer>>>,
}

/// One of them.
struct TrustedIssuer {
    spec: Arc<IssuerSpec>,
    /// Held only to look at or change, never across an await.
    held: Mutex<HeldKeys>,
}

/// Times are ticks of the world.
#[derive(Default)]
struct HeldKeys {
    keys: Option<(Arc<KeySet>, Duration)>,
    tried: Option<Duration>,
    tried_for_unknown: Option<Duration>,
    /// Closed when the fetch under way is over.
    under_way: Option<watch::Receiver<()>>,
}

impl std::fmt::Debug for Issuers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Issuers").field(&self.specs()).finish()
    }
}

impl Issuers {
    /// From configuration. Nobody is asked yet.
    pub fn new(specs: Vec<IssuerSpec>, networks: NetworkPolicy, world: World) -> Self {
        let issuers =
            Self(Arc::new(IssuersInner { world, clients: Clients::new(networks), by_id: RwLock::default() }));
        issuers.set(specs);
        issuers
    }

    /// Replaces them; the keys of those that did not change stay.
    pub fn set(&self, specs: Vec<IssuerSpec>) {
        let mut by_id = self.0.by_id.write().unwrap_or_else(PoisonError::into_inner);
        let kept = |spec: IssuerSpec| match by_id.get(&spec.issuer).filter(|held| *held.spec == spec) {
            Some(held) => Arc::clone(held),
            None => Arc::new(TrustedIssuer { spec: Arc::new(spec), held: Mutex::default() }),
        };
        *by_id = specs.into_iter().map(kept).map(|issuer| (issuer.spec.issuer.clone(), issuer)).collect();
    }

    /// What is configured, by `iss`.
    pub fn specs(&self) -> Vec<IssuerSpec> {
        let by_id = self.0.by_id.read().unwrap_or_else(PoisonError::into_inner);
        by_id.values().map(|issuer| (*issuer.spec).clone()).collect()
    }

    /// Whether there are none, and so no token is good.
    pub fn is_empty(&self) -> bool {
        self.0.by_id.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    fn get(&self, issuer: &str) -> Option<Arc<TrustedIssuer>> {
        self.0.by_id.read().unwrap_or_else(PoisonError::into_inner).get(issuer).cloned()
    }

    /// Whom a token names. May ask its issuer for keys.
    pub async fn verify(&self, token: &str) -> Result<TokenAgent, NotAccepted> {
        let token = SignedToken::read(token)?;
        let issuer = token.claimed_issuer().and_then(|id| self.get(id)).ok_or(TokenError::Issuer)?;
        let spec = &issuer.spec;
        // What no key could make good is no reason to call anybody.
        token.algorithm(&spec.algorithms)?;
        let key_id = token.key_id().ok_or(TokenError::UnknownKey)?;
        let keys = self.keys(&issuer, key_id).await?;
        let expected =
            Expectations { issuer: &spec.issuer, audience: &spec.audience, algorithms: &spec.algorithms };
        let claims = verify(token, &keys, &expected, self.0.world.now())?;
        let value = claims.text(&spec.claim).ok_or(TokenError::NoAgent)?;
        Ok(TokenAgent {
            agent: spec.agent(value).ok_or(TokenError::NoAgent)?.to_owned(),
            issuer: spec.issuer.clone(),
            expires: claims.expires,
            value: value.to_owned(),
            under: Arc::clone(&issuer.spec),
        })
    }

    /// Why what a token once said does not hold any more; none while it does. For what lasts.
    pub fn lost(&self, found: &TokenAgent) -> Option<TokenError> {
        if self.0.world.now() >= found.expires {
            return Some(TokenError::Expired);
        }
        let Some(issuer) = self.get(&found.issuer) else { return Some(TokenError::Issuer) };
        if !issuer.spec.expects_the_same(&found.under) {
            return Some(TokenError::Changed);
        }
        (issuer.spec.agent(&found.value) != Some(found.agent.as_str())).then_some(TokenError::NoAgent)
    }

    /// For how long a token is still good.
    pub fn time_left(&self, found: &TokenAgent) -> Duration {
        self.0.world.now().age_at(found.expires).unwrap_or_default()
    }

    /// The issuer's keys, among them this one if the issuer has it.
    async fn keys(&self, issuer: &Arc<TrustedIssuer>, key_id: &str) -> Result<Arc<KeySet>, NotAccepted> {
        if let Some(mut over) = self.fetch_if_due(issuer, key_id) {
            // An error says that the fetch is over, which is all that is waited for.
            let _ = over.changed().await;
        }
        let held = issuer.held();
        let now = self.0.world.ticks();
        match &held.keys {
            Some((keys, at)) if now.saturating_sub(*at) < STALE_MAX => Ok(Arc::clone(keys)),
            Some(_) | None => {
                let retry_after_s = u32::try_from(AGAIN.as_secs()).unwrap_or(u32::MAX);
                Err(NotAccepted::NoKeys { issuer: issuer.spec.issuer.clone(), retry_after_s })
            }
        }
    }

    /// Starts a fetch when one is due, and gives the one that is under way. None when what is held is all there is.
    fn fetch_if_due(&self, issuer: &Arc<TrustedIssuer>, key_id: &str) -> Option<watch::Receiver<()>> {
        let now = self.0.world.ticks();
        let mut held = issuer.held();
        let fresh = held.keys.as_ref().filter(|(_, at)| now.saturating_sub(*at) < FRESH);
        if fresh.is_some_and(|(keys, _)| keys.has(key_id)) {
            return None;
        }
        let is_fresh = fresh.is_some();
        // Its sender is gone when the fetch is over, however it ended.
        if let Some(under_way) = held.under_way.as_ref().filter(|fetch| fetch.has_changed().is_ok()) {
            return Some(under_way.clone());
        }
        let every = if is_fresh { UNKNOWN_KEY_EVERY } else { AGAIN };
        let last = if is_fresh { &mut held.tried_for_unknown } else { &mut held.tried };
        if last.is_some_and(|last| now.saturating_sub(last) < every) {
            return None;
        }
        *last = Some(now);
        let (over, under_way) = watch::channel(());
        held.under_way = Some(under_way.clone());
        drop(held);
        self.start_fetch(Arc::clone(issuer), over);
        Some(under_way)
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a client that hangs up must not end what others wait for; it ends by its own deadline"
    )]
    fn start_fetch(&self, issuer: Arc<TrustedIssuer>, over: watch::Sender<()>) {
        let this = self.clone();
        tokio::spawn(async move {
            match fetch::keys(&this.0.clients, &issuer.spec).await {
                Ok(keys) => issuer.held().keys = Some((Arc::new(keys), this.0.world.ticks())),
                Err(why) => {
                    tracing::warn!(issuer = %issuer.spec.issuer, "the keys of an issuer cannot be read: {why}");
                }
            }
            drop(over);
        });
    }
}

impl TrustedIssuer {
    fn held(&self) -> std::sync::MutexGuard<'_, HeldKeys> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
