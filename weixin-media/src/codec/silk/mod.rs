//! SILK v3, the codec of WeChat's voice messages (field note 21), in safe Rust.
//!
//! Each stage has a file under its usual name: `container`, `range_decoder` and `range_encoder`, `params`, `gain`,
//! `nlsf`, `lpc`; `tables` are figures. Sources: [draft-vos-silk-02] and Skype's SDK 1.0.9, whose fixed-point results
//! these are to the bit.
//!
//! [draft-vos-silk-02]: https://datatracker.ietf.org/doc/html/draft-vos-silk-02
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "fixed-point numbers are cut and reinterpreted on purpose"
)]
#![allow(dead_code, reason = "what the decoder and the encoder share comes before both")]

mod container;
mod error;
mod fixed;
mod gain;
mod lpc;
mod nlsf;
mod params;
mod range_decoder;
mod range_encoder;
mod tables;

pub use container::{PacketReader, PacketWriter};
pub use error::SilkError;
pub use params::Bandwidth;
