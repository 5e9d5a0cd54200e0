//! Clips of every kind: made-up sounds through the reference's encoder, some packets then lost, spliced or damaged.

use std::f64::consts::TAU;

use fastrand::Rng;

use crate::reference::{Encoder, EncoderSettings};

/// The sounds.
pub const CONTENTS: [&str; 7] = ["speech", "whisper", "music", "noise", "silence", "clipping", "pauses"];
/// Internal rates.
pub const RATES: [u32; 4] = [8_000, 12_000, 16_000, 24_000];
/// What becomes of the packets.
pub const FATES: [&str; 7] = ["whole", "whole", "5 % lost", "25 % lost", "bursts lost", "spliced", "damaged"];

/// A clip and how it was made.
pub struct Clip {
    pub name: String,
    pub packets: Vec<Vec<u8>>,
    /// Some packets are not what the encoder wrote.
    pub damaged: bool,
}

/// Clip `n`: over 60 in a row every internal rate meets every packet length and complexity; the rest is drawn.
/// `spoken` is speech to take in place of a made-up sound.
pub fn clip(n: usize, seconds: f64, spoken: Option<&Recording>) -> Clip {
    let mut rng = Rng::with_seed(n as u64);
    let rate = RATES[n % 4];
    let length_ms = 20 * (1 + (n / 4 % 5) as u32);
    let complexity = n / 20 % 3;
    let content = if spoken.is_some() { "spoken" } else { CONTENTS[n / 3 % CONTENTS.len()] };
    let fate = FATES[rng.usize(..FATES.len())];
    let bit_rate = rng.i32(5_000..=40_000);
    let (dtx, fec) = (rng.bool(), rng.bool());
    let sound = match spoken {
        Some(recording) => recording.excerpt(rate, seconds, &mut rng),
        None => sound(content, rate, seconds, &mut rng),
    };
    let mut packets = encode(&sound, rate, length_ms, complexity, bit_rate, dtx, fec);
    let mut damaged = false;
    match fate {
        "5 % lost" => lose(&mut packets, |_| rng.u32(..100) < 5),
        "25 % lost" => lose(&mut packets, |_| rng.u32(..100) < 25),
        "bursts lost" => lose(&mut packets, |n| n % 23 > 16),
        "spliced" => {
            let other = RATES[rng.usize(..4)];
            let other_sound = self::sound("speech", other, seconds, &mut rng);
            let other = encode(&other_sound, other, length_ms, complexity, bit_rate, dtx, fec);
            for (n, (packet, other)) in packets.iter_mut().zip(other).enumerate() {
                if n / 7 % 2 == 1 {
                    *packet = if n % 5 == 0 { Vec::new() } else { other };
                }
            }
        }
        "damaged" => {
            damaged = true;
            for packet in &mut packets {
                damage(packet, &mut rng);
            }
        }
        _ => {}
    }
    let name = format!(
        "{n}: {content}, {rate} Hz, {length_ms} ms, complexity {complexity}, {bit_rate} bit/s, dtx {dtx}, fec {fec}, {fate}"
    );
    Clip { name, packets, damaged }
}

/// Through the reference's encoder.
pub fn encode(
    sound: &[i16],
    rate: u32,
    length_ms: u32,
    complexity: usize,
    bit_rate: i32,
    dtx: bool,
    fec: bool,
) -> Vec<Vec<u8>> {
    let packet_samples = (rate / 1000 * length_ms) as usize;
    let settings = EncoderSettings {
        sample_rate: rate as i32,
        max_internal_rate: rate as i32,
        packet_samples: packet_samples as i32,
        bit_rate,
        packet_loss_percent: if fec { 20 } else { 0 },
        complexity: complexity as i32,
        fec: fec.into(),
        dtx: dtx.into(),
    };
    let mut encoder = Encoder::new();
    sound.chunks_exact(packet_samples).map(|samples| encoder.encode(&settings, samples)).collect()
}

fn lose(packets: &mut [Vec<u8>], mut lost: impl FnMut(usize) -> bool) {
    for (n, packet) in packets.iter_mut().enumerate() {
        if lost(n) {
            packet.clear();
        }
    }
}

fn damage(packet: &mut Vec<u8>, rng: &mut Rng) {
    match rng.u32(..20) {
        0 => packet.truncate(rng.usize(..=packet.len())),
        1 => packet.extend(std::iter::repeat_with(|| rng.u8(..)).take(9)),
        2 => *packet = std::iter::repeat_with(|| rng.u8(..)).take(packet.len()).collect(),
        3..6 if !packet.is_empty() => {
            let at = rng.usize(..packet.len());
            packet[at] ^= 1 << rng.u32(..8);
        }
        _ => {}
    }
}

/// Speech that espeak-ng made.
pub struct Recording {
    rate: u32,
    samples: Vec<i16>,
}

