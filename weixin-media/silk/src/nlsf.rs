//! Normalized line spectral frequencies: out of the codebook, apart from each other, and to a prediction filter.
//!
//! Source: the SDK's `SKP_Silk_NLSF_MSVQ_decode.c`, `SKP_Silk_NLSF_stabilize.c`, `SKP_Silk_NLSF2A.c` and
//! `SKP_Silk_NLSF2A_stable.c`.

use super::fixed::{round_shift, round_shift_64, saturate_16};
use super::lpc::{expand_bandwidth, expand_bandwidth_wide, inverse_gain};
use super::params::{MAX_ORDER, MAX_STAGES};
use super::tables::NlsfCodebook;
use super::tables::cosine::DOUBLE_COSINE_Q12;

/// Frequencies, Q15; those above the order are not used.
pub(crate) type Nlsfs = [i32; MAX_ORDER];

/// 1 in Q15.
const ONE: i32 = 1 << 15;

impl NlsfCodebook {
    /// The order of the filters.
    pub(crate) fn order(&self) -> usize {
        self.min_spacing_q15.len() - 1
    }

    /// The frequencies that indices stand for.
    pub(crate) fn decode(&self, indices: &[usize; MAX_STAGES]) -> Nlsfs {
        let order = self.order();
        let mut nlsfs = [0; MAX_ORDER];
        for (stage, index) in self.stages.iter().zip(indices) {
            for (nlsf, part) in nlsfs.iter_mut().zip(&stage.vectors_q15[index * order..][..order]) {
                *nlsf += i32::from(*part);
            }
        }
        stabilize(&mut nlsfs[..order], self.min_spacing_q15);
        nlsfs
    }
}

/// Moves frequencies apart, as little as possible, until they have the least distances.
pub(crate) fn stabilize(nlsfs: &mut [i32], min_spacing: &[i32]) {
    let order = nlsfs.len();
    for _ in 0..20 {
        let below = |n: usize| if n == 0 { 0 } else { nlsfs[n - 1] };
        let above = |n: usize| if n == order { ONE } else { nlsfs[n] };
        let slack = |n: usize| above(n) - below(n) - min_spacing[n];
        // The first of the smallest.
        let Some(worst) = (0..=order).min_by_key(|n| slack(*n)) else { return };
        if slack(worst) >= 0 {
            return;
        }
        if worst == 0 {
            nlsfs[0] = min_spacing[0];
        } else if worst == order {
            nlsfs[order - 1] = ONE - min_spacing[order];
        } else {
            // The two keep their centre, as far as those below and above have room.
            let spacing = min_spacing[worst];
            let lowest = min_spacing[..worst].iter().sum::<i32>() + (spacing >> 1);
            let highest = ONE - min_spacing[worst + 1..].iter().sum::<i32>() - (spacing - (spacing >> 1));
            let centre = round_shift(nlsfs[worst - 1] + nlsfs[worst], 1).clamp(lowest, highest);
            nlsfs[worst - 1] = centre - (spacing >> 1);
            nlsfs[worst] = nlsfs[worst - 1] + spacing;
        }
    }
    // That did not do: sort, and push up, then down.
    nlsfs.sort_unstable();
    nlsfs[0] = nlsfs[0].max(min_spacing[0]);
    for n in 1..order {
        nlsfs[n] = nlsfs[n].max(nlsfs[n - 1] + min_spacing[n]);
    }
    nlsfs[order - 1] = nlsfs[order - 1].min(ONE - min_spacing[order]);
    for n in (0..order - 1).rev() {
        nlsfs[n] = nlsfs[n].min(nlsfs[n + 1] - min_spacing[n + 1]);
    }
}

/// Between two sets of frequencies, by quarters of the way.
pub(crate) fn interpolate(from: &Nlsfs, to: &Nlsfs, quarters: usize) -> Nlsfs {
    std::array::from_fn(|n| from[n] + ((quarters as i32 * (to[n] - from[n])) >> 2))
}

/// The prediction filter of some frequencies, Q12, made stable if it is not.
pub(crate) fn to_lpc(nlsfs: &[i32]) -> [i16; MAX_ORDER] {
    let mut lpc = to_unstable_lpc(nlsfs);
    let filter = &mut lpc[..nlsfs.len()];
    for n in 0..20 {
        if inverse_gain(filter).is_some() {
            return lpc;
        }
        expand_bandwidth(filter, 65_536 - (10 + n) * n);
    }
    [0; MAX_ORDER]
}

