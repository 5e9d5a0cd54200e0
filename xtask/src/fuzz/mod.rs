//! `cargo xtask fuzz`: every fuzz target, from a corpus of recorded answers that grows from run to run.

mod seeds;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::process::{root, target, watched};
use crate::tools;

/// How long to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// So many seconds for each target.
    Seconds(u32),
    /// So many inputs over all targets, those of earlier runs included.
    Inputs(u64),
}

impl Default for Until {
    fn default() -> Self {
        Self::Seconds(60)
    }
}

/// The crates with a `fuzz/` folder.
const CRATES: [&str; 6] =
    ["ilink-client", "weixin-media", "weixin-media/silk", "fixtures", "weixin-channel", "openclaw-weixin"];

/// With a number of inputs, the targets take turns of this length, so that whoever ends it early has some of each.
const TURN_SECONDS: u32 = 120;

/// Inputs that were run, by target.
type Counts = BTreeMap<String, u64>;

/// Runs all targets one after the other; a finding fails the run and is kept below the target's `fuzz/artifacts/`.
pub(crate) fn run(until: Until) -> Outcome {
    let fuzzer = tools::fuzz()?;
    let folder = target().join("fuzz");
    let corpus = folder.join("corpus");
    seeds::plant(&corpus)?;
    let mut all = Vec::new();
    for name in CRATES {
        let sources = root().join(name).join("fuzz");
        all.extend(targets(&sources)?.into_iter().map(|target| (sources.clone(), target)));
    }
    match until {
        Until::Seconds(seconds) => {
            let mut counts = Counts::new();
            for (sources, name) in &all {
                println!("{name} for {seconds} s");
                let inputs = turn(&fuzzer, sources, name, &corpus, seconds, None)?;
                counts.insert(name.clone(), inputs);
            }
            tell(&counts);
        }
        Until::Inputs(inputs) => {
            let file = folder.join("inputs.json");
            let mut counts = read(&file)?;
            let share = inputs.div_ceil(all.len().max(1) as u64);
            loop {
                let mut done = true;
                for (sources, name) in &all {
                    let so_far = counts.get(name).copied().unwrap_or(0);
                    let Some(left) = share.checked_sub(so_far).filter(|left| *left > 0) else { continue };
                    println!("{name}: {so_far} of {share} inputs");
                    let more = turn(&fuzzer, sources, name, &corpus, TURN_SECONDS, Some(left))?;
                    // After each turn: whoever ends it loses no more than one.
                    counts.insert(name.clone(), so_far + more);
                    write(&file, &counts)?;
                    done &= so_far + more >= share;
                }
                if done {
                    break;
                }
            }
            tell(&counts);
            println!("counted in {}: remove it to begin anew", file.display());
        }
    }
    Ok(())
}

/// Runs one target for a while, with so many inputs at most; how many it has run.
fn turn(
    fuzzer: &Path,
    sources: &Path,
    name: &str,
    corpus: &Path,
    seconds: u32,
    most: Option<u64>,
) -> Outcome<u64> {
    let own = corpus.join(name);
    fs::create_dir_all(&own).map_err(|error| format!("{}: {error}", own.display()))?;
    let mut command = Command::new("rustup");
    command.args(["run", "nightly", "cargo", "fuzz", "run", "--fuzz-dir"]).current_dir(root());
    // cargo finds its subcommand on the PATH.
    let bin = fuzzer.parent().map(PathBuf::from).into_iter();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(bin.chain(std::env::split_paths(&path)));
    command
        .arg(sources)
        .arg(name)
        .arg(&own)
        .args(["--", "-timeout=20", "-rss_limit_mb=2048", "-verbosity=0", "-print_final_stats=1"])
        .args([format!("-max_len={}", longest(name)), format!("-max_total_time={seconds}")])
        .args(most.map(|most| format!("-runs={most}")))
        .env("PATH", path.map_err(|error| format!("PATH: {error}"))?)
        .env("CARGO_TARGET_DIR", target().join("fuzz"))
        // Ours, which would win over the nightly one.
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN");
    let mut inputs = None;
    watched(&mut command, |line| inputs = executed(line).or(inputs))?;
    inputs.ok_or_else(|| format!("{name} has not said how many inputs it ran"))
}

/// libFuzzer's line of how many inputs a process has run.
fn executed(line: &str) -> Option<u64> {
    line.trim().strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok()
}

/// The longest input of a target, in bytes. Voice takes too long beyond its own: each packet may be of two bytes.
fn longest(name: &str) -> usize {
    match name {
        "silk" => 4 << 10,
        "sniff" => 64 << 10,
        _ => 1 << 20,
    }
}

fn tell(counts: &Counts) {
    for (name, inputs) in counts {
        println!("{name:20} {inputs:>12}");
    }
    println!("{:20} {:>12}", "in all", counts.values().sum::<u64>());
}

fn read(file: &Path) -> Outcome<Counts> {
    match fs::read_to_string(file) {
        Ok(text) => {
            serde_json::from_str(&text).map_err(|error| format!("{}: {error}; remove it", file.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Counts::new()),
        Err(error) => Err(format!("{}: {error}", file.display())),
    }
}

fn write(file: &Path, counts: &Counts) -> Outcome {
    let text = serde_json::to_string_pretty(counts).map_err(|error| error.to_string())?;
    // Renamed into place: what was counted so far must not be lost by an end in the middle.
    let partial = file.with_extension("partial");
    let written = fs::write(&partial, text).and_then(|()| fs::rename(&partial, file));
    written.map_err(|error| format!("{}: {error}", file.display()))
}

fn targets(folder: &Path) -> Outcome<Vec<String>> {
    let sources = folder.join("fuzz_targets");
    let entries = fs::read_dir(&sources).map_err(|error| format!("{}: {error}", sources.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            entry.ok()?.file_name().into_string().ok()?.strip_suffix(".rs").map(str::to_owned)
        })
        // What the targets share.
        .filter(|name| !["check", "common"].contains(&name.as_str()))
        .collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_fuzzer_says_is_counted() {
        assert_eq!(executed("stat::number_of_executed_units: 123456"), Some(123_456));
        assert_eq!(executed("stat::average_exec_per_sec:     1000"), None);
        assert_eq!(executed("anything else"), None);
    }

    #[test]
    fn counts_are_kept_from_run_to_run() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("inputs.json");
        assert_eq!(read(&file), Ok(Counts::new()));
        let counts: Counts = [("updates".to_owned(), 5)].into();
        write(&file, &counts).unwrap();
        assert_eq!(read(&file), Ok(counts));
        fs::write(&file, "broken").unwrap();
        assert!(read(&file).unwrap_err().contains("remove it"));
    }
}
