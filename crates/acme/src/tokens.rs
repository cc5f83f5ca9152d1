//! Bearer tokens: opaque, short-lived, in memory only, and kept as SHA-256 so that a dump holds none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clients::Scope;
use crate::digest::{Digest, Kind};

/// How long a token opens anything.
pub(crate) const LIFETIME: Duration = Duration::from_mins(1);

/// What a valid token says about its bearer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bearer {
    /// The client it was issued to.
    pub(crate) client: String,
    /// What it may be used for.
    pub(crate) scopes: BTreeSet<Scope>,
    until: Duration,
}

/// All living tokens.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    by_digest: BTreeMap<Digest, Bearer>,
}

impl Tokens {
    /// Remembers a new token. `now` is read from a clock that never jumps.
    pub(crate) fn issue(&mut self, token: &str, client: &str, scopes: BTreeSet<Scope>, now: Duration) {
        self.by_digest.retain(|_, bearer| bearer.until > now);
        let bearer = Bearer { client: client.to_owned(), scopes, until: now.saturating_add(LIFETIME) };
        self.by_digest.insert(digest(token), bearer);
    }

    /// Whose token this is, while it lives.
    pub(crate) fn bearer(&self, token: &str, now: Duration) -> Option<&Bearer> {
        self.by_digest.get(&digest(token)).filter(|bearer| bearer.until > now)
    }
}

fn digest(token: &str) -> Digest {
    Digest::of(Kind::Token, &[token.as_bytes()])
}
