//! What is wrong with a gate directory, said so that a person can mend it: file, line, fault, remedy.

use std::fmt;

/// A file of the gate directory, already read. `path` is relative to the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// For example `actions/stripe.toml`.
    pub path: String,
    /// Its whole text.
    pub text: String,
}

impl SourceFile {
    /// A mistake at the first line that has this text; 0 when none has it.
    pub fn error_at(&self, text: &str, message: impl Into<String>, remedy: impl Into<String>) -> Problem {
        let line = self.text.find(text).map_or(0, |offset| line_of(&self.text, offset));
        Problem::error(&self.path, line, message, remedy)
    }
}

/// Whether the gate may run in spite of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The gate directory does not load.
    Error,
    /// It loads, but somebody should look.
    Warning,
}

/// One finding of `countersign check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, relative to the gate directory.
    pub file: String,
    /// Line in the file, from 1; 0 when no single line is to blame.
    pub line: usize,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong: a lower-case fragment without a full stop.
    pub message: String,
    /// What to do about it: a sentence.
    pub remedy: String,
}

impl Problem {
    /// A finding that stops the gate directory from loading.
    pub fn error(file: &str, line: usize, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line,
            severity: Severity::Error,
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// A finding that is only careless.
    pub fn warning(file: &str, line: usize, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(file, line, message, remedy) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}", self.line)?;
        }
        write!(f, ": {kind}: {}. {}", self.message, self.remedy)
    }
}

/// Problems in the order in which people read them: warnings, then errors, each by file and line, none twice.
pub fn in_order(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort_by(|a, b| {
        (b.severity, &a.file, a.line, &a.message).cmp(&(a.severity, &b.file, b.line, &b.message))
    });
    problems.dedup();
    problems
}

/// The line, from 1, on which byte `offset` of `text` stands.
pub fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|b| *b == b'\n').count().saturating_add(1)
}

/// Reads TOML into `T`; a mistake becomes a problem with its line.
pub fn read_toml<T: serde::de::DeserializeOwned>(file: &SourceFile) -> Result<T, Problem> {
    toml::from_str(&file.text).map_err(|e| toml_problem(file, &e, 0))
}

/// What TOML says of a file, in our words. `fallback` is the line when it names none.
pub(crate) fn toml_problem(file: &SourceFile, error: &toml::de::Error, fallback: usize) -> Problem {
    let line = error.span().map_or(fallback, |s| line_of(&file.text, s.start));
    let mut message = error.message().split_whitespace().collect::<Vec<_>>().join(" ");
    let remedy = if message == "duplicate key" {
        let key = error.span().and_then(|span| file.text.get(span)).unwrap_or("a key");
        message = format!("`{}` is there twice", key.trim());
        "Keep one of the two."
    } else if message.contains("recurs") {
        // Of dotted keys the reader does not say where it gave up.
        "a value or a key is nested too deeply".clone_into(&mut message);
        "Look for many dots or brackets in a row."
    } else if message.starts_with("unknown field") {
        "Correct the key; unknown keys are refused, never ignored."
    } else if message.starts_with("missing field") {
        "Add it."
    } else if message.contains("socket address") {
        "Write an address and a port, such as `127.0.0.1:4180`."
    } else {
        "Correct the line."
    };
    Problem::error(&file.path, line, message, remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nested_too_deeply_is_named_in_words_of_a_person() {
        for text in [format!("a{} = 1", ".a".repeat(200)), format!("a = {}", "[".repeat(200))] {
            let file = SourceFile { path: "actions/shop.toml".to_owned(), text };
            let problem = read_toml::<toml::Table>(&file).unwrap_err();
            assert!(problem.message.contains("nested too deeply"), "{problem:?}");
            assert!(problem.remedy.contains("dots or brackets"), "{problem:?}");
        }
    }
}
