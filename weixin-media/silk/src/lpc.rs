//! Short-term (linear) prediction: whether a filter is stable, how to make it so, and the filters themselves.
//!
//! Source: the SDK's `SKP_Silk_LPC_inv_pred_gain.c`, `SKP_Silk_bwexpander.c`, `SKP_Silk_MA.c` and
//! `SKP_Silk_LPC_synthesis_filter.c`.

use super::fixed::{
    inverse, mac_16, mac_q16, mul_high, mul_wide_q16, round_shift, saturate_16, shift_left_saturating,
};
use super::params::MAX_ORDER;

/// A reflection coefficient above this counts as unstable: 0.99975 in Q16.
const LIMIT_Q16: i32 = 65_520;

/// The inverse of the power that prediction gains, Q30, or `None` if the filter is not stable. Steps down from the
/// filter to its reflection coefficients.
pub(crate) fn inverse_gain(lpc_q12: &[i16]) -> Option<i32> {
    let mut lpc_q16 = [0; MAX_ORDER];
    for (wide, narrow) in lpc_q16.iter_mut().zip(lpc_q12) {
        *wide = i32::from(*narrow) << 4;
    }
    inverse_gain_q16(&mut lpc_q16[..lpc_q12.len()])
}

/// The same in Q16; the filter is used up.
pub(crate) fn inverse_gain_q16(lpc: &mut [i32]) -> Option<i32> {
    let mut gain_q30 = 1 << 30;
    for order in (0..lpc.len()).rev() {
        if !(-LIMIT_Q16..=LIMIT_Q16).contains(&lpc[order]) {
            return None;
        }
        let reflection_q31 = (lpc[order] << 15).wrapping_neg();
        let rest_q30 = (i32::MAX >> 1) - mul_high(reflection_q31, reflection_q31);
        gain_q30 = mul_high(gain_q30, rest_q30) << 2;
        if order == 0 {
            break;
        }
        let scale_q16 = inverse(rest_q30, 46);
        let headroom = scale_q16.leading_zeros() - 1;
        let scale = scale_q16 << headroom;
        let step = |ahead: i32, behind: i32| {
            let sum = ahead.wrapping_sub(mul_high(behind, reflection_q31) << 1);
            mul_high(sum, scale) << (16 - headroom)
        };
        for near in 0..order.div_ceil(2) {
            let far = order - 1 - near;
            let (a, b) = (lpc[near], lpc[far]);
            (lpc[near], lpc[far]) = (step(a, b), step(b, a));
        }
    }
    Some(gain_q30)
}

/// Widens the bandwidth of a filter: coefficient `n` is multiplied by `chirp^(n + 1)`.
pub(crate) fn expand_bandwidth(lpc_q12: &mut [i16], chirp_q16: i32) {
    let mut factor_q16 = chirp_q16;
    for coefficient in lpc_q12 {
        // Rounded: what is biased could make a filter unstable.
        *coefficient = round_shift(factor_q16.wrapping_mul(i32::from(*coefficient)), 16) as i16;
        factor_q16 += round_shift(factor_q16.wrapping_mul(chirp_q16 - 65_536), 16);
    }
}

/// The same of 32-bit coefficients.
pub(crate) fn expand_bandwidth_wide(lpc: &mut [i32], chirp_q16: i32) {
    let mut factor_q16 = chirp_q16;
    for coefficient in lpc {
        *coefficient = mul_wide_q16(*coefficient, factor_q16);
        factor_q16 = mul_wide_q16(chirp_q16, factor_q16);
    }
}

/// What a filter does not predict of `signal`, from sample `order` on, to `residual`.
pub(crate) fn whiten(signal: &[i16], lpc_q12: &[i16], residual: &mut [i16]) {
    let order = lpc_q12.len();
    for (window, out) in signal.windows(order + 1).zip(residual) {
        let (past, now) = window.split_at(order);
        let predicted_q12 =
            past.iter().rev().zip(lpc_q12).fold(0, |sum, (sample, tap)| mac_16(sum, *sample, *tap));
        let rest_q12 = (i32::from(now[0]) << 12).wrapping_sub(predicted_q12);
        *out = saturate_16(round_shift(rest_q12, 12));
    }
}

/// Filters an excitation in place. `history` holds the last outputs in Q14, the newest first.
pub(crate) fn synthesize(signal: &mut [i16], lpc_q12: &[i16], history_q14: &mut [i32; MAX_ORDER]) {
    for sample in signal {
        let predicted_q10 =
            history_q14.iter().zip(lpc_q12).fold(0, |sum, (state, tap)| mac_q16(sum, *state, *tap));
        let sum_q10 = predicted_q10.saturating_add(i32::from(*sample) << 10);
        *sample = saturate_16(round_shift(sum_q10, 10));
        history_q14.copy_within(..MAX_ORDER - 1, 1);
        history_q14[0] = shift_left_saturating(sum_q10, 4);
    }
}
