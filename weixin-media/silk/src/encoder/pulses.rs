//! The pulses of a frame as symbols: the other half of [`crate::excitation`].

use crate::params::{BLOCK, MAX_FRAME, SignalType};
use crate::range_encoder::RangeEncoder;
use crate::tables::excitation::{
    LSB_CDF, MAX_PULSES, PULSES_PER_BLOCK_BITS_Q6, PULSES_PER_BLOCK_CDF, RATE_LEVEL_BITS_Q6, RATE_LEVEL_CDF,
    SHELL_2_CDF, SHELL_4_CDF, SHELL_8_CDF, SHELL_16_CDF, SIGN_BELOW,
};

/// The number that says that the lowest bit of each pulse is sent apart.
const MORE_BITS: usize = 19;

/// A block as it is sent.
#[derive(Clone, Copy, Debug, Default)]
struct Block {
    /// Pulses, without the bits that are sent apart.
    count: usize,
    /// How many bits of each pulse are sent apart.
    low_bits: usize,
}

/// Magnitudes without `low_bits`.
fn high(pulse: i32, low_bits: usize) -> i32 {
    (pulse.unsigned_abs() >> low_bits) as i32
}

/// Whether the pulses of a block have symbols: neither it nor any of its parts may have more than its table.
fn fits(pulses: &[i32], low_bits: usize) -> bool {
    let most = |length: usize, limit: i32| {
        pulses
            .chunks(length)
            .all(|part| part.iter().map(|pulse| high(*pulse, low_bits)).sum::<i32>() <= limit)
    };
    most(2, MAX_PULSES[0]) && most(4, MAX_PULSES[1]) && most(8, MAX_PULSES[2]) && most(16, MAX_PULSES[3])
}

fn block(pulses: &[i32]) -> Block {
    let mut low_bits = 0;
    while !fits(pulses, low_bits) {
        low_bits += 1;
    }
    let count = pulses.iter().map(|pulse| high(*pulse, low_bits) as usize).sum();
    Block { count, low_bits }
}

/// Writes the pulses of a frame.
pub(super) fn encode(range: &mut RangeEncoder, signal: SignalType, offset: usize, pulses: &[i32]) {
    let mut blocks = [Block::default(); MAX_FRAME / BLOCK];
    let blocks = &mut blocks[..pulses.len() / BLOCK];
    for (block_of, pulses) in blocks.iter_mut().zip(pulses.chunks_exact(BLOCK)) {
        *block_of = block(pulses);
    }
    let rate_level = rate_level(signal, blocks);
    range.symbol(rate_level, &RATE_LEVEL_CDF[signal as usize]);
    let last = &PULSES_PER_BLOCK_CDF[PULSES_PER_BLOCK_CDF.len() - 1];
    for block in blocks.iter() {
        let mut cdf = &PULSES_PER_BLOCK_CDF[rate_level];
        for _ in 0..block.low_bits {
            range.symbol(MORE_BITS, cdf);
            cdf = last;
        }
        range.symbol(block.count, cdf);
    }
    for (block, pulses) in blocks.iter().zip(pulses.chunks_exact(BLOCK)) {
        divide(range, &std::array::from_fn::<i32, BLOCK, _>(|n| high(pulses[n], block.low_bits)));
    }
    for (block, pulses) in blocks.iter().zip(pulses.chunks_exact(BLOCK)) {
        if block.low_bits > 0 {
            for pulse in pulses {
                for bit in (0..block.low_bits).rev() {
                    range.bit(pulse.unsigned_abs() >> bit & 1 == 1, LSB_CDF[1]);
                }
            }
        }
    }
    let sign_below = SIGN_BELOW[signal as usize * 2 + offset][rate_level];
    for pulse in pulses.iter().filter(|pulse| **pulse != 0) {
        range.bit(*pulse > 0, sign_below);
    }
}

/// The distribution in which the numbers of pulses take the fewest bits.
fn rate_level(signal: SignalType, blocks: &[Block]) -> usize {
    let bits = |level: usize| {
        let row = &PULSES_PER_BLOCK_BITS_Q6[level];
        let counts = blocks
            .iter()
            .map(|block| i32::from(row[if block.low_bits > 0 { MORE_BITS } else { block.count }]))
            .sum::<i32>();
        counts + i32::from(RATE_LEVEL_BITS_Q6[signal as usize][level])
    };
    (0..PULSES_PER_BLOCK_BITS_Q6.len()).min_by_key(|level| bits(*level)).unwrap_or(0)
}

/// How the pulses divide between the halves, and so on down to single samples.
fn divide(range: &mut RangeEncoder, magnitudes: &[i32]) {
    let table: &[&[u16]] = match magnitudes.len() {
        16 => &SHELL_16_CDF,
        8 => &SHELL_8_CDF,
        4 => &SHELL_4_CDF,
        2 => &SHELL_2_CDF,
        _ => return,
    };
    let count: i32 = magnitudes.iter().sum();
    if count == 0 {
        return;
    }
    let (first, second) = magnitudes.split_at(magnitudes.len() / 2);
    range.symbol(first.iter().sum::<i32>() as usize, table[count as usize - 1]);
    divide(range, first);
    divide(range, second);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::excitation;
    use crate::range_decoder::RangeDecoder;

    proptest! {
        #[test]
        fn what_is_written_is_read(
            pulses in proptest::collection::vec((-3_i32..3, 0_u32..6), 160..=160),
            wide: bool,
            voiced: bool,
            offset in 0_usize..2,
        ) {
            let signal = if voiced { SignalType::Voiced } else { SignalType::Unvoiced };
            let pulses: Vec<i32> =
                pulses.iter().map(|(pulse, shift)| if wide { pulse << (shift * 2) } else { *pulse }).collect();
            let mut range = RangeEncoder::default();
            encode(&mut range, signal, offset, &pulses);
            let bytes = range.finish();
            let mut found = vec![0; pulses.len()];
            let mut range = RangeDecoder::new(&bytes);
            excitation::decode(&mut range, signal, offset, &mut found);
            prop_assert_eq!(found, pulses);
        }
    }
}
