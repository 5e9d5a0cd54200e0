//! SILK clips that the reference (SDK 1.0.9) encoded, six that this crate encoded, and what the reference decodes of them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use md5::{Digest as _, Md5};
use proptest::prelude::*;
use weixin_silk::{self as silk, Clip, Decoder, PacketInfo, PacketReader, PacketWriter, SilkError};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clips")
}

fn clip(name: &str) -> Vec<u8> {
    fs::read(folder().join(name)).unwrap()
}

fn packets(file: &[u8]) -> Vec<Vec<u8>> {
    let (mut reader, mut packets) = (PacketReader::new(file).unwrap(), Vec::new());
    while let Some(packet) = reader.next().unwrap() {
        packets.push(packet.to_vec());
    }
    packets
}

#[test]
fn samples_are_the_reference_s_to_the_bit() {
    let table = fs::read_to_string(folder().join("reference.txt")).unwrap();
    let mut compared = 0;
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let [name, rate, count, md5] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let samples = silk::decode(&clip(name), rate.parse().unwrap()).unwrap();
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let digest = Md5::digest(&bytes).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        assert_eq!(samples.len().to_string(), count, "{line}");
        assert_eq!(digest, md5, "{line}");
        compared += 1;
    }
    assert_eq!(compared, (32 + 6) * 4);
}

#[test]
fn durations_are_those_of_the_samples() {
    let mut whole = 0;
    for n in 0..32 {
        let file = clip(&format!("{:03}.silk", n * 13));
        let samples = silk::decode(&file, 8000).unwrap();
        assert_eq!(samples.len() as u128, silk::duration(&file[..]).unwrap().as_millis() * 8, "{n}");
        let infos: Result<Vec<_>, _> = packets(&file).iter().map(|packet| PacketInfo::of(packet)).collect();
        if let Ok(infos) = infos {
            assert!(infos.iter().all(|info| info.frames == infos[0].frames));
            whole += 1;
        }
    }
    assert!(whole > 5);
}

#[cfg(feature = "wav")]
#[test]
fn a_file_becomes_wav() {
    let file = clip("091.silk");
    for silk in [&file[..], &file[1..]] {
        let mut wav = std::io::Cursor::new(Vec::new());
        silk::to_wav(silk, 24_000, &mut wav).unwrap();
        wav.set_position(0);
        let reader = hound::WavReader::new(wav).unwrap();
        assert_eq!((reader.spec().sample_rate, reader.spec().channels), (24_000, 1));
        let samples: Vec<i16> = reader.into_samples().map(Result::unwrap).collect();
        assert_eq!(samples, silk::decode(silk, 24_000).unwrap());
    }
}

#[test]
fn copies_make_up_for_lost_packets() {
    // Clip 247 has copies; every fifth packet is taken away.
    let whole = packets(&clip("247.silk"));
    let copies = whole.iter().filter(|packet| (1..=2).any(|n| silk::find_fec(packet, n).is_some())).count();
    assert!(copies > whole.len() / 3, "{copies} of {}", whole.len());
    let mut writer = PacketWriter::wechat(Vec::new()).unwrap();
    for (n, packet) in whole.iter().enumerate() {
        writer.write(if n % 5 == 2 { &[] } else { packet }).unwrap();
    }
    let file = writer.finish().unwrap();
    let expected = silk::decode(&clip("247.silk"), 24_000).unwrap();
    let with_copies = silk::decode(&file, 24_000).unwrap();
    let mut concealed = Vec::new();
    let mut decoder = Decoder::new(24_000).unwrap();
    for packet in packets(&file) {
        decoder.decode(&packet, &mut concealed).unwrap();
    }
    let distance = |samples: &[i16]| {
        let squares = samples.iter().zip(&expected).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
        squares.sum::<f64>()
    };
    assert_eq!(with_copies.len(), expected.len());
    assert!(distance(&with_copies) < distance(&concealed));
}

