//! Any bytes under any name have a type; voice is WAV, or what it was.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use weixin_media::codec::{MediaKind, convert_voice, is_silk, silk_without_prefix, sniff};

fuzz_target!(|input: (&[u8], Option<&str>)| {
    let (bytes, name) = input;
    let sniffed = sniff(bytes, name);
    assert!(MediaKind::of(&sniffed.mime) != MediaKind::Voice);
    assert_eq!(is_silk(bytes), silk_without_prefix(bytes).is_some());
    if is_silk(bytes) {
        assert_eq!(sniffed.mime.essence_str(), "audio/silk");
    }
    if let Ok(voice) = convert_voice(Bytes::copy_from_slice(bytes)) {
        assert!(is_silk(bytes) || voice.bytes == bytes);
        assert!(!voice.extension.is_empty());
    } else {
        assert!(is_silk(bytes));
    }
});
