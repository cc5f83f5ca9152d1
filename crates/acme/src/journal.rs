//! The shop's database file: one JSON line per change, appended and on disk before anybody is answered.
//!
//! A last line without its line feed is a write that nobody was told about; it is cut at start. Anything else
//! that is wrong stops the start: the shop never guesses what its own records were.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::AcmeError;

/// The open file, locked against a second process.
#[derive(Debug)]
pub(crate) struct Journal {
    file: File,
    broken: bool,
}

impl Journal {
    /// Opens or makes the file. Gives it with the lines that were read.
    pub(crate) fn open(path: &Path) -> Result<(Self, Vec<String>), AcmeError> {
        let shown = path.display().to_string();
        let failed = |doing| {
            let path = shown.clone();
            move |source| AcmeError::File { doing, path, source }
        };
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)
            .map_err(failed("open"))?;
        file.try_lock().map_err(|e| match e {
            TryLockError::WouldBlock => AcmeError::Journal {
                path: shown.clone(),
                detail: "another process has it open; stop that one first".to_owned(),
            },
            TryLockError::Error(source) => failed("lock")(source),
        })?;
        // The file's name must survive a power cut too, not only its contents.
        if let Some(folder) = path.parent() {
            File::open(folder).and_then(|d| d.sync_all()).map_err(failed("sync the folder of"))?;
        }

        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed("read"))?;
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at.saturating_add(1));
        if whole < bytes.len() {
            bytes.truncate(whole);
            let length = u64::try_from(whole).unwrap_or(0);
            file.set_len(length).and_then(|()| file.sync_all()).map_err(failed("cut the torn end of"))?;
        }
        let text = String::from_utf8(bytes).map_err(|_| AcmeError::Journal {
            path: shown,
            detail: "it is not text; restore it from a copy".to_owned(),
        })?;
        let lines = text.lines().map(str::to_owned).collect();
        Ok((Self { file, broken: false }, lines))
    }

    /// Appends one line and waits until it is on disk.
    ///
    /// After a failure nothing more is written until a restart has looked at what is really in the file: a
    /// line behind a torn one would be lost with it.
    pub(crate) fn append(&mut self, line: &str) -> io::Result<()> {
        if self.broken {
            return Err(io::Error::other("an earlier write failed"));
        }
        let bytes = [line.as_bytes(), b"\n"].concat();
        let done = self.file.write_all(&bytes).and_then(|()| self.file.sync_data());
        self.broken = done.is_err();
        done
    }
}