#[test]
fn what_cannot_be_decoded_is_an_error_or_concealed() {
    let file = clip("091.silk");
    let whole = silk::decode(&file, 24_000).unwrap();
    assert!(matches!(silk::decode(&file, 22_050), Err(SilkError::SampleRate(22_050))));
    assert!(matches!(silk::decode(b"#!AMR\n", 24_000), Err(SilkError::NotSilk)));
    assert!(matches!(silk::decode(b"\x02#!SILK_V3", 24_000), Err(SilkError::Empty)));

    // Cut off within the last packet: it ends with the one before.
    let cut = silk::decode(&file[..file.len() - 1], 24_000).unwrap();
    assert_eq!(cut[..], whole[..whole.len() - 3 * 480]);

    // A packet of noise is concealed, and what follows is heard.
    let mut packets = packets(&file);
    packets[4] = vec![0xff; 50];
    let mut decoder = Decoder::new(24_000).unwrap();
    let mut samples = Vec::new();
    let results: Vec<bool> =
        packets.iter().map(|packet| decoder.decode(packet, &mut samples).is_ok()).collect();
    assert_eq!(results.iter().filter(|ok| !**ok).count(), 1);
    assert!(!results[4]);
    assert!(matches!(PacketInfo::of(&packets[4]), Err(SilkError::BadPacket)));
    assert!(matches!(decoder.decode(&[0; 1025], &mut samples), Err(SilkError::PacketTooLong(1025))));

    let mut clip = Clip::new(&file[..], 8000).unwrap();
    let mut samples = Vec::new();
    while clip.next(&mut samples).unwrap() {}
    assert_eq!(clip.damaged(), 0);
}

#[test]
fn a_long_loss_fades() {
    let mut decoder = Decoder::new(24_000).unwrap();
    let mut samples = Vec::new();
    for packet in packets(&clip("247.silk")) {
        decoder.decode(&packet, &mut samples).unwrap();
    }
    let energy = |samples: &[i16]| samples.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>();
    let voice = samples.len();
    for _ in 0..25 {
        decoder.conceal(&mut samples);
    }
    // 40 ms each, as the packet before.
    assert_eq!(samples.len() - voice, 25 * 960);
    let (before, first, last) =
        (&samples[voice - 960..voice], &samples[voice..][..960], &samples[samples.len() - 960..]);
    assert!(energy(first) < energy(before) * 1.5);
    assert!(energy(last) < energy(first) / 100.0);
}

#[test]
fn what_a_packet_holds_is_known_without_decoding_it() {
    let info = |name: &str| -> Vec<PacketInfo> {
        packets(&clip(name)).iter().filter_map(|packet| PacketInfo::of(packet).ok()).collect()
    };
    // 24 kHz, 60 ms.
    assert!(info("091.silk").iter().all(|info| (info.bandwidth.hz(), info.frames) == (24_000, 3)));
    assert!(info("091.silk").iter().any(|info| info.voice_active));
    // Silence, 12 kHz.
    assert!(info("117.silk").iter().all(|info| info.bandwidth.hz() == 12_000 && !info.voice_active));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_an_error_or_last_as_long_as_they_say(
        packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 0..12),
        cut in 0_usize..4,
        rate in proptest::sample::select(vec![8000_u32, 12_000, 16_000, 24_000]),
    ) {
        let mut writer = PacketWriter::wechat(Vec::new()).unwrap();
        for packet in &packets {
            writer.write(packet).unwrap();
        }
        let mut file = writer.finish().unwrap();
        file.truncate(file.len() - cut);
        match silk::decode(&file, rate) {
            Ok(samples) => {
                let duration = silk::duration(&file[..]).unwrap();
                prop_assert_eq!(samples.len() as u128, duration.as_millis() * u128::from(rate / 1000));
            }
            Err(error) => prop_assert!(matches!(error, SilkError::Empty | SilkError::NotSilk)),
        }
    }
}
