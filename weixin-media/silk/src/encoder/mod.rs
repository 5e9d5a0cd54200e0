//! The encoder: samples in, packets out.
//!
//! A packet holds one frame of 20 ms. `resampler` brings the input to the internal rate. `analysis` chooses between the
//! predictions of a voiced and an unvoiced frame: `lpc_analysis` finds filters and their frequencies, `nlsf_quantizer`
//! those in the codebook, `pitch` lags and filters of long-term prediction. `trellis` finds the pulses; `frame_encoder`
//! tries steps until the bits used are those available; `bitstream` and `pulses` write the symbols. Analysis is in
//! floating point. What is decoded, and therefore what the next frame is predicted from, is the decoder's own
//! arithmetic: encoder and decoder do not drift apart.
//!
//! Noise follows the spectrum of the signal only to a part, so that the error is less than the reference's. There is no
//! discontinuous transmission (DTX) and no copy of older packets (FEC): a voice message is a file.

#![allow(clippy::cast_precision_loss, reason = "counts of samples and bits are far below it")]

mod analysis;
mod bitstream;
mod frame_encoder;
mod lpc_analysis;
mod nlsf_quantizer;
mod pitch;
mod pulses;
mod resampler;
#[cfg(test)]
mod tests;
mod trellis;

use super::SilkError;
use super::container::PacketWriter;
use super::params::Bandwidth;
use frame_encoder::FrameEncoder;
use resampler::Resampler;

/// Packets per second.
const PACKETS: u32 = 50;
/// Bits per second that can be asked for.
const BIT_RATES: std::ops::RangeInclusive<u32> = 5_000..=100_000;
/// Samples per second that can be given.
const SAMPLE_RATES: std::ops::RangeInclusive<u32> = 8_000..=48_000;
/// How much of what earlier packets left, or took too much, goes to the next one.
const SHARE_OF_BALANCE: f64 = 0.25;
/// The least and the most bits of a packet, in those of one at the bit rate.
const PACKET_SHARES: (f64, f64) = (0.3, 2.0);
/// What can be left over, in packets.
const MAX_BALANCE: f64 = 25.0;

/// How much work an encoder does for a smaller error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Complexity {
    /// The fastest.
    Low,
    /// Between them.
    Medium,
    /// The least error.
    #[default]
    High,
}

/// What an [`Encoder`] makes. The defaults are those of WeChat's voice messages: 24 kHz, at 24 kbit/s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EncoderSettings {
    /// Samples per second of the input: a multiple of 50 from 8000 to 48000.
    pub sample_rate: u32,
    /// Bits per second, from 5000 to 100000. Packets differ. The average over some seconds meets it, if the sound needs as much.
    pub bit_rate: u32,
    /// The internal sampling rate. `None`: chosen by the bit rate, and no higher than the input's.
    pub bandwidth: Option<Bandwidth>,
    /// How much work the encoder does.
    pub complexity: Complexity,
}

impl Default for EncoderSettings {
    fn default() -> Self {
        Self { sample_rate: 24_000, bit_rate: 24_000, bandwidth: None, complexity: Complexity::default() }
    }
}

impl EncoderSettings {
    /// The internal rate: a low bit rate does not do for high frequencies.
    fn bandwidth(&self) -> Bandwidth {
        let affordable = match self.bit_rate {
            ..9_000 => Bandwidth::Narrow,
            9_000..14_000 => Bandwidth::Medium,
            14_000..24_000 => Bandwidth::Wide,
            _ => Bandwidth::SuperWide,
        };
        let given = Bandwidth::ALL.into_iter().rev().find(|bandwidth| bandwidth.hz() <= self.sample_rate);
        self.bandwidth.unwrap_or(affordable.min(given.unwrap_or(Bandwidth::Narrow)))
    }
}

