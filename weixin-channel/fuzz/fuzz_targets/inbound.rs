//! Any text in the place of a message.

#![no_main]

mod check;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|raw: &str| check::check(raw));
