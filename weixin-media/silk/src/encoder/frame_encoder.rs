//! The encoder of frames at an internal rate: analysis, quantization, and the search for the step that uses the bits
//! available.

use std::f64::consts::LN_2;
use std::ops::Range;

use super::analysis::{self, Input};
use super::bitstream;
use super::trellis::{self, PulseCost, Stretch, Task};
use crate::dequantizer::Dequantizer;
use crate::fixed::next_random;
use crate::gain;
use crate::params::{Bandwidth, FrameIndices, FrameParameters, MAX_FRAME, MAX_ORDER, SUBFRAMES, SignalType};
use crate::range_decoder::MAX_PACKET;
use crate::synthesis::Synthesis;

/// What a bit counts beside the squared error, in steps: with more, fewer pulses of a smaller step.
const RATE_WEIGHT: f32 = 0.1;
/// How far the noise follows the spectrum of the signal: 0 is white noise, with the least error.
const SHAPING: f32 = 0.8;
/// Bits per sample that one level of the step costs.
const BITS_PER_LEVEL: f64 = 0.2;
/// Near enough to the bits available.
const TOLERANCE: f64 = 0.08;
/// Steps that are tried, at most.
const TRIALS: usize = 7;
/// Power above which there may be a voice: what a decoder does not take for background noise.
const VOICE_POWER: f64 = 1000.0;
/// Fewer pulses per sample are not expected.
const MIN_DENSITY: f32 = 0.005;
/// Seeds of the dither.
const SEEDS: i32 = 4;
/// Levels of the step.
const LEVELS: usize = gain::LEVELS as usize;

/// The state of the encoder: that of the decoder, and what it takes to spend the bits well.
#[derive(Clone, Debug)]
pub(super) struct FrameEncoder {
    bandwidth: Bandwidth,
    ways: usize,
    survivors: usize,
    dequantizer: Dequantizer,
    synthesis: Synthesis,
    fresh: bool,
    /// Levels from what prediction left of the last frame to its step.
    step_offset: f64,
    /// Pulses per sample.
    density: f32,
    /// The last errors.
    errors: [f32; MAX_ORDER],
}

/// A frame that is being quantized.
struct Work {
    parameters: FrameParameters,
    synthesis: Synthesis,
    pulses: [i32; MAX_FRAME],
    out: [i16; MAX_FRAME],
}

/// One way to quantize a frame.
struct Trial {
    level: usize,
    indices: FrameIndices,
    out: [i16; MAX_FRAME],
    synthesis: Synthesis,
    bits: usize,
    /// Pulses per sample.
    density: f32,
    packet: Vec<u8>,
}

impl FrameEncoder {
    pub(super) fn new(bandwidth: Bandwidth, ways: usize, survivors: usize) -> Self {
        Self {
            bandwidth,
            ways,
            survivors,
            dequantizer: Dequantizer::default(),
            synthesis: Synthesis::new(bandwidth),
            fresh: true,
            step_offset: 0.0,
            density: 0.3,
            errors: [0.0; MAX_ORDER],
        }
    }

    /// Encodes a frame into about `bits`.
    pub(super) fn encode(&mut self, samples: &[i16], bits: f64) -> Vec<u8> {
        let past = self.synthesis.past();
        let signal: Vec<f64> = past.iter().chain(samples).map(|sample| f64::from(*sample)).collect();
        let before = *self.dequantizer.nlsfs();
        let found = analysis::analyse(&Input {
            bandwidth: self.bandwidth,
            signal: &signal,
            before: (!self.fresh).then_some(&before),
            survivors: self.survivors,
            // By which a bit per sample makes the error less.
            bit: 2.0 * LN_2 / samples.len() as f64,
        });
        let mut indices = found.indices;
        let power = samples.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / samples.len() as f64;
        indices.voice_active = power > VOICE_POWER;

        // The step follows what prediction leaves.
        let energy_level = level_of((found.energy / samples.len() as f64 + 1.0).sqrt());
        let guess = (energy_level + self.step_offset).round().clamp(0.0, (LEVELS - 1) as f64) as usize;
        let best = self.search(&indices, samples, guess, bits);
        self.step_offset = best.level as f64 - energy_level;
        self.dequantizer.parameters(self.bandwidth, &best.indices, true, false);
        self.fresh = false;
        self.density = best.density;
        let tail = samples.len() - MAX_ORDER;
        self.errors = std::array::from_fn(|n| f32::from(samples[tail + n]) - f32::from(best.out[tail + n]));
        self.synthesis = best.synthesis;
        best.packet
    }

    /// What the next frame is predicted from.
    #[cfg(test)]
    pub(super) fn past(&self) -> &[i16] {
        self.synthesis.past()
    }

    /// The step with which the bits used are nearest to those available.
    fn search(&self, indices: &FrameIndices, samples: &[i16], guess: usize, bits: f64) -> Trial {
        let per_level = samples.len() as f64 * BITS_PER_LEVEL;
        let miss = |trial: &Trial| trial.bits as f64 - bits;
        let mut best = self.trial(indices, samples, guess, self.density);
        // Levels that take too many and too few bits.
        let (mut below, mut above) = (None, None);
        let mut last = miss(&best);
        let (mut level, mut density) = (best.level, best.density);
        for _ in 1..TRIALS {
            if last.abs() < TOLERANCE * bits {
                break;
            }
            let far = (last.abs() / per_level).max(1.0) as usize;
            if last > 0.0 {
                below = Some(level);
                level = (level + far).min(above.unwrap_or(LEVELS) - 1);
            } else {
                above = Some(level);
                level = level.saturating_sub(far).max(below.map_or(0, |below| below + 1));
            }
            if Some(level) == below || Some(level) == above {
                break;
            }
            let trial = self.trial(indices, samples, level, density);
            last = miss(&trial);
            density = trial.density;
            if last.abs() < miss(&best).abs() {
                best = trial;
            }
        }
        // A packet has a limit of its own.
        while best.packet.len() > MAX_PACKET && best.level + 1 < LEVELS {
            best = self.trial(indices, samples, best.level + 1, best.density);
        }
        best
    }

