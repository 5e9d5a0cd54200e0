//! `cargo xtask e2e`: the package on a real OpenClaw, against the simulator. The test itself is JavaScript
//! (`openclaw-weixin/e2e/`); this installs what it needs and tells it where everything is.

use std::path::Path;
use std::process::Command;

use crate::ci::count::Counts;
use crate::process::{self, cargo, root, target, watched};
use crate::{Outcome, tools};

/// The newest host that we know.
pub(crate) const HOST: &str = "2026.9.6";

/// Runs the tests with `package` on `openclaw@host`.
pub(crate) fn run(host: &str, package: &Path) -> Outcome<Counts> {
    process::run(&mut cargo(["build", "--quiet", "--package", "ilink-fixtures", "--bin", "ilink-sim"]))?;
    let node = tools::node()?;
    let install = tools::openclaw(host, &node)?;
    let simulator = target().join("debug").join(format!("ilink-sim{}", std::env::consts::EXE_SUFFIX));

    let mut command = Command::new(&node);
    command.args(["--test", "--test-reporter=spec", "openclaw-weixin/e2e/*.test.mjs"]).current_dir(root());
    command.env("E2E_NODE", &node);
    command.env("E2E_HOST_INSTALL", install);
    command.env("E2E_HOST_VERSION", host);
    command.env("E2E_PACKAGE", package);
    command.env("E2E_SIMULATOR", simulator);
    let mut counts = Counts::default();
    watched(&mut command, |line| counts.read_node(line))?;
    Ok(counts)
}
