//! The whole binary, from outside: a real gate process, a real upstream, real clients.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::arithmetic_side_effects,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a failed step must fail the test"
)]

mod support;

mod altered;
mod answers;
mod approval;
mod authz;
mod bad_input;
mod between;
mod browser_card;
mod browser_console;
mod browser_find;
mod browser_smoke;
mod card_facts;
mod check;
mod clients;
mod codes;
mod cost;
mod crash;
mod damage;
mod demo;
mod examples;
mod expiry;
mod facts;
mod filters;
mod find;
mod flood;
mod golden;
mod guides;
mod headers;
mod identity;
mod import;
mod inputs;
mod json;
mod lifecycle;
mod log;
mod log_token;
mod mcp;
mod metrics;
mod mistakes;
mod operator;
mod packaging;
mod pages;
mod postgres;
mod readme;
mod ready;
mod reload;
mod reload_refused;
mod replay;
mod restore;
mod secrets;
mod sign_in;
mod surfaces;
mod terminal;
mod tidy;
mod tokens;
mod transplant;
mod truth;
mod unread;
mod upgrade;
mod upstream;
mod watch;