    fn trial(&self, indices: &FrameIndices, samples: &[i16], level: usize, density: f32) -> Trial {
        let mut indices = indices.clone();
        let same = (-gain::MIN_DELTA) as usize;
        indices.gains = [level, same, same, same];
        let (frame, length) = (self.bandwidth.frame(), self.bandwidth.subframe());
        let mut work = Work {
            parameters: self.dequantizer.clone().parameters(self.bandwidth, &indices, true, false),
            synthesis: self.synthesis.clone(),
            pulses: [0; MAX_FRAME],
            out: [0; MAX_FRAME],
        };
        let cost = pulse_cost(RATE_WEIGHT, density);
        let mut first = 0;
        while first < SUBFRAMES {
            let end = (first + 1..SUBFRAMES).find(|n| rescales(&work.parameters, *n)).unwrap_or(SUBFRAMES);
            self.quantize(first..end, samples, cost, &mut work);
            work.synthesis.excite(&work.parameters, &work.pulses[..frame]);
            for n in first..end {
                let out = &mut work.out[n * length..][..length];
                work.synthesis.subframe(n, &work.parameters, None, out);
            }
            first = end;
        }
        work.synthesis.remember(&work.out[..frame]);
        indices.seed = work.parameters.seed as usize;
        let pulses = &work.pulses[..frame];
        let range = bitstream::packet(self.bandwidth, &indices, pulses);
        let count: i32 = pulses.iter().map(|pulse| pulse.abs()).sum();
        Trial {
            level,
            bits: range.bits(),
            density: (count as f32 / frame as f32).max(MIN_DENSITY),
            packet: range.finish(),
            indices,
            out: work.out,
            synthesis: work.synthesis,
        }
    }

    /// Finds the pulses of subframes in which the decoder does not rescale its state.
    fn quantize(&self, subframes: Range<usize>, samples: &[i16], cost: PulseCost, work: &mut Work) {
        let (order, length) = (self.bandwidth.order(), self.bandwidth.subframe());
        let parameters = &work.parameters;
        let mut state = work.synthesis.clone();
        state.begin_subframe(subframes.start, parameters, None);
        let scale = (1024.0 * 65_536.0 / f64::from(parameters.gains_q16[subframes.start])) as f32;
        let voiced = parameters.signal == SignalType::Voiced;
        let stretches: Vec<Stretch<'_>> = subframes
            .clone()
            .map(|n| Stretch {
                samples: length,
                lpc_q12: &parameters.lpc_q12[n / 2][..order],
                weighting: weighting(&parameters.lpc_q12[n / 2]),
                long_term: voiced.then_some((parameters.lags[n], parameters.ltp_q14[n])),
            })
            .collect();
        let start = subframes.start * length;
        let target_q10: Vec<f32> =
            samples[start..subframes.end * length].iter().map(|x| f32::from(*x) * scale).collect();
        let error = |n: usize| match n.checked_sub(MAX_ORDER) {
            Some(n) => f32::from(samples[n]) - f32::from(work.out[n]),
            None => self.errors[n],
        };
        let task = Task {
            target_q10: &target_q10,
            limit_q10: f32::from(i16::MAX) * scale,
            stretches: &stretches,
            offset_q10: parameters.offset_q10,
            cost,
            ways: self.ways,
            errors: std::array::from_fn(|n| error(start + n) * scale / 1024.0),
        };
        let seeds = if start == 0 {
            (0..SEEDS).collect()
        } else {
            let walk = |seed, pulse: &i32| next_random(seed).wrapping_add(*pulse);
            vec![work.pulses[..start].iter().fold(parameters.seed, walk)]
        };
        let at = self.bandwidth.frame() + start;
        let pulses = &mut work.pulses[start..];
        let seed = trellis::quantize(&task, &seeds, &mut state.ltp_q16, at, &state.lpc_q14, pulses);
        if start == 0 {
            work.parameters.seed = seed;
        }
    }
}

/// The level of a step.
fn level_of(step: f64) -> f64 {
    // From 6 dB to 86 dB.
    (20.0 * step.log10() - 6.0) * (LEVELS - 1) as f64 / 80.0
}

/// Whether the decoder rescales its state, or makes it again, before a subframe.
fn rescales(parameters: &FrameParameters, subframe: usize) -> bool {
    parameters.gains_q16[subframe] != parameters.gains_q16[subframe - 1]
        || (subframe == 2 && parameters.interpolated && parameters.signal == SignalType::Voiced)
}

/// How the errors before weigh in: noise may follow the spectrum of the signal, to a part.
fn weighting(lpc_q12: &[i16; MAX_ORDER]) -> [f32; MAX_ORDER] {
    let mut factor = 1.0 / 4096.0;
    let mut taps = [0.0; MAX_ORDER];
    for (tap, coefficient) in taps.iter_mut().rev().zip(lpc_q12) {
        factor *= SHAPING;
        *tap = factor * f32::from(*coefficient);
    }
    taps
}

/// The costs of pulses that are geometrically distributed with a mean.
fn pulse_cost(bit: f32, density: f32) -> PulseCost {
    let ratio = density / (1.0 + density);
    let (zero, more) = (-(1.0 - ratio).log2(), -ratio.log2());
    PulseCost { zero: bit * zero, one: bit * (zero + more + 1.0), more: bit * more }
}
