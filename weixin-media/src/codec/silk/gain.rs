//! Gains: 64 steps from 6 dB to 86 dB, sent as differences.
//!
//! Source: the SDK's `SKP_Silk_gain_quant.c`.

use super::fixed::{exp2_q7, log2_q7, mul_q16};
use super::params::SUBFRAMES;

/// The largest step down.
pub(crate) const MIN_DELTA: i32 = -4;
/// The largest step up.
pub(crate) const MAX_DELTA: i32 = 40;
/// Steps.
pub(crate) const LEVELS: i32 = 64;
/// Lowest and highest level in units of log2, Q7: a factor of 2 is 6 dB.
const OFFSET_Q7: i32 = (6 * 128) / 6 + 16 * 128;
const RANGE_Q7: i32 = ((86 - 6) * 128) / 6;
/// Steps per unit, and units per step, Q16.
const STEPS_Q16: i32 = (65_536 * (LEVELS - 1)) / RANGE_Q7;
const UNITS_Q16: i32 = (65_536 * RANGE_Q7) / (LEVELS - 1);

/// The gains that indices stand for, Q16. `level` is that of the last gain before, and then that of the last one.
pub(crate) fn dequantize(
    indices: &[usize; SUBFRAMES],
    first_of_packet: bool,
    level: &mut i32,
) -> [i32; SUBFRAMES] {
    let mut gains = [0; SUBFRAMES];
    for (n, (gain, index)) in gains.iter_mut().zip(indices).enumerate() {
        let index = *index as i32;
        *level = if n == 0 && first_of_packet { index } else { *level + index + MIN_DELTA };
        *gain = gain_q16(*level);
    }
    gains
}

/// Indices of gains, which become those that the indices stand for. `level` as for [`dequantize`]. Levels change
/// only where the gain is nearer to the next one.
pub(crate) fn quantize(
    gains_q16: &mut [i32; SUBFRAMES],
    first_of_packet: bool,
    level: &mut i32,
) -> [usize; SUBFRAMES] {
    let mut indices = [0; SUBFRAMES];
    for (n, (index, gain)) in indices.iter_mut().zip(gains_q16).enumerate() {
        let mut wanted = mul_q16(STEPS_Q16, (log2_q7(*gain) - OFFSET_Q7) as i16);
        if wanted < *level {
            wanted += 1;
        }
        *index = if n == 0 && first_of_packet {
            *level = wanted.clamp(0, LEVELS - 1).max(*level + MIN_DELTA);
            *level as usize
        } else {
            let delta = (wanted - *level).clamp(MIN_DELTA, MAX_DELTA);
            *level += delta;
            (delta - MIN_DELTA) as usize
        };
        *gain = gain_q16(*level);
    }
    indices
}

fn gain_q16(level: i32) -> i32 {
    exp2_q7((mul_q16(UNITS_Q16, level as i16) + OFFSET_Q7).min((31 << 7) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_quantized_comes_back() {
        // Up in one step, down by no more than four levels.
        let wanted = [100 << 16, 120 << 16, 2000 << 16, 1500 << 16];
        let (mut written, mut read) = (10, 10);
        for first in [true, false] {
            let mut quantized = wanted;
            let indices = quantize(&mut quantized, first, &mut written);
            assert_eq!(dequantize(&indices, first, &mut read), quantized);
            assert_eq!(written, read);
            for (wanted, found) in wanted.iter().zip(quantized).skip(usize::from(!first) * 2) {
                let ratio = f64::from(found) / f64::from(*wanted);
                assert!((0.85..1.18).contains(&ratio), "{ratio}");
            }
        }
    }
}
