//! SILK beside its reference: `--compare` for the decoder's bits, `--encoder` for what the encoder leaves of the signal,
//! `--goldens FOLDER` to write the clips of our tests, nothing for the decoder's speed.

mod clips;
mod encoder;
mod measure;
mod reference;
mod speed;

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use clips::RATES;
use md5::{Digest as _, Md5};
use weixin_silk as silk;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => speed::run(),
        ["--encoder"] => encoder::run(),
        ["--compare"] => compare(700),
        ["--compare", count] => {
            compare(count.parse().map_err(|_| format!("--compare wants a number of clips, not {count:?}"))?);
        }
        ["--goldens", folder] => goldens(folder.as_ref())?,
        _ => return Err("usage: bench silk [--encoder | --compare [N] | --goldens FOLDER]".into()),
    }
    Ok(())
}

fn file(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = silk::PacketWriter::wechat(Vec::new()).unwrap();
    for packet in packets {
        writer.write(packet).unwrap();
    }
    writer.finish().unwrap()
}

/// Decodes `count` clips with both, a seventh of them spoken if espeak-ng is there.
fn compare(count: usize) {
    let spoken: Vec<_> = ["en", "de", "cmn"].into_iter().filter_map(clips::Recording::new).collect();
    if spoken.is_empty() {
        println!("espeak-ng is not installed: all clips are made up");
    }
    let (mut same, mut outputs, mut samples) = (0, 0, 0);
    let mut met = Met::default();
    for n in 0..count {
        let spoken = if n % 7 == 6 { spoken.get(n / 7 % spoken.len().max(1)) } else { None };
        let clip = clips::clip(n, 3.0, spoken);
        met.add(&clip.packets);
        let mut equal = true;
        for rate in RATES {
            let theirs = reference::decode_clip(&clip.packets, rate, clip.damaged);
            let ours = silk::decode(&file(&clip.packets), rate).unwrap_or_default();
            outputs += 1;
            samples += theirs.len();
            if ours != theirs {
                let at = ours.iter().zip(&theirs).position(|(a, b)| a != b);
                println!(
                    "{} at {rate} Hz: {} and {} samples, first different {at:?}",
                    clip.name,
                    ours.len(),
                    theirs.len()
                );
                equal = false;
            }
        }
        same += usize::from(equal);
    }
    println!("{met:?}");
    println!(
        "{same} of {count} clips are the same to the bit at all of {} output rates ({outputs} outputs, {samples} samples)",
        RATES.len()
    );
    if same != count {
        std::process::exit(1);
    }
}

/// What the packets of the clips were.
#[derive(Debug, Default)]
struct Met {
    packets: usize,
    empty: usize,
    made_up_for_by_copies: usize,
    damaged: usize,
    frames_by_rate: std::collections::BTreeMap<silk::Bandwidth, usize>,
    packets_by_frames: std::collections::BTreeMap<usize, usize>,
    without_voice: usize,
}

impl Met {
    fn add(&mut self, packets: &[Vec<u8>]) {
        for (n, packet) in packets.iter().enumerate() {
            self.packets += 1;
            if packet.is_empty() {
                self.empty += 1;
                let copy = |distance: usize| {
                    packets.get(n + distance).and_then(|packet| silk::find_fec(packet, distance))
                };
                self.made_up_for_by_copies += usize::from((1..=2).any(|distance| copy(distance).is_some()));
                continue;
            }
            match silk::PacketInfo::of(packet) {
                Ok(info) => {
                    *self.frames_by_rate.entry(info.bandwidth).or_default() += info.frames;
                    *self.packets_by_frames.entry(info.frames).or_default() += 1;
                    self.without_voice += usize::from(!info.voice_active);
                }
                Err(_) => self.damaged += 1,
            }
        }
    }
}

/// Small clips of every kind, and what the reference makes of them.
fn goldens(folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut table = String::from(
        "# What the SDK 1.0.9 decodes of the clips beside this file: file, Hz, samples, MD5 of the samples (16 bits,\n\
         # little-endian). Written by `cargo xtask bench silk --goldens`.\n",
    );
    let clips = (0..32).map(|n| {
        let clip = clips::clip(n * 13, 1.2, None);
        (format!("{:03}.silk", n * 13), clip.name, clip.packets, clip.damaged)
    });
    let ours = encoder::goldens().into_iter().map(|(name, packets)| {
        let comment = format!("what our encoder made: {name}");
        (format!("encoded-{name}.silk"), comment, packets, false)
    });
    for (name, comment, packets, damaged) in clips.chain(ours) {
        write(&folder.join(&name), &file(&packets))?;
        writeln!(table, "# {comment}")?;
        for rate in RATES {
            let samples = reference::decode_clip(&packets, rate, damaged);
            let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            let hash: String = Md5::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(table, "{name} {rate} {} {hash}", samples.len())?;
        }
    }
    write(&folder.join("reference.txt"), table.as_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    std::fs::write(path, bytes).map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}
