//! Tests of the crate as its users see it: recorded exchanges, a scripted transport with a paused clock, and the
//! simulator.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod canaries;
mod conformance;
mod examples;
mod hostile;
mod https;
mod in_process;
mod limits;
mod login;
mod messages;
mod path;
mod path_faults;
mod proxies;
mod retry;
mod script;
mod setup;
mod simulator;
mod updates;
