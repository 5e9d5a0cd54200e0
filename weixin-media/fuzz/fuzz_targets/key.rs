//! No text is taken for a key unless it is one: what was read is one of the three encodings of its bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weixin_media::codec::MediaKey;

fuzz_target!(|text: &str| {
    let Ok(key) = MediaKey::parse(text) else { return };
    let given = text.trim();
    assert!(matches!(given.trim_end_matches('=').len(), 22 | 32 | 43), "{given:?}");
    for text in [key.to_hex(), key.to_base64(), key.to_base64_of_hex()] {
        assert_eq!(MediaKey::parse(&text).as_ref(), Ok(&key), "{text}");
    }
});
