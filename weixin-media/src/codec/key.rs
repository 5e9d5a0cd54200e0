//! The key of one media file, in every encoding that was seen (docs/protocol.md §6, docs/field-notes.md#note-19).

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::engine::{DecodePaddingMode, DecodePaddingMode::Indifferent};

/// Padding or none: both occur.
const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(PADDING).with_decode_allow_trailing_bits(true),
);
const PADDING: DecodePaddingMode = Indifferent;

/// An AES-128 key. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct MediaKey([u8; 16]);

impl MediaKey {
    /// Takes the 16 bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Reads a key as it stands in a message: 32 hex characters of either case, base64 of the 16 bytes, or
    /// base64 of the 32 hex characters; base64 with or without padding, in the standard or the URL-safe alphabet.
    ///
    /// # Errors
    /// [`KeyError`] if it is none of these. The text is not shown.
    ///
    /// ```
    /// use weixin_media::codec::MediaKey;
    ///
    /// let key = MediaKey::new(*b"0123456789abcdef");
    /// assert_eq!(MediaKey::parse(&key.to_hex()), Ok(key.clone()));
    /// assert_eq!(MediaKey::parse(&key.to_base64()), Ok(key.clone()));
    /// assert_eq!(MediaKey::parse(&key.to_base64_of_hex()), Ok(key));
    /// ```
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        // The three encodings differ in length, so that none can be taken for another.
        if text.len() == 32 {
            return from_hex(text.as_bytes()).map(Self).ok_or(KeyError(text.len()));
        }
        // The longest is base64 of 32 characters; what is longer need not be looked at.
        if text.len() > 44 {
            return Err(KeyError(text.len()));
        }
        let standard: String = text
            .chars()
            .map(|char| match char {
                '-' => '+',
                '_' => '/',
                other => other,
            })
            .collect();
        let bytes = TOLERANT.decode(standard).map_err(|_| KeyError(text.len()))?;
        match bytes.len() {
            16 => bytes.try_into().ok(),
            32 => from_hex(&bytes),
            _ => None,
        }
        .map(Self)
        .ok_or(KeyError(text.len()))
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// 32 hex characters: `aeskey` of getuploadurl and of images.
    #[must_use]
    pub fn to_hex(&self) -> String {
        to_hex(&self.0)
    }

    /// Base64 of the 16 bytes. Phones send it at times; they cannot open what carries it ([field note 19]).
    ///
    /// [field note 19]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-19
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.0)
    }

    /// Base64 of the 32 hex characters: `aes_key` of a message.
    #[must_use]
    pub fn to_base64_of_hex(&self) -> String {
        STANDARD.encode(self.to_hex())
    }
}

impl fmt::Debug for MediaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MediaKey(16 bytes)")
    }
}

/// A key in no known encoding. Holds the length of the text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyError(pub usize);

impl KeyError {
    /// A short name that stays the same over versions. The same text gives the same error again.
    #[must_use]
    pub fn code(self) -> &'static str {
        "bad-key"
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the AES key ({} characters) is neither 32 hex characters, nor base64 of 16 bytes, nor base64 of 32 hex \
             characters",
            self.0
        )
    }
}

impl std::error::Error for KeyError {}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

pub(crate) fn from_hex(text: &[u8]) -> Option<[u8; 16]> {
    if text.len() != 32 {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |at: usize| char::from(pair[at]).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(0)? << 4 | digit(1)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_published_key_in_its_two_encodings() {
        // Field notes, section F: hex in `aeskey`, base64 of the hex in `media.aes_key`.
        let hex = MediaKey::parse("e104a3d087e9020c38e2cbfec63d6cbf").unwrap();
        assert_eq!(MediaKey::parse("ZTEwNGEzZDA4N2U5MDIwYzM4ZTJjYmZlYzYzZDZjYmY="), Ok(hex));
    }

    #[test]
    fn what_is_no_key_is_named_by_its_length_only() {
        for bad in [
            "",
            "CANARY",
            "e104a3d087e9020c38e2cbfec63d6cb",
            "g104a3d087e9020c38e2cbfec63d6cbf",
            "====",
            "ключ",
        ] {
            let error = MediaKey::parse(bad).unwrap_err();
            assert!(!error.to_string().contains("CANARY"));
        }
        assert_eq!(format!("{:?}", MediaKey::new([7; 16])), "MediaKey(16 bytes)");
    }

    proptest! {
        #[test]
        fn every_encoding_is_read(bytes: [u8; 16]) {
            let key = MediaKey::new(bytes);
            let hex = key.to_hex();
            let upper = hex.to_ascii_uppercase();
            let mut texts = vec![key.to_base64(), key.to_base64_of_hex(), STANDARD.encode(&upper), hex, upper];
            for text in texts.clone() {
                texts.push(text.trim_end_matches('=').to_owned());
                texts.push(text.replace('+', "-").replace('/', "_"));
                texts.push(format!(" {text}\n"));
            }
            for text in texts {
                prop_assert_eq!(MediaKey::parse(&text), Ok(key.clone()), "{}", text);
            }
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _ = MediaKey::parse(&text);
        }
    }
}
