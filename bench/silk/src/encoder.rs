//! Encoding beside the reference: the error that is left at the same bit rate, and the speed.

use std::time::{Duration, Instant};

use fastrand::Rng;
use weixin_silk::{self as silk, Complexity, EncoderSettings};

use crate::measure::{Figures, measure};
use crate::{clips, reference};

/// Rate of the clips: that of WeChat's voice messages.
const RATE: u32 = 24_000;
/// Seconds of each clip.
const SECONDS: f64 = 6.0;
/// What the reference is asked for, in bits per second.
const BIT_RATES: [i32; 5] = [10_000, 16_000, 24_000, 32_000, 40_000];
/// What we may be worse by, in dB.
const ALLOWED: f64 = 1.5;
/// How near our bit rate is to the reference's.
const SAME_RATE: f64 = 0.02;
const COMPLEXITIES: [Complexity; 3] = [Complexity::Low, Complexity::Medium, Complexity::High];

/// The sounds with their names: spoken ones where espeak-ng is there, and made-up ones.
fn sounds() -> Vec<(String, Vec<i16>)> {
    let mut rng = Rng::with_seed(11);
    let mut sounds = Vec::new();
    for language in ["en", "de", "cmn"] {
        match clips::Recording::new(language) {
            Some(recording) => {
                sounds.push((format!("spoken, {language}"), recording.excerpt(RATE, SECONDS, &mut rng)));
            }
            None => println!("espeak-ng is not installed: nothing is spoken"),
        }
    }
    for content in clips::CONTENTS.into_iter().filter(|content| *content != "silence") {
        sounds.push((content.into(), clips::sound(content, RATE, SECONDS, &mut rng)));
    }
    if let Some((_, spoken)) = sounds.first() {
        let loud = spoken.iter().map(|sample| sample.saturating_mul(8)).collect();
        sounds.push(("spoken, clipping".into(), loud));
    }
    sounds
}

/// The reference's packets.
fn theirs(sound: &[i16], bit_rate: i32, complexity: usize) -> Vec<Vec<u8>> {
    clips::encode(sound, RATE, 20, complexity, bit_rate, false, false)
}

/// Our packets.
fn ours(sound: &[i16], bit_rate: f64, complexity: Complexity) -> Vec<Vec<u8>> {
    packets(sound, &EncoderSettings { bit_rate: bit_rate as u32, complexity, ..EncoderSettings::default() })
}

fn packets(sound: &[i16], settings: &EncoderSettings) -> Vec<Vec<u8>> {
    let mut encoder = silk::Encoder::new(settings).unwrap();
    let samples = encoder.packet_samples();
    sound.chunks_exact(samples).map(|part| encoder.encode(part).unwrap()).collect()
}

fn bits_per_second(packets: &[Vec<u8>]) -> f64 {
    packets.iter().map(Vec::len).sum::<usize>() as f64 * 8.0 * 50.0 / packets.len() as f64
}

/// Our packets at the reference's bit rate: what is asked for is corrected, as pauses do not take it.
fn ours_at(sound: &[i16], wanted: f64) -> Vec<Vec<u8>> {
    let mut asked = wanted;
    let mut packets = ours(sound, asked, Complexity::High);
    for _ in 0..4 {
        let off = bits_per_second(&packets) / wanted;
        if (off - 1.0).abs() < SAME_RATE {
            break;
        }
        asked = (asked / off).clamp(5_000.0, 100_000.0);
        packets = ours(sound, asked, Complexity::High);
    }
    packets
}

/// Prints the tables; both streams are decoded by the reference, and ours by our decoder with the same samples.
pub fn run() {
    println!("Signal over error, dB, mean of 20 ms segments from -10 to 35, ours / the reference's at complexity 2, at");
    println!("the bit rate that the reference takes; in brackets weighted as it is heard. Decoded by the reference.\n");
    let header: String = BIT_RATES.iter().map(|rate| format!(" {} kbit/s |", rate / 1000)).collect();
    println!("| clip |{header}\n|---|{}", "---|".repeat(BIT_RATES.len()));
    let (mut worst, mut sum, mut count, mut weighted_worst) = (f64::INFINITY, 0.0, 0.0, f64::INFINITY);
    for (name, sound) in sounds() {
        let sound = &sound[..sound.len() / 480 * 480];
        print!("| {name} |");
        for bit_rate in BIT_RATES {
            let their_packets = theirs(sound, bit_rate, 2);
            let wanted = bits_per_second(&their_packets);
            let our_packets = ours_at(sound, wanted);
            let off = bits_per_second(&our_packets) / wanted - 1.0;
            let decoded = reference::decode_clip(&our_packets, RATE, false);
            assert_eq!(decoded, silk::decode(&super::file(&our_packets), RATE).unwrap(), "{name} {bit_rate}");
            let mine: Figures = measure(sound, &decoded);
            let their: Figures = measure(sound, &reference::decode_clip(&their_packets, RATE, false));
            worst = worst.min(mine.plain - their.plain);
            weighted_worst = weighted_worst.min(mine.weighted - their.weighted);
            sum += mine.plain - their.plain;
            count += 1.0;
            let note = if off.abs() > 0.03 { format!(" at {:+.0} %", off * 100.0) } else { String::new() };
            print!(
                " {:.1} / {:.1} ({:.1} / {:.1}){note} |",
                mine.plain, their.plain, mine.weighted, their.weighted
            );
        }
        println!();
    }
    println!(
        "\nOn average we are {:+.1} dB from the reference, at worst {worst:+.1} dB (weighted {weighted_worst:+.1} dB); \
         {:+.1} dB is allowed.",
        sum / count,
        -ALLOWED
    );
    speed();
    if worst < -ALLOWED {
        std::process::exit(1);
    }
}

fn speed() {
    let sound = clips::sound("speech", RATE, 10.0, &mut Rng::with_seed(7));
    println!("\nEncoding 10 s of made-up speech at 24 kHz, 25 kbit/s, best of 5, times as fast as it plays.\n");
    println!("| complexity | weixin-silk | silk-codec 0.3.1 (C) |\n|---|---|---|");
    for (number, complexity) in COMPLEXITIES.into_iter().enumerate() {
        let (mut mine, mut their) = (Duration::MAX, Duration::MAX);
        for _ in 0..5 {
            mine = mine.min(time(|| ours(&sound, 25_000.0, complexity)));
            their = their.min(time(|| theirs(&sound, 25_000, number)));
        }
        let times = |time: Duration| 10.0 / time.as_secs_f64();
        println!("| {number} | {:.0} | {:.0} |", times(mine), times(their));
    }
}

fn time(encode: impl FnOnce() -> Vec<Vec<u8>>) -> Duration {
    let start = Instant::now();
    assert!(!std::hint::black_box(encode()).is_empty());
    start.elapsed()
}

/// Six small clips of ours for the tests, of every internal rate.
pub fn goldens() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let clips = [
        ("speech", 24_000, 24_000),
        ("music", 24_000, 16_000),
        ("clipping", 24_000, 10_000),
        ("pauses", 16_000, 20_000),
        ("noise", 12_000, 12_000),
        ("whisper", 8_000, 8_000),
    ];
    clips
        .into_iter()
        .map(|(content, sample_rate, bit_rate)| {
            let sound = clips::sound(content, sample_rate, 1.0, &mut Rng::with_seed(3));
            let settings = EncoderSettings { sample_rate, bit_rate, ..EncoderSettings::default() };
            (content, packets(&sound, &settings))
        })
        .collect()
}
