//! The symbols of a packet in their order: side information and pulses of each frame.
//!
//! Source: the SDK's `SKP_Silk_decode_parameters.c`.

use super::excitation;
use super::params::{Bandwidth, FrameIndices, MAX_FRAME, PitchIndices, SignalType, Termination};
use super::range_decoder::RangeDecoder;
use super::tables::{frame, gain, ltp, pitch};

/// Reads a packet frame by frame.
#[derive(Clone, Debug)]
pub(crate) struct PacketParser<'a> {
    packet: &'a [u8],
    range: RangeDecoder<'a>,
    bandwidth: Bandwidth,
    frames: usize,
    /// Signal type and offset of the last frame: the next one's depend on it.
    type_offset: usize,
}

impl<'a> PacketParser<'a> {
    /// Reads the first symbol, the internal rate.
    pub(crate) fn new(packet: &'a [u8]) -> Self {
        let mut range = RangeDecoder::new(packet);
        let bandwidth = Bandwidth::ALL[range.symbol(&frame::BANDWIDTH_CDF)];
        Self { packet, range, bandwidth, frames: 0, type_offset: 0 }
    }

    /// The internal rate of all frames.
    pub(crate) fn bandwidth(&self) -> Bandwidth {
        self.bandwidth
    }

    /// Frames so far.
    pub(crate) fn frames(&self) -> usize {
        self.frames
    }

    /// The bytes behind the frames so far, or `None` if there was an error or there are too few bytes.
    pub(crate) fn rest(&self) -> Option<&'a [u8]> {
        self.packet.get(self.range.used()?..)
    }

    /// The next frame; its pulses go to the front of `pulses`. After an error all that follows is 0.
    pub(crate) fn frame(&mut self, pulses: &mut [i32; MAX_FRAME]) -> FrameIndices {
        let range = &mut self.range;
        let first = self.frames == 0;
        self.frames += 1;

        let type_cdf =
            if first { &frame::TYPE_OFFSET_CDF } else { &frame::TYPE_OFFSET_JOINT_CDF[self.type_offset] };
        self.type_offset = range.symbol(type_cdf);
        let signal = if self.type_offset < 2 { SignalType::Voiced } else { SignalType::Unvoiced };
        let offset = self.type_offset & 1;

        let mut gains = [0; 4];
        for (n, index) in gains.iter_mut().enumerate() {
            let absolute = first && n == 0;
            *index = if absolute {
                range.symbol(&gain::GAIN_CDF[signal as usize])
            } else {
                range.symbol(&gain::DELTA_GAIN_CDF)
            };
        }

        let mut nlsf = [0; super::params::MAX_STAGES];
        for (index, stage) in nlsf.iter_mut().zip(self.bandwidth.nlsf_codebook(signal).stages) {
            *index = range.symbol(stage.cdf);
        }
        let nlsf_interpolation = range.symbol(&frame::NLSF_INTERPOLATION_CDF);

        let pitch = (signal == SignalType::Voiced).then(|| pitch_indices(range, self.bandwidth));
        let seed = range.symbol(&frame::SEED_CDF);
        let pulses = &mut pulses[..self.bandwidth.frame()];
        let rate_level = excitation::decode(range, signal, offset, pulses);
        let voice_active = range.symbol(&frame::VOICE_ACTIVITY_CDF) == 1;
        let termination = Termination::ALL[range.symbol(&frame::TERMINATION_CDF)];
        FrameIndices {
            signal,
            offset,
            gains,
            nlsf,
            nlsf_interpolation,
            pitch,
            seed,
            rate_level,
            voice_active,
            termination,
        }
    }
}

fn pitch_indices(range: &mut RangeDecoder<'_>, bandwidth: Bandwidth) -> PitchIndices {
    let lag = range.symbol(lag_cdf(bandwidth));
    let contour = range.symbol(contour_cdf(bandwidth));
    let periodicity = range.symbol(&ltp::PERIODICITY_CDF);
    let filters = std::array::from_fn(|_| range.symbol(ltp::LTP_CODEBOOKS[periodicity].cdf));
    PitchIndices { lag, contour, periodicity, filters, scale: range.symbol(&ltp::LTP_SCALE_CDF) }
}

/// Distribution of lags above 2 ms.
pub(crate) fn lag_cdf(bandwidth: Bandwidth) -> &'static [u16] {
    match bandwidth {
        Bandwidth::Narrow => &pitch::LAG_NARROW_CDF,
        Bandwidth::Medium => &pitch::LAG_MEDIUM_CDF,
        Bandwidth::Wide => &pitch::LAG_WIDE_CDF,
        Bandwidth::SuperWide => &pitch::LAG_SUPER_WIDE_CDF,
    }
}

/// Distribution of contours.
pub(crate) fn contour_cdf(bandwidth: Bandwidth) -> &'static [u16] {
    match bandwidth {
        Bandwidth::Narrow => &pitch::CONTOUR_NARROW_CDF,
        _ => &pitch::CONTOUR_CDF,
    }
}
