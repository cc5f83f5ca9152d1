//! The binary.

#[cfg_attr(not(test), expect(dead_code, reason = "the command line calls it"))]
mod demo;

fn main() {}
