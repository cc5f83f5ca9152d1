//! Signing people in and out. Refused sign-ins leave entries, few enough that nobody fills the log by guessing.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use countersign_core::audit::{Actor, Entry, data};
use countersign_core::digest::Digest;

use super::Gate;
use crate::fault::{Stop, chain_text};
use crate::party::Party;
use crate::store::{LinkRefusal, Session};

/// Entries in one window. The endpoint is open to everybody, so anybody can cause one.
const ENTRIES_MAX: u32 = 5;
/// The window.
const WINDOW: Duration = Duration::from_secs(10);

/// How many refused sign-ins were recorded lately, and how many were only counted.
#[derive(Debug, Default)]
pub(super) struct RefusedSignIns(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    began: Option<Duration>,
    recorded: u32,
    not_recorded: u64,
}

impl RefusedSignIns {
    /// Whether this one gets an entry, and how many before it got none.
    fn admit(&self, now: Duration) -> Option<u64> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = window.began.is_none_or(|began| now.saturating_sub(began) >= WINDOW);
        if over {
            (window.began, window.recorded) = (Some(now), 0);
        }
        if window.recorded >= ENTRIES_MAX {
            window.not_recorded = window.not_recorded.saturating_add(1);
            return None;
        }
        window.recorded = window.recorded.saturating_add(1);
        Some(std::mem::take(&mut window.not_recorded))
    }
}

impl Gate {
    /// The session under this token's digest, if it is live, was used within `idle`, and its person is still in the
    /// directory.
    pub async fn session(&self, token: &Digest, idle: Duration) -> Result<Option<Session>, Stop> {
        let found = Party::Anybody.serve(self.0.store.session(token, self.0.world.now(), idle)).await?;
        let known = |s: &Session| self.ruleset().directory.person(&s.person).is_some_and(|p| !p.disabled);
        Ok(found.filter(known))
    }

    /// Who reads the log with the token of this digest, while it lasts and they are in the directory.
    pub async fn log_token(&self, token: &Digest) -> Result<Option<Session>, Stop> {
        let found = Party::Anybody.serve(self.0.store.log_token(token, self.0.world.now())).await?;
        let known = |s: &Session| self.ruleset().directory.person(&s.person).is_some_and(|p| !p.disabled);
        Ok(found.filter(known))
    }

    /// Keeps a one-time sign-in link for a person, by its token's digest.
    pub async fn add_link(&self, token: &Digest, person: &str, life: Duration) -> Result<(), Stop> {
        let now = self.0.world.now();
        Ok(self.0.store.add_link(token, person, (now, now.plus(life))).await?)
    }

    /// Uses up a link and opens a session for its person. None when the link opens nothing.
    pub async fn redeem_link(
        &self,
        link: &Digest,
        session: &Digest,
        life: Duration,
    ) -> Result<Option<String>, Stop> {
        let now = self.0.world.now();
        Ok(Party::Anybody.serve(self.0.store.redeem_link(link, session, now, now.plus(life))).await?)
    }

    /// Why a link opened nothing; none when it is not known.
    pub async fn why_link_refused(&self, link: &Digest) -> Result<Option<LinkRefusal>, Stop> {
        let now = self.0.world.now();
        Ok(Party::Anybody.serve(self.0.store.why_link_refused(link, now)).await?)
    }

    /// Ends a session.
    pub async fn end_session(&self, token: &Digest) -> Result<(), Stop> {
        Ok(self.0.store.end_session(token, self.0.world.now()).await?)
    }

    /// Records that a sign-in link was refused. Nothing of the link is kept. That it cannot be recorded changes
    /// nothing for the caller, who is refused either way.
    pub async fn note_refused_sign_in(&self) {
        let Some(before) = self.0.refused_sign_ins.admit(self.0.world.ticks()) else { return };
        let data = data::SignInRefused { not_recorded_before: before };
        let entry = Entry::new(self.0.world.now(), Actor::Gate, data);
        if let Err(stop) = self.note(entry).await {
            tracing::error!(error = %chain_text(&stop), "a refused sign-in was not recorded");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_refused_sign_ins_leaves_five_entries_in_ten_seconds_and_a_count() {
        let refused = RefusedSignIns::default();
        let at = Duration::from_secs;
        let first: Vec<_> = (0..8).map(|_| refused.admit(at(1))).collect();
        assert_eq!(first, [Some(0), Some(0), Some(0), Some(0), Some(0), None, None, None]);
        assert_eq!(refused.admit(at(10)), None);
        assert_eq!(refused.admit(at(11)), Some(4));
        assert_eq!(refused.admit(at(11)), Some(0));
    }
}
