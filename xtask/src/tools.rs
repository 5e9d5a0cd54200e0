//! Programs that the tasks use beside the Rust toolchain: found, or installed below `target/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::process::{cargo, find, run, target};
use crate::{Outcome, archive, platform};

/// What the newest OpenClaw wants, and everything else of ours runs with.
const NODE: &str = "24.21.0";

/// The version of Tencent's plugin that is the reference.
pub(crate) const OFFICIAL: &str = "2.4.9";

/// Options of npm beside a package's name.
#[derive(Debug, Default)]
pub(crate) struct NpmOptions {
    /// Further arguments.
    pub(crate) args: Vec<&'static str>,
    /// `overrides` of the package.json around it.
    pub(crate) overrides: Option<Value>,
}

/// npm, the one program that we cannot install.
pub(crate) fn npm() -> Outcome<PathBuf> {
    find("npm")
        .ok_or_else(|| "npm is not installed; install Node.js, which brings it, and put it on PATH".into())
}

/// A Node.js that current OpenClaw accepts.
pub(crate) fn node() -> Outcome<PathBuf> {
    node_version(NODE)
}

/// A Node.js of the npm registry: the same one everywhere, whatever the machine has.
pub(crate) fn node_version(version: &str) -> Outcome<PathBuf> {
    let package = format!("node-{}-{}", platform::os(), platform::arch());
    let folder = npm_install(&package, version, None, &NpmOptions::default())?;
    Ok(folder.join("node_modules").join(package).join("bin").join("node"))
}

/// The folder with an installed `openclaw`.
pub(crate) fn openclaw(version: &str, node: &Path, options: &NpmOptions) -> Outcome<PathBuf> {
    npm_install("openclaw", version, Some(node), options)
}

/// The folder of Tencent's own plugin, without the host that it asks for.
pub(crate) fn official_plugin() -> Outcome<PathBuf> {
    let name = "@tencent-weixin/openclaw-weixin";
    let options = NpmOptions { args: vec!["--ignore-scripts", "--legacy-peer-deps"], overrides: None };
    let folder = npm_install(name, OFFICIAL, None, &options)?;
    Ok(folder.join("node_modules").join(name))
}

/// The folder of silk-wasm.
pub(crate) fn silk_wasm(version: &str) -> Outcome<PathBuf> {
    let folder = npm_install("silk-wasm", version, None, &NpmOptions::default())?;
    Ok(folder.join("node_modules").join("silk-wasm"))
}

/// The script of verdaccio, an npm registry for this machine only.
pub(crate) fn verdaccio(node: &Path) -> Outcome<PathBuf> {
    // One of its parts asks for a tag of node-fetch that not every mirror has.
    let overrides = Some(json!({ "node-fetch": "2.7.0" }));
    let options = NpmOptions { args: vec!["--ignore-scripts"], overrides };
    let folder = npm_install("verdaccio", "6.10.4", Some(node), &options)?;
    Ok(folder.join("node_modules").join("verdaccio").join("bin").join("verdaccio"))
}

/// The folder with TypeScript's compiler.
pub(crate) fn typescript() -> Outcome<PathBuf> {
    npm_install("typescript", "5.9.3", None, &NpmOptions::default())
}

/// The folder with the declarations of Node.js.
pub(crate) fn node_types() -> Outcome<PathBuf> {
    npm_install("@types/node", "24.19.2", None, &NpmOptions::default())
}

/// The folder of a gcc that builds for glibc 2.17, whose programs begin with the target's name.
pub(crate) fn old_gcc() -> Outcome<PathBuf> {
    let (package, version) = ("@napi-rs/cross-toolchain-x64-target-x86_64", "1.0.0");
    let folder = target().join("tools").join(format!("old-gcc-{version}"));
    if !folder.exists() {
        let packed = npm_install(package, version, None, &NpmOptions::default())?.join("node_modules");
        let partial = folder.with_extension("partial");
        archive::unpack_tar_xz(&packed.join(package).join("x86_64-unknown-linux-gnu.tar.xz"), &partial)?;
        fs::rename(&partial, &folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    Ok(folder)
}

/// A Python that has a package of its registry, in an environment of its own.
pub(crate) fn python_with(package: &str, version: &str) -> Outcome<PathBuf> {
    let machine = find("python3").ok_or("python3 is not installed; install it and put it on PATH")?;
    let folder = target().join("e2e").join(format!("python-{package}-{version}"));
    let bin = folder.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let (python, done) = (bin.join("python"), folder.join("installed"));
    if !done.exists() {
        println!("installing {package} {version} below {}", folder.display());
        run(Command::new(machine).args(["-m", "venv", "--clear"]).arg(&folder))?;
        let wanted = format!("{package}=={version}");
        run(Command::new(&python).args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            &wanted,
        ]))?;
        fs::write(&done, "").map_err(|error| format!("{}: {error}", done.display()))?;
    }
    Ok(python)
}

