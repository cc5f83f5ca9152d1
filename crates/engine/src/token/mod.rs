//! Access tokens that others signed: OAuth 2.1 on the side of the resource server.
//!
//! [`verify`] is a pure function of a token, the issuer's keys, what is expected and the time; everybody who takes a
//! signed assertion uses it. [`Issuers`] has the configured authorization servers and keeps their keys. A token is
//! never stored, never logged and never sent on: what leaves this module is whom it names and until when (T37).

mod claims;
mod fetch;
mod issuers;
mod jws;
mod keys;
mod spec;

pub use claims::{Claims, Expectations, verify};
pub use issuers::{Issuers, NotAccepted, TokenAgent};
pub use jws::{Algorithm, SignedToken, TokenError};
pub use keys::KeySet;
pub use spec::{IssuerFault, IssuerSpec};

#[cfg(test)]
mod tests;
