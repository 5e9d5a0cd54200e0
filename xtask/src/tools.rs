//! Programs that the tasks use beside the Rust toolchain: found, or installed below `target/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{cargo, find, output, run, target};
use crate::{Outcome, platform};

/// The Node.js that is installed when the machine's own is too old for OpenClaw.
const NODE: &str = "24.21.0";
/// What OpenClaw 2026.9 wants.
const NODE_MINIMUM: [u64; 2] = [24, 16];

/// npm, the one program that we cannot install.
pub(crate) fn npm() -> Outcome<PathBuf> {
    find("npm")
        .ok_or_else(|| "npm is not installed; install Node.js, which brings it, and put it on PATH".into())
}

/// A Node.js that current OpenClaw accepts: the machine's, or one from the npm registry.
pub(crate) fn node() -> Outcome<PathBuf> {
    if let Some(node) = find("node")
        && is_new_enough(&output(Command::new(&node).arg("--version"))?)
    {
        return Ok(node);
    }
    let package = format!("node-{}-{}", platform::os(), platform::arch());
    let folder = npm_install(&package, NODE, None, &[])?;
    Ok(folder.join("node_modules").join(package).join("bin").join("node"))
}

/// The folder with an installed `openclaw`.
pub(crate) fn openclaw(version: &str, node: &Path) -> Outcome<PathBuf> {
    npm_install("openclaw", version, Some(node), &[])
}

/// The folder of Tencent's own plugin, without the host that it asks for.
pub(crate) fn official_plugin() -> Outcome<PathBuf> {
    let name = "@tencent-weixin/openclaw-weixin";
    let folder = npm_install(name, "2.4.9", None, &["--ignore-scripts", "--legacy-peer-deps"])?;
    Ok(folder.join("node_modules").join(name))
}

/// The folder of silk-wasm.
pub(crate) fn silk_wasm(version: &str) -> Outcome<PathBuf> {
    let folder = npm_install("silk-wasm", version, None, &[])?;
    Ok(folder.join("node_modules").join("silk-wasm"))
}

/// cargo-deny: the machine's, or one built below `target/tools`.
pub(crate) fn deny() -> Outcome<PathBuf> {
    cargo_install("cargo-deny", "0.20.2")
}

/// cargo-fuzz: the machine's, or one built below `target/tools`.
pub(crate) fn fuzz() -> Outcome<PathBuf> {
    cargo_install("cargo-fuzz", "0.13.2")
}

/// cargo-semver-checks: the machine's, or one built below `target/tools`.
pub(crate) fn semver_checks() -> Outcome<PathBuf> {
    cargo_install("cargo-semver-checks", "0.51.0")
}

/// A program of Cargo's registry: the machine's, or one built below `target/tools`, without optimisation, since it
/// runs for seconds and builds for minutes.
fn cargo_install(program: &str, version: &str) -> Outcome<PathBuf> {
    if let Some(found) = find(program) {
        return Ok(found);
    }
    let tools = target().join("tools");
    let path = tools.join("bin").join(format!("{program}{}", std::env::consts::EXE_SUFFIX));
    if !path.exists() {
        println!("building {program}, once");
        let args = ["install", program, "--version", version, "--locked", "--debug", "--quiet", "--root"];
        run(cargo(args).arg(&tools))?;
    }
    Ok(path)
}

/// Installs `package@version` into its own folder, once. An interrupted installation leaves only a folder
/// with another name.
fn npm_install(package: &str, version: &str, node: Option<&Path>, options: &[&str]) -> Outcome<PathBuf> {
    let folder = target().join("e2e").join(format!("{}-{version}", package.replace('/', "-")));
    if folder.exists() {
        return Ok(folder);
    }
    println!("installing {package}@{version} below {}", folder.display());
    let partial = folder.with_extension("partial");
    let error = |error| format!("{}: {error}", partial.display());
    if partial.exists() {
        fs::remove_dir_all(&partial).map_err(error)?;
    }
    fs::create_dir_all(&partial).map_err(error)?;
    // npm looks upwards for a project; this file makes the folder one.
    fs::write(partial.join("package.json"), "{\"private\":true}\n").map_err(error)?;
    let mut command = Command::new(npm()?);
    command.args(["install", "--no-audit", "--no-fund", "--loglevel=error", &format!("{package}@{version}")]);
    command.args(options).current_dir(&partial);
    if let Some(bin) = node.and_then(Path::parent) {
        // Install scripts run with the Node.js that the package is for.
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths([bin.to_owned()].into_iter().chain(std::env::split_paths(&path)));
        command.env("PATH", path.map_err(|error| format!("PATH: {error}"))?);
    }
    run(&mut command)?;
    fs::rename(&partial, &folder).map_err(error)?;
    Ok(folder)
}

fn is_new_enough(version: &str) -> bool {
    let mut numbers =
        version.trim().trim_start_matches('v').split('.').map_while(|part| part.parse::<u64>().ok());
    let (Some(major), Some(minor)) = (numbers.next(), numbers.next()) else { return false };
    [major, minor] >= NODE_MINIMUM
}

#[cfg(test)]
mod tests {
    use super::is_new_enough;

    #[test]
    fn node_versions_are_compared_as_numbers() {
        assert!(is_new_enough("v24.16.0\n"));
        assert!(is_new_enough("v26.1.0"));
        assert!(!is_new_enough("v24.9.0"));
        assert!(!is_new_enough("v20.20.2"));
        assert!(!is_new_enough("nonsense"));
    }
}
