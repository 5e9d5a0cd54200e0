use std::fmt;
use std::io;

/// Why SILK cannot be read or written. But for [`Io`](Self::Io), the same input gives the same error again.
#[derive(Debug)]
#[non_exhaustive]
pub enum SilkError {
    /// The bytes do not begin with `#!SILK_V3`, with or without WeChat's 0x02.
    NotSilk,
    /// The file ends within a packet, or within its length.
    CutOff,
    /// A packet is longer than the 1024 bytes that the format allows.
    PacketTooLong(usize),
    /// A packet's symbols are not valid, or take more bytes than it has.
    BadPacket,
    /// There is no packet, or all are damaged.
    Empty,
    /// An output rate that is not supported, in Hz.
    SampleRate(u32),
    /// An input rate that is not supported, in Hz.
    InputRate(u32),
    /// A bit rate that is not supported, in bits per second.
    BitRate(u32),
    /// More or fewer samples than a packet has.
    PacketSamples {
        /// How many there are.
        given: usize,
        /// How many it has.
        expected: usize,
    },
    /// The error of the reader or the writer.
    Io(io::Error),
}

impl SilkError {
    /// A short name that stays the same over versions, as the errors of `ilink-client` have one.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotSilk => "not-silk",
            Self::CutOff | Self::Empty => "truncated",
            Self::PacketTooLong(_) | Self::BadPacket => "bad-packet",
            Self::SampleRate(_) | Self::InputRate(_) | Self::BitRate(_) | Self::PacketSamples { .. } => {
                "invalid-input"
            }
            Self::Io(_) => "io-failed",
        }
    }
}

impl fmt::Display for SilkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSilk => f.write_str("the file is not SILK v3: it does not begin with #!SILK_V3"),
            Self::CutOff => f.write_str("the SILK file ends within a packet; fetch it again"),
            Self::PacketTooLong(bytes) => {
                write!(f, "a SILK packet has {bytes} bytes and may have 1024; the file is damaged")
            }
            Self::BadPacket => f.write_str("a SILK packet is damaged"),
            Self::Empty => f.write_str("the SILK file holds no packet that can be decoded"),
            Self::SampleRate(hz) => {
                write!(f, "SILK is not decoded to {hz} Hz; choose 8000, 12000, 16000 or 24000")
            }
            Self::InputRate(hz) => {
                write!(f, "SILK is not encoded from {hz} Hz; choose a multiple of 50 from 8000 to 48000")
            }
            Self::BitRate(bits) => {
                write!(f, "SILK is not encoded at {bits} bit/s; choose 5000 to 100000")
            }
            Self::PacketSamples { given, expected } => {
                write!(f, "a packet has {expected} samples, not {given}; fill the last one up with zeros")
            }
            Self::Io(error) => write!(f, "the SILK file cannot be read or written ({error})"),
        }
    }
}

impl std::error::Error for SilkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for SilkError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