/// The folder with the programs of a PostgreSQL server: the machine's, or Debian's package where we may install it.
/// `None`, with a sentence, where there is none and we may not. PgBouncer comes with it where it can be had.
pub(crate) fn postgres() -> Outcome<Option<PathBuf>> {
    let has_bouncer = || find("pgbouncer").is_some() || Path::new("/usr/sbin/pgbouncer").exists();
    if !has_bouncer()
        && may_install()
        && let Err(error) = apt_install("pgbouncer")
    {
        println!("{error}: PostgreSQL is not tested behind PgBouncer");
    }
    if let Some(folder) = postgres_here() {
        return Ok(Some(folder));
    }
    if !may_install() {
        println!(
            "there is no PostgreSQL, and this user may not install it; as root on Debian: apt-get install postgresql"
        );
        return Ok(None);
    }
    apt_install("postgresql")?;
    postgres_here()
        .map(Some)
        .ok_or_else(|| "apt-get installed postgresql, but it is not below /usr/lib/postgresql".into())
}

/// Root on Debian or its like.
fn may_install() -> bool {
    let id = Command::new("id").arg("-u").output();
    find("apt-get").is_some() && id.is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn apt_install(package: &str) -> Outcome {
    println!("installing Debian's {package}");
    let install = || {
        let mut command = Command::new("apt-get");
        command.args(["install", "--yes", "--quiet", "--no-install-recommends", package]);
        run(command.env("DEBIAN_FRONTEND", "noninteractive"))
    };
    // A fresh machine has no list of packages yet, or an old one.
    install().or_else(|_| run(Command::new("apt-get").args(["update", "--quiet"])).and_then(|()| install()))
}

fn postgres_here() -> Option<PathBuf> {
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = debian.map(|entry| entry.path().join("bin")).filter(|bin| bin.join("initdb").exists()).max();
    newest.or_else(|| find("initdb").and_then(|program| program.parent().map(Path::to_owned)))
}

/// cargo-deny: the machine's, or one built below `target/tools`.
pub(crate) fn deny() -> Outcome<PathBuf> {
    cargo_install("cargo-deny", "0.20.2")
}

/// cargo-cyclonedx: the machine's, or one built below `target/tools`.
pub(crate) fn cyclonedx() -> Outcome<PathBuf> {
    cargo_install("cargo-cyclonedx", "0.5.9")
}

/// cargo-auditable: the machine's, or one built below `target/tools`.
pub(crate) fn auditable() -> Outcome<PathBuf> {
    cargo_install("cargo-auditable", "0.7.7")
}

/// The same, if it is there already.
pub(crate) fn auditable_here() -> Option<PathBuf> {
    find("cargo-auditable").or_else(|| Some(built("cargo-auditable")).filter(|path| path.exists()))
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
    let (tools, path) = (target().join("tools"), built(program));
    if !path.exists() {
        println!("building {program}, once");
        let args = ["install", program, "--version", version, "--locked", "--debug", "--quiet", "--root"];
        run(cargo(args).arg(&tools))?;
    }
    Ok(path)
}

/// Where such a program is built.
fn built(program: &str) -> PathBuf {
    target().join("tools").join("bin").join(format!("{program}{}", std::env::consts::EXE_SUFFIX))
}

/// Installs `package@version` into its own folder, once. An interrupted installation leaves only a folder
/// with another name.
fn npm_install(package: &str, version: &str, node: Option<&Path>, options: &NpmOptions) -> Outcome<PathBuf> {
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
    let mut project = json!({ "private": true });
    if let Some(overrides) = &options.overrides {
        project["overrides"] = overrides.clone();
    }
    fs::write(partial.join("package.json"), project.to_string()).map_err(error)?;
    let mut command = Command::new(npm()?);
    command.args(["install", "--no-audit", "--no-fund", "--loglevel=error", &format!("{package}@{version}")]);
    command.args(&options.args).current_dir(&partial);
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
