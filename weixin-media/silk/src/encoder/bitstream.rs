//! A packet of one frame: the other half of [`crate::indices`].

use super::pulses;
use crate::indices::{contour_cdf, lag_cdf};
use crate::params::{Bandwidth, FrameIndices};
use crate::range_encoder::RangeEncoder;
use crate::tables::{frame, gain, ltp};

/// Writes the packet.
pub(super) fn packet(bandwidth: Bandwidth, indices: &FrameIndices, frame_pulses: &[i32]) -> RangeEncoder {
    let mut range = RangeEncoder::default();
    range.symbol(bandwidth as usize, &frame::BANDWIDTH_CDF);
    let signal = indices.signal as usize;
    range.symbol(2 * signal + indices.offset, &frame::TYPE_OFFSET_CDF);
    range.symbol(indices.gains[0], &gain::GAIN_CDF[signal]);
    for index in &indices.gains[1..] {
        range.symbol(*index, &gain::DELTA_GAIN_CDF);
    }
    for (index, stage) in indices.nlsf.iter().zip(bandwidth.nlsf_codebook(indices.signal).stages) {
        range.symbol(*index, stage.cdf);
    }
    range.symbol(indices.nlsf_interpolation, &frame::NLSF_INTERPOLATION_CDF);
    if let Some(pitch) = &indices.pitch {
        range.symbol(pitch.lag, lag_cdf(bandwidth));
        range.symbol(pitch.contour, contour_cdf(bandwidth));
        range.symbol(pitch.periodicity, &ltp::PERIODICITY_CDF);
        for filter in pitch.filters {
            range.symbol(filter, ltp::LTP_CODEBOOKS[pitch.periodicity].cdf);
        }
        range.symbol(pitch.scale, &ltp::LTP_SCALE_CDF);
    }
    range.symbol(indices.seed, &frame::SEED_CDF);
    pulses::encode(&mut range, indices.signal, indices.offset, frame_pulses);
    range.symbol(usize::from(indices.voice_active), &frame::VOICE_ACTIVITY_CDF);
    range.symbol(indices.termination as usize, &frame::TERMINATION_CDF);
    range
}
