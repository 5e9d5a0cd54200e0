//! Any bytes as a SILK file: an error or samples, as many as the duration says, whatever the rate.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weixin_media::codec::silk::{self, Decoder, PacketInfo, PacketReader, SilkError};

// The first byte chooses the output rate, the others follow the file's header.
fuzz_target!(|input: &[u8]| {
    let Some((rate, bytes)) = input.split_first() else { return };
    let rate = [8_000, 12_000, 16_000, 24_000][usize::from(*rate) % 4];
    let file = [b"\x02#!SILK_V3", bytes].concat();

    let Ok(mut reader) = PacketReader::new(&file[..]) else { unreachable!("it has the header") };
    let mut decoder = Decoder::new(rate).unwrap();
    let (mut samples, mut packets) = (Vec::new(), 0);
    while let Ok(Some(packet)) = reader.next() {
        let before = samples.len();
        let result = decoder.decode(packet, &mut samples);
        let frames = (samples.len() - before) as u32 / (rate / 50);
        assert!((1..=5).contains(&frames));
        assert_eq!((samples.len() - before) as u32 % (rate / 50), 0);
        if !packet.is_empty() {
            let info = PacketInfo::of(packet);
            assert_eq!(info.is_ok(), result.is_ok());
            assert!(info.is_ok_and(|info| info.frames as u32 == frames) == result.is_ok());
        }
        for distance in 0..4 {
            if let Some(copy) = silk::find_fec(packet, distance) {
                assert!(packet.ends_with(copy) && !copy.is_empty());
            }
        }
        packets += 1;
    }

    let (duration, decoded) = (silk::duration(&file[..]), silk::decode(&file, rate));
    match decoded {
        Ok(samples) => assert_eq!(samples.len() as u128, duration.unwrap().as_millis() * u128::from(rate) / 1000),
        Err(SilkError::Empty) => assert!(duration.is_ok()),
        Err(_) => assert!(duration.is_err()),
    }
    assert!(packets > 0 || silk::decode(&file, rate).is_err());
});
