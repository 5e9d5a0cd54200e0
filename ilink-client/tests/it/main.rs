//! Tests of the crate as its users see it: recorded exchanges, a scripted transport with a paused clock, and the
//! simulator.

mod canaries;
mod conformance;
mod login;
mod messages;
mod retry;
mod script;
mod simulator;
mod updates;
