//! SILK v3, the codec of WeChat's voice messages (protocol §6), in safe Rust.
//!
//! Each stage has a file under its usual name. `container` gives packets, `range_decoder` their symbols, `indices` the
//! side information of each frame and `excitation` its pulses; `dequantizer` makes gains (`gain`), prediction filters
//! (`nlsf`, `lpc`) and lags of them, `synthesis` a voice. `concealment` and `comfort_noise` fill in for what is lost,
//! `high_pass` and `resampler` end it. `encoder` is the way back. `tables` are figures. Source: Skype's SDK 1.0.9, whose
//! fixed-point results those of the decoder are to the bit; each file names those of the SDK that do the same. [draft-vos-silk-02] describes the codec.
//!
//! ```
//! # fn run(voice: &[u8]) -> Result<(), weixin_media::codec::silk::SilkError> {
//! use weixin_media::codec::silk;
//!
//! let length = silk::duration(voice)?;
//! let samples = silk::decode(voice, 24_000)?;
//! assert_eq!(samples.len() as u128, length.as_millis() * 24);
//! # Ok(())
//! # }
//! ```
//!
//! [draft-vos-silk-02]: https://datatracker.ietf.org/doc/html/draft-vos-silk-02
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "fixed-point numbers are cut and reinterpreted on purpose"
)]

mod clip;
mod comfort_noise;
mod concealment;
mod container;
mod decoder;
mod dequantizer;
mod encoder;
mod error;
mod excitation;
mod fixed;
mod gain;
mod high_pass;
mod indices;
mod lpc;
mod nlsf;
mod params;
mod range_decoder;
mod range_encoder;
mod resampler;
mod synthesis;
mod tables;

pub use clip::{Clip, decode, duration, to_wav};
pub use container::{PacketReader, PacketWriter};
pub use decoder::{Decoder, PacketInfo, find_fec};
pub use encoder::{Complexity, Encoder, EncoderSettings, encode};
pub use error::SilkError;
pub use params::Bandwidth;
