//! Voice messages: what they are, and what an agent can hear (field notes 21, 22).

use std::error::Error;
use std::fmt;
use std::io::Cursor;

use bytes::Bytes;
use mime::Mime;

use super::sniff::sniff;

/// How SILK v3 begins.
pub(crate) const SILK: &[u8; 9] = b"#!SILK_V3";

/// WeChat puts this byte before it.
pub(crate) const TENCENT: u8 = 0x02;

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

/// Mono samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pcm {
    /// Samples per second; WeChat's voice has 24,000.
    pub sample_rate: u32,
    /// The samples.
    pub samples: Vec<i16>,
}

/// Decodes and encodes voice. This crate has the trait only; pass a codec to [`convert_voice`].
pub trait VoiceCodec: fmt::Debug + Send + Sync {
    /// Samples of a SILK v3 file, without WeChat's leading byte. `sample_rate` is in Hz.
    fn decode(&self, silk: &[u8], sample_rate: u32) -> Result<Pcm, VoiceCodecError>;

    /// A SILK v3 file of some samples, without WeChat's leading byte.
    fn encode(&self, pcm: &Pcm) -> Result<Vec<u8>, VoiceCodecError>;
}

/// Why a codec gave up.
#[derive(Debug)]
pub struct VoiceCodecError(Box<dyn Error + Send + Sync>);

impl VoiceCodecError {
    /// Takes a text or another error.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

impl fmt::Display for VoiceCodecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the voice message cannot be converted ({})", self.0)
    }
}

impl Error for VoiceCodecError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.0)
    }
}

/// A voice message as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct VoiceFile {
    /// Its content.
    pub bytes: Bytes,
    /// Its true type.
    pub mime: Mime,
    /// The extension, without the dot.
    pub extension: String,
}

/// Makes a voice message something that an agent can hear: SILK becomes WAV if there is a codec. Without one it
/// stays `audio/silk`, and what is not SILK (seen: encode_type 4, field note 22) is passed on as what its bytes
/// are.
///
/// # Errors
/// What the codec says; the caller still has the original.
pub fn convert_voice(
    bytes: Bytes,
    sample_rate: u32,
    codec: Option<&dyn VoiceCodec>,
) -> Result<VoiceFile, VoiceCodecError> {
    if let (Some(silk), Some(codec)) = (silk_without_prefix(&bytes), codec) {
        let bytes = wav(&codec.decode(silk, sample_rate)?)?;
        return Ok(VoiceFile { bytes: bytes.into(), mime: wav_type(), extension: "wav".to_owned() });
    }
    let found = sniff(&bytes, None);
    Ok(VoiceFile { bytes, mime: found.mime, extension: found.extension.unwrap_or_else(|| "bin".to_owned()) })
}

fn wav_type() -> Mime {
    "audio/wav".parse().unwrap_or(mime::APPLICATION_OCTET_STREAM)
}

/// A WAV file: 16-bit PCM, mono.
///
/// # Errors
/// If it would be larger than WAV can say (4 GiB).
pub fn wav(pcm: &Pcm) -> Result<Vec<u8>, VoiceCodecError> {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: pcm.sample_rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut file = Cursor::new(Vec::with_capacity(44 + pcm.samples.len() * 2));
    let mut writer = hound::WavWriter::new(&mut file, spec).map_err(VoiceCodecError::new)?;
    for sample in &pcm.samples {
        writer.write_sample(*sample).map_err(VoiceCodecError::new)?;
    }
    writer.finalize().map_err(VoiceCodecError::new)?;
    Ok(file.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each byte is a sample.
    #[derive(Debug)]
    struct Trivial;

    impl VoiceCodec for Trivial {
        fn decode(&self, silk: &[u8], sample_rate: u32) -> Result<Pcm, VoiceCodecError> {
            let body = silk.strip_prefix(SILK).ok_or_else(|| VoiceCodecError::new("no header"))?;
            if body.is_empty() {
                return Err(VoiceCodecError::new("no frames"));
            }
            Ok(Pcm { sample_rate, samples: body.iter().map(|byte| i16::from(*byte)).collect() })
        }

        fn encode(&self, _: &Pcm) -> Result<Vec<u8>, VoiceCodecError> {
            Ok(SILK.to_vec())
        }
    }

    #[test]
    fn silk_becomes_wav_where_there_is_a_codec() {
        for prefix in [&b"\x02"[..], b""] {
            let silk = Bytes::from([prefix, SILK, b"\x01\x02\x03"].concat());
            let voice = convert_voice(silk.clone(), 24_000, Some(&Trivial)).unwrap();
            assert_eq!((voice.mime.essence_str(), &*voice.extension), ("audio/wav", "wav"));
            let reader = hound::WavReader::new(&*voice.bytes).unwrap();
            assert_eq!(reader.spec().sample_rate, 24_000);
            assert_eq!(reader.into_samples::<i16>().map(Result::unwrap).collect::<Vec<_>>(), [1, 2, 3]);

            let voice = convert_voice(silk.clone(), 24_000, None).unwrap();
            assert_eq!((voice.mime.essence_str(), voice.bytes), ("audio/silk", silk));
        }
    }

    #[test]
    fn what_is_not_silk_is_passed_on_as_it_is() {
        let amr = Bytes::from_static(b"#!AMR\n\x3c\x08\x95\xa6\x10\x5f");
        let voice = convert_voice(amr.clone(), 16_000, Some(&Trivial)).unwrap();
        assert_eq!((voice.mime.essence_str(), voice.bytes), ("audio/amr", amr));
        let unknown = convert_voice(Bytes::from_static(b"\x01\x02\x03"), 16_000, None).unwrap();
        assert_eq!((unknown.mime.essence_str(), &*unknown.extension), ("application/octet-stream", "bin"));
    }

    #[test]
    fn a_codec_that_fails_says_why() {
        let error = convert_voice(Bytes::from_static(b"\x02#!SILK_V3"), 24_000, Some(&Trivial)).unwrap_err();
        assert_eq!(error.to_string(), "the voice message cannot be converted (no frames)");
    }
}
