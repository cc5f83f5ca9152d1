//! Sign-in links and sessions. Only digests of tokens are here, so a copy of the database opens nothing (T47). Each
//! row carries a message authentication code over its columns, so a row that somebody else wrote opens nothing
//! either. What happens to them is in the log, in the same transaction.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use countersign_core::audit::{Actor, Entry, EventData, data};
use countersign_core::digest::Digest;
use countersign_core::time::Timestamp;
use sqlx::SqlSafeStr as _;

use super::db::Row;
use super::desk::Desk;
use super::entry::insert_entry;
use super::error::{self, Error};
use super::{Session, Store};
use crate::fault::Fault;
use crate::seal::{Purpose, SealKeys};

/// How exact `seen` is: one write a minute for a session in use, rather than one for every request.
const SEEN_TO: Duration = Duration::from_mins(1);
/// Tokens of altered rows that are remembered, so that each is reported once.
const REPORTED_MAX: usize = 1_024;

/// Why a sign-in link that is known opens nothing. Only who holds its token can ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkRefusal {
    /// It was used.
    Used,
    /// It is too old.
    TooOld,
}

/// Rows whose code does not fit them: reported once each, counted always.
#[derive(Debug, Default)]
pub(super) struct AlteredRows {
    reported: Mutex<HashSet<String>>,
    count: AtomicU64,
}

impl AlteredRows {
    pub(super) fn report(&self, what: &'static str, token: &str) {
        self.count.fetch_add(1, Ordering::Relaxed);
        let mut reported = self.reported.lock().unwrap_or_else(PoisonError::into_inner);
        // Forgetting repeats an alarm; it never hides one.
        if reported.len() >= REPORTED_MAX {
            reported.clear();
        }
        if reported.insert(token.to_owned()) {
            tracing::error!(
                token,
                "a stored {what} was not written by this gate, so it signs nobody in; find out who writes to \
                 the database"
            );
        }
    }
}

impl Store {
    /// Rows of sessions and links that were used and whose code did not fit them, since the store was opened.
    pub fn altered_sign_in_rows(&self) -> u64 {
        self.altered.count.load(Ordering::Relaxed)
    }

    /// Keeps a one-time sign-in link, by the digest of its token, and its entry.
    pub async fn add_link(
        &self,
        token: &Digest,
        person: &str,
        (now, expires): (Timestamp, Timestamp),
    ) -> Result<(), Fault> {
        let fault = |e: Error| Fault::new("keep a sign-in link", e);
        let (desk, token, person) = (Arc::clone(&self.desk), token.to_string(), person.to_owned());
        let mac = self.keys.seal(Purpose::Link, &link_fields(&token, &person, &expires_bytes(expires)));
        let made = Entry::new(now, Actor::Gate, data::LinkMade { person: person.clone(), expires });
        let work = async move {
            let mut tx = desk.begin().await?;
            let sql = "INSERT INTO link (token, person, expires, mac) VALUES ($1, $2, $3, $4)";
            let values =
                [(&token).into(), (&person).into(), expires.as_micros().into(), mac.as_slice().into()];
            tx.execute(sql, &values).await?;
            insert_entry(&mut tx, &made).await?;
            tx.commit().await
        };
        self.desk.run(work).await.map_err(fault)
    }

