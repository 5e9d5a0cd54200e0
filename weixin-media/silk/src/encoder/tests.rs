use std::f64::consts::TAU;

use proptest::prelude::*;

use super::*;
use crate::{Decoder, SilkError, decode, duration};

const RATES: [u32; 4] = [8000, 12_000, 16_000, 24_000];

/// Two gliding voices, in every second half with some breath.
fn voice(rate: u32, length: usize) -> Vec<i16> {
    let mut seed = 1_u32;
    let mut phase = [0.0; 2];
    (0..length)
        .map(|n| {
            let t = n as f64 / f64::from(rate);
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let breath = f64::from(seed >> 16) / 32_768.0 - 1.0;
            let mut sum = if t % 0.4 > 0.2 { 300.0 * breath } else { 0.0 };
            for (phase, pitch) in phase.iter_mut().zip([140.0, 223.0]) {
                *phase += TAU * pitch * (1.0 + 0.1 * t) / f64::from(rate);
                sum += (1..12).map(|h| (*phase * f64::from(h)).sin() / f64::from(h)).sum::<f64>() * 3000.0;
            }
            sum as i16
        })
        .collect()
}

fn settings(rate: u32, bit_rate: u32, bandwidth: Option<Bandwidth>) -> EncoderSettings {
    EncoderSettings { sample_rate: rate, bit_rate, bandwidth, complexity: Complexity::Low }
}

/// Signal over error in dB. What the decoder's high-pass filter does to low frequencies is not the encoder's error:
/// `decoded` is without it.
fn ratio(samples: &[i16], decoded: &[i16]) -> f64 {
    let power = |samples: &mut dyn Iterator<Item = f64>| samples.map(|x| x * x).sum::<f64>();
    let mut errors = samples.iter().zip(decoded).map(|(a, b)| f64::from(*a) - f64::from(*b));
    10.0 * (power(&mut samples.iter().map(|x| f64::from(*x))) / power(&mut errors)).log10()
}

#[test]
fn what_is_encoded_is_decoded_with_little_error_at_the_bit_rate() {
    for (bandwidth, bit_rate, least) in [
        (Bandwidth::SuperWide, 40_000, 18.0),
        (Bandwidth::SuperWide, 24_000, 12.0),
        (Bandwidth::Wide, 20_000, 12.0),
        (Bandwidth::Medium, 14_000, 9.0),
        (Bandwidth::Narrow, 8_000, 5.0),
    ] {
        let rate = bandwidth.hz();
        let samples = voice(rate, rate as usize * 3 / 10);
        let mut encoder = Encoder::new(&settings(rate, bit_rate, Some(bandwidth))).unwrap();
        let mut decoder = Decoder::new(rate).unwrap();
        let (mut found, mut bytes) = (Vec::new(), 0);
        for part in samples.chunks_exact(encoder.packet_samples()) {
            let packet = encoder.encode(part).unwrap();
            bytes += packet.len();
            decoder.decode(&packet, &mut Vec::new()).unwrap();
            found.extend_from_slice(decoder.past());
        }
        let rate_met = f64::from(bytes as u32 * 8 * rate) / (found.len() as f64 * f64::from(bit_rate));
        assert!((0.93..1.07).contains(&rate_met), "{rate} {bit_rate}: {rate_met}");
        let found = ratio(&samples, &found);
        assert!(found > least, "{rate} {bit_rate}: {found} dB");
    }
}

#[test]
fn a_file_is_such_as_wechat_s_and_as_long_as_the_voice() {
    let file = encode(&voice(16_000, 4_900), &settings(16_000, 20_000, None)).unwrap();
    assert!(file.starts_with(b"\x02#!SILK_V3"));
    assert_eq!(duration(&file[..]).unwrap().as_millis(), 320);
    assert_eq!(decode(&file, 24_000).unwrap().len(), 320 * 24);
}

