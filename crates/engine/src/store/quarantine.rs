//! Rows that are not what the gate wrote. They are set aside with an alarm, and everybody else is served.

use std::sync::Arc;

use countersign_core::audit::{Actor, Entry, StoredEntry, data, entry_hash};
use countersign_core::id::ProposalId;
use countersign_core::proposal::Record;

use super::entry::insert_entry;
use super::header::RECORD_COLUMNS;
use super::{Store, header};
use crate::fault::{Fault, Stop};

/// The condition that leaves out what is set aside, for a statement over `proposal AS p`.
pub(super) const NOT_SET_ASIDE: &str = "NOT EXISTS (SELECT 1 FROM quarantine AS q WHERE q.proposal = p.id)";

impl Store {
    /// Sets a proposal aside, once, with an alarm. A fault here only means that the next look does it.
    pub(super) async fn set_aside(&self, id: ProposalId, why: &str) {
        tracing::error!(proposal = %id, why, "a stored proposal is not what the gate wrote; it is quarantined");
        let now = self.world.now();
        let entry = Entry::new(now, Actor::Gate, data::Quarantined { why: why.to_owned() }).about(id, 0);
        let (desk, id, why) = (Arc::clone(&self.desk), id.to_string(), why.to_owned());
        let work = async move {
            let mut tx = desk.begin().await?;
            let sql = "INSERT INTO quarantine (proposal, at, why) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
            let new = tx.execute(sql, &[(&id).into(), now.as_micros().into(), (&why).into()]).await?;
            if new == 0 {
                return tx.rollback().await;
            }
            // An equal request is to get a proposal of its own, and not this one.
            tx.execute("UPDATE proposal SET join_key = NULL WHERE id = $1", &[(&id).into()]).await?;
            insert_entry(&mut tx, &entry).await?;
            tx.commit().await
        };
        if let Err(error) = self.desk.run(work).await {
            tracing::error!(%error, "a proposal could not be quarantined");
        }
    }

    /// What is set aside, and why.
    pub async fn quarantined(&self) -> Result<Vec<(String, String)>, Fault> {
        let fault = |e| Fault::new("list what is quarantined", e);
        let sql = "SELECT proposal, why FROM quarantine ORDER BY at LIMIT 1000";
        let rows = self.readers.fetch(sql, &[]).await.map_err(fault)?;
        let texts = |row: &super::db::Row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()));
        rows.iter().map(texts).collect::<super::error::Result<_>>().map_err(fault)
    }

    /// Looks at a quarantined proposal again and takes it out when it is sound: its row was put right. Gives what
    /// is still wrong with it otherwise.
    pub async fn repair(&self, id: ProposalId, by: &str) -> Result<Result<(), String>, Fault> {
        let fault = |e| Fault::new("look at a quarantined proposal", e);
        let sql = format!("SELECT {RECORD_COLUMNS} FROM proposal AS p WHERE p.id = $1");
        let rows = self.readers.fetch(sqlx::AssertSqlSafe(sql), &[(&id.to_string()).into()]).await;
        let rows = rows.map_err(fault)?;
        let Some(row) = rows.first() else { return Ok(Err("there is no such proposal".to_owned())) };
        let sound = match header::read(row, &self.keys) {
            Ok(record) => self.against_log(&record).await?,
            Err(why) => Err(why),
        };
        if sound.is_err() {
            return Ok(sound);
        }
        let entry = Entry::new(self.world.now(), Actor::Gate, data::Repaired { by: by.to_owned() });
        let (desk, entry, id) = (Arc::clone(&self.desk), entry.about(id, 0), id.to_string());
        let work = async move {
            let mut tx = desk.begin().await?;
            if tx.execute("DELETE FROM quarantine WHERE proposal = $1", &[(&id).into()]).await? > 0 {
                insert_entry(&mut tx, &entry).await?;
            }
            tx.commit().await
        };
        self.desk.run(work).await.map_err(|e| Fault::new("take a proposal out of quarantine", e))?;
        Ok(Ok(()))
    }

    /// Compares a record with its log entries: they must lead to exactly this version and hold every approval. A
    /// row that was put back to an earlier state, or approvals that nobody gave, are found here.
    pub async fn is_as_logged(&self, record: &Record) -> Result<bool, Stop> {
        let Err(why) = self.against_log(record).await? else { return Ok(true) };
        // It may have moved between the two reads. Then the version guard of its next move says so.
        let id = record.proposal.id;
        if self.proposal(id).await?.is_some_and(|now| now.version > record.version) {
            return Ok(true);
        }
        self.set_aside(id, &why).await;
        Ok(false)
    }

    async fn against_log(&self, record: &Record) -> Result<Result<(), String>, Fault> {
        let mut approvals = Vec::new();
        let mut version = 0_u32;
        for logged in self.history(record.proposal.id).await? {
            let entry = match StoredEntry::from_bytes(&logged.body) {
                Ok(entry) => entry,
                Err(why) => return Ok(Err(format!("one of its log entries is not sound: {why}"))),
            };
            if logged.leaf.is_some_and(|leaf| leaf != entry_hash(entry.at, &logged.body)) {
                return Ok(Err("one of its log entries was changed after it was logged".to_owned()));
            }
            if entry.version == 0 {
                continue;
            }
            version = version.saturating_add(1);
            if entry.version != version {
                return Ok(Err(format!("the log has no entry for its version {version}")));
            }
            approvals.extend(entry.approval());
        }
        if version != record.version {
            let why =
                format!("the log leads to its version {version}, and what is stored is {}", record.version);
            return Ok(Err(why));
        }
        if record.approvals == approvals {
            Ok(Ok(()))
        } else {
            Ok(Err("its approvals are not the ones in the log".to_owned()))
        }
    }
}