impl Recording {
    /// Some sentences in one of three languages; `None` if the program is not there.
    pub fn new(language: &str) -> Option<Self> {
        let text = match language {
            "cmn" => "今天天气很好，我们下午去公园散步吧。请给我发一条语音消息，好吗？我大概六点半到家。",
            "de" => {
                "Heute ist schönes Wetter. Schick mir bitte eine Sprachnachricht, wenn du angekommen bist."
            }
            _ => {
                "She had your dark suit in greasy wash water all year. Please send me a voice message when you arrive."
            }
        };
        let output =
            std::process::Command::new("espeak-ng").args(["-v", language, "--stdout", text]).output().ok()?;
        // The header of its WAV has 44 bytes; the rate is at 24.
        let header = output.stdout.get(..44)?;
        let rate = u32::from_le_bytes(header[24..28].try_into().ok()?);
        let samples = output.stdout[44..].chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect();
        Some(Self { rate, samples })
    }

    /// A part of it at some rate and loudness.
    pub fn excerpt(&self, rate: u32, seconds: f64, rng: &mut Rng) -> Vec<i16> {
        let (level, start) = (0.2 + 2.0 * rng.f64(), rng.usize(..self.samples.len()));
        let sample = |at: f64| {
            let whole = start + at as usize;
            let [a, b] = [0, 1].map(|n| f64::from(self.samples[(whole + n) % self.samples.len()]));
            a + (b - a) * at.fract()
        };
        let step = f64::from(self.rate) / f64::from(rate);
        (0..(f64::from(rate) * seconds) as usize)
            .map(|n| to_sample(level * sample(n as f64 * step) / 32_768.0))
            .collect()
    }
}

/// A sound of this length in seconds.
pub fn sound(content: &str, rate: u32, seconds: f64, rng: &mut Rng) -> Vec<i16> {
    let rate = f64::from(rate);
    let samples = (rate * seconds) as usize;
    let mut noise = {
        let mut rng = rng.fork();
        move || rng.f64() * 2.0 - 1.0
    };
    match content {
        "speech" => speech(samples, rate, 0.3, rng),
        "whisper" => speech(samples, rate, 0.02, rng),
        "clipping" => speech(samples, rate, 6.0, rng),
        "pauses" => {
            let mut sound = speech(samples, rate, 0.3, rng);
            for (n, sample) in sound.iter_mut().enumerate() {
                if n as f64 / rate % 1.4 > 0.7 {
                    *sample = (noise() * 20.0) as i16;
                }
            }
            sound
        }
        "music" => {
            let chord: Vec<f64> =
                (0..4).map(|n| 110.0 * 2_f64.powf(f64::from(rng.u32(..24) + n) / 12.0)).collect();
            (0..samples)
                .map(|n| {
                    let t = n as f64 / rate;
                    let beat = (-6.0 * (t % 0.5)).exp();
                    let tone = |f: &f64| (TAU * f * t).sin() + 0.4 * (TAU * 2.0 * f * t).sin();
                    to_sample(
                        0.15 * (0.3 + beat) * chord.iter().map(tone).sum::<f64>() + 0.05 * beat * noise(),
                    )
                })
                .collect()
        }
        "noise" => {
            let level = 10_f64.powf(-2.0 * rng.f64());
            (0..samples).map(|_| to_sample(level * noise())).collect()
        }
        _ => vec![0; samples],
    }
}

/// Vowels with a gliding pitch through three resonances, and fricatives between them.
fn speech(samples: usize, rate: f64, level: f64, rng: &mut Rng) -> Vec<i16> {
    const VOWELS: [[f64; 3]; 5] = [
        [730.0, 1090.0, 2440.0],
        [270.0, 2290.0, 3010.0],
        [300.0, 870.0, 2240.0],
        [530.0, 1840.0, 2480.0],
        [570.0, 840.0, 2410.0],
    ];
    let base = 60.0 + 180.0 * rng.f64();
    let (mut phase, mut states) = (0.0_f64, [[0.0_f64; 2]; 3]);
    let (mut vowel, mut voiced, mut left) = (VOWELS[0], true, 0_usize);
    let mut glide = 0.0;
    (0..samples)
        .map(|n| {
            if left == 0 {
                left = (rate * (0.06 + 0.2 * rng.f64())) as usize;
                voiced = rng.u32(..10) < 7;
                vowel = VOWELS[rng.usize(..5)];
                glide = rng.f64() - 0.5;
            }
            left -= 1;
            let t = n as f64 / rate;
            let pitch = base * (1.0 + 0.25 * (TAU * 0.7 * t).sin() + 0.2 * glide);
            phase += pitch / rate;
            let pulse = if phase >= 1.0 {
                phase -= 1.0;
                1.0
            } else {
                0.0
            };
            let breath = rng.f64() * 2.0 - 1.0;
            let mut signal = if voiced { 8.0 * pulse + 0.02 * breath } else { 0.25 * breath };
            if voiced {
                for (state, frequency) in states.iter_mut().zip(vowel) {
                    let radius = (-std::f64::consts::PI * 90.0 / rate).exp();
                    let angle = TAU * frequency.min(rate * 0.45) / rate;
                    let next = (1.0 - radius) * signal * 4.0 + 2.0 * radius * angle.cos() * state[0]
                        - radius * radius * state[1];
                    *state = [next, state[0]];
                    signal = next;
                }
            }
            let syllable = 0.55 + 0.45 * (TAU * 3.0 * t).sin();
            to_sample(level * syllable * signal)
        })
        .collect()
}

fn to_sample(value: f64) -> i16 {
    (value * 32_768.0).clamp(-32_768.0, 32_767.0) as i16
}
