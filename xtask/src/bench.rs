//! `cargo xtask bench`: benchmarks beside peers and comparisons with the official plugin, both in `bench/`; benchmarks of
//! the channel; the plugin on a real OpenClaw.

use std::process::Command;

use crate::process::{cargo, find, root, run as run_command, target};
use crate::{Outcome, e2e, package, tools};

/// Name of each benchmark beside peers, and its package in the workspace `bench/`.
const BENCHES: [(&str, &str); 3] =
    [("client", "ilink-client-bench"), ("media", "weixin-media-bench"), ("silk", "weixin-silk-bench")];

/// The decoder that JavaScript has.
const SILK_WASM: &str = "3.7.1";

/// Comparisons with the official plugin, each a program of `bench/official`.
/// `markdown` takes `[--count N] [--seed N] [--goldens FILE]`.
const COMPARISONS: [&str; 2] = ["markdown", "quotes"];
const COMPARISON: &str = "official-comparison";

/// Benchmarks of `weixin-channel` against the simulator: `crash [--kills N] [--seed N] [--disk-faults]`,
/// `channel [--slow-seconds N] [--messages N]`, of which `idle` is the last part alone, `faults`.
const CHANNEL: [&str; 4] = ["crash", "channel", "idle", "faults"];

/// Processes that share accounts over PostgreSQL: `[--short] [--accounts N] [--kills N] [--stops N] [--restarts N]
/// [--cuts N] [--rate N] [--seed N]`.
pub(crate) const FLEET: &str = "fleet";

/// The plugin beside the official one on a real OpenClaw: `[--runs N] [--network proxy|loopback]`.
const HOST: &str = "host";

/// Builds and runs one benchmark with optimisation; `args` are its own.
pub(crate) fn run(name: &str, args: &[String]) -> Outcome {
    if name == HOST {
        let package = package::run(package::NAME, package::PROFILE)?;
        let mut command = e2e::prepare(&e2e::newest()?, &package)?;
        command.env("BENCH_OFFICIAL", tools::official_plugin()?);
        return run_command(command.arg("openclaw-weixin/e2e/bench.mjs").args(args));
    }
    if COMPARISONS.contains(&name) {
        return compare(name, args);
    }
    if name == FLEET {
        let folder = tools::postgres()?.ok_or("the fleet needs a PostgreSQL")?;
        let mut command = cargo(["run", "--quiet", "-p", "weixin-channel", "--example", "bench"]);
        // The short form is for its counts, not for its times: what the tests have built does.
        if !args.iter().any(|arg| arg == "--short") {
            command.arg("--release");
        }
        command.args(["--features", "postgres", "--", name]).args(args).current_dir(root());
        return run_command(command.env("WEIXIN_POSTGRES_BIN", folder).env("WEIXIN_POSTGRES", "required"));
    }
    if CHANNEL.contains(&name) {
        let mut command =
            cargo(["run", "--release", "--quiet", "-p", "weixin-channel", "--example", "bench"]);
        return run_command(command.args(["--", name]).args(args).current_dir(root()));
    }
    let Some((_, package)) = BENCHES.iter().find(|(known, _)| *known == name) else {
        let beside_peers = BENCHES.iter().map(|(name, _)| *name);
        let known: Vec<_> = beside_peers.chain(COMPARISONS).chain(CHANNEL).chain([FLEET, HOST]).collect();
        return Err(format!("there is no benchmark {name:?}; known are: {}", known.join(", ")));
    };
    let mut command = cargo(["run", "--release", "--quiet", "--package", package, "--manifest-path"]);
    command.arg(root().join("bench/Cargo.toml")).env("CARGO_TARGET_DIR", target().join("bench"));
    if name == "silk" {
        needs_libclang()?;
        if args.is_empty() {
            command.env("SILK_WASM", tools::silk_wasm(SILK_WASM)?).env("NODE", tools::node()?);
        }
    }
    run_command(command.arg("--").args(args))
}

/// The reference of the voice codec is C, behind bindgen.
fn needs_libclang() -> Outcome {
    if find("cc").is_none() {
        return Err("there is no C compiler; on Debian: apt-get install gcc libclang-dev".into());
    }
    let listed = Command::new("sh").args(["-c", "ldconfig -p; ls /usr/lib/llvm*/lib"]).output();
    let found = listed.is_ok_and(|output| lists_libclang(&String::from_utf8_lossy(&output.stdout)));
    if found || std::env::var_os("LIBCLANG_PATH").is_some() {
        return Ok(());
    }
    Err("there is no libclang, which builds the reference's bindings; on Debian: apt-get install libclang-dev, \
         elsewhere install LLVM and set LIBCLANG_PATH"
        .into())
}

/// Whether libraries, one in a line, have libclang among them; libclang-cpp is another one.
fn lists_libclang(libraries: &str) -> bool {
    let mut names = libraries.lines().map(str::trim_start);
    names.any(|name| name.starts_with("libclang") && !name.starts_with("libclang-cpp"))
}

/// Runs our code beside the official plugin's. `OFFICIAL_PLUGIN` and `NODE` stand for what would else be installed.
fn compare(name: &str, args: &[String]) -> Outcome {
    let plugin = match std::env::var_os("OFFICIAL_PLUGIN") {
        Some(folder) => folder.into(),
        None => tools::official_plugin()?,
    };
    let node = match std::env::var_os("NODE") {
        Some(node) => node.into(),
        None => tools::node()?,
    };
    let mut command = cargo(["run", "--quiet", "--package", COMPARISON, "--bin", name, "--"]);
    run_command(command.args(args).current_dir(root()).env("OFFICIAL_PLUGIN", plugin).env("NODE", node))
}

#[cfg(test)]
mod tests {
    use super::lists_libclang;

    #[test]
    fn the_cpp_library_is_not_libclang() {
        assert!(!lists_libclang("\tlibclang-cpp.so.14 (libc6,x86-64) => /lib/libclang-cpp.so.14\n"));
        assert!(lists_libclang("libclang-cpp.so.14\nlibclang.so\n"));
        assert!(lists_libclang("\tlibclang-14.so.1 (libc6,x86-64) => /lib/libclang-14.so.1\n"));
    }
}
