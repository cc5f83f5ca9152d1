//! The whole binary, from outside: a real gate process, a real upstream, real clients.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    reason = "a failed step must fail the test"
)]

mod support;

mod browser_smoke;
mod lifecycle;
