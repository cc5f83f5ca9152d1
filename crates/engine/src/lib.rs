//! The verbs of Countersign at work.
//!
//! `gate` holds one file per verb and is all that a surface may call. `store` keeps proposals and the log,
//! `connector` makes calls, `credential` resolves secrets; none of the three knows another, and only `gate`
//! knows all three. `token` says whom an access token names; a surface asks it before it asks the gate. Nothing here knows HTTP routes, templates or the command line.

mod bulkhead;
pub mod connector;
pub mod credential;
pub mod fault;
pub mod gate;
pub mod grant;
pub mod metrics;
pub mod net;
pub mod party;
pub mod seal;
pub mod store;
pub mod token;
mod weaken;
pub mod world;
