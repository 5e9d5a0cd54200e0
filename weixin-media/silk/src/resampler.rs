//! Resampling from the internal rate to that of the output.
//!
//! Twice the rate: two all-pass branches and a notch. Other higher rates: the same, then interpolation. Lower rates:
//! a low-pass filter, then interpolation. Source: the SDK's `SKP_Silk_resampler.c` and the files that it names.

use super::fixed::{mac_16, mac_q16, mul_q16, mul_wide_q16, round_shift, saturate_16};
use super::params::Bandwidth;
use super::tables::resampler::{
    DOWNSAMPLERS, Downsampler, INTERPOLATION_144, UP2_EVEN_Q16, UP2_NOTCH, UP2_ODD_Q16,
};

/// Samples of 10 ms at the highest internal rate, which are resampled at once.
const MAX_BATCH: usize = 240;
/// Taps of the interpolation of a doubled rate.
const UP_TAPS: usize = 6;
/// Taps of the interpolation of a filtered signal.
const DOWN_TAPS: usize = 12;

/// The way between two rates, and its state.
#[derive(Clone, Debug)]
pub(crate) enum Resampler {
    /// The rates are the same.
    Copy,
    /// Twice the rate.
    Double(Doubler),
    /// Another higher rate.
    Up { doubler: Doubler, last: [i16; UP_TAPS], step_q16: i32, batch: usize },
    /// A lower rate.
    Down { filter: [i32; 2], last: [i32; DOWN_TAPS], step_q16: i32, batch: usize, kind: &'static Downsampler },
}

impl Resampler {
    /// From an internal rate to one in Hz; `None` if there is no way.
    pub(crate) fn new(from: Bandwidth, to: u32) -> Option<Self> {
        let input = from.hz();
        let batch = (input / 100) as usize;
        Some(if to == input {
            Self::Copy
        } else if to == 2 * input {
            Self::Double(Doubler::default())
        } else if to > input {
            let step_q16 = step_q16(input, to, 1);
            Self::Up { doubler: Doubler::default(), last: [0; UP_TAPS], step_q16, batch }
        } else {
            let kind = DOWNSAMPLERS.iter().find(|kind| to * kind.ratio.1 == input * kind.ratio.0)?;
            let step_q16 = step_q16(input, to, 0);
            Self::Down { filter: [0; 2], last: [0; DOWN_TAPS], step_q16, batch, kind }
        })
    }

    /// Resamples whole batches of 10 ms and appends them to `out`.
    pub(crate) fn process(&mut self, input: &[i16], out: &mut Vec<i16>) {
        match self {
            Self::Copy => out.extend_from_slice(input),
            Self::Double(doubler) => {
                for sample in input {
                    out.extend(doubler.double(*sample));
                }
            }
            Self::Up { doubler, last, step_q16, batch } => {
                for batch in input.chunks(*batch) {
                    let mut doubled = [0; UP_TAPS + 2 * MAX_BATCH];
                    doubled[..UP_TAPS].copy_from_slice(last);
                    for (pair, sample) in doubled[UP_TAPS..].chunks_exact_mut(2).zip(batch) {
                        pair.copy_from_slice(&doubler.double(*sample));
                    }
                    let end = 2 * batch.len();
                    out.extend(positions(end, *step_q16).map(|at| interpolate_doubled(&doubled, at)));
                    last.copy_from_slice(&doubled[end..][..UP_TAPS]);
                }
            }
            Self::Down { filter, last, step_q16, batch, kind } => {
                for batch in input.chunks(*batch) {
                    let mut filtered = [0; DOWN_TAPS + MAX_BATCH];
                    filtered[..DOWN_TAPS].copy_from_slice(last);
                    for (filtered, sample) in filtered[DOWN_TAPS..].iter_mut().zip(batch) {
                        *filtered = low_pass_q8(filter, kind.ar_q14, *sample);
                    }
                    let at = positions(batch.len(), *step_q16);
                    if let [taps] = kind.phases {
                        out.extend(at.map(|at| decimate(&filtered, at, taps)));
                    } else {
                        out.extend(at.map(|at| interpolate_filtered(&filtered, at, kind.phases)));
                    }
                    last.copy_from_slice(&filtered[batch.len()..][..DOWN_TAPS]);
                }
            }
        }
    }
}

/// Input samples for an output sample, rounded up, Q16; `doubled` is 1 if the input has twice its rate.
fn step_q16(input: u32, output: u32, doubled: u32) -> i32 {
    let mut step = ((input << (14 + doubled)) / output) << 2;
    while mul_wide_q16(step as i32, output as i32) < (input << doubled) as i32 {
        step += 1;
    }
    step as i32
}

/// Where in the input the output samples of a batch are, Q16.
fn positions(length: usize, step_q16: i32) -> impl Iterator<Item = i32> {
    (0..(length as i32) << 16).step_by(step_q16 as usize)
}

/// Doubles the rate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Doubler {
    even: [i32; 2],
    odd: [i32; 2],
    notch: [i32; 2],
}