#[test]
fn the_internal_rate_is_what_is_asked_for_or_can_be_paid() {
    for (input, bit_rate, asked, expected) in [
        (24_000, 24_000, None, Bandwidth::SuperWide),
        (24_000, 20_000, None, Bandwidth::Wide),
        (24_000, 10_000, None, Bandwidth::Medium),
        (24_000, 8_000, None, Bandwidth::Narrow),
        (44_100, 32_000, None, Bandwidth::SuperWide),
        (16_000, 32_000, None, Bandwidth::Wide),
        (8_000, 32_000, None, Bandwidth::Narrow),
        (8_000, 32_000, Some(Bandwidth::Wide), Bandwidth::Wide),
    ] {
        assert_eq!(settings(input, bit_rate, asked).bandwidth(), expected, "{input} {bit_rate}");
    }
}

#[test]
fn bad_input_is_refused() {
    for (rate, bit_rate) in
        [(7950, 20_000), (24_010, 20_000), (96_000, 20_000), (24_000, 100), (24_000, 200_000)]
    {
        assert!(Encoder::new(&settings(rate, bit_rate, None)).is_err(), "{rate} {bit_rate}");
    }
    let mut encoder = Encoder::new(&EncoderSettings::default()).unwrap();
    let error = encoder.encode(&[0; 479]).unwrap_err();
    assert!(matches!(error, SilkError::PacketSamples { given: 479, expected: 480 }));
    assert!(encoder.encode(&[0; 480]).is_ok());
}

#[test]
fn silence_takes_few_bytes_and_stays_silence() {
    let file = encode(&[0; 24_000 / 5], &EncoderSettings::default()).unwrap();
    assert!(file.len() < 10 * 22, "{}", file.len());
    assert!(decode(&file, 24_000).unwrap().iter().all(|sample| sample.abs() <= 2));
}

#[test]
fn what_the_encoder_predicts_from_is_what_the_decoder_has() {
    for bandwidth in Bandwidth::ALL {
        let rate = bandwidth.hz();
        let mut encoder = Encoder::new(&settings(rate, 20_000, Some(bandwidth))).unwrap();
        let mut decoder = Decoder::new(rate).unwrap();
        for part in voice(rate, rate as usize / 5).chunks_exact(encoder.packet_samples()) {
            decoder.decode(&encoder.encode(part).unwrap(), &mut Vec::new()).unwrap();
            assert_eq!(encoder.frame.past(), decoder.past());
        }
    }
}

/// A piece of a sound: which kind, how loud, how long.
fn piece() -> impl Strategy<Value = (u8, i16, usize)> {
    (0_u8..6, any::<i16>(), 1_usize..900)
}

fn sound(pieces: &[(u8, i16, usize)]) -> Vec<i16> {
    let mut seed = 1_u32;
    let mut samples = Vec::new();
    for (kind, level, length) in pieces {
        for n in 0..*length {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            samples.push(match kind {
                0 => *level,
                1 => (seed >> 16) as i16,
                2 if n % 100 < 50 => i16::MAX,
                2 => i16::MIN,
                3 => (f64::from(*level) * (n as f64 * 0.3).sin()) as i16,
                4 if n % 97 == 0 => *level,
                _ => 0,
            });
        }
    }
    samples
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_sound_gives_packets_that_can_be_decoded(
        pieces in proptest::collection::vec(piece(), 1..6),
        rate in 0_usize..4,
        bandwidth in 0_usize..4,
        bit_rate in BIT_RATES,
    ) {
        let mut encoder =
            Encoder::new(&settings(RATES[rate], bit_rate, Some(Bandwidth::ALL[bandwidth]))).unwrap();
        let mut decoder = Decoder::new(24_000).unwrap();
        for part in sound(&pieces).chunks_exact(encoder.packet_samples()) {
            let packet = encoder.encode(part).unwrap();
            prop_assert!(!packet.is_empty() && packet.len() <= crate::range_decoder::MAX_PACKET);
            decoder.decode(&packet, &mut Vec::new()).unwrap();
            prop_assert_eq!(encoder.frame.past(), decoder.past());
        }
    }
}
