//! A private PostgreSQL for one test process: its own directory, its own socket, no network.
//!
//! It ends with the process, however that ends: a small shell holds the server, and the pipe that the
//! shell reads from breaks when the test process is gone.
//!
//! `COUNTERSIGN_TEST_POSTGRES_URL` names a server to use instead. Without one and without PostgreSQL on the
//! machine the tests are skipped, unless `COUNTERSIGN_REQUIRE_POSTGRES=1`.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// The shell that holds the server. Its arguments: the directory of the programs.
const KEEPER: &str = r#"
set -eu
trap '' INT TERM HUP
bin=$1
dir=$(mktemp -d /tmp/countersign-pg.XXXXXX)
trap 'rm -rf "$dir"' EXIT
{
    "$bin/initdb" -D "$dir/data" -U countersign --auth=trust --encoding=UTF8 --locale=C --no-sync
    "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w \
        -o "-k $dir -c listen_addresses= -c fsync=off -c max_connections=300 -c shared_buffers=32MB" start
} >"$dir/start" 2>&1 || { tail -5 "$dir/start" "$dir/log" 1>&2 2>/dev/null; exit 1; }
echo "$dir"
read -r _ || true
"$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1 || true
"#;

enum Server {
    /// Held by the shell for as long as this process lives.
    Private { directory: String, _keeper: Child },
    /// Somebody else's, by its URL.
    Given(String),
}

static SERVER: OnceLock<Option<Server>> = OnceLock::new();
static DATABASES: AtomicU32 = AtomicU32::new(0);

/// The URL of a database that does not exist yet. None when there is no PostgreSQL and none is required.
pub fn fresh_url() -> Option<String> {
    let server = SERVER.get_or_init(start).as_ref()?;
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    let name = format!("countersign_test_{}_{number}", std::process::id());
    Some(match server {
        Server::Private { directory, .. } => {
            format!("postgres://countersign@localhost/{name}?host={directory}&sslmode=disable")
        }
        Server::Given(url) => {
            let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
            let (base, _) = address.rsplit_once('/').expect("a PostgreSQL URL names a database");
            format!("{base}/{name}?{parameters}")
        }
    })
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests are configured by their environment")]
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn start() -> Option<Server> {
    if let Some(url) = variable("COUNTERSIGN_TEST_POSTGRES_URL") {
        return Some(Server::Given(url));
    }
    let required = variable("COUNTERSIGN_REQUIRE_POSTGRES").is_some_and(|v| v == "1");
    let Some(programs) = programs() else {
        assert!(!required, "COUNTERSIGN_REQUIRE_POSTGRES=1, but there is no initdb on this machine");
        say("skipped: there is no PostgreSQL on this machine");
        return None;
    };
    Some(keep(&programs))
}

/// Where `initdb` and `postgres` are.
pub fn programs() -> Option<PathBuf> {
    let told = Command::new("pg_config").arg("--bindir").output().ok();
    let told = told.map(|out| PathBuf::from(String::from_utf8_lossy(&out.stdout).trim()));
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut candidates: Vec<PathBuf> = installed.map(|entry| entry.path().join("bin")).collect();
    candidates.sort();
    candidates.extend(told);
    candidates.into_iter().rev().find(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
}

fn keep(programs: &std::path::Path) -> Server {
    // PostgreSQL refuses to run as root.
    let root = Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout == b"0\n");
    let mut command = if root {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh"]);
        command
    } else {
        Command::new("sh")
    };
    let mut keeper = command
        .args(["-c", KEEPER, "keeper"])
        .arg(programs)
        .current_dir("/tmp")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the keeper of PostgreSQL starts");
    let mut directory = String::new();
    BufReader::new(keeper.stdout.take().expect("the keeper speaks"))
        .read_line(&mut directory)
        .expect("the keeper says where it is");
    assert!(!directory.is_empty(), "PostgreSQL did not start; see above");
    Server::Private { directory: directory.trim().to_owned(), _keeper: keeper }
}

fn say(text: &str) {
    #[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
    {
        eprintln!("{text}");
    }
}
