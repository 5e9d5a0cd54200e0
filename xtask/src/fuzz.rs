//! `cargo xtask fuzz`: every fuzz target for a while, from a corpus of recorded answers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::Outcome;
use crate::process::{root, run as run_command, target};
use crate::tools;

/// How many seconds each target runs by default.
pub(crate) const SECONDS: u32 = 60;

/// The crates with a `fuzz/` folder.
const CRATES: [&str; 3] = ["ilink-client", "weixin-media", "weixin-media/silk"];

/// Runs all targets one after the other; a finding fails the run and is kept below `target/fuzz/`.
pub(crate) fn run(seconds: u32) -> Outcome {
    let fuzzer = tools::fuzz()?;
    let corpus = target().join("fuzz").join("corpus");
    seed(&corpus)?;
    seed_silk(&corpus.join("silk"))?;
    for name in CRATES {
        let folder = root().join(name).join("fuzz");
        for target_name in targets(&folder)? {
            println!("{name}: {target_name} for {seconds} s");
            let own = corpus.join(&target_name);
            fs::create_dir_all(&own).map_err(|error| format!("{}: {error}", own.display()))?;
            let mut command = Command::new("rustup");
            command.args(["run", "nightly", "cargo", "fuzz", "run", "--fuzz-dir"]).current_dir(root());
            // cargo finds its subcommand on the PATH.
            let bin = fuzzer.parent().map(PathBuf::from).into_iter();
            let path = std::env::var_os("PATH").unwrap_or_default();
            let path = std::env::join_paths(bin.chain(std::env::split_paths(&path)));
            command
                .arg(&folder)
                .arg(&target_name)
                .arg(&own)
                .args(["--", "-timeout=10", "-rss_limit_mb=2048", "-max_len=4096", "-verbosity=0"])
                .args(["-print_final_stats=1", &format!("-max_total_time={seconds}")])
                .env("PATH", path.map_err(|error| format!("PATH: {error}"))?)
                .env("CARGO_TARGET_DIR", target().join("fuzz"))
                // Ours, which would win over the nightly one.
                .env_remove("CARGO")
                .env_remove("RUSTUP_TOOLCHAIN");
            run_command(&mut command)?;
        }
    }
    Ok(())
}

fn targets(folder: &Path) -> Outcome<Vec<String>> {
    let sources = folder.join("fuzz_targets");
    let entries = fs::read_dir(&sources).map_err(|error| format!("{}: {error}", sources.display()))?;
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            entry.ok()?.file_name().into_string().ok()?.strip_suffix(".rs").map(str::to_owned)
        })
        // What the targets share.
        .filter(|name| name != "common")
        .collect();
    names.sort();
    Ok(names)
}

/// Recorded answers as seeds, by the target that reads them.
fn seed(corpus: &Path) -> Outcome {
    let wire = root().join("fixtures").join("wire");
    let error = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    for endpoint in fs::read_dir(&wire).map_err(|e| error(&wire, &e))? {
        let endpoint = endpoint.map_err(|e| error(&wire, &e))?.path();
        let name = endpoint.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((target_name, prefix)) = target_of(&name) else { continue };
        let own = corpus.join(target_name);
        fs::create_dir_all(&own).map_err(|e| error(&own, &e))?;
        for case in fs::read_dir(&endpoint).map_err(|e| error(&endpoint, &e))? {
            let case = case.map_err(|e| error(&endpoint, &e))?.path();
            let text = fs::read_to_string(&case).map_err(|e| error(&case, &e))?;
            let exchange: Value = serde_json::from_str(&text).map_err(|e| error(&case, &e))?;
            let Some(body) = exchange["response"]["body"].as_str() else { continue };
            let seed = own.join(format!("{name}-{}", case.file_stem().unwrap_or_default().to_string_lossy()));
            fs::write(&seed, [&prefix, body.as_bytes()].concat()).map_err(|e| error(&seed, &e))?;
        }
    }
    Ok(())
}

/// The clips of our tests, behind their header, once for each choice that the target's first byte is.
fn seed_silk(corpus: &Path) -> Outcome {
    let clips = root().join("weixin-media/silk/tests/clips");
    let error = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    fs::create_dir_all(corpus).map_err(|e| error(corpus, &e))?;
    for clip in fs::read_dir(&clips).map_err(|e| error(&clips, &e))? {
        let clip = clip.map_err(|e| error(&clips, &e))?.path();
        if clip.extension().is_none_or(|extension| extension != "silk") {
            continue;
        }
        let bytes = fs::read(&clip).map_err(|e| error(&clip, &e))?;
        let packets = bytes.strip_prefix(b"\x02#!SILK_V3").unwrap_or_default();
        for choice in 0..8 {
            let seed =
                corpus.join(format!("{}-{choice}", clip.file_stem().unwrap_or_default().to_string_lossy()));
            fs::write(&seed, [&[choice], packets].concat()).map_err(|e| error(&seed, &e))?;
        }
    }
    Ok(())
}

/// The target that reads an endpoint's answers, and what it wants in front of them.
fn target_of(endpoint: &str) -> Option<(&'static str, Vec<u8>)> {
    // `envelope` takes the status less 100 in two bytes and the number of the endpoint.
    let envelope = |number: u8| Some(("envelope", vec![100, 0, number]));
    match endpoint {
        "getupdates" => Some(("updates", Vec::new())),
        "sendmessage" => Some(("send", Vec::new())),
        "get_qrcode_status" => Some(("login_status", Vec::new())),
        "notifystart" => envelope(0),
        "notifystop" => envelope(1),
        "getconfig" => envelope(2),
        "sendtyping" => envelope(3),
        "getuploadurl" => envelope(4),
        "get_bot_qrcode" => envelope(5),
        _ => None,
    }
}
