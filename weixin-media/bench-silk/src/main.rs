//! SILK beside its reference: `--compare` for the bits, `--goldens FOLDER` to write the clips of our tests, nothing
//! for the speed.

mod clips;
mod reference;

use std::fmt::Write as _;
use std::path::Path;

use clips::RATES;
use md5::{Digest as _, Md5};
use weixin_media::codec::silk;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--compare"] => compare(700),
        ["--compare", count] => compare(count.parse().expect("a number of clips")),
        ["--goldens", folder] => goldens(folder.as_ref()),
        _ => panic!("unknown arguments"),
    }
}

fn file(packets: &[Vec<u8>]) -> Vec<u8> {
    let mut writer = silk::PacketWriter::wechat(Vec::new()).unwrap();
    for packet in packets {
        writer.write(packet).unwrap();
    }
    writer.finish().unwrap()
}

fn compare(count: usize) {
    let (mut same, mut outputs, mut samples) = (0, 0, 0);
    for n in 0..count {
        let clip = clips::clip(n, 3.0);
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
    println!(
        "{same} of {count} clips are the same to the bit at all of {} output rates ({outputs} outputs, {samples} samples)",
        RATES.len()
    );
    if same != count {
        std::process::exit(1);
    }
}

/// Small clips of every kind, and what the reference makes of them.
fn goldens(folder: &Path) {
    let mut table = String::from(
        "# What the SDK 1.0.9 decodes of the clips beside this file: file, Hz, samples, MD5 of the samples (16 bits,\n\
         # little-endian). Written by `cargo xtask bench silk --goldens`.\n",
    );
    for n in (0..32).map(|n| n * 13) {
        let clip = clips::clip(n, 1.2);
        let name = format!("{n:03}.silk");
        std::fs::write(folder.join(&name), file(&clip.packets)).unwrap();
        writeln!(table, "# {}", clip.name).unwrap();
        for rate in RATES {
            let samples = reference::decode_clip(&clip.packets, rate, clip.damaged);
            let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            let hash: String = Md5::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(table, "{name} {rate} {} {hash}", samples.len()).unwrap();
        }
    }
    std::fs::write(folder.join("reference.txt"), table).unwrap();
}
