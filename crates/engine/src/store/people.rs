//! Sign-in links and sessions. Only digests of tokens are here, so a copy of the database opens nothing (T47).

use std::sync::Arc;
use std::time::Duration;

use countersign_core::digest::Digest;
use countersign_core::time::Timestamp;
use sqlx::SqlSafeStr as _;

use super::desk::Desk;
use super::error::{self, Error};
use super::{Session, Store};
use crate::fault::Fault;

/// How exact `seen` is: one write a minute for a session in use, rather than one for every request.
const SEEN_TO: Duration = Duration::from_mins(1);

impl Store {
    /// Keeps a one-time sign-in link, by the digest of its token.
    pub async fn add_link(&self, token: &Digest, person: &str, expires: Timestamp) -> Result<(), Fault> {
        let fault = |e: Error| Fault::new("keep a sign-in link", e);
        let (desk, token, person) = (Arc::clone(&self.desk), token.to_string(), person.to_owned());
        let work = async move {
            let mut tx = desk.begin().await?;
            let sql = "INSERT INTO link (token, person, expires) VALUES ($1, $2, $3)";
            tx.execute(sql, &[(&token).into(), (&person).into(), expires.as_micros().into()]).await?;
            tx.commit().await
        };
        self.desk.run(work).await.map_err(fault)
    }

    /// Uses up a link and opens a session in one transaction. None when it is unknown, used or too old.
    pub async fn redeem_link(
        &self,
        token: &Digest,
        session: &Digest,
        now: Timestamp,
        expires: Timestamp,
    ) -> Result<Option<String>, Fault> {
        let work = redeem(Arc::clone(&self.desk), (token.to_string(), session.to_string()), (now, expires));
        self.desk.run(work).await.map_err(|e| Fault::new("use a sign-in link", e))
    }

    /// A live session, by the digest of its token; marks it seen at most once a minute. One that nobody used
    /// for longer than `idle` is over, and asking for it does not revive it.
    pub async fn session(
        &self,
        token: &Digest,
        now: Timestamp,
        idle: Duration,
    ) -> Result<Option<Session>, Fault> {
        let fault = |e: Error| Fault::new("read a session", e);
        let token = token.to_string();
        let sql = "SELECT person, created, seen, expires FROM session WHERE token = $1 AND expires > $2";
        let values = [(&token).into(), now.as_micros().into()];
        let rows = self.readers.fetch(sql, &values).await.map_err(fault)?;
        let Some(row) = rows.first() else { return Ok(None) };
        let time = |column| row.integer(column).map(Timestamp::from_micros).map_err(fault);
        let session = Session {
            person: row.text(0).map_err(fault)?.to_owned(),
            created: time(1)?,
            seen: time(2)?,
            expires: time(3)?,
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
        let (desk, before) = (Arc::clone(&self.desk), session.seen);
        let work = async move {
            let mut tx = desk.begin().await?;
            let sql = "UPDATE session SET seen = $2 WHERE token = $1 AND seen = $3";
            tx.execute(sql, &[(&token).into(), now.as_micros().into(), before.as_micros().into()]).await?;
            tx.commit().await
        };
        self.desk.run(work).await.map_err(fault)?;
        Ok(Some(Session { seen: now, ..session }))
    }

    /// Ends a session.
    pub async fn end_session(&self, token: &Digest) -> Result<(), Fault> {
        let fault = |e: Error| Fault::new("end a session", e);
        let (desk, token) = (Arc::clone(&self.desk), token.to_string());
        let work = async move {
            let mut tx = desk.begin().await?;
            tx.execute("DELETE FROM session WHERE token = $1", &[(&token).into()]).await?;
            tx.commit().await
        };
        self.desk.run(work).await.map_err(fault)
    }
}

async fn redeem(
    desk: Arc<Desk>,
    (token, session): (String, String),
    (now, expires): (Timestamp, Timestamp),
) -> error::Result<Option<String>> {
    let now = now.as_micros();
    let mut tx = desk.begin().await?;
    let sql = "UPDATE link SET used_at = $2 WHERE token = $1 AND used_at IS NULL AND expires > $2 \
               RETURNING person";
    let used = tx.fetch(sql.into_sql_str(), &[(&token).into(), now.into()]).await?;
    let Some(row) = used.first() else {
        tx.rollback().await?;
        return Ok(None);
    };
    let person = row.text(0)?.to_owned();
    let sql = "INSERT INTO session (token, person, created, seen, expires) VALUES ($1, $2, $3, $3, $4)";
    tx.execute(sql, &[(&session).into(), (&person).into(), now.into(), expires.as_micros().into()]).await?;
    // A sign-in pays for the ones that are over, so neither table grows with history.
    tx.execute("DELETE FROM session WHERE expires <= $1", &[now.into()]).await?;
    tx.execute("DELETE FROM link WHERE expires <= $1", &[now.into()]).await?;
    tx.commit().await?;
    Ok(Some(person))
}
