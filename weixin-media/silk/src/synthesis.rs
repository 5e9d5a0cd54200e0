//! Synthesis: the excitation through long-term prediction (LTP), then short-term prediction (LPC), times the gain.
//!
//! Source: the SDK's `SKP_Silk_decode_core.c`.

use super::fixed::{divide, inverse, mac_q16, mul_q16, mul_wide_q16, next_random, round_shift, saturate_16};
use super::lpc::whiten;
use super::params::{
    Bandwidth, FrameParameters, LTP_TAPS, MAX_FRAME, MAX_ORDER, MAX_SUBFRAME, SUBFRAMES, SignalType,
};

/// 1 in Q16.
const ONE_Q16: i32 = 1 << 16;
/// Zeros before the last frame's output. At 12 kHz the longest lag reaches so far; the reference reads there what
/// happens to be in memory.
const BEFORE: usize = 4;

/// The state of the filters.
#[derive(Clone, Debug)]
pub(crate) struct Synthesis {
    bandwidth: Bandwidth,
    /// The excitation of the last frame, Q10.
    pub(crate) excitation_q10: [i32; MAX_FRAME],
    /// The input of the short-term prediction, divided by the gain, of the last frame and this one, Q16.
    pub(crate) ltp_q16: [i32; 2 * MAX_FRAME],
    /// The last outputs of the short-term prediction, divided by the gain, Q14.
    pub(crate) lpc_q14: [i32; MAX_ORDER],
    /// The output of the last frame and this one.
    output: [i16; BEFORE + 2 * MAX_FRAME],
    /// What the state is scaled by.
    inverse_gain_q16: i32,
}

impl Synthesis {
    pub(crate) fn new(bandwidth: Bandwidth) -> Self {
        Self {
            bandwidth,
            excitation_q10: [0; MAX_FRAME],
            ltp_q16: [0; 2 * MAX_FRAME],
            lpc_q14: [0; MAX_ORDER],
            output: [0; BEFORE + 2 * MAX_FRAME],
            inverse_gain_q16: ONE_Q16,
        }
    }

    /// Begins another internal rate; what depends on the rate is forgotten.
    pub(crate) fn change(&mut self, bandwidth: Bandwidth) {
        self.bandwidth = bandwidth;
        self.lpc_q14.fill(0);
        self.output[..BEFORE + MAX_FRAME].fill(0);
    }

    /// The output of a frame. `bridge`: the lag to go on with in the first half of an unvoiced frame, where a voiced
    /// one was lost before it.
    pub(crate) fn frame(
        &mut self,
        parameters: &FrameParameters,
        pulses: &[i32; MAX_FRAME],
        bridge: Option<usize>,
        out: &mut [i16],
    ) {
        let (frame, length) = (self.bandwidth.frame(), self.bandwidth.subframe());
        self.excite(parameters, &pulses[..frame]);
        for n in 0..SUBFRAMES {
            self.subframe(n, parameters, bridge, &mut out[n * length..][..length]);
        }
        self.remember(&out[..frame]);
    }

    /// The output of a subframe, of which the excitation is there.
    pub(crate) fn subframe(
        &mut self,
        n: usize,
        parameters: &FrameParameters,
        bridge: Option<usize>,
        out: &mut [i16],
    ) {
        let (frame, length) = (self.bandwidth.frame(), self.bandwidth.subframe());
        let long_term = self.begin_subframe(n, parameters, bridge);
        let mut signal_q10 = [0; MAX_SUBFRAME];
        let signal_q10 = &mut signal_q10[..length];
        signal_q10.copy_from_slice(&self.excitation_q10[n * length..][..length]);
        if let Some((lag, taps)) = long_term {
            self.predict_long_term(n, lag, taps, signal_q10);
        }
        let lpc = &parameters.lpc_q12[n / 2][..self.bandwidth.order()];
        short_term(&mut self.lpc_q14, lpc, signal_q10);
        for (sample, signal) in out.iter_mut().zip(signal_q10) {
            *sample = saturate_16(round_shift(mul_wide_q16(*signal, parameters.gains_q16[n]), 10));
        }
        self.output[BEFORE + frame + n * length..][..length].copy_from_slice(out);
    }

    /// Scales the state to a subframe's gain and, where the prediction changes, makes the long-term state again;
    /// returns lag and filter of the long-term prediction.
    pub(crate) fn begin_subframe(
        &mut self,
        n: usize,
        parameters: &FrameParameters,
        bridge: Option<usize>,
    ) -> Option<(usize, [i16; LTP_TAPS])> {
        let (frame, length) = (self.bandwidth.frame(), self.bandwidth.subframe());
        let adjust_q16 = self.adjust_to(parameters.gains_q16[n]);
        let (lag, taps) = match (parameters.signal, bridge) {
            (SignalType::Voiced, _) => (parameters.lags[n], parameters.ltp_q14[n]),
            // A quarter of the sample one lag ago.
            (SignalType::Unvoiced, Some(lag)) if n < 2 => (lag, [0, 0, 1 << 12, 0, 0]),
            _ => return None,
        };
        if n == 0 || (n == 2 && parameters.interpolated) {
            let scale = (n == 0).then_some(parameters.ltp_scale_q14);
            self.rewhiten(n, lag, &parameters.lpc_q12[n / 2][..self.bandwidth.order()], scale);
        } else if adjust_q16 != ONE_Q16 {
            let end = frame + n * length;
            for state in &mut self.ltp_q16[end - lag - LTP_TAPS / 2..end] {
                *state = mul_wide_q16(adjust_q16, *state);
            }
        }
        Some((lag, taps))
    }

