//! Creates the database and brings its tables to the version that this build knows.
//!
//! Forward only, each step in one transaction, and never edited after a release. Serving does none of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, SqlSafeStr as _};

use super::connect::{self, at};
use super::db::{Connection, Target};
use super::error::Error;
use crate::fault::Fault;
use crate::world::World;

struct Migration {
    version: i64,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 2,
        name: "initial",
        sqlite: include_str!("../../migrations/sqlite/0001_initial.sql"),
        postgres: include_str!("../../migrations/postgres/0001_initial.sql"),
    },
    Migration {
        version: 3,
        name: "parts",
        sqlite: include_str!("../../migrations/sqlite/0002_parts.sql"),
        postgres: include_str!("../../migrations/postgres/0002_parts.sql"),
    },
    Migration {
        version: 4,
        name: "find",
        sqlite: include_str!("../../migrations/sqlite/0003_find.sql"),
        postgres: include_str!("../../migrations/postgres/0003_find.sql"),
    },
];

/// The version that this build reads and writes.
const VERSION: i64 = 4;
/// The tables of a version that was never released. Their rows have no authentication code, so they are not
/// brought up to date: whoever could write them could have forged them.
const UNSEALED: i64 = 1;
/// Any number: the key under which PostgreSQL lets one process migrate at a time.
const MIGRATION_LOCK: i64 = 0x636f_756e_7465_7273;

/// Creates what is missing. Safe to run again, and by two processes at once.
pub(super) async fn create(url: &str) -> Result<(), Fault> {
    let target = connect::target(url)?;
    let lock = match connect::file(&target) {
        Some(path) => {
            create_file(path).map_err(|e| Fault::new("create the database", at(path, &e)))?;
            Some(connect::lock(path)?)
        }
        None => None,
    };
    if let Target::Postgres(options) = &target {
        create_database(options).await.map_err(|e| Fault::new("create the database", e))?;
    }
    let mut connection =
        connect::checked(&target).await.map_err(|e| Fault::new("connect to the database", e))?;
    for migration in MIGRATIONS {
        apply(&mut connection, migration).await?;
    }
    identify(&mut connection).await.map_err(|e| Fault::new("give the database an identity", e))?;
    connection.close().await.map_err(|e| Fault::new("close the database", e))?;
    drop(lock);
    Ok(())
}

/// Gives a new database its incarnation. One that has it keeps it.
async fn identify(connection: &mut Connection) -> super::error::Result<()> {
    let world = World::system();
    let (incarnation, now) = (world.random_hex::<16>(), world.now().as_micros());
    let sql =
        "INSERT INTO gate_identity (id, incarnation, created) VALUES (1, $1, $2) ON CONFLICT (id) DO NOTHING";
    connection.execute(sql.into_sql_str(), &[(&incarnation).into(), now.into()]).await.map(drop)
}

