//! What `cargo xtask bench crash|channel|idle|faults|fleet` runs.

#![allow(clippy::cast_precision_loss, reason = "figures for people")]
// Not in what is shipped: the disk that fails.
#![allow(clippy::expect_used, reason = "a disk for tests fails by panicking")]

mod crash;
#[path = "../../tests/disk/mod.rs"]
mod disk;
mod faults;
mod feed;
#[cfg(feature = "postgres")]
mod fleet;
#[cfg(feature = "postgres")]
mod fleet_child;
mod idle;
mod lab;
mod start;
mod throughput;

use std::error::Error;
use std::process::ExitCode;

/// What a benchmark ends with.
type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["crash", rest @ ..] => crash::run(rest),
        ["crash-child", url, folder, log, faults @ ..] => crash::child(url, folder, log, faults),
        ["channel", rest @ ..] => throughput::run(rest).and_then(|()| idle::run()),
        ["idle"] => idle::run(),
        ["idle-child", url, folder] => idle::child(url, folder),
        ["idle-simulator"] => idle::simulator(),
        ["faults"] => faults::run(),
        #[cfg(feature = "postgres")]
        ["fleet", rest @ ..] => fleet::run(rest),
        #[cfg(feature = "postgres")]
        ["fleet-child", simulator, database, name, log] => fleet_child::run(simulator, database, name, log),
        _ => Err("usage: crash [--kills N] [--seed N] [--disk-faults] | channel [--slow-seconds N] [--messages N] | idle | faults | fleet [--short] \
                  [--accounts N] [--kills N] [--stops N] [--restarts N] [--cuts N] [--rate N] [--seed N] (feature postgres)"
            .into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The value of `--name N`.
fn option(args: &[&str], name: &str, default: u64) -> Result<u64, Box<dyn Error + Send + Sync>> {
    let Some(at) = args.iter().position(|arg| *arg == name) else { return Ok(default) };
    let value = args.get(at + 1).ok_or_else(|| format!("{name} wants a number"))?;
    value.parse().map_err(|_| format!("{name} wants a number, not {value:?}").into())
}
