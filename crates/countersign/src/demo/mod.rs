//! `countersign demo`: a whole small installation to try, made of real parts.

pub(crate) mod acme;
pub(crate) mod gate;