/// An empty file that only its owner reads: proposals hold customers' data. SQLite gives the files that it
/// makes beside it the same permissions.
fn create_file(path: &Path) -> io::Result<()> {
    match File::options().write(true).create_new(true).mode(0o600).open(path) {
        Ok(file) => file.sync_all()?,
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(e) => return Err(e),
    }
    // The file's name must survive a power cut too.
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

async fn create_database(options: &PgConnectOptions) -> super::error::Result<()> {
    let wanted = Target::Postgres(Box::new(options.clone()));
    match Connection::open(&wanted).await {
        Ok(connection) => return connection.close().await,
        Err(e) if e.is_no_database() => {}
        Err(e) => return Err(e),
    }
    let name = options.get_database().unwrap_or_else(|| options.get_username()).replace('"', "\"\"");
    let beside = Target::Postgres(Box::new(options.clone().database("postgres")));
    let mut connection = Connection::open(&beside).await?;
    // A name cannot be a bound value; it is the operator's own, and quoted.
    let sql = format!("CREATE DATABASE \"{name}\" TEMPLATE template0 ENCODING 'UTF8'");
    match connection.script(AssertSqlSafe(sql)).await {
        Ok(()) => {}
        // Somebody else was faster.
        Err(e) if e.is_there_already() => {}
        Err(e) => return Err(e),
    }
    connection.close().await
}

async fn apply(connection: &mut Connection, migration: &Migration) -> Result<(), Fault> {
    let fault = |e: Error| Fault::new("migrate the database", e);
    connection.begin().await.map_err(fault)?;
    if let Connection::Postgres(_) = connection {
        let sql = "SELECT pg_advisory_xact_lock($1)".into_sql_str();
        connection.execute(sql, &[MIGRATION_LOCK.into()]).await.map_err(fault)?;
    }
    let table = "CREATE TABLE IF NOT EXISTS schema_version \
                 (version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL)";
    connection.script(table).await.map_err(fault)?;
    let version = version(connection).await.map_err(fault)?.unwrap_or(0);
    if version > VERSION {
        connection.script("ROLLBACK").await.map_err(fault)?;
        return Err(newer(version));
    }
    if version == UNSEALED {
        connection.script("ROLLBACK").await.map_err(fault)?;
        return Err(unsealed());
    }
    if version >= migration.version {
        return connection.script("ROLLBACK").await.map_err(fault);
    }
    let text = match connection {
        Connection::Sqlite(_) => migration.sqlite,
        Connection::Postgres(_) => migration.postgres,
    };
    connection.script(text).await.map_err(fault)?;
    let record = "INSERT INTO schema_version (version, name) VALUES (CAST($1 AS INTEGER), $2)".into_sql_str();
    let values = [migration.version.into(), migration.name.into()];
    connection.execute(record, &values).await.map_err(fault)?;
    connection.script("COMMIT").await.map_err(fault)
}

/// The version of the tables; none when there are none.
async fn version(connection: &mut Connection) -> super::error::Result<Option<i64>> {
    let sql = "SELECT CAST(MAX(version) AS BIGINT) FROM schema_version".into_sql_str();
    match connection.fetch(sql, &[]).await {
        Ok(rows) => rows.first().map_or(Ok(None), |row| row.maybe_integer(0)),
        Err(e) if e.is_no_table() => Ok(None),
        Err(e) => Err(e),
    }
}

/// Refuses what this build does not know: nothing, older tables, newer tables (T139).
pub(super) async fn require_current(target: &Target) -> Result<(), Fault> {
    let missing = |what: &str| {
        Err(Fault::new("open the database", format!("{what}; create it with `countersign init`")))
    };
    if let Some(path) = connect::file(target)
        && !path.exists()
    {
        return missing(&format!("`{}` does not exist", path.display()));
    }
    let mut connection = match connect::checked(target).await {
        Ok(connection) => connection,
        Err(e) if e.is_no_database() => return missing("the database does not exist"),
        Err(e) => return Err(Fault::new("connect to the database", e)),
    };
    let found = version(&mut connection).await;
    connection.close().await.map_err(|e| Fault::new("close the database", e))?;
    match found.map_err(|e| Fault::new("read the version of the database", e))? {
        None => missing("the database has no tables"),
        Some(VERSION) => Ok(()),
        Some(version) if version > VERSION => Err(newer(version)),
        Some(UNSEALED) => Err(unsealed()),
        Some(version) => {
            let detail = format!(
                "its tables have version {version} and this build needs {VERSION}; back it up, then run \
                 `countersign init` to upgrade it"
            );
            Err(Fault::new("open the database", detail))
        }
    }
}

fn newer(version: i64) -> Fault {
    let detail = format!("its tables have version {version}, newer than {VERSION}; use a newer countersign");
    Fault::new("open the database", detail)
}

fn unsealed() -> Fault {
    let detail = "its tables were made by a version that did not authenticate what it stored; export its log with \
                  that version, then make a new gate directory";
    Fault::new("open the database", detail)
}
