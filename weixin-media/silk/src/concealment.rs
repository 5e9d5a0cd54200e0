//! Concealment of lost packets (PLC): the last voice goes on, its pitch falling, and fades into noise.
//!
//! Source: the SDK's `SKP_Silk_PLC.c`.

use super::fixed::{
    energy, mul_16, mul_q16, mul_wide_q16, next_random, round_shift, saturate_16, square_root,
};
use super::lpc::{expand_bandwidth, inverse_gain};
use super::params::{Bandwidth, FrameParameters, MAX_FRAME, MAX_ORDER, MAX_SUBFRAME, SUBFRAMES, SignalType};
use super::synthesis::{Synthesis, short_term};

/// How much wider the bandwidth of the prediction becomes with each lost frame, Q16: 0.99.
const WIDER_Q16: i32 = 64_880;
/// Bounds of the long-term gain to begin with, Q14: 0.7 and 0.95.
const LEAST_GAIN_Q14: i32 = 11_469;
const MOST_GAIN_Q14: i32 = 15_565;
/// The longest lag, in milliseconds.
const LONGEST_MS: usize = 18;
/// How much longer the lag becomes with each subframe, Q16: 1 %.
const DRIFT_Q16: i16 = 655;
/// The last samples of an excitation, which noise is made of.
const NOISE: usize = 128;
/// Factors for each subframe in the first lost frame and those after it, Q15: of the pitch, and of the noise behind
/// voiced and unvoiced frames.
const PITCH_FADE_Q15: [i16; 2] = [32_440, 31_130];
const VOICED_FADE_Q15: [i16; 2] = [31_130, 26_214];
const UNVOICED_FADE_Q15: [i16; 2] = [32_440, 29_491];

/// What is known of the last frames.
#[derive(Clone, Debug, Default)]
pub(crate) struct Concealment {
    bandwidth: Option<Bandwidth>,
    signal: SignalType,
    lag_q8: i32,
    /// Gain of the one tap of long-term prediction, Q14.
    ltp_q14: i16,
    ltp_scale_q14: i16,
    lpc_q12: [i16; MAX_ORDER],
    gains_q16: [i32; SUBFRAMES],
    noise_q14: i16,
    seed: i32,
    /// Energy of the last concealed frame and its scale; `None` if the last one was not.
    energy: Option<(i32, u32)>,
    /// Frames lost in a row.
    lost: u32,
}

impl Concealment {
    /// True if the last frame was concealed.
    pub(crate) fn is_active(&self) -> bool {
        self.lost > 0
    }

    /// Signal type of the last decoded frame.
    pub(crate) fn signal(&self) -> SignalType {
        self.signal
    }

    /// Begins another internal rate.
    pub(crate) fn change(&mut self) {
        self.signal = SignalType::default();
    }

    fn adopt(&mut self, bandwidth: Bandwidth) {
        if self.bandwidth != Some(bandwidth) {
            self.bandwidth = Some(bandwidth);
            self.lag_q8 = bandwidth.frame() as i32 / 2;
        }
    }

    /// Takes note of a decoded frame.
    pub(crate) fn update(&mut self, bandwidth: Bandwidth, parameters: &FrameParameters) {
        self.adopt(bandwidth);
        self.lost = 0;
        self.signal = parameters.signal;
        (self.ltp_q14, self.lag_q8) = match parameters.signal {
            SignalType::Unvoiced => (0, (bandwidth.khz() * LONGEST_MS) as i32 * 256),
            SignalType::Voiced => strongest(bandwidth, parameters).unwrap_or((0, self.lag_q8)),
        };
        self.lpc_q12 = parameters.lpc_q12[1];
        self.ltp_scale_q14 = parameters.ltp_scale_q14;
        self.gains_q16 = parameters.gains_q16;
    }

