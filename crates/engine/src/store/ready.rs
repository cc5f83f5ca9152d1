//! What a readiness check asks the database: through the reading connections, so that it never waits for the writer.

use countersign_core::digest::Digest;
use sqlx::AssertSqlSafe;

use super::error::Error;
use super::{Store, db, moment};
use crate::fault::Fault;

/// What the database says about this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Whether the rules in force there are these, and the row is what the gate wrote.
    pub rules_in_force: bool,
    /// Whether this process is entered as the one that works.
    pub entered: bool,
    /// How durable a commit is, in words.
    pub durability: String,
    /// Whether a commit waits for the disk at all.
    pub durable: bool,
}

impl Store {
    /// Reads it. An error means that the database does not answer.
    pub async fn standing(&self, owner: &str, rules: &Digest) -> Result<Standing, Fault> {
        let fault = |e: Error| Fault::new("look at the database", e);
        let sql = "SELECT a.digest, a.epoch, a.mac, (SELECT COUNT(*) FROM process WHERE owner = $1) \
                   FROM active_rules AS a WHERE a.id = 1";
        let found = self.readers.fetch(sql, &[owner.into()]).await.map_err(fault)?;
        let (mut rules_in_force, mut entered) = (false, false);
        if let Some(row) = found.first() {
            let (digest, epoch) = (row.text(0).map_err(fault)?, row.integer(1).map_err(fault)?);
            let sound = moment::rules_fit(&self.keys, digest, epoch, row.bytes(2).map_err(fault)?);
            rules_in_force = sound && digest == rules.to_string();
            entered = row.integer(3).map_err(fault)? > 0;
        }
        let (durability, durable) = self.durability().await.map_err(fault)?;
        Ok(Standing { rules_in_force, entered, durability, durable })
    }

    async fn durability(&self) -> Result<(String, bool), Error> {
        let Some(setting) = db::durability_setting(self.desk.target()) else {
            return Ok(("every commit waits for the disk (WAL, synchronous=FULL)".to_owned(), true));
        };
        let sql = format!("SELECT current_setting('{setting}')");
        let found = self.readers.fetch(AssertSqlSafe(sql), &[]).await?;
        let value = found.first().map_or(Ok("unknown"), |row| row.text(0))?;
        Ok((format!("{setting} = {value}"), value != "off"))
    }
}
