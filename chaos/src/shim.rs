//! Faults inside the gate's process, through a small library that is loaded before the C library. This file
//! compiles it and writes the numbers that it reads.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::Result;

const SOURCE: &str = include_str!("../shim/shim.c");
/// `ENOSPC` and `EIO` of Linux.
const DISK_FULL: i64 = 28;
const DISK_BROKEN: i64 = 5;

/// The places of the numbers in the control file; see `struct control` in the library's source.
const CLOCK: u64 = 0;
const SYNC_DELAY: u64 = 8;
const WRITE_ERROR: u64 = 16;
const SYNC_ERROR: u64 = 24;
const SYNCS_SLOWED: u64 = 32;
const WRITES_FAILED: u64 = 40;
const SYNCS_FAILED: u64 = 48;
const SIZE: u64 = 56;

/// The compiled library and its control file.
#[derive(Debug, Clone)]
pub(crate) struct Shim {
    library: PathBuf,
    path: PathBuf,
    state: PathBuf,
    control: Arc<File>,
}

impl Shim {
    /// Compiles the library into the folder. Disk faults meet files under `state` only.
    pub(crate) fn build(work: &Path, state: &Path) -> Result<Self> {
        let (source, library, path) = (work.join("shim.c"), work.join("shim.so"), work.join("control"));
        std::fs::write(&source, SOURCE)?;
        let done = Command::new("cc")
            .args(["-O2", "-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .output()
            .map_err(|e| format!("run `cc`, which compiles the fault library: {e}"))?;
        if !done.status.success() {
            return Err(
                format!("compile the fault library: {}", String::from_utf8_lossy(&done.stderr)).into()
            );
        }
        let control = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
        control.set_len(SIZE)?;
        Ok(Self { library, path, state: state.canonicalize()?, control: Arc::new(control) })
    }

    /// Makes a command run under it.
    pub(crate) fn load_into(&self, command: &mut tokio::process::Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("CHAOS_CONTROL", &self.path)
            .env("CHAOS_STATE", &self.state);
    }

    fn set(&self, place: u64, value: i64) -> Result<()> {
        self.control.write_all_at(&value.to_ne_bytes(), place).map_err(|e| format!("set a fault: {e}").into())
    }

    fn get(&self, place: u64) -> Result<i64> {
        let mut bytes = [0; 8];
        self.control.read_exact_at(&mut bytes, place)?;
        Ok(i64::from_ne_bytes(bytes))
    }

    /// Moves the wall clock by this many milliseconds from where it is now.
    pub(crate) fn step_clock(&self, by_ms: i64) -> Result<()> {
        let now = self.get(CLOCK)?;
        self.set(CLOCK, now.saturating_add(by_ms.saturating_mul(1_000_000)))
    }

    /// Makes each sync take this much longer.
    pub(crate) fn slow_syncs(&self, by: Duration) -> Result<()> {
        self.set(SYNC_DELAY, i64::try_from(by.as_micros()).unwrap_or(i64::MAX))
    }

    /// Makes each write fail as on a full disk.
    pub(crate) fn fill_disk(&self) -> Result<()> {
        self.set(WRITE_ERROR, DISK_FULL)
    }

    /// Makes each sync fail as on a broken disk.
    pub(crate) fn break_syncs(&self) -> Result<()> {
        self.set(SYNC_ERROR, DISK_BROKEN)
    }

    /// A disk without faults. The clock stays where it is.
    pub(crate) fn heal_disk(&self) -> Result<()> {
        self.set(SYNC_DELAY, 0)?;
        self.set(WRITE_ERROR, 0)?;
        self.set(SYNC_ERROR, 0)
    }

    /// How many writes and syncs met a disk fault.
    pub(crate) fn met(&self) -> Result<i64> {
        let slow = self.get(SYNCS_SLOWED)?;
        Ok(slow.saturating_add(self.get(WRITES_FAILED)?).saturating_add(self.get(SYNCS_FAILED)?))
    }
}