    /// Makes a frame in place of a lost one; returns its last lag.
    pub(crate) fn conceal(
        &mut self,
        bandwidth: Bandwidth,
        synthesis: &mut Synthesis,
        out: &mut [i16],
    ) -> usize {
        self.adopt(bandwidth);
        let (frame, length) = (bandwidth.frame(), bandwidth.subframe());
        synthesis.ltp_q16.copy_within(frame..2 * frame, 0);
        let lpc = &mut self.lpc_q12[..bandwidth.order()];
        expand_bandwidth(lpc, WIDER_Q16);

        let again = usize::from(self.lost > 0);
        let mut noise_fade_q15 = match self.signal {
            SignalType::Voiced => VOICED_FADE_Q15[again],
            SignalType::Unvoiced => UNVOICED_FADE_Q15[again],
        };
        if self.lost == 0 {
            self.noise_q14 = 1 << 14;
            match self.signal {
                SignalType::Voiced => {
                    let rest = self.noise_q14.wrapping_sub(self.ltp_q14).max(3277);
                    self.noise_q14 = (mul_16(rest, self.ltp_scale_q14) >> 14) as i16;
                }
                // Less noise through a filter that amplifies much.
                SignalType::Unvoiced => {
                    let gain_q30 = inverse_gain(lpc).unwrap_or(0);
                    let scale_q30 = gain_q30.clamp((1 << 30) >> 8, (1 << 30) >> 3) << 3;
                    noise_fade_q15 = (mul_q16(scale_q30, noise_fade_q15) >> 14) as i16;
                }
            }
        }

        let noise = quietest(length, &synthesis.excitation_q10, &self.gains_q16);
        let mut signal_q10 = [0; MAX_FRAME];
        let signal_q10 = &mut signal_q10[..frame];
        let mut lag = round_shift(self.lag_q8, 8) as usize;
        for (n, part) in signal_q10.chunks_exact_mut(length).enumerate() {
            for (now, signal) in (frame + n * length..).zip(part) {
                self.seed = next_random(self.seed);
                let random = noise[(self.seed >> 25) as usize % NOISE];
                let pitch_q14 = mul_q16(synthesis.ltp_q16[now - lag], self.ltp_q14);
                *signal = (mul_q16(random, self.noise_q14) << 2).wrapping_add(round_shift(pitch_q14, 4));
                synthesis.ltp_q16[now] = *signal << 6;
            }
            self.ltp_q14 = (mul_16(PITCH_FADE_Q15[again], self.ltp_q14) >> 15) as i16;
            self.noise_q14 = (mul_16(self.noise_q14, noise_fade_q15) >> 15) as i16;
            let longest_q8 = (bandwidth.khz() * LONGEST_MS) as i32 * 256;
            self.lag_q8 = (self.lag_q8 + mul_q16(self.lag_q8, DRIFT_Q16)).min(longest_q8);
            lag = round_shift(self.lag_q8, 8) as usize;
        }
        for part in signal_q10.chunks_exact_mut(length) {
            short_term(&mut synthesis.lpc_q14, lpc, part);
        }
        for (sample, signal) in out.iter_mut().zip(signal_q10) {
            *sample = saturate_16(round_shift(mul_wide_q16(*signal, self.gains_q16[SUBFRAMES - 1]), 10));
        }
        synthesis.remember(out);
        self.lost += 1;
        lag
    }

    /// Lets a frame that follows a loss begin as loud as the concealment ended.
    pub(crate) fn glue(&mut self, out: &mut [i16]) {
        if self.lost > 0 {
            self.energy = Some(energy(out));
            return;
        }
        let Some((concealed, concealed_shift)) = self.energy.take() else { return };
        let (decoded, shift) = energy(out);
        let common = shift.max(concealed_shift);
        let concealed = concealed >> (common - concealed_shift);
        let decoded = decoded >> (common - shift);
        if decoded <= concealed {
            return;
        }
        let headroom = concealed.leading_zeros() - 1;
        let ratio_q24 = (concealed << headroom) / (decoded >> 24_u32.saturating_sub(headroom)).max(1);
        let mut gain_q12 = square_root(ratio_q24);
        let step_q12 = ((1 << 12) - gain_q12) / out.len() as i32;
        for sample in out {
            *sample = (gain_q12.wrapping_mul(i32::from(*sample)) >> 12) as i16;
            gain_q12 = (gain_q12 + step_q12).min(1 << 12);
        }
    }
}

/// Gain, Q14, and lag, Q8, of the strongest long-term prediction among the subframes of the last pitch period.
fn strongest(bandwidth: Bandwidth, parameters: &FrameParameters) -> Option<(i16, i32)> {
    let period = parameters.lags[SUBFRAMES - 1].div_ceil(bandwidth.subframe());
    let (gain, lag) = (0..SUBFRAMES)
        .rev()
        .take(period)
        .map(|n| (parameters.ltp_q14[n].iter().map(|tap| i32::from(*tap)).sum::<i32>(), parameters.lags[n]))
        .fold((0, None), |best, (gain, lag)| if gain > best.0 { (gain, Some(lag)) } else { best });
    let scaled = |bound_q14: i32, bits: u32| {
        let scale = (bound_q14 << bits) / gain.max(1);
        (mul_16(gain as i16, scale as i16) >> bits) as i16
    };
    let limited = if gain < LEAST_GAIN_Q14 {
        scaled(LEAST_GAIN_Q14, 10)
    } else if gain > MOST_GAIN_Q14 {
        scaled(MOST_GAIN_Q14, 14)
    } else {
        gain as i16
    };
    lag.map(|lag| (limited, (lag as i32) << 8))
}

/// The end of the third or the fourth subframe's excitation, whichever of them has less energy.
fn quietest<'a>(
    length: usize,
    excitation_q10: &'a [i32; MAX_FRAME],
    gains_q16: &[i32; SUBFRAMES],
) -> &'a [i32] {
    let loudness = |n: usize| {
        let mut scaled = [0; MAX_SUBFRAME];
        for (scaled, excitation) in scaled.iter_mut().zip(&excitation_q10[n * length..][..length]) {
            *scaled = (mul_wide_q16(*excitation, gains_q16[n]) >> 10) as i16;
        }
        energy(&scaled[..length])
    };
    let ((third, third_shift), (fourth, fourth_shift)) = (loudness(2), loudness(3));
    let end = if third >> fourth_shift < fourth >> third_shift { 3 * length } else { 4 * length };
    &excitation_q10[end.saturating_sub(NOISE)..][..NOISE]
}
