//! Quantization of the excitation by delayed decision: of the ways that the pulses can go, the best few are followed
//! through the decoder's own synthesis; the earliest pulse of all of them is decided late.
//!
//! A way costs its squared error, in units of the step, and the bits of its pulses. Source of the method: J. B.
//! Anderson and S. Mohan, "Sequential coding algorithms", 1984 (the M-algorithm).

use crate::fixed::{mac_q16, next_random, round_shift};
use crate::params::{LTP_TAPS, MAX_ORDER};

/// Samples by which decisions are late, at most; a power of two.
const DELAY: usize = 32;
/// The cost by which a way can be behind.
const HOPELESS: f32 = 0.7;
/// The largest pulse that is looked for.
const MAX_PULSE: f32 = 2000.0;

/// What a pulse costs: bits times what a bit is worth, by magnitude.
#[derive(Clone, Copy, Debug)]
pub(super) struct PulseCost {
    pub(super) zero: f32,
    /// Of magnitude 1, and what each further one adds.
    pub(super) one: f32,
    pub(super) more: f32,
}

impl PulseCost {
    fn of(&self, pulse: i32) -> f32 {
        if pulse == 0 { self.zero } else { self.one + (pulse.unsigned_abs() - 1) as f32 * self.more }
    }
}

/// Samples that share filters and lag.
#[derive(Clone, Debug)]
pub(super) struct Stretch<'a> {
    pub(super) samples: usize,
    /// Short-term prediction, Q12.
    pub(super) lpc_q12: &'a [i16],
    /// What the error weighs: itself, less what this predicts of it; the newest error's tap last.
    pub(super) weighting: [f32; MAX_ORDER],
    /// Lag and filter, Q14.
    pub(super) long_term: Option<(usize, [i16; LTP_TAPS])>,
}

/// What is quantized at once: nothing in it makes the decoder rescale its state.
#[derive(Debug)]
pub(super) struct Task<'a> {
    /// The signal over the gain, Q10.
    pub(super) target_q10: &'a [f32],
    /// The largest possible sample, in the same units.
    pub(super) limit_q10: f32,
    pub(super) stretches: &'a [Stretch<'a>],
    pub(super) offset_q10: i32,
    pub(super) cost: PulseCost,
    pub(super) ways: usize,
    /// The errors before, over the gain, the newest last.
    pub(super) errors: [f32; MAX_ORDER],
}

/// One way.
#[derive(Clone, Copy, Debug)]
struct Way {
    cost: f32,
    seed: i32,
    first_seed: i32,
    /// The last outputs, Q14, the newest last.
    past_q14: [i32; MAX_ORDER],
    /// The last errors, in steps, the newest last.
    errors: [f32; MAX_ORDER],
    pulses: [i32; DELAY],
    ltp_q16: [i32; DELAY],
}

/// A step that a way could take.
#[derive(Clone, Copy, Debug)]
struct Step {
    cost: f32,
    way: usize,
    pulse: i32,
    excitation_q10: i32,
    predicted_q10: i32,
    long_term_q10: i32,
    error: f32,
}

/// Quantizes. `ltp_q16` is the long-term state, of which the samples from `at` on are filled in; `lpc_q14` the
/// short-term one, as it is before. Returns the seed to begin with: one of `seeds`.
pub(super) fn quantize(
    task: &Task<'_>,
    seeds: &[i32],
    ltp_q16: &mut [i32],
    at: usize,
    lpc_q14: &[i32; MAX_ORDER],
    pulses: &mut [i32],
) -> i32 {
    let mut ways: Vec<Way> = seeds
        .iter()
        .map(|seed| Way {
            cost: 0.0,
            seed: *seed,
            first_seed: *seed,
            past_q14: *lpc_q14,
            errors: task.errors,
            pulses: [0; DELAY],
            ltp_q16: [0; DELAY],
        })
        .collect();
    let shortest = task.stretches.iter().filter_map(|stretch| stretch.long_term).map(|(lag, _)| lag).min();
    // What long-term prediction reaches must be decided.
    let delay = shortest.map_or(DELAY, |lag| (lag - LTP_TAPS / 2 - 1).min(DELAY));
    let mut steps: Vec<Step> = Vec::with_capacity(2 * task.ways.max(seeds.len()));
    let mut next: Vec<Way> = Vec::with_capacity(task.ways);
    let mut now = 0;
    for stretch in task.stretches {
        let order = stretch.lpc_q12.len();
        let mut taps = [0; MAX_ORDER];
        for (to, from) in taps[MAX_ORDER - order..].iter_mut().zip(stretch.lpc_q12.iter().rev()) {
            *to = *from;
        }
        for _ in 0..stretch.samples {
            let long_term_q10 = stretch.long_term.map_or(0, |(lag, taps)| {
                let past = &ltp_q16[at + now - lag - LTP_TAPS / 2..][..LTP_TAPS];
                let sum = past.iter().rev().zip(taps).fold(0, |sum, (state, tap)| mac_q16(sum, *state, tap));
                round_shift(sum, 4)
            });
            let target = task.target_q10[now];
            steps.clear();
            for (number, way) in ways.iter().enumerate() {
                branch(task, stretch, number, way, &taps, long_term_q10, target, &mut steps);
            }
            // What is far behind does not come back.
            let least = steps.iter().fold(f32::INFINITY, |least, step| least.min(step.cost));
            steps.retain(|step| step.cost <= least + HOPELESS);
            let kept = task.ways.min(steps.len());
            if kept < steps.len() {
                steps.select_nth_unstable_by(kept - 1, |a, b| a.cost.total_cmp(&b.cost));
                steps.truncate(kept);
            }
            let slot = now % DELAY;
            next.clear();
            next.extend(steps.iter().map(|step| take(&ways[step.way], step, slot)));
            std::mem::swap(&mut ways, &mut next);
            now += 1;
            if now >= delay {
                decide(&mut ways, now - delay, pulses, ltp_q16, at);
            }
        }
    }
    let Some(best) = ways.iter().min_by(|a, b| a.cost.total_cmp(&b.cost)) else { return 0 };
    for n in now.saturating_sub(delay)..now {
        pulses[n] = best.pulses[n % DELAY];
        ltp_q16[at + n] = best.ltp_q16[n % DELAY];
    }
    best.first_seed
}

