//! What broke inside the gate, as opposed to what the gate refused.

use std::error::Error;
use std::fmt;

use countersign_core::refusal::Refusal;

/// Something broke: the database, the disk. Callers see an id; the operator's log gets the whole chain.
#[derive(Debug)]
pub struct Fault {
    doing: &'static str,
    source: Option<Box<dyn Error + Send + Sync>>,
    in_doubt: bool,
}

impl Fault {
    /// A fault with its cause: nothing was recorded. `doing` fits "failed to {doing}".
    pub fn new(doing: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { doing, source: Some(source.into()), in_doubt: false }
    }

    /// The same, but a commit did not come back: nobody knows whether something was recorded.
    #[must_use]
    pub fn in_doubt(self) -> Self {
        Self { in_doubt: true, ..self }
    }

    /// Whether something may have been recorded.
    pub const fn is_in_doubt(&self) -> bool {
        self.in_doubt
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failed to {}", self.doing)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|e| -> &(dyn Error + 'static) { e })
    }
}

/// Why a verb did not do what was asked: the gate said no, or something broke.
#[derive(Debug, thiserror::Error)]
pub enum Stop {
    /// The gate's own "no".
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Something broke before anything was recorded, or it says that it is in doubt. What breaks after a
    /// dispatch was recorded is never told by this: the answer is then the proposal.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// The text of an error with all its causes, for the operator's log.
pub fn chain_text(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}
