//! Text from agents and upstreams, made safe to look at: unusual characters become visible, nothing is
//! cut silently. The console and the CLI show nothing else (T23-T27).

/// A piece of text prepared for the eye.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// What to print. Contains no control, format, private-use or unassigned character.
    pub text: String,
    /// Whether anything had to be made visible or was hidden.
    pub altered: bool,
    /// Bytes of the original.
    pub bytes: usize,
}

/// Makes text visible: `<U+202E>` for what is invisible or misleading.
pub fn visible(_text: &str) -> Shown {
    todo!()
}
