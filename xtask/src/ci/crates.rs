//! Each of our packages by itself: built, linted and tested with the features that it is shipped with.
//!
//! Not the workspace as a whole: there features unify, and a package passes with what only its neighbours turn on.

use std::path::Path;
use std::process::Command;

use crate::Outcome;
use crate::ci::count::Counts;
use crate::process::{self, cargo, find, watched};
use crate::workspace::Member;

/// Lints everything as its tests build it, and what is shipped once more without the features that tests add.
pub(super) fn clippy(members: &[Member]) -> Outcome {
    let clippy = |member: &Member, more: &[&str]| {
        let mut command = cargo(["clippy", "--quiet", "--package", &member.name]);
        process::run(command.args(more).args(["--", "-D", "warnings"]))
    };
    process::each(members, |member| {
        if member.shipped() {
            clippy(member, &[])?;
        }
        process::each(variants(member), |features| {
            clippy(member, &["--all-targets", "--features", &features])
        })
    })
}

/// Builds what is shipped, as it is shipped: without dev-dependencies, whose features would unify with its own.
pub(super) fn build(members: &[Member]) -> Outcome {
    let shipped = members.iter().filter(|member| member.shipped());
    process::each(shipped, |member| {
        process::run(&mut cargo(["build", "--quiet", "--package", &member.name, "--lib"]))
    })
}

/// The documentation of all that can be turned on, as docs.rs shows it.
pub(super) fn doc(members: &[Member]) -> Outcome {
    process::each(members, |member| {
        let mut command = cargo(["doc", "--no-deps", "--quiet", "--package", &member.name]);
        process::run(
            command.args(["--features", &member.optional.join(",")]).env("RUSTDOCFLAGS", "-D warnings"),
        )
    })
}

/// Runs the tests with default features, and with further ones where there is code that only those reach.
/// `postgres` is the folder of a server's programs: with one, the tests that need it may not do without.
pub(super) fn tests(members: &[Member], postgres: Option<&Path>, counts: &mut Counts) -> Outcome {
    let on_postgres = |mut command: Command| {
        if let Some(folder) = postgres {
            command.env("WEIXIN_POSTGRES_BIN", folder).env("WEIXIN_POSTGRES", "required");
        }
        command
    };
    let nextest = find("cargo-nextest").is_some();
    if !nextest {
        // The same tests, one process per binary; building nextest costs more than it saves.
        println!("cargo-nextest is not installed; using cargo test");
    }
    let mut test = |member: &Member, features: &str| {
        println!(
            "{}{}",
            member.name,
            if features.is_empty() { String::new() } else { format!(" with {features}") }
        );
        let package = ["--package", &member.name, "--features", features];
        if nextest {
            let mut command =
                on_postgres(cargo(["nextest", "run", "--status-level", "slow", "--cargo-quiet"]));
            watched(command.args(package), |line| counts.read_nextest(line))
        } else {
            let mut command = on_postgres(cargo(["test", "--all-targets", "--quiet"]));
            watched(command.args(package), |line| counts.read_cargo_test(line))
        }
    };
    process::each(members, |member| process::each(variants(member), |features| test(member, &features)))
}

/// Runs the examples in the documentation, likewise.
pub(super) fn doc_tests(members: &[Member], counts: &mut Counts) -> Outcome {
    process::each(members.iter().filter(|member| member.examples_in_docs), |member| {
        process::each(variants(member), |features| {
            let mut command = cargo(["test", "--doc", "--quiet", "--package", &member.name]);
            watched(command.args(["--features", &features]), |line| counts.read_cargo_test(line))
        })
    })
}

/// The features beside the default ones with which a package is tested: none, and those that nothing else reaches.
fn variants(member: &Member) -> impl Iterator<Item = String> {
    let more = (!member.untested.is_empty()).then(|| member.untested.join(","));
    [String::new()].into_iter().chain(more)
}