/// The prediction filter, Q12: the frequencies, alternately, are the zeros on the unit circle of two polynomials,
/// whose sum it is.
fn to_unstable_lpc(nlsfs: &[i32]) -> [i16; MAX_ORDER] {
    let order = nlsfs.len();
    let mut cosines_q20 = [0; MAX_ORDER];
    for (cosine, nlsf) in cosines_q20.iter_mut().zip(nlsfs) {
        // Linear between the 129 points of the table; frequencies are from 0 up to, but without, 1.
        let nlsf = (*nlsf).clamp(0, ONE - 1);
        let (whole, part) = ((nlsf >> 8) as usize, nlsf & 0xff);
        let (here, next) = (DOUBLE_COSINE_Q12[whole], DOUBLE_COSINE_Q12[whole + 1]);
        *cosine = (here << 8) + (next - here) * part;
    }
    let cosines = &cosines_q20[..order];
    let even = polynomial_q20(cosines.iter().step_by(2));
    let odd = polynomial_q20(cosines.iter().skip(1).step_by(2));
    let mut lpc = [0; MAX_ORDER];
    for n in 0..order / 2 {
        let sum = even[n + 1].wrapping_add(even[n]);
        let difference = odd[n + 1].wrapping_sub(odd[n]);
        lpc[n] = -round_shift(sum.wrapping_add(difference), 9);
        lpc[order - 1 - n] = round_shift(difference.wrapping_sub(sum), 9);
    }
    limit(&mut lpc[..order]);
    lpc.map(|coefficient| coefficient as i16)
}

/// The product of `1 - c·z + z²` over all `c`, up to its middle; the other half mirrors it.
fn polynomial_q20<'a>(cosines: impl Iterator<Item = &'a i32>) -> [i32; MAX_ORDER / 2 + 1] {
    let times = |a: i32, b: i32| round_shift_64(i64::from(a) * i64::from(b), 20) as i32;
    let mut product = [0_i32; MAX_ORDER / 2 + 1];
    product[0] = 1 << 20;
    for (degree, cosine) in cosines.enumerate() {
        if degree == 0 {
            product[1] = -cosine;
            continue;
        }
        product[degree + 1] = (product[degree - 1] << 1).wrapping_sub(times(*cosine, product[degree]));
        for n in (2..=degree).rev() {
            let change = product[n - 2].wrapping_sub(times(*cosine, product[n - 1]));
            product[n] = product[n].wrapping_add(change);
        }
        product[1] = product[1].wrapping_sub(*cosine);
    }
    product
}

/// Makes the coefficients fit 16 bits, by widening the bandwidth.
fn limit(lpc: &mut [i32]) {
    for _ in 0..10 {
        // The first of the largest.
        let Some((at, largest)) =
            lpc.iter().map(|c| c.wrapping_abs()).enumerate().rev().max_by_key(|(_, magnitude)| *magnitude)
        else {
            return;
        };
        if largest <= i32::from(i16::MAX) {
            return;
        }
        let largest = largest.min(98_369);
        let over = (65_470 >> 2) * (largest - i32::from(i16::MAX));
        let chirp_q16 = 65_470 - over / ((largest * (at as i32 + 1)) >> 2);
        expand_bandwidth_wide(lpc, chirp_q16);
    }
    for coefficient in lpc {
        *coefficient = i32::from(saturate_16(*coefficient));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::{Bandwidth, SignalType};

    #[test]
    fn every_vector_gives_ordered_frequencies_and_a_stable_filter() {
        for bandwidth in [Bandwidth::Narrow, Bandwidth::Wide] {
            for signal in [SignalType::Voiced, SignalType::Unvoiced] {
                let codebook = bandwidth.nlsf_codebook(signal);
                for n in 0..512 {
                    let mut indices = [0; MAX_STAGES];
                    for (stage, index) in codebook.stages.iter().zip(&mut indices) {
                        *index = (n * 7 + stage.rates_q5.len() * n / 3) % stage.rates_q5.len();
                    }
                    let nlsfs = codebook.decode(&indices);
                    let nlsfs = &nlsfs[..codebook.order()];
                    assert!(nlsfs.windows(2).all(|pair| pair[0] < pair[1]), "{nlsfs:?}");
                    let lpc = to_lpc(nlsfs);
                    assert!(inverse_gain(&lpc[..nlsfs.len()]).is_some_and(|gain| gain > 0));
                }
            }
        }
    }

    #[test]
    fn evenly_spread_frequencies_predict_nothing() {
        let nlsfs: Vec<i32> = (1..=10).map(|n| n * ONE / 11).collect();
        assert!(to_lpc(&nlsfs)[..10].iter().all(|coefficient| coefficient.abs() < 8));
    }

    #[test]
    fn hopeless_frequencies_are_sorted_apart() {
        let spacing = [100; 11];
        let mut nlsfs = [32_767; 10];
        stabilize(&mut nlsfs, &spacing);
        assert!(nlsfs.windows(2).all(|pair| pair[1] - pair[0] >= 100));
        assert!(nlsfs[9] <= ONE - 100);
    }
}
