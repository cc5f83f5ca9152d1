//! Which gate processes are alive, and which rules are in force. What a dispatch rests on, as rows.
//!
//! On SQLite the lock beside the file says who is alive, so nothing is written while nothing happens. On PostgreSQL
//! a process renews its row every few seconds; one that did not is gone, whatever its clock says.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::audit::Entry;
use countersign_core::digest::Digest;
use countersign_core::limits::PROCESS_LIFE;
use countersign_core::time::Timestamp;
use sqlx::SqlSafeStr as _;

use super::Store;
use super::db::Target;
use super::desk::Tx;
use super::entry::insert_entry;
use super::error;
use super::gate_lock::Hold;
use super::moment::{rules_fields, time};
use crate::fault::Fault;
use crate::seal::{Purpose, SealKeys};
use crate::world::World;

/// Between two looks at another process's row while this one waits for it to lapse.
const LOOK: Duration = Duration::from_millis(250);

/// What became of an attempt to be the gate of a database.
enum Entered {
    /// This process is the gate.
    Alone,
    /// This one is, until then.
    Taken(String, i64),
}

impl Store {
    /// Makes this process the gate of its database. Waits for one that was killed to lapse, and refuses beside
    /// one that is alive: several gates on one database are not supported.
    pub async fn enter(&self, owner: &str) -> Result<(), Fault> {
        self.has_its_key().await?;
        let mut seen: Option<(String, i64)> = None;
        loop {
            let (other, until) = match self.try_enter(owner).await? {
                Entered::Alone => return Ok(()),
                Entered::Taken(other, until) => (other, until),
            };
            match &seen {
                None => tracing::warn!(
                    other,
                    "another gate may be running on this database; waiting for it to lapse"
                ),
                Some(before) if *before == (other.clone(), until) => {}
                Some(_) => {
                    let detail = format!(
                        "another gate (`{other}`) is running on this database; stop it first, because several \
                         gates on one database are not supported"
                    );
                    return Err(Fault::new("open the database", detail));
                }
            }
            seen = Some((other, until));
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Without the key under which it was sealed, nothing in the database could be told from a forgery.
    async fn has_its_key(&self) -> Result<(), Fault> {
        let fault = |e| Fault::new("read the active rules", e);
        let rows =
            self.readers.fetch("SELECT mac FROM active_rules WHERE id = 1", &[]).await.map_err(fault)?;
        let Some(row) = rows.first() else { return Ok(()) };
        match self.keys.unknown_key(row.bytes(0).map_err(fault)?) {
            None => Ok(()),
            Some(id) => {
                let detail = format!(
                    "it was sealed with the record key {id}, and the one here is {}; put the former key back, or name \
                     it in `[store] old_key_files`",
                    self.keys.current_id()
                );
                Err(Fault::new("recognise the database", detail))
            }
        }
    }

    async fn try_enter(&self, owner: &str) -> Result<Entered, Fault> {
        let (desk, world, lock) = (Arc::clone(&self.desk), self.world.clone(), self.lock);
        let owner = owner.to_owned();
        let work = async move {
            let mut tx = desk.begin().await?;
            lock.take(&mut tx, Hold::Exclusive).await?;
            let now = time(&mut tx, &world).await?;
            // The lock on a file ends with its process, so whoever is in there is gone.
            let alone = matches!(tx.target(), Target::Sqlite(_));
            let sql = "SELECT owner, alive_until FROM process WHERE alive_until > $1 AND owner <> $2 LIMIT 1";
            let others = tx.fetch(sql.into_sql_str(), &[now.as_micros().into(), (&owner).into()]).await?;
            if let Some(row) = others.first().filter(|_| !alone) {
                let other = (row.text(0)?.to_owned(), row.integer(1)?);
                tx.rollback().await?;
                return Ok(Entered::Taken(other.0, other.1));
            }
            tx.execute("DELETE FROM process", &[]).await?;
            // Nobody prepares these calls any more.
            let sql =
                "UPDATE proposal SET lease_until = NULL WHERE state = 'ready' AND lease_until IS NOT NULL";
            tx.execute(sql, &[]).await?;
            let until = if alone { i64::MAX } else { now.plus(PROCESS_LIFE).as_micros() };
            let sql = "INSERT INTO process (owner, alive_until) VALUES ($1, $2)";
            tx.execute(sql, &[(&owner).into(), until.into()]).await?;
            tx.commit().await?;
            Ok(Entered::Alone)
        };
        self.desk.run(work).await.map_err(|e| Fault::new("enter the database", e))
    }

    /// Renews this process's row, where that is how others know that it lives. One that lapsed lives again only
    /// when nobody took its place.
    pub async fn renew(&self, owner: &str) -> Result<bool, Fault> {
        if self.desk.target().is_file() {
            return Ok(true);
        }
        let (desk, world) = (Arc::clone(&self.desk), self.world.clone());
        let owner = owner.to_owned();
        let work = async move {
            let mut tx = desk.begin().await?;
            let now = time(&mut tx, &world).await?;
            let sql = "UPDATE process SET alive_until = $2 WHERE owner = $1";
            let renewed =
                tx.execute(sql, &[(&owner).into(), now.plus(PROCESS_LIFE).as_micros().into()]).await?;
            tx.commit().await?;
            Ok(renewed == 1)
        };
        self.desk.run(work).await.map_err(|e| Fault::new("renew this process's row", e))
    }

    /// Gives the database free for the next process at once.
    pub async fn leave(&self, owner: &str) -> Result<(), Fault> {
        let (desk, owner) = (Arc::clone(&self.desk), owner.to_owned());
        let work = async move {
            let mut tx = desk.begin().await?;
            tx.execute("DELETE FROM process WHERE owner = $1", &[(&owner).into()]).await?;
            tx.commit().await
        };
        self.desk.run(work).await.map_err(|e| Fault::new("leave the database", e))
    }

    /// Whether the process of this name may still be making calls, by the database's time.
    pub async fn is_alive(&self, owner: &str) -> Result<bool, Fault> {
        let (desk, world, owner) = (Arc::clone(&self.desk), self.world.clone(), owner.to_owned());
        let work = async move {
            let mut tx = desk.begin().await?;
            let now = time(&mut tx, &world).await?;
            let sql = "SELECT 1 FROM process WHERE owner = $1 AND alive_until > $2".into_sql_str();
            let found = tx.fetch(sql, &[(&owner).into(), now.as_micros().into()]).await?;
            tx.rollback().await?;
            Ok(!found.is_empty())
        };
        self.desk.run(work).await.map_err(|e| Fault::new("look for a process", e))
    }

    /// Puts rules in force, with the entry that says so, in one transaction. From then on a dispatch that was
    /// decided under others is not recorded.
    pub async fn activate(&self, rules: &Digest, entry: &Entry) -> Result<(), Fault> {
        let (desk, lock, keys) = (Arc::clone(&self.desk), self.lock, self.keys.clone());
        let (rules, entry) = (rules.to_string(), entry.clone());
        let work = async move {
            let mut tx = desk.begin().await?;
            lock.take(&mut tx, Hold::Exclusive).await?;
            put_rules(&mut tx, &keys, &rules).await?;
            insert_entry(&mut tx, &entry).await?;
            tx.commit().await
        };
        self.desk.run(work).await.map_err(|e| Fault::new("put the rules in force", e).in_doubt())
    }

    /// The database's time.
    pub async fn now(&self) -> Result<Timestamp, Fault> {
        let (desk, world): (_, World) = (Arc::clone(&self.desk), self.world.clone());
        if desk.target().is_file() {
            return Ok(world.now());
        }
        let work = async move {
            let mut tx = desk.begin().await?;
            let now = time(&mut tx, &world).await?;
            tx.rollback().await?;
            Ok(now)
        };
        self.desk.run(work).await.map_err(|e| Fault::new("read the database's time", e))
    }
}

async fn put_rules(tx: &mut Tx<'_>, keys: &SealKeys, rules: &str) -> error::Result<()> {
    let found = tx.fetch("SELECT epoch FROM active_rules WHERE id = 1".into_sql_str(), &[]).await?;
    let epoch = found.first().map_or(Ok(0), |row| row.integer(0))?.saturating_add(1);
    let mac = keys.seal(Purpose::ActiveRules, &rules_fields(rules, &epoch.to_be_bytes()));
    let sql = "INSERT INTO active_rules (id, digest, epoch, mac) VALUES (1, $1, $2, $3) \
               ON CONFLICT (id) DO UPDATE SET digest = excluded.digest, epoch = excluded.epoch, \
               mac = excluded.mac";
    tx.execute(sql, &[rules.into(), epoch.into(), mac.as_slice().into()]).await.map(drop)
}
