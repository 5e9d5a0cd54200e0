//! Voice messages: what they are, and what an agent can hear (docs/protocol.md §6, docs/field-notes.md#note-22).

use std::fmt;

use bytes::Bytes;
use mime::Mime;

use super::sniff::sniff;

/// How SILK v3 begins.
const SILK: &[u8; 9] = b"#!SILK_V3";

/// WeChat puts this byte before it.
const TENCENT: u8 = 0x02;

/// True for SILK v3, with or without WeChat's leading 0x02.
#[must_use]
pub fn is_silk(bytes: &[u8]) -> bool {
    silk_without_prefix(bytes).is_some()
}

/// The bytes as any SILK decoder wants them, without WeChat's leading 0x02; `None` if they are not SILK v3.
#[must_use]
pub fn silk_without_prefix(bytes: &[u8]) -> Option<&[u8]> {
    let standard = bytes.strip_prefix(&[TENCENT]).unwrap_or(bytes);
    standard.starts_with(SILK).then_some(standard)
}

/// A voice message as a file.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VoiceFile {
    /// Its content.
    pub bytes: Bytes,
    /// Its true type.
    pub mime: Mime,
    /// The extension, without the dot.
    pub extension: String,
}

/// How many bytes, and none of them.
impl fmt::Debug for VoiceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VoiceFile")
            .field("bytes", &self.bytes.len())
            .field("mime", &self.mime)
            .field("extension", &self.extension)
            .finish()
    }
}

/// Makes a voice message something that an agent can hear: SILK becomes WAV, 24 kHz, 16 bits, mono. What is not SILK
/// (seen: encode_type 4, [field note 22]) is passed on as what its bytes are; so is SILK without the feature `silk`.
///
/// SILK of more than [`MAX_SILK`] bytes or ten minutes is refused before it is decoded. What is within takes up to a
/// second of computing: in an async program, call this in `spawn_blocking`.
///
/// # Errors
/// [`VoiceError`]; the caller still has the original.
///
/// [field note 22]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-22
pub fn convert_voice(bytes: Bytes) -> Result<VoiceFile, VoiceError> {
    #[cfg(feature = "silk")]
    if is_silk(&bytes) {
        let mime = "audio/wav".parse().unwrap_or(mime::APPLICATION_OCTET_STREAM);
        return Ok(VoiceFile { bytes: silk_to_wav(&bytes)?.into(), mime, extension: "wav".to_owned() });
    }
    let found = sniff(&bytes, None);
    Ok(VoiceFile { bytes, mime: found.mime, extension: found.extension.unwrap_or_else(|| "bin".to_owned()) })
}

/// The largest SILK file that is converted, in bytes: 2 MiB. A minute, after which phones end a recording, has less than
/// 200 KiB.
pub const MAX_SILK: usize = 2 << 20;

/// The longest voice message that is converted. A few made-up bytes can stand for hours.
#[cfg(feature = "silk")]
const LONGEST: std::time::Duration = std::time::Duration::from_secs(600);

#[cfg(feature = "silk")]
fn silk_to_wav(bytes: &[u8]) -> Result<Vec<u8>, VoiceError> {
    use weixin_silk as silk;

    if bytes.len() > MAX_SILK {
        return Err(VoiceError::TooLarge);
    }
    if silk::duration_within(bytes, LONGEST).map_err(VoiceError::Silk)?.is_none() {
        return Err(VoiceError::TooLong);
    }
    let mut wav = std::io::Cursor::new(Vec::new());
    silk::to_wav(bytes, 24_000, &mut wav).map_err(VoiceError::Silk)?;
    Ok(wav.into_inner())
}

/// Why a voice message cannot be converted.
#[derive(Debug)]
#[non_exhaustive]
pub enum VoiceError {
    /// What the decoder says.
    #[cfg(feature = "silk")]
    Silk(weixin_silk::SilkError),
    /// It lasts longer than ten minutes.
    TooLong,
    /// It has more than [`MAX_SILK`] bytes.
    TooLarge,
}

impl VoiceError {
    /// A short name that stays the same over versions. The same bytes give the same error again.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            #[cfg(feature = "silk")]
            Self::Silk(error) => error.code(),
            Self::TooLong | Self::TooLarge => "too-large",
        }
    }
}

impl fmt::Display for VoiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the voice message cannot be converted: ")?;
        match self {
            #[cfg(feature = "silk")]
            Self::Silk(error) => error.fmt(f),
            Self::TooLong => f.write_str("it lasts longer than ten minutes"),
            Self::TooLarge => write!(f, "it has more than {} MiB", MAX_SILK >> 20),
        }
    }
}

impl std::error::Error for VoiceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            #[cfg(feature = "silk")]
            Self::Silk(error) => Some(error),
            Self::TooLong | Self::TooLarge => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_silk_is_passed_on_as_it_is() {
        let amr = Bytes::from_static(b"#!AMR\n\x3c\x08\x95\xa6\x10\x5f");
        let voice = convert_voice(amr.clone()).unwrap();
        assert_eq!((voice.mime.essence_str(), voice.bytes), ("audio/amr", amr));
        let unknown = convert_voice(Bytes::from_static(b"\x01\x02\x03")).unwrap();
        assert_eq!((unknown.mime.essence_str(), &*unknown.extension), ("application/octet-stream", "bin"));
    }

    #[cfg(feature = "silk")]
    #[test]
    fn silk_becomes_wav_with_or_without_the_prefix() {
        let file = include_bytes!("../../tests/silk/091.silk");
        for silk in [&file[..], &file[1..]] {
            let voice = convert_voice(Bytes::copy_from_slice(silk)).unwrap();
            assert_eq!((voice.mime.essence_str(), &*voice.extension), ("audio/wav", "wav"));
            let reader = hound::WavReader::new(&*voice.bytes).unwrap();
            assert_eq!((reader.spec().sample_rate, reader.spec().channels), (24_000, 1));
            let samples: Vec<i16> = reader.into_samples().map(Result::unwrap).collect();
            assert_eq!(samples, weixin_silk::decode(silk, 24_000).unwrap());
        }
    }

    #[cfg(feature = "silk")]
    #[test]
    fn what_cannot_be_converted_says_why() {
        let error = |body: &[u8]| {
            let bytes = [&[TENCENT], &SILK[..], body].concat();
            convert_voice(bytes.into()).unwrap_err().to_string()
        };
        assert_eq!(
            error(b""),
            "the voice message cannot be converted: the SILK file holds no packet that can be decoded"
        );
        // Each two bytes are a lost packet of 20 ms.
        assert_eq!(
            error(&vec![0; 2 * 30_001]),
            "the voice message cannot be converted: it lasts longer than ten minutes"
        );
        assert_eq!(
            error(&vec![0; MAX_SILK]),
            "the voice message cannot be converted: it has more than 2 MiB"
        );
    }

    /// Behind the limit stands what is no packet at all: it is not come to.
    #[cfg(feature = "silk")]
    #[test]
    fn what_is_too_long_is_not_looked_at_to_its_end() {
        let bytes =
            [&[TENCENT], &SILK[..], &vec![0; 2 * 30_010], b"\xfe\xffno packet has that length"].concat();
        assert!(matches!(convert_voice(bytes.into()).unwrap_err(), VoiceError::TooLong));
    }
}
