//! Gains: 64 steps from 6 dB to 86 dB, sent as differences.
//!
//! Source: the SDK's `SKP_Silk_gain_quant.c`.

use super::fixed::{exp2_q7, mul_q16};
use super::params::SUBFRAMES;

/// The largest step down.
pub(crate) const MIN_DELTA: i32 = -4;
/// Steps.
pub(crate) const LEVELS: i32 = 64;
/// Lowest and highest level in units of log2, Q7: a factor of 2 is 6 dB.
const OFFSET_Q7: i32 = (6 * 128) / 6 + 16 * 128;
const RANGE_Q7: i32 = ((86 - 6) * 128) / 6;
/// Units per step, Q16.
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

fn gain_q16(level: i32) -> i32 {
    exp2_q7((mul_q16(UNITS_Q16, level as i16) + OFFSET_Q7).min((31 << 7) - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_equal_steps_in_decibels() {
        let mut level = 3;
        let gains = dequantize(&[20, 4, 5, 0], true, &mut level);
        assert_eq!(level, 17);
        let decibels = gains.map(|gain| 20.0 * (f64::from(gain) / 65_536.0).log10());
        for (found, level) in decibels.iter().zip([20.0, 20.0, 21.0, 17.0]) {
            assert!((found - (6.0 + level * 80.0 / 63.0)).abs() < 0.2, "{found} {level}");
        }
        dequantize(&[6, 4, 4, 4], false, &mut level);
        assert_eq!(level, 19);
    }
}
