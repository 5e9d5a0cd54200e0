//! The high-pass filter at the end of decoding: nothing below some 45 Hz, where there is no voice.
//!
//! Source: the SDK's `SKP_Silk_biquad.c`.

use super::fixed::{mac_16, mul_q16, round_shift, saturate_16};
use super::params::Bandwidth;
use super::tables::frame::{HIGH_PASS_AR_Q13, HIGH_PASS_MA_Q13};

/// The filter's state, Q13.
#[derive(Clone, Debug, Default)]
pub(crate) struct HighPass([i32; 2]);

impl HighPass {
    /// Filters in place.
    pub(crate) fn filter(&mut self, bandwidth: Bandwidth, samples: &mut [i16]) {
        let [zero_0, zero_1, zero_2] = HIGH_PASS_MA_Q13;
        let [pole_0, pole_1] = HIGH_PASS_AR_Q13[bandwidth as usize].map(|pole| -pole);
        let [mut first, mut second] = self.0;
        for sample in samples {
            let sum = mac_16(first, *sample, zero_0);
            first = mac_16(second, *sample, zero_1).wrapping_add(mul_q16(sum, pole_0) << 3);
            second = mac_16(mul_q16(sum, pole_1) << 3, *sample, zero_2);
            *sample = saturate_16(round_shift(sum, 13) + 1);
        }
        self.0 = [first, second];
    }
}
