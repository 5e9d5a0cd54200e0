#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]
// Each stage has a file under its usual name. `container` gives packets, `range_decoder` their symbols, `indices` the
// side information of each frame and `excitation` its pulses. `dequantizer` makes gains (`gain`), prediction filters
// (`nlsf`, `lpc`) and lags of them, and `synthesis` makes a voice. `concealment` and `comfort_noise` fill in for what is
// lost; `high_pass` and `resampler` come last. `encoder` is the way back. `tables` are figures. Each file names the files
// of Skype's SDK 1.0.9 that do the same.
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

#[cfg(feature = "wav")]
pub use clip::to_wav;
pub use clip::{Clip, decode, duration, duration_within};
pub use container::{PacketReader, PacketWriter};
pub use decoder::{Decoder, PacketInfo, find_fec};
pub use encoder::{Complexity, Encoder, EncoderSettings, encode};
pub use error::SilkError;
pub use params::Bandwidth;
