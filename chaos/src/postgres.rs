//! A private PostgreSQL that can be restarted, crashed and killed: durable, on a socket of its own, no network.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};

use crate::gate::signal;
use crate::{Result, clock};

/// A crashed server replays its log first.
const START_WITHIN: Duration = Duration::from_mins(1);

/// The file in a run's folder that names the server's folder.
const FOLDER: &str = "postgres-folder";

/// The server.
#[derive(Debug)]
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    /// PostgreSQL refuses to run as root.
    root: bool,
    child: Option<Child>,
}

impl Postgres {
    /// Makes a cluster in the folder and starts it.
    pub(crate) async fn start(work: &Path) -> Result<Self> {
        let programs = programs().ok_or("there is no PostgreSQL on this machine: no `initdb` was found")?;
        // A socket's path is short, and the server's user must reach it.
        let folder =
            std::env::temp_dir().join(format!("chaos-pg.{}.{}", std::process::id(), clock::millis()));
        std::fs::create_dir_all(&folder)?;
        let root = std::process::Command::new("id").arg("-u").output()?.stdout == b"0\n";
        if root {
            let owner = std::process::Command::new("chown").arg("postgres").arg(&folder).status()?;
            if !owner.success() {
                return Err(format!("`chown postgres {}` failed", folder.display()).into());
            }
        }
        std::fs::write(work.join(FOLDER), folder.display().to_string())?;
        let mut server = Self { programs, folder, root, child: None };
        let data = server.folder.join("data");
        let mut init = server.program("initdb");
        init.arg("-D").arg(&data).args([
            "-U",
            "countersign",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
        ]);
        let made = init.output().await?;
        if !made.status.success() {
            return Err(format!("initdb: {}", String::from_utf8_lossy(&made.stderr)).into());
        }
        server.run().await?;
        Ok(server)
    }

    /// The URL of the gate's database, which `countersign init` makes.
    pub(crate) fn url(&self) -> String {
        format!("postgres://countersign@localhost/chaos?host={}&sslmode=disable", self.folder.display())
    }

    /// One of its programs, as a user that it accepts.
    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        let mut command = Command::new("setpriv");
        // It ends with this program, however that ends.
        command.arg("--pdeathsig=KILL");
        if self.root {
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
        }
        command.arg(path).current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Starts the server, as often as needed: after a kill the old backends must be gone first.
    pub(crate) async fn run(&mut self) -> Result<()> {
        let begin = clock::now();
        loop {
            let log = File::options().create(true).append(true).open(self.folder.join("log"))?;
            let mut command = self.program("postgres");
            command.arg("-D").arg(self.folder.join("data")).arg("-k").arg(&self.folder);
            command.args(["-c", "listen_addresses=", "-c", "fsync=on", "-c", "max_connections=100"]);
            command.stdout(Stdio::null()).stderr(log);
            let mut child = command.spawn()?;
            while child.try_wait()?.is_none() {
                if self.is_ready().await? {
                    self.child = Some(child);
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
                if clock::passed(begin, START_WITHIN) {
                    return Err("PostgreSQL did not start; see its log".into());
                }
            }
            if clock::passed(begin, START_WITHIN) {
                return Err("PostgreSQL did not start; see its log".into());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn is_ready(&self) -> Result<bool> {
        let mut command = self.program("pg_isready");
        command
            .args(["-q", "-U", "countersign", "-d", "postgres", "-h"])
            .arg(&self.folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(command.status().await?.success())
    }

    fn pid(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// A fast shutdown: connections are cut, what was committed stays.
    pub(crate) async fn stop(&mut self) -> Result<()> {
        if let (Some(pid), Some(mut child)) = (self.pid(), self.child.take()) {
            signal(pid, "INT").await?;
            child.wait().await?;
        }
        Ok(())
    }

    /// Starts it if it is not there, and waits until it takes connections.
    pub(crate) async fn ensure(&mut self) -> Result<()> {
        let Some(child) = &mut self.child else { return self.run().await };
        if child.try_wait()?.is_some() {
            return self.run().await;
        }
        let begin = clock::now();
        while !self.is_ready().await? {
            if clock::passed(begin, START_WITHIN) {
                return Err("PostgreSQL did not recover; see its log".into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// `kill -9` of the postmaster.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// A signal to each backend that serves the gate: TERM ends a connection, KILL crashes the whole server.
    pub(crate) async fn signal_backends(&self, name: &str) -> Result<()> {
        let Some(pid) = self.pid() else { return Ok(()) };
        let children =
            std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|c| c.parse::<u32>().ok()) {
            let title = std::fs::read_to_string(format!("/proc/{child}/cmdline")).unwrap_or_default();
            if title.contains(": countersign ") {
                signal(child, name).await?;
            }
        }
        Ok(())
    }
}

/// Removes the folder of a run and of its server.
pub(crate) fn discard(work: &Path) -> Result<()> {
    if let Ok(folder) = std::fs::read_to_string(work.join(FOLDER)) {
        std::fs::remove_dir_all(folder)?;
    }
    Ok(std::fs::remove_dir_all(work)?)
}

/// Where the newest `initdb` and `postgres` are.
fn programs() -> Option<PathBuf> {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = installed.map(|entry| entry.path().join("bin")).collect();
    found.sort();
    let told = std::process::Command::new("pg_config").arg("--bindir").output().ok();
    found.extend(told.map(|out| PathBuf::from(String::from_utf8_lossy(&out.stdout).trim())));
    found.into_iter().rev().find(|bin| bin.join("initdb").exists() && bin.join("postgres").exists())
}
