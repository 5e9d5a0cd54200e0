//! The excitation: signed pulses, in blocks of 16 samples.
//!
//! A block's number of pulses is sent, then how they divide between its halves, and theirs, down to single samples.
//! Source: the SDK's `SKP_Silk_decode_pulses.c`, `SKP_Silk_shell_coder.c` and `SKP_Silk_code_signs.c`.

use super::params::{BLOCK, MAX_FRAME, SignalType};
use super::range_decoder::RangeDecoder;
use super::tables::excitation::{
    LSB_CDF, PULSES_PER_BLOCK_CDF, RATE_LEVEL_CDF, SHELL_2_CDF, SHELL_4_CDF, SHELL_8_CDF, SHELL_16_CDF,
    SIGN_BELOW,
};

/// The number that says that the lowest bit of each pulse is sent apart.
const MORE_BITS: usize = 19;

/// Reads the pulses of a frame and returns the index of their distribution.
pub(crate) fn decode(
    range: &mut RangeDecoder<'_>,
    signal: SignalType,
    offset: usize,
    pulses: &mut [i32],
) -> usize {
    let rate_level = range.symbol(&RATE_LEVEL_CDF[signal as usize]);
    let mut counts = [0; MAX_FRAME / BLOCK];
    let mut low_bits = [0_usize; MAX_FRAME / BLOCK];
    let blocks = pulses.len() / BLOCK;
    for (count, low_bits) in counts.iter_mut().zip(&mut low_bits).take(blocks) {
        *count = range.symbol(&PULSES_PER_BLOCK_CDF[rate_level]);
        // It ends: behind the packet there are zeros, which are no such number.
        while *count == MORE_BITS {
            *low_bits += 1;
            *count = range.symbol(&PULSES_PER_BLOCK_CDF[PULSES_PER_BLOCK_CDF.len() - 1]);
        }
    }
    for (block, count) in pulses.chunks_exact_mut(BLOCK).zip(counts) {
        divide(range, block, count);
    }
    for (block, low_bits) in pulses.chunks_exact_mut(BLOCK).zip(low_bits) {
        for pulse in block.iter_mut().filter(|_| low_bits > 0) {
            for _ in 0..low_bits {
                *pulse = *pulse << 1 | i32::from(range.bit(LSB_CDF[1]));
            }
        }
    }
    let sign_below = SIGN_BELOW[signal as usize * 2 + offset][rate_level];
    for pulse in pulses.iter_mut().filter(|pulse| **pulse > 0) {
        if !range.bit(sign_below) {
            *pulse = -*pulse;
        }
    }
    rate_level
}

/// Divides pulses between the halves of a block, and so on down to single samples.
fn divide(range: &mut RangeDecoder<'_>, block: &mut [i32], count: usize) {
    let table: &[&[u16]] = match block.len() {
        16 => &SHELL_16_CDF,
        8 => &SHELL_8_CDF,
        4 => &SHELL_4_CDF,
        2 => &SHELL_2_CDF,
        _ => {
            block[0] = count as i32;
            return;
        }
    };
    // Beyond the table only after an error.
    let Some(cdf) = count.checked_sub(1).and_then(|row| table.get(row)) else {
        block.fill(0);
        return;
    };
    let left = range.symbol(cdf);
    let (first, second) = block.split_at_mut(block.len() / 2);
    divide(range, first, left);
    divide(range, second, count - left);
}
