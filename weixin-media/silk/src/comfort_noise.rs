//! Comfort noise (CNG): what the background sounds like, added where packets are missing.
//!
//! Source: the SDK's `SKP_Silk_CNG.c`.

use super::fixed::{mul_q16, mul_wide_q16, next_random, round_shift, saturate_16};
use super::lpc::synthesize;
use super::nlsf::{Nlsfs, to_lpc};
use super::params::{Bandwidth, FrameParameters, MAX_FRAME, MAX_ORDER, SUBFRAMES};

/// How fast frequencies and gains follow, Q16.
const NLSF_RATE_Q16: i16 = 16_348;
const GAIN_RATE_Q16: i16 = 4634;
/// The most samples that noise is made of.
const MOST: usize = 256;

/// The background so far.
#[derive(Clone, Debug)]
pub(crate) struct ComfortNoise {
    bandwidth: Option<Bandwidth>,
    excitation_q10: [i32; MAX_FRAME],
    nlsfs: Nlsfs,
    gain_q16: i32,
    seed: i32,
    /// The last outputs of the prediction, Q14.
    history_q14: [i32; MAX_ORDER],
}

impl Default for ComfortNoise {
    fn default() -> Self {
        Self {
            bandwidth: None,
            excitation_q10: [0; MAX_FRAME],
            nlsfs: [0; MAX_ORDER],
            gain_q16: 0,
            seed: 0,
            history_q14: [0; MAX_ORDER],
        }
    }
}

impl ComfortNoise {
    /// Begins another internal rate with a flat spectrum.
    fn adopt(&mut self, bandwidth: Bandwidth) {
        if self.bandwidth == Some(bandwidth) {
            return;
        }
        self.bandwidth = Some(bandwidth);
        let step = i32::from(i16::MAX) / (bandwidth.order() as i32 + 1);
        for (nlsf, n) in self.nlsfs.iter_mut().zip(1..) {
            *nlsf = n * step;
        }
        self.gain_q16 = 0;
        self.seed = 3_176_576;
    }

    /// Takes note of a decoded frame; it counts if nobody speaks in it.
    pub(crate) fn update(
        &mut self,
        bandwidth: Bandwidth,
        voice_active: bool,
        parameters: &FrameParameters,
        nlsfs: &Nlsfs,
        excitation_q10: &[i32; MAX_FRAME],
    ) {
        self.adopt(bandwidth);
        self.history_q14.fill(0);
        if voice_active {
            return;
        }
        for (smooth, nlsf) in self.nlsfs[..bandwidth.order()].iter_mut().zip(nlsfs) {
            *smooth += mul_q16(nlsf - *smooth, NLSF_RATE_Q16);
        }
        let length = bandwidth.subframe();
        // The first of the loudest.
        let loudest = (0..SUBFRAMES).rev().max_by_key(|n| parameters.gains_q16[*n]).unwrap_or(0);
        self.excitation_q10.copy_within(..(SUBFRAMES - 1) * length, length);
        self.excitation_q10[..length].copy_from_slice(&excitation_q10[loudest * length..][..length]);
        for gain in parameters.gains_q16 {
            self.gain_q16 += mul_q16(gain - self.gain_q16, GAIN_RATE_Q16);
        }
    }

    /// Adds noise to a concealed frame.
    pub(crate) fn add(&mut self, bandwidth: Bandwidth, out: &mut [i16]) {
        self.adopt(bandwidth);
        let mut noise = [0; MAX_FRAME];
        let noise = &mut noise[..out.len()];
        // A power of two that the frame is not shorter than.
        let samples = if MOST - 1 > out.len() { MOST / 2 } else { MOST };
        for sample in noise.iter_mut() {
            self.seed = next_random(self.seed);
            let random = self.excitation_q10[(self.seed >> 24) as usize % samples];
            *sample = saturate_16(round_shift(mul_wide_q16(random, self.gain_q16), 10));
        }
        let order = bandwidth.order();
        let lpc = to_lpc(&self.nlsfs[..order]);
        synthesize(noise, &lpc[..order], &mut self.history_q14);
        for (sample, noise) in out.iter_mut().zip(noise) {
            *sample = sample.saturating_add(*noise);
        }
    }
}
