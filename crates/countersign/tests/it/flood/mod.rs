//! One client takes what it can get; the others are served all the same. These are tests of behaviour: what a flood
//! costs the others in time is measured by the benchmarks.

mod calls;
mod connections;
mod lists;
mod refused;
mod streams;
