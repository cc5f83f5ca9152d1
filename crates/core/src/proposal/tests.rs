//! The life of a proposal.
