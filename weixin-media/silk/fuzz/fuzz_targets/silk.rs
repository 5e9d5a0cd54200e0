//! Any bytes as a SILK file: an error or samples, as many as the duration says, whatever the rate.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weixin_silk::{self as silk, Decoder, PacketInfo, PacketReader, SilkError};

// The first byte chooses the output rate and what is checked; the others follow the file's header.
fuzz_target!(|input: &[u8]| {
    let Some((choice, bytes)) = input.split_first() else { return };
    let rate = [8_000, 12_000, 16_000, 24_000][usize::from(choice % 4)];
    let file = [b"\x02#!SILK_V3", bytes].concat();
    if choice & 4 == 0 { whole(&file, rate) } else { packets(&file, rate) }
});

fn whole(file: &[u8], rate: u32) {
    let duration = silk::duration(file);
    match silk::decode(file, rate) {
        Ok(samples) => {
            assert_eq!(samples.len() as u128, duration.unwrap().as_millis() * u128::from(rate) / 1000);
        }
        Err(SilkError::Empty) => assert!(duration.is_ok()),
        Err(_) => assert!(duration.is_err()),
    }
}

fn packets(file: &[u8], rate: u32) {
    let mut reader = PacketReader::new(file).unwrap();
    let mut decoder = Decoder::new(rate).unwrap();
    let mut samples = Vec::new();
    while let Ok(Some(packet)) = reader.next() {
        samples.clear();
        let result = decoder.decode(packet, &mut samples);
        let frame = rate as usize / 50;
        assert_eq!(samples.len() % frame, 0);
        assert!((1..=5).contains(&(samples.len() / frame)));
        if packet.is_empty() {
            continue;
        }
        let info = PacketInfo::of(packet);
        assert_eq!(info.is_ok(), result.is_ok());
        assert!(info.is_err() || info.is_ok_and(|info| info.frames == samples.len() / frame));
        for distance in 1..=2 {
            if let Some(copy) = silk::find_fec(packet, distance) {
                assert!(packet.ends_with(copy) && !copy.is_empty());
            }
        }
    }
}
