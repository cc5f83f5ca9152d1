//! Append-only files of JSON lines. What is checked is read back from them, so that the evidence of a violation
//! is what was judged.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use crate::{Result, clock};

/// One file; each line is handed to the operating system before the call returns.
#[derive(Debug)]
pub(crate) struct Ledger {
    path: PathBuf,
    file: Mutex<File>,
}

impl Ledger {
    /// A new one.
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        let file = File::create(&path).map_err(|e| format!("create the ledger `{}`: {e}", path.display()))?;
        Ok(Self { path, file: Mutex::new(file) })
    }

    /// Appends one line, with the time as `t`.
    pub(crate) fn write(&self, mut line: Value) -> Result<()> {
        if let Some(map) = line.as_object_mut() {
            map.insert("t".to_owned(), clock::millis().into());
        }
        let text = format!("{line}\n");
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(text.as_bytes())
            .map_err(|e| format!("write the ledger `{}`: {e}", self.path.display()).into())
    }
}

/// Every line of a ledger.
pub(crate) fn read(path: &Path) -> Result<Vec<Value>> {
    let text = std::fs::read_to_string(path).map_err(|e| format!("read `{}`: {e}", path.display()))?;
    let line = |line: &str| {
        serde_json::from_str(line).map_err(|e| format!("read `{}`: {e}: {line}", path.display()).into())
    };
    text.lines().map(line).collect()
}

/// The text at a JSON pointer; empty when there is none.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The number at a JSON pointer; 0 when there is none.
pub(crate) fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or(0)
}
