//! From the rate of the input to the internal one: a polyphase low-pass filter.

use std::f64::consts::PI;

/// Zeros of the impulse response on each side.
const ZEROS: usize = 16;
/// Where the filter begins to fall off, as a part of the lower rate's half.
const PASS: f64 = 0.95;

/// The filter and what it remembers.
#[derive(Clone, Debug)]
pub(super) struct Resampler {
    /// For each position between two input samples.
    phases: Vec<Vec<f32>>,
    /// Input samples for `phases.len()` output samples.
    step: usize,
    past: Vec<f32>,
}

impl Resampler {
    /// Between two rates in Hz; `None` if they are the same.
    pub(super) fn new(input: u32, output: u32) -> Option<Self> {
        if input == output {
            return None;
        }
        let common = gcd(input, output);
        let (count, step) = ((output / common) as usize, (input / common) as usize);
        // In units of input samples.
        let cutoff = PASS * f64::from(output.min(input)) / f64::from(input);
        let half = (ZEROS as f64 / cutoff).ceil() as usize;
        let phases = (0..count)
            .map(|phase| {
                let between = (phase * step % count) as f64 / count as f64;
                let taps: Vec<f64> = (0..2 * half)
                    .map(|n| {
                        let at = n as f64 - (half - 1) as f64 - between;
                        let window = 0.5 + 0.5 * (PI * at / half as f64).cos();
                        let angle = PI * at * cutoff;
                        if angle.abs() < 1e-9 { window } else { window * angle.sin() / angle }
                    })
                    .collect();
                let sum: f64 = taps.iter().sum();
                taps.into_iter().map(|tap| (tap / sum) as f32).collect()
            })
            .collect();
        Some(Self { phases, step, past: vec![0.0; 2 * half] })
    }

    /// As many input samples as make whole output samples.
    pub(super) fn process(&mut self, input: &[i16]) -> Vec<i16> {
        let taps = self.past.len();
        self.past.extend(input.iter().map(|sample| f32::from(*sample)));
        let count = input.len() * self.phases.len() / self.step;
        let out = (0..count)
            .map(|n| {
                let at = n * self.step / self.phases.len();
                let window = &self.past[at + 1..][..taps];
                let phase = &self.phases[n % self.phases.len()];
                let sum: f32 = window.iter().zip(phase).map(|(sample, tap)| sample * tap).sum();
                sum.round() as i16
            })
            .collect();
        self.past.drain(..input.len());
        out
    }
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone of 1 kHz at a rate.
    fn tone(rate: u32, length: usize) -> Vec<i16> {
        (0..length)
            .map(|n| (10_000.0 * (2.0 * PI * 1000.0 * n as f64 / f64::from(rate)).sin()) as i16)
            .collect()
    }

    #[test]
    fn a_tone_keeps_its_power_and_frequency() {
        for (from, to) in
            [(24_000, 16_000), (24_000, 12_000), (24_000, 8000), (16_000, 24_000), (44_100, 24_000)]
        {
            let mut resampler = Resampler::new(from, to).unwrap();
            let out: Vec<i16> = tone(from, from as usize)
                .chunks(from as usize / 50)
                .flat_map(|part| resampler.process(part))
                .collect();
            assert_eq!(out.len(), to as usize);
            let inner = &out[1000..out.len() - 1000];
            let power = inner.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / inner.len() as f64;
            assert!((power / 5e7 - 1.0).abs() < 0.01, "{from} {to} {power}");
            let rising = inner.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
            let expected = inner.len() * 1000 / to as usize;
            assert!(rising.abs_diff(expected) <= 1, "{from} {to} {rising} {expected}");
        }
        assert!(Resampler::new(24_000, 24_000).is_none());
    }
}
