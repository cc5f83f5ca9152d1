//! The witness: a small file beside the database that remembers which database the gate served last and how far its
//! log had come. A database that is older, or another one, is told from the right one by it.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use countersign_core::audit::Checkpoint;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Store;
use super::connect::at;
use super::identity::Server;
use crate::fault::{Fault, chain_text};

/// Version of the file.
const VERSION: u8 = 1;
/// Between two looks at the log's checkpoint.
const EVERY: Duration = Duration::from_secs(1);

/// What the file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    v: u8,
    origin: String,
    incarnation: String,
    server: Option<Server>,
    /// The last signed checkpoint, as it was signed.
    checkpoint: Option<String>,
}

/// What the witness says of the database that was opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Testimony {
    /// There was no file: the first start, or a folder that was moved.
    New,
    /// It is the database that was served last, with all that was recorded.
    Held,
    /// The same, on a server that was replaced or promoted since: its last moments before may be missing.
    Moved,
    /// It is not. The sentence says what differs.
    Differs(String),
}

impl Testimony {
    /// Its name in the log, and what differs if something does.
    pub fn parts(&self) -> (&'static str, Option<&str>) {
        match self {
            Self::New => ("new", None),
            Self::Held => ("held", None),
            Self::Moved => ("moved", None),
            Self::Differs(what) => ("differs", Some(what)),
        }
    }
}

/// The file, and what was written to it last.
#[derive(Debug)]
pub struct Witness {
    path: PathBuf,
    origin: String,
    state: Mutex<State>,
    /// Held while the file is written: a write outlives the task that asked for it.
    writing: Arc<Mutex<()>>,
}

#[derive(Debug, Default)]
struct State {
    /// What the file holds.
    kept: Option<Kept>,
    /// When the log was last looked at.
    looked: Option<Instant>,
}

impl Witness {
    /// Reads the file, if there is one. One that cannot be read is a fault: it may be the only one who knows.
    pub fn open(path: &Path, origin: &str) -> Result<Self, Fault> {
        let fault = |e: io::Error| Fault::new("read the witness file", at(path, &e));
        let kept = match std::fs::read(path) {
            Ok(bytes) => {
                let wrong = |e| fault(io::Error::new(io::ErrorKind::InvalidData, e));
                let kept: Kept = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
                if kept.v != VERSION {
                    return Err(wrong(format!("its version is {} and this build knows {VERSION}", kept.v)));
                }
                Some(kept)
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(e) => return Err(fault(e)),
        };
        Ok(Self {
            path: path.to_owned(),
            origin: origin.to_owned(),
            state: Mutex::new(State { kept, looked: None }),
            writing: Arc::default(),
        })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The checkpoint that was recorded last, as it was signed.
    pub fn checkpoint(&self) -> Option<String> {
        self.lock().kept.as_ref()?.checkpoint.clone()
    }

    /// Compares the database with what is remembered.
    pub async fn examine(&self, store: &Store) -> Result<Testimony, Fault> {
        let Some(kept) = self.lock().kept.clone() else { return Ok(Testimony::New) };
        if kept.origin != self.origin {
            let (was, is) = (&kept.origin, &self.origin);
            let what = format!("its log was named `{was}`, and countersign.toml now names it `{is}`");
            return Ok(Testimony::Differs(what));
        }
        let identity = store.identity().await?;
        if kept.incarnation != identity.incarnation {
            let (was, is) = (&kept.incarnation, &identity.incarnation);
            let what = format!(
                "this is another database than the one that this gate served last: its incarnation is {is}, and {was} is recorded"
            );
            return Ok(Testimony::Differs(what));
        }
        if let Some(recorded) = kept.checkpoint.as_deref().map(head_of).transpose()? {
            let (size, root) = store.root_at(recorded.size).await?;
            if size < recorded.size {
                let what = format!(
                    "this database is older than what this gate has already recorded: its log has {size} entries, \
                     and a checkpoint over {} was signed",
                    recorded.size
                );
                return Ok(Testimony::Differs(what));
            }
            if root != Some(recorded.root) {
                let what = format!(
                    "the log in this database is not the log that this gate has recorded: the first {} entries \
                     have another root than the checkpoint that was signed over them",
                    recorded.size
                );
                return Ok(Testimony::Differs(what));
            }
        }
        let moved = kept.server.zip(identity.server).is_some_and(|(was, is)| was != is);
        Ok(if moved { Testimony::Moved } else { Testimony::Held })
    }

    /// Remembers the database as it is now. Writes nothing to it.
    pub async fn keep(&self, store: &Store) -> Result<(), Fault> {
        let identity = store.identity().await?;
        let checkpoint = store.checkpoint().await?;
        let (incarnation, server) = (identity.incarnation, identity.server);
        let now = Kept { v: VERSION, origin: self.origin.clone(), incarnation, server, checkpoint };
        if self.lock().kept.as_ref() == Some(&now) {
            return Ok(());
        }
        self.write(now).await
    }

    /// The same where nobody waits for it: a file that cannot be written weakens one check and stops nothing.
    pub async fn keep_or_warn(&self, store: &Store) {
        warn_of(self.keep(store).await);
    }

    /// Remembers the log's last checkpoint if it has moved on, once a second at the most.
    pub(crate) async fn advance(&self, store: &Store) {
        let kept = {
            let mut state = self.lock();
            if state.looked.is_some_and(|at| at.elapsed() < EVERY) {
                return;
            }
            state.looked = Some(Instant::now());
            state.kept.clone()
        };
        let Some(kept) = kept else { return self.keep_or_warn(store).await };
        match store.checkpoint().await {
            Ok(checkpoint) if checkpoint == kept.checkpoint => {}
            Ok(checkpoint) => warn_of(self.write(Kept { checkpoint, ..kept }).await),
            Err(fault) => warn_of(Err(fault)),
        }
    }

    async fn write(&self, now: Kept) -> Result<(), Fault> {
        let (path, kept) = (self.path.clone(), now.clone());
        let writing = Arc::clone(&self.writing);
        let write = tokio::task::spawn_blocking(move || {
            let _turn = writing.lock().unwrap_or_else(PoisonError::into_inner);
            write(&path, &kept)
        });
        let written = write.await.map_err(|e| Fault::new("write the witness file", e))?;
        written.map_err(|e| Fault::new("write the witness file", at(&self.path, &e)))?;
        self.lock().kept = Some(now);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tree head of a signed note. Whoever can write this file can read the log's key beside it, so the signature is
/// not asked for again; a key that was changed since must not keep the gate from starting.
pub fn head_of(note: &str) -> Result<Checkpoint, Fault> {
    let body = note.split_once("\n\n").map_or(note, |(body, _)| body);
    Checkpoint::from_text(&format!("{body}\n")).map_err(|e| Fault::new("read a recorded checkpoint", e))
}

fn warn_of(kept: Result<(), Fault>) {
    if let Err(fault) = kept {
        tracing::error!(error = %chain_text(&fault), "the witness file falls behind the log");
    }
}

/// Whole or not at all, and after a power cut as well.
fn write(path: &Path, kept: &Kept) -> io::Result<()> {
    let temporary = PathBuf::from(format!("{}.{}.new", path.display(), std::process::id()));
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
    file.write_all(&serde_json::to_vec_pretty(kept).map_err(io::Error::other)?)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}
