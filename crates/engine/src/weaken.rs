//! Guards that a build for the chaos program can switch off, to prove that its checker would notice.
//!
//! Without the feature `weakened` nothing can be switched off: the answer is a constant and the compiler
//! removes what depends on it. No release build can have the feature.

#[cfg(all(feature = "weakened", not(debug_assertions)))]
compile_error!("the feature `weakened` switches guards off and is for debug builds only");

/// Whether this process runs without the guard of this name.
#[cfg(not(feature = "weakened"))]
pub(crate) const fn weakened(_guard: &str) -> bool {
    false
}

/// Whether this process runs without the guard of this name: `COUNTERSIGN_WEAKEN` names one.
#[cfg(feature = "weakened")]
pub(crate) fn weakened(guard: &str) -> bool {
    static NAME: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let name = NAME.get_or_init(|| {
        #[expect(clippy::disallowed_methods, reason = "a switch that must not exist in the configuration")]
        let name = std::env::var("COUNTERSIGN_WEAKEN").ok();
        if let Some(name) = &name {
            tracing::error!(guard = name, "this process runs without a guard, for a chaos run");
        }
        name
    });
    name.as_deref() == Some(guard)
}
