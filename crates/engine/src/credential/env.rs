//! Secrets from environment variables. Beside the configuration, the only reader of the environment.

use std::env::VarError;

use zeroize::Zeroizing;

#[expect(clippy::disallowed_methods, reason = "this is the place that reads secrets from the environment")]
pub(super) fn read(var: &str) -> Result<Zeroizing<String>, String> {
    std::env::var(var).map(Zeroizing::new).map_err(|error| match error {
        VarError::NotPresent => format!("the environment variable `{}` is not set", var.escape_debug()),
        // The error itself would show the value.
        VarError::NotUnicode(_) => format!("the environment variable `{}` is not text", var.escape_debug()),
    })
}