    /// Uses up a link, opens a session and writes the entry, in one transaction. None when the link is unknown,
    /// used, too old, or not one that this gate made.
    pub async fn redeem_link(
        &self,
        token: &Digest,
        session: &Digest,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<Option<String>, Fault> {
        let token = token.to_string();
        let tokens = (token.clone(), session.to_string());
        let work = redeem(Arc::clone(&self.desk), self.keys.clone(), tokens, (now, expires));
        match self.desk.run(work).await {
            Ok(Redeemed::Session(person)) => Ok(Some(person)),
            Ok(Redeemed::Unknown) => Ok(None),
            Ok(Redeemed::Altered) => {
                self.altered.report("sign-in link", &token);
                Ok(None)
            }
            Err(error) if error.is_about_content() => {
                self.altered.report("sign-in link", &token);
                Ok(None)
            }
            Err(error) => Err(Fault::new("use a sign-in link", error)),
        }
    }

    /// Why a link opens nothing, by the digest of its token. None when it is not known: a link that is too old is
    /// forgotten with the next sign-in.
    pub async fn why_link_refused(
        &self,
        token: &Digest,
        now: Timestamp,
    ) -> Result<Option<LinkRefusal>, Fault> {
        let fault = |e: Error| Fault::new("read a sign-in link", e);
        let sql = "SELECT used_at, expires FROM link WHERE token = $1";
        let rows = match self.readers.fetch(sql, &[(&token.to_string()).into()]).await {
            Ok(rows) => rows,
            // Somebody else's row, which has been reported.
            Err(error) if error.is_about_content() => return Ok(None),
            Err(error) => return Err(fault(error)),
        };
        let Some(row) = rows.first() else { return Ok(None) };
        let used = row.maybe_integer(0).map_err(fault)?.is_some();
        let over = row.integer(1).map_err(fault)? <= now.as_micros();
        Ok(if used { Some(LinkRefusal::Used) } else { over.then_some(LinkRefusal::TooOld) })
    }

    /// A live session, by the digest of its token; marks it seen at most once a minute. One that nobody used
    /// for longer than `idle` is over, and asking for it does not revive it. A row that this gate did not write,
    /// or that cannot be read, is no session.
    pub async fn session(
        &self,
        token: &Digest,
        now: Timestamp,
        idle: Duration,
    ) -> Result<Option<Session>, Fault> {
        let fault = |e: Error| Fault::new("read a session", e);
        let token = token.to_string();
        let sql = "SELECT person, created, seen, expires, mac FROM session WHERE token = $1 AND expires > $2";
        let rows = match self.readers.fetch(sql, &[(&token).into(), now.as_micros().into()]).await {
            Ok(rows) => rows,
            Err(error) if error.is_about_content() => {
                self.altered.report("session", &token);
                return Ok(None);
            }
            Err(error) => return Err(fault(error)),
        };
        let Some(row) = rows.first() else { return Ok(None) };
        let Some(session) = sealed_session(&self.keys, &token, row) else {
            self.altered.report("session", &token);
            return Ok(None);
        };
        let unused = match session.seen.age_at(now) {
            Some(unused) => unused,
            // No more than `seen` is inexact anyway: two clocks differ a little.
            None if session.seen <= now.plus(SEEN_TO) => Duration::ZERO,
            // The clock stepped back. Nobody knows how long it was idle, so the person signs in again.
            None => return Ok(None),
        };
        if unused > idle {
            return Ok(None);
        }
        if unused < SEEN_TO {
            return Ok(Some(session));
        }
        let session = Session { seen: now, ..session };
        let (desk, mac) = (Arc::clone(&self.desk), session_code(&self.keys, &token, &session));
        let before = row.integer(2).map_err(fault)?;
        let work = async move {
            let mut tx = desk.begin().await?;
            let sql = "UPDATE session SET seen = $2, mac = $4 WHERE token = $1 AND seen = $3";
            let values = [(&token).into(), now.as_micros().into(), before.into(), mac.as_slice().into()];
            tx.execute(sql, &values).await?;
            tx.commit().await
        };
        self.desk.run(work).await.map_err(fault)?;
        Ok(Some(session))
    }

    /// Ends a session and writes the entry, in one transaction.
    pub async fn end_session(&self, token: &Digest, now: Timestamp) -> Result<(), Fault> {
        let token = token.to_string();
        let work = end(Arc::clone(&self.desk), self.keys.clone(), token.clone(), now);
        match self.desk.run(work).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                self.altered.report("session", &token);
                Ok(())
            }
            Err(error) if error.is_about_content() => {
                self.altered.report("session", &token);
                Ok(())
            }
            Err(error) => Err(Fault::new("end a session", error)),
        }
    }
}

fn expires_bytes(expires: Timestamp) -> [u8; 8] {
    expires.as_micros().to_be_bytes()
}

fn link_fields<'a>(token: &'a str, person: &'a str, expires: &'a [u8; 8]) -> [&'a [u8]; 3] {
    [token.as_bytes(), person.as_bytes(), expires]
}

pub(super) fn times(session: &Session) -> [[u8; 8]; 3] {
    [session.created, session.seen, session.expires].map(|time| time.as_micros().to_be_bytes())
}