    /// The output of the last frame.
    pub(crate) fn past(&self) -> &[i16] {
        &self.output[BEFORE..][..self.bandwidth.frame()]
    }

    /// Keeps the output of a frame for the next one.
    pub(crate) fn remember(&mut self, out: &[i16]) {
        self.output[BEFORE..][..out.len()].copy_from_slice(out);
    }

    /// Pulses with their offset and random signs.
    pub(crate) fn excite(&mut self, parameters: &FrameParameters, pulses: &[i32]) {
        let mut seed = parameters.seed;
        for (excitation, pulse) in self.excitation_q10.iter_mut().zip(pulses) {
            seed = next_random(seed);
            let value = (pulse << 10).wrapping_add(parameters.offset_q10);
            *excitation = if seed < 0 { value.wrapping_neg() } else { value };
            seed = seed.wrapping_add(*pulse);
        }
    }

    /// Scales the short-term state to another gain; returns the factor for the long-term state, Q16.
    fn adjust_to(&mut self, gain_q16: i32) -> i32 {
        let inverse_q16 = inverse(gain_q16.max(1), 32).min(i16::MAX.into());
        if inverse_q16 == self.inverse_gain_q16 {
            return ONE_Q16;
        }
        let adjust_q16 = divide(inverse_q16, self.inverse_gain_q16, 16);
        for state in &mut self.lpc_q14 {
            *state = mul_wide_q16(adjust_q16, *state);
        }
        self.inverse_gain_q16 = inverse_q16;
        adjust_q16
    }

    /// Makes the long-term state again, out of the last outputs and with the prediction that is now in use.
    fn rewhiten(&mut self, subframe: usize, lag: usize, lpc: &[i16], scale_q14: Option<i16>) {
        let end = self.bandwidth.frame() + subframe * self.bandwidth.subframe();
        let length = lag + LTP_TAPS / 2;
        let start = BEFORE + end - length - lpc.len();
        let mut residual = [0; MAX_FRAME];
        let residual = &mut residual[..length];
        whiten(&self.output[start..BEFORE + end], lpc, residual);
        let mut inverse_q32 = self.inverse_gain_q16 << 16;
        if let Some(scale) = scale_q14 {
            inverse_q32 = mul_q16(inverse_q32, scale) << 2;
        }
        for (state, sample) in self.ltp_q16[end - length..end].iter_mut().zip(residual) {
            *state = mul_q16(inverse_q32, *sample);
        }
    }

    /// Adds what five samples around one lag ago tell, and keeps the sum.
    fn predict_long_term(
        &mut self,
        subframe: usize,
        lag: usize,
        taps: [i16; LTP_TAPS],
        signal_q10: &mut [i32],
    ) {
        let start = self.bandwidth.frame() + subframe * self.bandwidth.subframe();
        for (n, signal) in signal_q10.iter_mut().enumerate() {
            let now = start + n;
            let past = &self.ltp_q16[now - lag - 2..][..LTP_TAPS];
            let predicted_q14 =
                past.iter().rev().zip(taps).fold(0, |sum, (state, tap)| mac_q16(sum, *state, tap));
            *signal = signal.wrapping_add(round_shift(predicted_q14, 4));
            self.ltp_q16[now] = *signal << 6;
        }
    }
}

/// Adds to each sample what the outputs before it tell, in place.
pub(crate) fn short_term(state_q14: &mut [i32; MAX_ORDER], lpc_q12: &[i16], signal_q10: &mut [i32]) {
    if lpc_q12.len() == MAX_ORDER {
        short_term_of::<MAX_ORDER>(state_q14, lpc_q12, signal_q10);
    } else {
        short_term_of::<10>(state_q14, lpc_q12, signal_q10);
    }
}

fn short_term_of<const ORDER: usize>(
    state_q14: &mut [i32; MAX_ORDER],
    lpc_q12: &[i16],
    signal_q10: &mut [i32],
) {
    let mut taps = [0; ORDER];
    taps.copy_from_slice(lpc_q12);
    let mut past = [0; MAX_ORDER + MAX_SUBFRAME];
    past[..MAX_ORDER].copy_from_slice(state_q14);
    for (n, signal) in signal_q10.iter_mut().enumerate() {
        let window = &past[n + MAX_ORDER - ORDER..][..ORDER];
        let predicted_q10 =
            window.iter().rev().zip(taps).fold(0, |sum, (state, tap)| mac_q16(sum, *state, tap));
        *signal = signal.wrapping_add(predicted_q10);
        past[n + MAX_ORDER] = *signal << 4;
    }
    state_q14.copy_from_slice(&past[signal_q10.len()..][..MAX_ORDER]);
}
