//! Registered actions: what an agent may propose, and how a proposal becomes one exact call.
//!
//! `manifest` reads the TOML, `schema` compiles and lints the input schema, `expr` holds the CEL expressions,
//! `render` turns an input and what was read into a rendering. Nothing here does IO: the engine reads
//! the record and hands it in.

mod expr;
mod manifest;
mod registry;
mod render;
mod schema;
mod types;

pub use registry::{Action, Registry, System};
pub use render::{Before, RecordReads, RenderError};
pub use schema::OutputSchema;
pub(crate) use schema::type_of;
pub use types::{
    ActionName, Call, CredentialRefs, EffectClass, Group, HttpCall, Method, MoneyField, MoneyUnit,
    Precondition, ReadCall, Rendering, Resource, Reversible, Risk, Undo,
};