pub(super) fn session_fields<'a>(token: &'a str, person: &'a str, times: &'a [[u8; 8]; 3]) -> [&'a [u8]; 5] {
    let [created, seen, expires] = times;
    [token.as_bytes(), person.as_bytes(), created, seen, expires]
}

fn session_code(keys: &SealKeys, token: &str, session: &Session) -> Vec<u8> {
    keys.seal(Purpose::Session, &session_fields(token, &session.person, &times(session)))
}

/// The session of a row with the columns person, created, seen, expires, mac; none unless the code fits.
fn sealed_session(keys: &SealKeys, token: &str, row: &Row) -> Option<Session> {
    sealed_row(keys, Purpose::Session, token, row)
}

/// The same for what else is kept in such a row, with a code of its own purpose.
pub(super) fn sealed_row(keys: &SealKeys, purpose: Purpose, token: &str, row: &Row) -> Option<Session> {
    let time = |column| row.integer(column).ok().map(Timestamp::from_micros);
    let session = Session {
        person: row.text(0).ok()?.to_owned(),
        created: time(1)?,
        seen: time(2)?,
        expires: time(3)?,
    };
    let times = times(&session);
    let fields = session_fields(token, &session.person, &times);
    let fits = keys.fits(purpose, &fields, row.bytes(4).ok()?);
    fits.then_some(session)
}

enum Redeemed {
    Session(String),
    Unknown,
    Altered,
}

async fn redeem(
    desk: Arc<Desk>,
    keys: SealKeys,
    (token, session): (String, String),
    (now, expires): (Timestamp, Timestamp),
) -> error::Result<Redeemed> {
    let micros = now.as_micros();
    let mut tx = desk.begin().await?;
    let sql = "UPDATE link SET used_at = $2 WHERE token = $1 AND used_at IS NULL AND expires > $2 \
               RETURNING person, expires, mac";
    let used = tx.fetch(sql.into_sql_str(), &[(&token).into(), micros.into()]).await?;
    let Some(row) = used.first() else {
        tx.rollback().await?;
        return Ok(Redeemed::Unknown);
    };
    let (person, end, mac) = (row.text(0)?.to_owned(), row.integer(1)?, row.bytes(2)?);
    if !keys.fits(Purpose::Link, &link_fields(&token, &person, &end.to_be_bytes()), mac) {
        tx.rollback().await?;
        return Ok(Redeemed::Altered);
    }
    let opened = Session { person: person.clone(), created: now, seen: now, expires };
    let mac = session_code(&keys, &session, &opened);
    let sql =
        "INSERT INTO session (token, person, created, seen, expires, mac) VALUES ($1, $2, $3, $3, $4, $5)";
    let values = [
        (&session).into(),
        (&person).into(),
        micros.into(),
        expires.as_micros().into(),
        mac.as_slice().into(),
    ];
    tx.execute(sql, &values).await?;
    let actor = Actor::Person { id: person.clone() };
    let data = data::SignedIn { by: "one-time link".to_owned() };
    insert_entry(&mut tx, &Entry::new(now, actor, data)).await?;
    // A sign-in pays for the ones that are over, so neither table grows with history.
    tx.execute("DELETE FROM session WHERE expires <= $1", &[micros.into()]).await?;
    tx.execute("DELETE FROM link WHERE expires <= $1", &[micros.into()]).await?;
    tx.commit().await?;
    Ok(Redeemed::Session(person))
}

/// Deletes a session. False when there was a row and this gate did not write it: that is nobody's sign-out.
async fn end(desk: Arc<Desk>, keys: SealKeys, token: String, now: Timestamp) -> error::Result<bool> {
    let mut tx = desk.begin().await?;
    let sql = "DELETE FROM session WHERE token = $1 RETURNING person, created, seen, expires, mac";
    let gone = tx.fetch(sql.into_sql_str(), &[(&token).into()]).await?;
    let session = gone.first().and_then(|row| sealed_session(&keys, &token, row));
    if let Some(Session { person, .. }) = &session {
        let actor = Actor::Person { id: person.clone() };
        let data = EventData::SignedOut(Box::default());
        insert_entry(&mut tx, &Entry::new(now, actor, data)).await?;
    }
    tx.commit().await?;
    Ok(gone.is_empty() || session.is_some())
}
