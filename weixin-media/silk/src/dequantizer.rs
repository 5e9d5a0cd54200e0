//! From the indices of a frame to gains, filters and lags.
//!
//! Source: the SDK's `SKP_Silk_decode_parameters.c` and `SKP_Silk_decode_pitch.c`.

use super::gain;
use super::lpc::expand_bandwidth;
use super::nlsf::{Nlsfs, interpolate, to_lpc};
use super::params::{Bandwidth, FrameIndices, FrameParameters, LTP_TAPS, MAX_ORDER, PitchIndices, SUBFRAMES};
use super::tables::{frame, ltp, pitch};

/// The whole way: no interpolation.
const WHOLE: usize = 4;
/// How much wider the bandwidth of the prediction becomes after a loss, Q16: 0.97.
const AFTER_LOSS_Q16: i32 = 63_570;

/// What one frame's parameters depend on of the frame before.
#[derive(Clone, Debug)]
pub(crate) struct Dequantizer {
    gain_level: i32,
    nlsfs: Nlsfs,
    /// Nothing has been decoded since the start, or since the internal rate changed.
    fresh: bool,
}

impl Default for Dequantizer {
    fn default() -> Self {
        Self { gain_level: 1, nlsfs: [0; MAX_ORDER], fresh: true }
    }
}

impl Dequantizer {
    /// The frequencies of the last frame.
    pub(crate) fn nlsfs(&self) -> &Nlsfs {
        &self.nlsfs
    }

    /// The parameters of the next frame. `lost`: the frame before was.
    pub(crate) fn parameters(
        &mut self,
        bandwidth: Bandwidth,
        indices: &FrameIndices,
        first_of_packet: bool,
        lost: bool,
    ) -> FrameParameters {
        let gains_q16 = gain::dequantize(&indices.gains, first_of_packet, &mut self.gain_level);
        let before = self.nlsfs;
        self.take_nlsfs(bandwidth, indices);
        let order = bandwidth.order();
        let second = to_lpc(&self.nlsfs[..order]);
        let quarters = if self.fresh { WHOLE } else { indices.nlsf_interpolation };
        let interpolated = quarters < WHOLE;
        let first =
            if interpolated { to_lpc(&interpolate(&before, &self.nlsfs, quarters)[..order]) } else { second };
        let mut lpc_q12 = [first, second];
        if lost {
            for filter in &mut lpc_q12 {
                expand_bandwidth(&mut filter[..order], AFTER_LOSS_Q16);
            }
        }
        self.fresh = false;
        let (lags, ltp_q14, ltp_scale_q14) =
            indices.pitch.as_ref().map_or_else(Default::default, |pitch| long_term(bandwidth, pitch));
        FrameParameters {
            signal: indices.signal,
            offset_q10: frame::QUANTIZATION_OFFSETS_Q10[indices.signal as usize][indices.offset],
            gains_q16,
            lpc_q12,
            interpolated,
            lags,
            ltp_q14,
            ltp_scale_q14,
            seed: indices.seed as i32,
        }
    }

    /// Takes the frequencies of a frame, for the next one to begin from. All that a damaged frame leaves behind.
    pub(crate) fn take_nlsfs(&mut self, bandwidth: Bandwidth, indices: &FrameIndices) {
        self.nlsfs = bandwidth.nlsf_codebook(indices.signal).decode(&indices.nlsf);
    }
}

/// Lags and filters of long-term prediction, and the scale of its memory.
fn long_term(
    bandwidth: Bandwidth,
    indices: &PitchIndices,
) -> ([usize; SUBFRAMES], [[i16; LTP_TAPS]; SUBFRAMES], i16) {
    let contour = match bandwidth {
        Bandwidth::Narrow => pitch::CONTOURS_NARROW[indices.contour],
        _ => pitch::CONTOURS[indices.contour],
    };
    let lag = 2 * bandwidth.khz() + indices.lag;
    let filters = ltp::LTP_CODEBOOKS[indices.periodicity].taps_q14;
    (
        contour.map(|change| lag.saturating_add_signed(change.into())),
        indices.filters.map(|filter| filters[filter]),
        ltp::LTP_SCALES_Q14[indices.scale],
    )
}
