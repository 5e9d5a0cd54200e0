//! Slower looks at a library: its public API beside the last release, and miri.

use std::process::Command;

use crate::process::{output, root, run as run_command};
use crate::{Outcome, tools, workspace};

/// Compares the public API with the newest tag `v…`; before the first release there is nothing to compare.
pub(crate) fn run() -> Outcome {
    let tags =
        output(Command::new("git").args(["tag", "--list", "v*", "--sort=-v:refname"]).current_dir(root()))?;
    let Some(tag) = tags.lines().next() else {
        println!("nothing to compare with: there is no tag v…");
        return Ok(());
    };
    let program = tools::semver_checks()?;
    for name in workspace::published()? {
        let mut command = Command::new(&program);
        command.args(["semver-checks", "--package", &name, "--baseline-rev", tag]).current_dir(root());
        run_command(&mut command)?;
    }
    Ok(())
}

/// The unit tests of the decoders, which do no I/O, under miri.
pub(crate) fn miri() -> Outcome {
    let mut command = Command::new("rustup");
    command
        .args([
            "run",
            "nightly",
            "cargo",
            "miri",
            "test",
            "--package",
            "ilink-client",
            "--no-default-features",
            "--lib",
            "--",
        ])
        .args(["wire::", "decode::", "agent::", "id::", "retry::", "error::", "sanitize::"])
        // Snapshot tests look for the workspace by starting Cargo, which miri cannot.
        .env("INSTA_WORKSPACE_ROOT", root())
        .env("MIRIFLAGS", "-Zmiri-disable-isolation")
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN")
        .current_dir(root());
    run_command(&mut command)
}
