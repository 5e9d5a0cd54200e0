//! `cargo xtask fixtures record`: the recorder is a program of `ilink-fixtures`; its tests check what is recorded.

use std::ffi::OsString;

use crate::{Outcome, process};

/// Passes its arguments on.
pub(crate) fn record(args: impl Iterator<Item = OsString>) -> Outcome {
    let recorder = ["run", "--quiet", "--package", "ilink-fixtures", "--bin", "ilink-record", "--"];
    process::run(process::cargo(recorder).args(args))
}
