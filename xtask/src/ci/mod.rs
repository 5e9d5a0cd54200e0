//! `cargo xtask ci`: everything that must pass, for people and machines alike.

pub(crate) mod count;
mod crates;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::process::{cargo, find, root, run as run_command, watched};
use crate::{Outcome, bench, e2e, fuzz, package, peers, tidy, tls, tools, types, workspace};
use count::Counts;

/// Runs all steps, also after one has failed: one run shows everything that is wrong.
pub(crate) fn run(fast: bool, fuzz: bool) -> Outcome<ExitCode> {
    // Before half an hour of work, not after.
    tools::npm()?;
    let members = workspace::members()?;
    let mut ci = Ci::default();
    ci.step("fmt", |_| run_command(&mut cargo(["fmt", "--all", "--check"])));
    ci.step("tidy", |_| tidy::run());
    ci.step("clippy", |_| crates::clippy(&members));
    ci.step("features", |_| features());
    ci.step("dependencies", |_| peers::count());
    ci.step("crates", |_| {
        let mut command = cargo(["package", "--no-verify", "--allow-dirty", "--quiet"]);
        run_command(command.args(workspace::published()?.iter().flat_map(|name| ["--package", name])))
    });
    ci.step("doc", |_| crates::doc(&members));
    ci.step("build", |_| crates::build(&members));
    ci.step("tls", |_| tls::run());
    let mut postgres = None;
    ci.step("postgresql", |_| tools::postgres().map(|found| postgres = found));
    ci.step("tests", |counts| crates::tests(&members, postgres.as_deref(), counts));
    ci.step("doc tests", |counts| crates::doc_tests(&members, counts));
    ci.step("javascript tests", javascript_tests);
    ci.step("deny", |_| deny());
    if !fast {
        // Linking the package leaves a core idle. What fails to install here is tried again, and reported, where it is
        // needed.
        let downloads = std::thread::spawn(types::install);
        let mut tgz = PathBuf::new();
        let packaged =
            ci.step("package", |_| package::run(package::NAME, package::PROFILE).map(|path| tgz = path));
        let _ = downloads.join();
        ci.step("types", |_| types::run());
        if postgres.is_some() {
            ci.step("fleet", |_| bench::run(bench::FLEET, &["--short".to_owned()]));
        }
        if packaged {
            ci.step("packed addon", |counts| addon_tests(&package::packed_addon(&tgz)?, counts));
            ci.step("e2e", |counts| {
                counts.add(e2e::run(&e2e::newest()?, &tgz, package::PROFILE)?);
                Ok(())
            });
        }
    }
    if fuzz {
        ci.step("fuzz", |_| fuzz::run(fuzz::Until::default()));
    }
    Ok(ci.finish())
}

/// Every choice of TLS compiles; native-tls needs OpenSSL's headers, which not every machine has.
fn features() -> Outcome {
    let native = find("pkg-config").is_some_and(|program| {
        Command::new(program).args(["--exists", "openssl"]).status().is_ok_and(|status| status.success())
    });
    if !native {
        println!("native-tls is not checked: pkg-config finds no openssl");
    }
    let choices = [("", true), ("rustls-ring,qr", true), ("rustls-aws-lc", true), ("native-tls", native)];
    for (features, _) in choices.iter().filter(|(_, here)| *here) {
        run_command(&mut cargo([
            "check",
            "--quiet",
            "--package",
            "ilink-client",
            "--no-default-features",
            "--features",
            features,
        ]))?;
    }
    // Without voice.
    run_command(&mut cargo(["check", "--quiet", "--package", "weixin-media", "--no-default-features"]))
}

fn javascript_tests(counts: &mut Counts) -> Outcome {
    let node = tools::node()?;
    let mut test = |files| {
        let mut command = Command::new(&node);
        command.args(["--test", "--test-reporter=spec", files]).current_dir(root());
        watched(&mut command, |line| counts.read_node(line))
    };
    let units = test("openclaw-weixin/npm/test/*.test.mjs");
    let installer = test("openclaw-weixin/cli/test/*.test.mjs");
    addon_tests(&package::addon("dev")?, counts).and(units).and(installer)
}

fn addon_tests(addon: &Path, counts: &mut Counts) -> Outcome {
    watched(&mut e2e::addon_tests(&tools::node()?, addon)?, |line| counts.read_node(line))
}

fn deny() -> Outcome {
    // Not "advisories": its database lies on GitHub, which build machines need not reach.
    println!("cargo deny check bans licenses sources (without advisories: their database needs GitHub)");
    let mut command = Command::new(tools::deny()?);
    run_command(
        command.args(["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]).current_dir(root()),
    )
}

#[derive(Default)]
struct Ci {
    counts: Counts,
    steps: Vec<(&'static str, Duration)>,
    failures: Vec<String>,
}

impl Ci {
    /// Returns whether the step passed.
    fn step(&mut self, name: &'static str, work: impl FnOnce(&mut Counts) -> Outcome) -> bool {
        println!("\n== {name}");
        let start = Instant::now();
        let mut counts = Counts::default();
        let outcome = work(&mut counts);
        let took = start.elapsed();
        self.steps.push((name, took));
        println!(
            "== {name}: {} in {:.1} s",
            if outcome.is_ok() { "ok" } else { "FAILED" },
            took.as_secs_f32()
        );
        let passed = outcome.is_ok();
        if let Err(message) = outcome {
            println!("error: {message}");
            self.failures.push(format!("{name}: {message}"));
            // Checks that are no tests count as one when they fail, so that the last line tells the truth.
            counts.failed = counts.failed.max(1);
        }
        self.counts.add(counts);
        passed
    }

    /// The last line of the output is the sum of all runners, good or bad.
    fn finish(self) -> ExitCode {
        println!();
        for (name, took) in &self.steps {
            println!("{:8.1} s  {name}", took.as_secs_f32());
        }
        for failure in &self.failures {
            println!("failed: {failure}");
        }
        let Counts { passed, failed } = self.counts;
        println!("{passed} passed, {failed} failed");
        if self.failures.is_empty() && failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
