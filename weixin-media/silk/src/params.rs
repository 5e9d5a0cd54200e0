//! What a frame is made of: indices as they are sent, and what they stand for.

use super::tables::{NlsfCodebook, nlsf_unvoiced_10, nlsf_unvoiced_16, nlsf_voiced_10, nlsf_voiced_16};

/// Subframes of a frame, 5 ms each: gain, lag and LTP filter change with them.
pub(crate) const SUBFRAMES: usize = 4;
/// Samples of a frame, 20 ms, at the highest internal rate.
pub(crate) const MAX_FRAME: usize = 480;
/// Samples of a subframe at that rate.
pub(crate) const MAX_SUBFRAME: usize = MAX_FRAME / SUBFRAMES;
/// Frames of a packet.
pub(crate) const MAX_FRAMES: usize = 5;
/// The highest order of short-term prediction.
pub(crate) const MAX_ORDER: usize = 16;
/// Taps of long-term prediction.
pub(crate) const LTP_TAPS: usize = 5;
/// The most stages of an NLSF codebook.
pub(crate) const MAX_STAGES: usize = 10;
/// Samples that share a number of pulses.
pub(crate) const BLOCK: usize = 16;

/// The internal sampling rate, named as in the SDK. The order is that of the symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bandwidth {
    /// 8 kHz.
    Narrow,
    /// 12 kHz.
    Medium,
    /// 16 kHz.
    Wide,
    /// 24 kHz.
    SuperWide,
}

impl Bandwidth {
    pub(crate) const ALL: [Self; 4] = [Self::Narrow, Self::Medium, Self::Wide, Self::SuperWide];

    /// The internal sampling rate in Hz.
    #[must_use]
    pub const fn hz(self) -> u32 {
        self.khz() as u32 * 1000
    }

    pub(crate) const fn khz(self) -> usize {
        match self {
            Self::Narrow => 8,
            Self::Medium => 12,
            Self::Wide => 16,
            Self::SuperWide => 24,
        }
    }

    /// Samples of a frame.
    pub(crate) const fn frame(self) -> usize {
        self.khz() * 20
    }

    /// Samples of a subframe.
    pub(crate) const fn subframe(self) -> usize {
        self.frame() / SUBFRAMES
    }

    /// The order of short-term prediction.
    pub(crate) const fn order(self) -> usize {
        match self {
            Self::Narrow => 10,
            _ => MAX_ORDER,
        }
    }

    /// The codebook of the frequencies.
    pub(crate) fn nlsf_codebook(self, signal: SignalType) -> &'static NlsfCodebook {
        match (self, signal) {
            (Self::Narrow, SignalType::Voiced) => &nlsf_voiced_10::CODEBOOK,
            (Self::Narrow, SignalType::Unvoiced) => &nlsf_unvoiced_10::CODEBOOK,
            (_, SignalType::Voiced) => &nlsf_voiced_16::CODEBOOK,
            (_, SignalType::Unvoiced) => &nlsf_unvoiced_16::CODEBOOK,
        }
    }
}

/// Whether there is a pitch. The order is that of the tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SignalType {
    /// With long-term prediction.
    #[default]
    Voiced,
    /// Without.
    Unvoiced,
}

/// What follows a frame in its packet. The order is that of the symbol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Termination {
    /// Nothing.
    #[default]
    Last,
    /// Another frame.
    More,
    /// A copy, at a lower rate, of the packet before this one.
    Fec1,
    /// A copy of the packet before that.
    Fec2,
}

impl Termination {
    pub(crate) const ALL: [Self; 4] = [Self::Last, Self::More, Self::Fec1, Self::Fec2];
}

/// The side information of a frame, as it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FrameIndices {
    /// Signal type.
    pub(crate) signal: SignalType,
    /// Which quantization offset, 0 or 1.
    pub(crate) offset: usize,
    /// The gains: in the first frame of a packet the first one is absolute; all others are differences, plus 4.
    pub(crate) gains: [usize; SUBFRAMES],
    /// A vector of each stage of the NLSF codebook.
    pub(crate) nlsf: [usize; MAX_STAGES],
    /// Quarters of the way from the NLSFs before to these, for the first half of the frame.
    pub(crate) nlsf_interpolation: usize,
    /// What only voiced frames have.
    pub(crate) pitch: Option<PitchIndices>,
    /// Seed of the dither.
    pub(crate) seed: usize,
    /// Distribution of the pulses.
    pub(crate) rate_level: usize,
    /// Whether somebody speaks.
    pub(crate) voice_active: bool,
    /// What follows.
    pub(crate) termination: Termination,
}

/// Side information of long-term prediction, as it is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PitchIndices {
    /// The lag above 2 ms, in samples.
    pub(crate) lag: usize,
    /// How it changes over the subframes.
    pub(crate) contour: usize,
    /// Which codebook of filters.
    pub(crate) periodicity: usize,
    /// The filter of each subframe.
    pub(crate) filters: [usize; SUBFRAMES],
    /// The scale of the prediction's memory.
    pub(crate) scale: usize,
}

/// What the side information stands for.
#[derive(Clone, Debug)]
pub(crate) struct FrameParameters {
    /// Signal type.
    pub(crate) signal: SignalType,
    /// The quantization offset, Q10.
    pub(crate) offset_q10: i32,
    /// Gain of each subframe, Q16.
    pub(crate) gains_q16: [i32; SUBFRAMES],
    /// Short-term prediction of the first and the second half, Q12.
    pub(crate) lpc_q12: [[i16; MAX_ORDER]; 2],
    /// True if the two halves have different predictions.
    pub(crate) interpolated: bool,
    /// Lag of each subframe, in samples; 0 in unvoiced frames.
    pub(crate) lags: [usize; SUBFRAMES],
    /// Long-term prediction of each subframe, Q14.
    pub(crate) ltp_q14: [[i16; LTP_TAPS]; SUBFRAMES],
    /// The scale of its memory, Q14.
    pub(crate) ltp_scale_q14: i16,
    /// Seed of the dither.
    pub(crate) seed: i32,
}
