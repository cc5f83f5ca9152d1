//! The way out: which addresses may be dialled, and the one place that builds HTTP clients.
//!
//! Used by `connector` for upstreams, by `credential` for token endpoints and by `token` for issuers, so that all obey
//! the same rules. Nothing here follows a redirect, reads a proxy from the environment, keeps a cookie, retries, or
//! dials an address that was not checked (T65–T67, T72, T93).

mod address;
mod client;
mod lookup;

pub(crate) use address::is_confidential;
pub use address::{AddressRefused, NetworkPolicy};
pub use client::install_tls_provider;
pub(crate) use client::{Clients, Deadline, Trouble, content_type, read};
