//! What is true while a dispatch is being recorded, read inside its transaction: the database's time, the rules
//! in force, whether this process counts as alive, and whether the log takes more.

use std::sync::Arc;
use std::time::Duration;

use countersign_core::time::Timestamp;
use sqlx::SqlSafeStr as _;

use super::admit::Moment;
use super::db::Target;
use super::desk::Tx;
use super::error;
use super::gate_lock::{GateLock, Hold};
use super::health::LogHealth;
use crate::seal::{Purpose, SealKeys};
use crate::world::World;

/// Reads moments.
#[derive(Debug, Clone)]
pub(super) struct Moments {
    world: World,
    keys: SealKeys,
    health: Arc<LogHealth>,
    lock: GateLock,
}

impl Moments {
    pub(super) fn new(world: World, keys: SealKeys, health: Arc<LogHealth>, lock: GateLock) -> Self {
        Self { world, keys, health, lock }
    }

    /// The monotonic clock of this process.
    pub(super) fn ticks(&self) -> Duration {
        self.world.ticks()
    }

    /// Takes the gate lock shared and then reads: what changes the rules takes it exclusive, so neither can pass
    /// the other unseen.
    pub(super) async fn read(&self, tx: &mut Tx<'_>, owner: &str) -> error::Result<Moment> {
        self.lock.take(tx, Hold::Shared).await?;
        let sql = "SELECT a.digest, a.epoch, a.mac, (SELECT alive_until FROM process WHERE owner = $1) \
                   FROM active_rules AS a WHERE a.id = 1";
        let rows = tx.fetch(sql.into_sql_str(), &[owner.into()]).await?;
        let now = time(tx, &self.world).await?;
        let (mut rules, mut alive_until) = (None, None);
        if let Some(row) = rows.first() {
            let (digest, epoch) = (row.text(0)?, row.integer(1)?);
            let sealed = rules_fit(&self.keys, digest, epoch, row.bytes(2)?);
            if !sealed {
                tracing::error!("the row of the active rules is not what the gate wrote; reload the gate");
            }
            rules = sealed.then(|| digest.to_owned());
            alive_until = row.maybe_integer(3)?;
        }
        Ok(Moment {
            now,
            ticks: self.world.ticks(),
            rules,
            alive_until,
            log: self.health.problem(self.world.ticks()),
        })
    }
}

/// Whether the row of the active rules is what the gate wrote.
pub(super) fn rules_fit(keys: &SealKeys, digest: &str, epoch: i64, code: &[u8]) -> bool {
    keys.fits(Purpose::ActiveRules, &rules_fields(digest, &epoch.to_be_bytes()), code)
}

/// What the code of the row of the active rules covers.
pub(super) fn rules_fields<'a>(digest: &'a str, epoch: &'a [u8; 8]) -> [&'a [u8]; 2] {
    [digest.as_bytes(), epoch]
}

/// The database's time: the server's clock, or that of this process, whose file it is.
pub(super) async fn time(tx: &mut Tx<'_>, world: &World) -> error::Result<Timestamp> {
    match tx.target() {
        Target::Sqlite(_) => Ok(world.now()),
        Target::Postgres(_) => {
            let sql = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
            let rows = tx.fetch(sql.into_sql_str(), &[]).await?;
            let row = rows.first().ok_or(error::Error::Foreign("the server has no clock"))?;
            Ok(Timestamp::from_micros(row.integer(0)?))
        }
    }
}
