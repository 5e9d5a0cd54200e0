//! `cargo xtask fixtures …`: what goes with `ilink-fixtures` and is no test of it.

use std::ffi::OsString;
use std::process::Command;

use crate::{Outcome, e2e, process, tools};

/// The recorder: passes its arguments on.
pub(crate) fn record(args: impl Iterator<Item = OsString>) -> Outcome {
    let recorder = ["run", "--quiet", "--package", "ilink-fixtures", "--bin", "ilink-record", "--"];
    process::run(process::cargo(recorder).args(args))
}

/// Other people's clients, unpatched and with their compiled-in hosts, reach the simulator through its proxy: one in Python,
/// and the official plugin on the newest host.
pub(crate) fn reach() -> Outcome {
    let simulator = e2e::simulator()?;
    let python = tools::python_with("weixin-ilink-client", "0.1.3")?;
    let script = process::root().join("fixtures").join("clients").join("python_client.py");
    process::run(Command::new(python).arg(script).arg(simulator))?;
    e2e::official(&e2e::newest()?).map(|_| ())
}
