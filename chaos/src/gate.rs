//! A gate process: started, killed, stopped, continued.

use std::fs::File;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use crate::arena::{Address, Arena};
use crate::files::GateFiles;
use crate::{Result, clock};

/// A debug build under load, on a store that may still be recovering.
const START_WITHIN: Duration = Duration::from_mins(1);
/// One attempt to start.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);

/// The process and where it was started.
#[derive(Debug)]
pub(crate) struct Gate {
    arena: Arc<Arena>,
    files: GateFiles,
    child: Option<Child>,
    /// How often it was started.
    pub(crate) starts: u64,
    /// What it said when it ended without being told to.
    pub(crate) ended: Vec<String>,
}

impl Gate {
    /// Not started yet.
    pub(crate) fn new(arena: Arc<Arena>, files: GateFiles) -> Self {
        Self { arena, files, child: None, starts: 0, ended: Vec::new() }
    }

    /// Its directory and faults.
    pub(crate) fn files(&self) -> &GateFiles {
        &self.files
    }

    /// Starts it, again and again while its store does not answer, and tells everybody where it is.
    pub(crate) async fn start(&mut self) -> Result<()> {
        let begin = clock::now();
        loop {
            match tokio::time::timeout(ANSWER_WITHIN, self.start_once()).await {
                Ok(Ok(())) => return Ok(()),
                Ok(Err(error)) if clock::passed(begin, START_WITHIN) => return Err(error),
                Err(_) if clock::passed(begin, START_WITHIN) => {
                    return Err("the gate did not start in time; see serve.log".into());
                }
                Ok(Err(_)) | Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
    }

    async fn start_once(&mut self) -> Result<()> {
        self.kill().await?;
        let log = File::options().create(true).append(true).open(self.arena.work.join("serve.log"))?;
        let mut command = self.files.command(&["--log", "warn", "serve", "."]);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn()?;
        let output = child.stdout.take().ok_or("the gate has no standard output")?;
        self.child = Some(child);
        let mut lines = BufReader::new(output).lines();
        let agents = listener(&mut lines, "agents").await?;
        let people = listener(&mut lines, "people").await?;
        self.starts = self.starts.saturating_add(1);
        self.arena.address.send_replace(Address { agents, people });
        Ok(())
    }

    /// `kill -9`; it is no longer there when this returns.
    pub(crate) async fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// SIGTERM, and waits for the end.
    pub(crate) async fn terminate(&mut self) -> Result<()> {
        self.signal("TERM").await?;
        if let Some(mut child) = self.child.take() {
            let ended = tokio::time::timeout(Duration::from_mins(1), child.wait()).await;
            if ended.is_err() {
                child.kill().await?;
                self.ended.push("the gate did not end within 60 s of SIGTERM".to_owned());
            }
        }
        Ok(())
    }

    /// A signal by name.
    pub(crate) async fn signal(&self, name: &str) -> Result<()> {
        if let Some(pid) = self.child.as_ref().and_then(Child::id) {
            signal(pid, name).await?;
        }
        Ok(())
    }

    /// Starts it again if it has ended by itself, and remembers that it did.
    pub(crate) async fn revive(&mut self) -> Result<()> {
        let Some(child) = &mut self.child else { return Ok(()) };
        if let Some(status) = child.try_wait()? {
            self.ended.push(format!("the gate ended by itself ({status}); see serve.log"));
            self.start().await?;
        }
        Ok(())
    }
}

/// Sends a signal to a process.
pub(crate) async fn signal(pid: u32, name: &str) -> Result<()> {
    // A process that is gone already is what some of the callers want.
    Command::new("kill").args([&format!("-{name}"), &pid.to_string()]).stderr(Stdio::null()).status().await?;
    Ok(())
}

/// `host:port` from the line in which the gate says where it listens.
async fn listener(lines: &mut Lines<BufReader<ChildStdout>>, name: &str) -> Result<String> {
    let line = lines.next_line().await?.unwrap_or_default();
    let address = line.strip_prefix(name).and_then(|rest| rest.trim().strip_prefix("http://"));
    address
        .map(str::to_owned)
        .ok_or_else(|| format!("the gate did not start: `{line}`; see serve.log").into())
}
