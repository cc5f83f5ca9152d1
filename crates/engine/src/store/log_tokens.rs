//! Tokens with which a program reads the log for a person: checkpoints and exports, and nothing else.
//!
//! They are kept beside sessions, in the same table and by the digest of the token, with a code of another purpose:
//! so neither is ever taken for the other, whatever somebody writes into the database.

use std::sync::Arc;

use countersign_core::audit::{Actor, Entry, data};
use countersign_core::digest::Digest;
use countersign_core::time::Timestamp;
use sqlx::SqlSafeStr as _;

use super::desk::Desk;
use super::entry::insert_entry;
use super::error::{self, Error};
use super::people::{sealed_row, session_fields, times};
use super::{Session, Store};
use crate::fault::Fault;
use crate::seal::{Purpose, SealKeys};

impl Store {
    /// Keeps a token for the log, by its digest, and its entry.
    pub async fn add_log_token(
        &self,
        token: &Digest,
        person: &str,
        (now, expires): (Timestamp, Timestamp),
    ) -> Result<(), Fault> {
        let fault = |e: Error| Fault::new("keep a token for the log", e);
        let (desk, token) = (Arc::clone(&self.desk), token.to_string());
        let kept = Session { person: person.to_owned(), created: now, seen: now, expires };
        let mac = self.keys.seal(Purpose::LogToken, &session_fields(&token, person, &times(&kept)));
        let made = Entry::new(now, Actor::Gate, data::LogTokenMade { person: person.to_owned(), expires });
        let work = async move {
            let mut tx = desk.begin().await?;
            let sql = "INSERT INTO session (token, person, created, seen, expires, mac) \
                       VALUES ($1, $2, $3, $3, $4, $5)";
            let values = [
                (&token).into(),
                (&kept.person).into(),
                now.as_micros().into(),
                expires.as_micros().into(),
                mac.as_slice().into(),
            ];
            tx.execute(sql, &values).await?;
            insert_entry(&mut tx, &made).await?;
            tx.commit().await
        };
        self.desk.run(work).await.map_err(fault)
    }

    /// Who reads the log with this token, by its digest, while it lasts. A row that this gate did not write, or that
    /// cannot be read, is no token.
    pub async fn log_token(&self, token: &Digest, now: Timestamp) -> Result<Option<Session>, Fault> {
        let token = token.to_string();
        let sql = "SELECT person, created, seen, expires, mac FROM session WHERE token = $1 AND expires > $2";
        let found = match self.readers.fetch(sql, &[(&token).into(), now.as_micros().into()]).await {
            Ok(rows) => rows.first().map(|row| sealed_row(&self.keys, Purpose::LogToken, &token, row)),
            Err(error) if error.is_about_content() => Some(None),
            Err(error) => return Err(Fault::new("read a token for the log", error)),
        };
        if found == Some(None) {
            self.altered.report("token for the log", &token);
        }
        Ok(found.flatten())
    }

    /// Ends every token for the log that this person has, and writes the entry when there was one. Gives how many.
    pub async fn revoke_log_tokens(&self, person: &str, now: Timestamp) -> Result<u64, Fault> {
        let work = revoke(Arc::clone(&self.desk), self.keys.clone(), person.to_owned(), now);
        self.desk.run(work).await.map_err(|e| Fault::new("revoke tokens for the log", e))
    }
}

async fn revoke(desk: Arc<Desk>, keys: SealKeys, person: String, now: Timestamp) -> error::Result<u64> {
    let mut tx = desk.begin().await?;
    let sql = "SELECT person, created, seen, expires, mac, token FROM session WHERE person = $1";
    let mut revoked = 0_u64;
    for row in tx.fetch(sql.into_sql_str(), &[(&person).into()]).await? {
        let token = row.text(5)?;
        // Their sessions stay: only the code tells the two apart.
        if sealed_row(&keys, Purpose::LogToken, token, &row).is_some() {
            let gone = tx.execute("DELETE FROM session WHERE token = $1", &[token.into()]).await?;
            revoked = revoked.saturating_add(gone);
        }
    }
    if revoked > 0 {
        let data = data::LogTokensRevoked { person, tokens: revoked };
        insert_entry(&mut tx, &Entry::new(now, Actor::Gate, data)).await?;
    }
    tx.commit().await?;
    Ok(revoked)
}