/// Encodes a voice packet by packet, in constant memory. A packet is 20 ms.
///
/// ```
/// use weixin_silk::{Encoder, EncoderSettings, PacketWriter};
///
/// let mut encoder = Encoder::new(&EncoderSettings::default())?;
/// let mut writer = PacketWriter::wechat(Vec::new())?;
/// # let voice = [0; 960];
/// for samples in voice.chunks_exact(encoder.packet_samples()) {
///     writer.write(&encoder.encode(samples)?)?;
/// }
/// let file = writer.finish()?;
/// # assert!(file.starts_with(b"\x02#!SILK_V3"));
/// # Ok::<(), weixin_silk::SilkError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Encoder {
    frame: FrameEncoder,
    resampler: Option<Resampler>,
    packet_samples: usize,
    /// Bits of a packet at the bit rate.
    share: f64,
    /// Bits that earlier packets have left.
    balance: f64,
}

impl Encoder {
    /// An encoder at the start of a voice.
    ///
    /// # Errors
    /// [`SilkError::InputRate`] and [`SilkError::BitRate`] if the settings have an unsupported one.
    pub fn new(settings: &EncoderSettings) -> Result<Self, SilkError> {
        let (sample_rate, bit_rate) = (settings.sample_rate, settings.bit_rate);
        if !SAMPLE_RATES.contains(&sample_rate) || !sample_rate.is_multiple_of(PACKETS) {
            return Err(SilkError::InputRate(sample_rate));
        }
        if !BIT_RATES.contains(&bit_rate) {
            return Err(SilkError::BitRate(bit_rate));
        }
        let bandwidth = settings.bandwidth();
        let (ways, survivors) = match settings.complexity {
            Complexity::Low => (2, 2),
            Complexity::Medium => (4, 4),
            Complexity::High => (8, 8),
        };
        Ok(Self {
            frame: FrameEncoder::new(bandwidth, ways, survivors),
            resampler: Resampler::new(sample_rate, bandwidth.hz()),
            packet_samples: (sample_rate / PACKETS) as usize,
            share: f64::from(bit_rate) / f64::from(PACKETS),
            balance: 0.0,
        })
    }

    /// Samples of a packet.
    #[must_use]
    pub fn packet_samples(&self) -> usize {
        self.packet_samples
    }

    /// The packet of the next 20 ms. Nothing is kept back; an input that is not at the internal rate is late by less
    /// than 3 ms.
    ///
    /// # Errors
    /// [`SilkError::PacketSamples`] if `samples` is not as long as [`Encoder::packet_samples`].
    pub fn encode(&mut self, samples: &[i16]) -> Result<Vec<u8>, SilkError> {
        if samples.len() != self.packet_samples {
            let (given, expected) = (samples.len(), self.packet_samples);
            return Err(SilkError::PacketSamples { given, expected });
        }
        let (least, most) = PACKET_SHARES;
        let bits = self.share + self.balance * SHARE_OF_BALANCE;
        let bits = bits.clamp(self.share * least, self.share * most);
        let packet = match &mut self.resampler {
            Some(resampler) => self.frame.encode(&resampler.process(samples), bits),
            None => self.frame.encode(samples, bits),
        };
        let limit = self.share * MAX_BALANCE;
        self.balance = (self.balance + self.share - packet.len() as f64 * 8.0).clamp(-limit, limit);
        Ok(packet)
    }
}

/// A voice as a file such as WeChat's, with 0x02 in front. The last packet is filled up with silence.
///
/// ```
/// use weixin_silk::EncoderSettings;
///
/// let voice = vec![0; 24_000];
/// let file = weixin_silk::encode(&voice, &EncoderSettings::default())?;
/// assert_eq!(weixin_silk::duration(&file[..])?.as_millis(), 1000);
/// # Ok::<(), weixin_silk::SilkError>(())
/// ```
///
/// # Errors
/// As [`Encoder::new`].
pub fn encode(samples: &[i16], settings: &EncoderSettings) -> Result<Vec<u8>, SilkError> {
    let mut encoder = Encoder::new(settings)?;
    let mut writer = PacketWriter::wechat(Vec::new())?;
    for part in samples.chunks(encoder.packet_samples()) {
        let mut part = part.to_vec();
        part.resize(encoder.packet_samples(), 0);
        writer.write(&encoder.encode(&part)?)?;
    }
    writer.finish()
}
