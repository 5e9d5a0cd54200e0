//! Any answer to a poll: no panic, no message lost, and what was understood survives a round trip.
#![no_main]

mod common;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| common::check_poll(body));
