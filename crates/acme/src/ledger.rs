//! Book and journal together: the only place where the shop's state changes.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::AcmeError;
use crate::book::{Book, Change, Kept};
use crate::journal::Journal;
use crate::problem::Problem;
use crate::seed;

/// One line of the journal.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    change: Change,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<Kept>,
}

/// The state and the file that it comes from.
#[derive(Debug)]
pub(crate) struct Ledger {
    book: Book,
    journal: Journal,
}

impl Ledger {
    /// Opens `DIR/acme.jsonl`, making and seeding it the first time.
    pub(crate) fn open(dir: &Path) -> Result<Self, AcmeError> {
        std::fs::create_dir_all(dir).map_err(|source| AcmeError::File {
            doing: "make the directory",
            path: dir.display().to_string(),
            source,
        })?;
        let path = dir.join("acme.jsonl");
        let (journal, lines) = Journal::open(&path)?;
        let mut book = Book::default();
        for (number, text) in lines.iter().enumerate() {
            let wrong = |why: String| AcmeError::Journal {
                path: path.display().to_string(),
                detail: format!("line {} {why}; restore it from a copy", number.saturating_add(1)),
            };
            let line: Line =
                serde_json::from_str(text).map_err(|e| wrong(format!("cannot be read ({e})")))?;
            book.admits(&line.change)
                .map_err(|p| wrong(format!("contradicts the ones before it ({})", p.detail())))?;
            book.apply(line.change, line.kept);
        }
        let mut ledger = Self { book, journal };
        if !ledger.book.is_open() {
            ledger.write(seed::opening(), None).map_err(|source| AcmeError::File {
                doing: "write the first line of",
                path: path.display().to_string(),
                source,
            })?;
        }
        Ok(ledger)
    }

    /// What is true now.
    pub(crate) fn book(&self) -> &Book {
        &self.book
    }

    /// Makes a change if the book admits it: first on disk, then in memory.
    pub(crate) fn commit(&mut self, change: Change, kept: Option<Kept>) -> Result<(), Problem> {
        self.book.admits(&change)?;
        self.write(change, kept).map_err(|_| Problem::internal())
    }

    fn write(&mut self, change: Change, kept: Option<Kept>) -> std::io::Result<()> {
        let line = Line { change, kept };
        self.journal.append(&serde_json::to_string(&line)?)?;
        self.book.apply(line.change, line.kept);
        Ok(())
    }
}
