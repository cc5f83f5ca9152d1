//! The binary.

#[expect(dead_code, reason = "the command line calls it")]
mod demo;

fn main() {}
