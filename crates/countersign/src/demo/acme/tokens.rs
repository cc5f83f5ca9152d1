//! Bearer tokens: opaque, short-lived, in memory only, and kept as SHA-256 so that a dump holds none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use countersign_core::digest::{Digest, domain};

use super::clients::Scope;

/// How long a token opens anything.
pub(super) const LIFETIME: Duration = Duration::from_mins(1);

/// What a valid token says about its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bearer {
    /// The client it was issued to.
    pub(super) client: String,
    /// What it may be used for.
    pub(super) scopes: BTreeSet<Scope>,
    until: Duration,
}

/// All living tokens.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    by_digest: BTreeMap<Digest, Bearer>,
}

impl Tokens {
    /// Remembers a new token. `now` is read from a clock that never jumps.
    pub(super) fn issue(&mut self, token: &str, client: &str, scopes: BTreeSet<Scope>, now: Duration) {
        self.by_digest.retain(|_, bearer| bearer.until > now);
        let bearer = Bearer { client: client.to_owned(), scopes, until: now.saturating_add(LIFETIME) };
        self.by_digest.insert(digest(token), bearer);
    }

    /// Whose token this is, while it lives.
    pub(super) fn bearer(&self, token: &str, now: Duration) -> Option<&Bearer> {
        self.by_digest.get(&digest(token)).filter(|bearer| bearer.until > now)
    }
}

fn digest(token: &str) -> Digest {
    Digest::of(domain::TOKEN, token.as_bytes())
}
