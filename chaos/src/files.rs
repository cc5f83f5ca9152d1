//! The gate directory of a run, and the commands of the binary in it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::Result;
use crate::shim::Shim;

/// The operator's files, with places for the store and the upstream.
const FILES: [(&str, &str); 5] = [
    ("countersign.toml", include_str!("../gate/countersign.toml")),
    ("directory.toml", include_str!("../gate/directory.toml")),
    ("approvals.toml", include_str!("../gate/approvals.toml")),
    ("actions/shop.toml", include_str!("../gate/actions/shop.toml")),
    ("policies/shop.cedar", include_str!("../gate/policies/shop.cedar")),
];

/// The agents of the gate directory.
pub(crate) const AGENTS: [&str; 2] = ["bot", "other"];

/// A gate directory on disk.
#[derive(Debug, Clone)]
pub(crate) struct GateFiles {
    dir: PathBuf,
    binary: PathBuf,
    shim: Shim,
    weaken: Option<String>,
}

impl GateFiles {
    /// Writes the files and runs `init` and `key`.
    pub(crate) async fn create(
        work: &Path,
        (binary, weaken): (PathBuf, Option<String>),
        (store, upstream): (&str, &str),
    ) -> Result<Self> {
        let dir = work.join("gate");
        std::fs::create_dir_all(dir.join("state"))?;
        for (name, text) in FILES {
            let path = dir.join(name);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(path, text.replace("{{STORE}}", store).replace("{{UPSTREAM}}", upstream))?;
        }
        std::fs::create_dir_all(dir.join("secrets"))?;
        for (name, text) in
            [("read", "read-secret-4711-abcdefgh\n"), ("write", "write-secret-0815-stuvwxyz\n")]
        {
            let path = dir.join("secrets").join(name);
            std::fs::write(&path, text)?;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
        }
        let shim = Shim::build(work, &dir.join("state"))?;
        let files = Self { dir, binary, shim, weaken };
        files.run(&["init", "."]).await?;
        for agent in AGENTS {
            files.run(&["key", agent, ".", "--out", &format!("{agent}.key")]).await?;
        }
        Ok(files)
    }

    /// The faults of its processes.
    pub(crate) fn shim(&self) -> &Shim {
        &self.shim
    }

    /// Its folder.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// An agent's key.
    pub(crate) fn key(&self, agent: &str) -> Result<String> {
        Ok(std::fs::read_to_string(self.dir.join(format!("{agent}.key")))?.trim().to_owned())
    }

    /// A command of the binary in this directory, under the shim and with a configuration home of its own.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).current_dir(&self.dir).env("XDG_CONFIG_HOME", self.dir.join("home"));
        self.shim.load_into(&mut command);
        if let Some(guard) = &self.weaken {
            command.env("COUNTERSIGN_WEAKEN", guard);
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs a command to its end and gives its output; anything but success is an error with what it printed.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Result<String> {
        let (done, text) = self.output(arguments).await?;
        if done {
            Ok(text)
        } else {
            Err(format!("`countersign {}` failed: {text}", arguments.join(" ")).into())
        }
    }

    /// Runs a command to its end: whether it succeeded, and what it printed.
    pub(crate) async fn output(&self, arguments: &[&str]) -> Result<(bool, String)> {
        let output = self.command(arguments).output().await?;
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            text.push_str(&String::from_utf8_lossy(&output.stderr));
        }
        Ok((output.status.success(), text))
    }
}