impl Doubler {
    fn double(&mut self, sample: i16) -> [i16; 2] {
        let input_q10 = i32::from(sample) << 10;
        let [mut near, mut far] = self.notch;
        let even = all_pass(&mut self.even, UP2_EVEN_Q16, input_q10);
        let even = notch(&mut near, far, even);
        let odd = all_pass(&mut self.odd, UP2_ODD_Q16, input_q10);
        let odd = notch(&mut far, near, odd);
        self.notch = [near, far];
        [even, odd]
    }
}

/// Two all-pass sections, Q10.
fn all_pass(state: &mut [i32; 2], taps_q16: [i16; 2], input: i32) -> i32 {
    let change = mul_q16(input.wrapping_sub(state[0]), taps_q16[0]);
    let middle = state[0].wrapping_add(change);
    state[0] = input.wrapping_add(change);
    let difference = middle.wrapping_sub(state[1]);
    // The tap is above one half: it wraps, and stands for itself plus one.
    let change = mac_q16(difference, difference, taps_q16[1]);
    let output = state[1].wrapping_add(change);
    state[1] = middle.wrapping_add(change);
    output
}

/// The notch. Its two states take turns: `before` is that of the last sample, `state` that of the one before it, which
/// becomes this one's.
fn notch(state: &mut i32, before: i32, input_q10: i32) -> i16 {
    let sum = mac_q16(mac_q16(input_q10, *state, UP2_NOTCH[2]), before, UP2_NOTCH[1]);
    let output = mac_q16(sum, before, UP2_NOTCH[0]);
    *state = sum.wrapping_sub(*state);
    saturate_16(mac_q16(256, output, UP2_NOTCH[3]) >> 9)
}

/// Two poles, Q8.
fn low_pass_q8(state: &mut [i32; 2], poles_q14: [i16; 2], sample: i16) -> i32 {
    let output = state[0].wrapping_add(i32::from(sample) << 8);
    let scaled = output << 2;
    state[0] = mac_q16(state[1], scaled, poles_q14[0]);
    state[1] = mul_q16(scaled, poles_q14[1]);
    output
}

fn interpolate_doubled(input: &[i16], at_q16: i32) -> i16 {
    let phase = mul_q16(at_q16 & 0xffff, 144) as usize;
    let (rising, falling) = (INTERPOLATION_144[phase], INTERPOLATION_144[143 - phase]);
    let window = &input[(at_q16 >> 16) as usize..][..UP_TAPS];
    let taps = rising.iter().chain(falling.iter().rev());
    let sum = window.iter().zip(taps).fold(0, |sum, (sample, tap)| mac_16(sum, *sample, *tap));
    saturate_16(round_shift(sum, 15))
}

/// With as many phases as output samples in a period.
fn interpolate_filtered(input: &[i32], at_q16: i32, phases: &[[i16; 6]]) -> i16 {
    let phase = mul_q16(at_q16 & 0xffff, phases.len() as i16) as usize;
    let (rising, falling) = (phases[phase], phases[phases.len() - 1 - phase]);
    let window = &input[(at_q16 >> 16) as usize..][..DOWN_TAPS];
    let taps = rising.iter().chain(falling.iter().rev());
    let sum = window.iter().zip(taps).fold(0, |sum, (sample, tap)| mac_q16(sum, *sample, *tap));
    saturate_16(round_shift(sum, 6))
}

/// With one, symmetric phase: both halves are added first, as the rounding has it.
fn decimate(input: &[i32], at_q16: i32, taps: &[i16; 6]) -> i16 {
    let window = &input[(at_q16 >> 16) as usize..][..DOWN_TAPS];
    let pairs = window[..6].iter().zip(window[6..].iter().rev());
    let sum = pairs.zip(taps).fold(0, |sum, ((a, b), tap)| mac_q16(sum, a.wrapping_add(*b), *tap));
    saturate_16(round_shift(sum, 6))
}
