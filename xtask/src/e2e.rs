//! `cargo xtask e2e`: the package on a real OpenClaw, against the simulator. The tests themselves are JavaScript
//! (`openclaw-weixin/e2e/`); this installs what they need and tells them where everything is.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::ci::count::Counts;
use crate::process::{self, cargo, root, target, watched};
use crate::{Outcome, package, tools};

/// A host of the matrix, as `e2e/hosts.json` describes it.
pub(crate) struct Host {
    pub(crate) version: String,
    /// A Node.js that it accepts.
    pub(crate) node: String,
    /// Whether it ships TypeScript declarations.
    pub(crate) declarations: bool,
    /// What npm must know to install it.
    pub(crate) npm: tools::NpmOptions,
}

/// All hosts, oldest first.
pub(crate) fn hosts() -> Outcome<Vec<Host>> {
    parse(include_str!("../../openclaw-weixin/e2e/hosts.json"))
}

/// One of them.
pub(crate) fn host(version: &str) -> Outcome<Host> {
    let hosts = hosts()?;
    let known: Vec<_> = hosts.iter().map(|host| host.version.clone()).collect();
    hosts.into_iter().find(|host| host.version == version).ok_or_else(|| {
        format!(
            "OpenClaw {version} is not in openclaw-weixin/e2e/hosts.json; known are: {}",
            known.join(", ")
        )
    })
}

/// The newest host that we know.
pub(crate) fn newest() -> Outcome<Host> {
    hosts()?.pop().ok_or_else(|| "openclaw-weixin/e2e/hosts.json names no host".into())
}

/// The name under which the page of OpenClaw's documentation installs the plugin; our registry serves it too.
const PUBLISHED: &str = "@tencent-weixin/openclaw-weixin";

/// Runs every test with `package` on one host, those that need a registry included.
pub(crate) fn run(host: &Host, package: &Path, profile: &str) -> Outcome<Counts> {
    let packages = package::registry(PUBLISHED, profile)?;
    let registry = packages.first().and_then(|tgz| tgz.parent()).ok_or("no packages for the registry")?;
    let mut command = prepare(host, package)?;
    command.env("E2E_REGISTRY", registry);
    command.env("E2E_VERDACCIO", tools::verdaccio(&tools::node()?)?);
    test(command, "*.test.mjs")
}

/// Runs the tests that `files` (a pattern below `e2e/`) names.
fn test(mut command: Command, files: &str) -> Outcome<Counts> {
    // One file after the other: a gateway takes all of a small machine.
    command.args(["--test", "--test-reporter=spec", "--test-concurrency=1"]);
    command.arg(format!("openclaw-weixin/e2e/{files}"));
    let mut counts = Counts::default();
    watched(&mut command, |line| counts.read_node(line))?;
    Ok(counts)
}

/// Every host in turn; one that fails does not keep the others from being tried.
pub(crate) fn matrix(package: &Path) -> Outcome {
    let mut failed = Vec::new();
    let mut rows = Vec::new();
    for host in hosts()? {
        println!("\n== OpenClaw {} on Node.js {}", host.version, host.node);
        match prepare(&host, package).and_then(|command| test(command, "plugin.test.mjs")) {
            Ok(counts) => rows.push(format!("{:10}  {} passed", host.version, counts.passed)),
            Err(message) => {
                rows.push(format!("{:10}  FAILED: {message}", host.version));
                failed.push(host.version);
            }
        }
    }
    println!("\n{}", rows.join("\n"));
    if failed.is_empty() { Ok(()) } else { Err(format!("failed on {}", failed.join(", "))) }
}

/// SIGKILL of the gateway at random moments of a turn.
pub(crate) fn crash(host: &Host, package: &Path, kills: u32) -> Outcome<Counts> {
    let mut command = prepare(host, package)?;
    command.env("E2E_KILLS", kills.to_string());
    test(command, "crash.mjs")
}

/// The host and the Node.js that it runs with, which comes first.
pub(crate) fn install(host: &Host) -> Outcome<(PathBuf, PathBuf)> {
    let node = tools::node_version(&host.node)?;
    let install = tools::openclaw(&host.version, &node, &host.npm)?;
    Ok((node, install))
}

/// The simulator as a program.
pub(crate) fn simulator() -> Outcome<PathBuf> {
    process::run(&mut cargo(["build", "--quiet", "--package", "ilink-fixtures", "--bin", "ilink-sim"]))?;
    Ok(target().join("debug").join(format!("ilink-sim{}", std::env::consts::EXE_SUFFIX)))
}

/// The tests of an addon without a host around it, on a Node.js.
pub(crate) fn addon_tests(node: &Path, addon: &Path) -> Outcome<Command> {
    let mut command = Command::new(node);
    // The file itself, which brings the other one, without `--test`: the program that runs may be a wrapper.
    command.args(["--test-reporter=spec", "openclaw-weixin/tests/addon.test.mjs"]).current_dir(root());
    command.env("WEIXIN_ADDON", addon).env("WEIXIN_SIMULATOR", simulator()?);
    Ok(command)
}

/// The official plugin instead of ours.
pub(crate) fn official(host: &Host) -> Outcome<Counts> {
    let mut command = prepare(host, Path::new(""))?;
    command.env("E2E_OFFICIAL", tools::OFFICIAL);
    test(command, "official.mjs")
}

/// Node.js with everything that the JavaScript of `e2e/` reads from its environment.
pub(crate) fn prepare(host: &Host, package: &Path) -> Outcome<Command> {
    let simulator = simulator()?;
    let (node, install) = install(host)?;
    let mut command = Command::new(&node);
    command.current_dir(root());
    command.env("E2E_NODE", &node);
    command.env("E2E_HOST_INSTALL", install);
    command.env("E2E_HOST_VERSION", &host.version);
    command.env("E2E_PACKAGE", package);
    command.env("E2E_SIMULATOR", simulator);
    Ok(command)
}

fn parse(json: &str) -> Outcome<Vec<Host>> {
    let error = |what: &str| format!("openclaw-weixin/e2e/hosts.json: {what}");
    let value: Value = serde_json::from_str(json).map_err(|cause| error(&cause.to_string()))?;
    let text = |host: &Value, key: &str| {
        host[key].as_str().map(str::to_owned).ok_or_else(|| error(&format!("a host has no {key}")))
    };
    let hosts = value["hosts"].as_array().ok_or_else(|| error("no hosts"))?;
    hosts
        .iter()
        .map(|host| {
            let npm = tools::NpmOptions {
                args: if host["npm"]["ignoreScripts"] == true {
                    vec!["--ignore-scripts"]
                } else {
                    Vec::new()
                },
                overrides: host["npm"].get("overrides").cloned(),
            };
            let declarations = host["declarations"] != false;
            Ok(Host { version: text(host, "version")?, node: text(host, "node")?, declarations, npm })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_listed_oldest_first() {
        let versions: Vec<Vec<u32>> = hosts()
            .unwrap()
            .iter()
            .map(|host| host.version.split('.').map(|part| part.parse().unwrap()).collect())
            .collect();
        assert!(versions.is_sorted(), "{versions:?}");
        assert!(versions.len() > 1);
    }

    #[test]
    fn an_unknown_host_is_told_the_known_ones() {
        let message = host("2020.1.1").err().unwrap();
        assert!(message.contains("2026.9.6"), "{message}");
    }
}