/// Decides sample `n` as the best way has it, and drops the ways that have it otherwise.
fn decide(ways: &mut Vec<Way>, n: usize, pulses: &mut [i32], ltp_q16: &mut [i32], at: usize) {
    let slot = n % DELAY;
    let Some(best) = ways.iter().min_by(|a, b| a.cost.total_cmp(&b.cost)) else { return };
    let (pulse, state, base) = (best.pulses[slot], best.ltp_q16[slot], best.cost);
    let first_seed = best.first_seed;
    pulses[n] = pulse;
    ltp_q16[at + n] = state;
    ways.retain(|way| {
        way.pulses[slot] == pulse && way.ltp_q16[slot] == state && way.first_seed == first_seed
    });
    for way in ways {
        way.cost -= base;
    }
}

#[allow(clippy::too_many_arguments, reason = "the inner loop")]
#[inline]
fn branch(
    task: &Task<'_>,
    stretch: &Stretch<'_>,
    number: usize,
    way: &Way,
    taps: &[i16; MAX_ORDER],
    long_term_q10: i32,
    target: f32,
    steps: &mut Vec<Step>,
) {
    let predicted_q10 = way.past_q14.iter().zip(taps).fold(0, |sum, (state, tap)| mac_q16(sum, *state, *tap));
    let seed = next_random(way.seed);
    let base = long_term_q10.wrapping_add(predicted_q10);
    // What the errors before let this one be.
    let expected: f32 = way.errors.iter().zip(&stretch.weighting).map(|(error, tap)| error * tap).sum();
    let wanted = target - base as f32 - expected * 1024.0;
    let sign = if seed < 0 { -1 } else { 1 };
    let ideal = (wanted * sign as f32 - task.offset_q10 as f32) / 1024.0;
    // Rounded down, without a call.
    let towards_zero = ideal.clamp(-MAX_PULSE, MAX_PULSE) as i32;
    let below = towards_zero - i32::from(ideal < towards_zero as f32);
    for pulse in [below, below + 1] {
        let excitation_q10 = sign * ((pulse << 10) + task.offset_q10);
        let signal = base.wrapping_add(excitation_q10) as f32;
        let error = (target - signal.clamp(-task.limit_q10, task.limit_q10)) / 1024.0;
        steps.push(Step {
            cost: way.cost + (error - expected).powi(2) + task.cost.of(pulse),
            way: number,
            pulse,
            excitation_q10,
            predicted_q10,
            long_term_q10,
            error,
        });
    }
}

#[inline]
fn take(way: &Way, step: &Step, slot: usize) -> Way {
    let mut way = *way;
    way.cost = step.cost;
    way.seed = next_random(way.seed).wrapping_add(step.pulse);
    let residual_q10 = step.excitation_q10.wrapping_add(step.long_term_q10);
    way.ltp_q16[slot] = residual_q10 << 6;
    way.pulses[slot] = step.pulse;
    way.errors = shifted(&way.errors, step.error);
    let signal_q10 = residual_q10.wrapping_add(step.predicted_q10);
    way.past_q14 = shifted(&way.past_q14, signal_q10 << 4);
    way
}

/// Without the oldest, with a new one.
#[inline]
fn shifted<T: Copy>(past: &[T; MAX_ORDER], new: T) -> [T; MAX_ORDER] {
    let mut shifted = [new; MAX_ORDER];
    shifted[..MAX_ORDER - 1].copy_from_slice(&past[1..]);
    shifted
}
