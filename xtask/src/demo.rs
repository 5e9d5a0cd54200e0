//! `cargo xtask demo`: the demo is an example of `weixin-channel`, so that it shows what a library user writes.

use std::ffi::OsString;

use crate::Outcome;
use crate::process;

/// Passes its arguments on.
pub(crate) fn run(args: impl Iterator<Item = OsString>) -> Outcome {
    process::run(
        process::cargo(["run", "--quiet", "--package", "weixin-channel", "--example", "demo", "--"])
            .args(args),
    )
}
