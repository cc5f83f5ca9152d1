//! A gate in a temporary directory, as an operator would run it, and an upstream that remembers every call.

pub(crate) mod disk;
pub(crate) mod gate;
pub(crate) mod issuer;
pub(crate) mod log;
pub(crate) mod person;
pub(crate) mod raw;
pub(crate) mod tools;
pub(crate) mod upstream;
pub(crate) mod wait;
pub(crate) mod webdriver;

pub(crate) use gate::{Gate, GateDir};
pub(crate) use person::Person;
pub(crate) use upstream::{Reply, Upstream};
