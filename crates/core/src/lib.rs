//! The rules of Countersign.
//!
//! Everything here is a pure function of its arguments: no IO, no async, no clock, no randomness.
//! Times and ids come in as values, so the same inputs always give the same answer, in a test, in a
//! replay and in production. The crates above (`countersign-engine`, `countersign`) do the work.

pub mod action;
mod address;
pub mod approval;
pub mod audit;
pub mod changes;
pub mod decision;
pub mod digest;
pub mod directory;
pub mod header;
pub mod id;
pub mod intent;
pub mod json;
pub mod limits;
pub mod money;
pub mod outcome;
pub mod policy;
pub mod preview;
pub mod problem;
pub mod proposal;
pub mod refusal;
pub mod ruleset;
pub mod text;
pub mod time;
#[cfg(test)]
mod vectors_tests;
pub mod view;
