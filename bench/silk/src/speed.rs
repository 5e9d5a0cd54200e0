//! Decoding beside the reference (silk-codec, C) and silk-wasm, in one run.

use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use fastrand::Rng;
use weixin_silk as silk;

use crate::{clips, reference};

/// Seconds of each clip, and how often it is decoded; the best time counts.
const SECONDS: f64 = 60.0;
const RUNS: u32 = 15;

pub fn run() {
    println!(
        "Decoding {SECONDS} s of made-up speech to 24 kHz, best of {RUNS}; times as fast as it plays, and beside the reference."
    );
    println!(
        "| clip | weixin-silk | of silk-codec | silk-codec 0.3.1 (C) | silk-wasm 3.7.1 | of silk-codec |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut worst = f64::INFINITY;
    for (rate, length_ms, bit_rate, lost) in [
        (24_000, 20, 25_000, 0),
        (24_000, 20, 40_000, 0),
        (16_000, 20, 16_000, 0),
        (12_000, 60, 12_000, 0),
        (8_000, 100, 8_000, 0),
        (24_000, 20, 25_000, 10),
    ] {
        let mut rng = Rng::with_seed(7);
        let sound = clips::sound("speech", rate, SECONDS, &mut rng);
        let mut packets = clips::encode(&sound, rate, length_ms, 2, bit_rate, false, false);
        for (n, packet) in packets.iter_mut().enumerate() {
            if lost > 0 && n % lost == 0 {
                packet.clear();
            }
        }
        let file = super::file(&packets);
        // Alternately, so that both see the same machine.
        let (mut ours, mut theirs) = (Duration::MAX, Duration::MAX);
        for _ in 0..RUNS {
            ours = ours.min(time(|| silk::decode(&file, 24_000).unwrap().len()));
            theirs = theirs.min(time(|| {
                // silk-codec refuses empty packets; the SDK behind it does not.
                if lost > 0 {
                    return reference::decode_clip(&packets, 24_000, false).len();
                }
                silk_codec::decode_silk(&file, 24_000).unwrap().len()
            }));
        }
        let wasm = wasm(&file).unwrap_or_else(|error| {
            eprintln!("silk-wasm was not measured: {error}");
            None
        });
        let speed = |time: Duration| SECONDS / time.as_secs_f64();
        let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
        worst = worst.min(ratio);
        let lost = if lost > 0 { ", every 10th packet lost" } else { "" };
        let samples = silk::decode(&file, 24_000).unwrap().len();
        let wasm = wasm.map_or("| | |".into(), |(time, got)| {
            let missing_ms = samples.saturating_sub(got) / 24;
            let ratio = theirs.as_secs_f64() / time.as_secs_f64();
            format!("{:.0} | {ratio:.2} | {missing_ms} ms |", speed(time))
        });
        println!(
            "| {} kHz, {length_ms} ms, {} kbit/s{lost} | {:.0} | {ratio:.2} | {:.0} | {wasm}",
            rate / 1000,
            bit_rate / 1000,
            speed(ours),
            speed(theirs),
        );
    }
    println!("The least ratio to the reference is {worst:.2}; 0.8 is wanted.");
    if worst < 0.8 {
        std::process::exit(1);
    }
}

fn time(decode: impl FnOnce() -> usize) -> Duration {
    let start = Instant::now();
    assert!(std::hint::black_box(decode()) > 0);
    start.elapsed()
}

/// The best time of silk-wasm and how many samples it gives, if the folder of the package is named.
fn wasm(file: &[u8]) -> Result<Option<(Duration, usize)>, Box<dyn Error>> {
    let Some(folder) = std::env::var_os("SILK_WASM") else { return Ok(None) };
    let node = std::env::var_os("NODE").unwrap_or_else(|| "node".into());
    let clip = std::env::temp_dir().join(format!("bench-{}.silk", std::process::id()));
    std::fs::write(&clip, file)?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wasm.mjs");
    let output = Command::new(node).arg(script).arg(folder).arg(&clip).arg(RUNS.to_string()).output();
    std::fs::remove_file(&clip)?;
    let output = output?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let (best, samples) = text.trim().split_once(' ').ok_or("it did not say its time")?;
    Ok(Some((Duration::from_secs_f64(best.parse::<f64>()? / 1000.0), samples.parse()?)))
}
