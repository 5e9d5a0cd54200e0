//! Signal over error of a decoded clip, at the delay at which it is best.

use std::f64::consts::PI;

/// Samples of a segment, 20 ms at 24 kHz.
const SEGMENT: usize = 480;
/// What a segment can count, dB.
const RANGE: (f64, f64) = (-10.0, 35.0);
/// The order of the weighting filter, and its two bandwidth factors.
const ORDER: usize = 16;
const WEIGHTING: (f64, f64) = (0.92, 0.6);
/// Taps on each side of the delay by a part of a sample.
const SIDE: isize = 32;

/// Means over segments, dB.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub plain: f64,
    /// Signal and error both through `A(z/0.92)/A(z/0.6)`, `A` the signal's prediction: an error near the signal's own
    /// frequencies counts less.
    pub weighted: f64,
}

/// The figures of what was decoded.
pub fn measure(sound: &[i16], decoded: &[i16]) -> Figures {
    let length = sound.len().saturating_sub(2 * SEGMENT) / SEGMENT * SEGMENT;
    let sound: Vec<f64> = sound[..length].iter().map(|x| f64::from(*x)).collect();
    let correlation = |delay: usize| -> f64 {
        sound.iter().zip(&decoded[delay..]).step_by(3).map(|(x, y)| x * f64::from(*y)).sum()
    };
    let near = (0..400).max_by(|a, b| correlation(*a).total_cmp(&correlation(*b))).unwrap();
    let at = |quarters: isize| {
        let delayed = delayed(decoded, quarters, length);
        (plain(&sound, &delayed), delayed)
    };
    let whole = (-12..=12).map(|n| 4 * (near as isize + n)).max_by(|a, b| at(*a).0.total_cmp(&at(*b).0));
    let whole = whole.unwrap();
    let best = (whole - 3..=whole + 3).map(at).max_by(|a, b| a.0.total_cmp(&b.0)).unwrap();
    Figures { plain: best.0, weighted: weighted(&sound, &best.1) }
}

/// Sample `n` is what was decoded this number of quarters of a sample later.
fn delayed(decoded: &[i16], quarters: isize, length: usize) -> Vec<f64> {
    let (whole, part) = (quarters.div_euclid(4), quarters.rem_euclid(4) as f64 / 4.0);
    let sample = |n: isize| usize::try_from(n).ok().and_then(|n| decoded.get(n)).map_or(0.0, |y| f64::from(*y));
    if part == 0.0 {
        return (0..length as isize).map(|n| sample(n + whole)).collect();
    }
    let tap = |n: isize| {
        let at = n as f64 - part;
        (PI * at).sin() / (PI * at) * (0.5 + 0.5 * (PI * at / (SIDE as f64 + 1.0)).cos())
    };
    let taps: Vec<f64> = (-SIDE..=SIDE).map(tap).collect();
    (0..length as isize)
        .map(|n| taps.iter().zip(-SIDE..).map(|(tap, side)| tap * sample(n + whole + side)).sum())
        .collect()
}

fn ratio(signal: f64, error: f64) -> f64 {
    (10.0 * (signal / (error + 1e-9)).log10()).clamp(RANGE.0, RANGE.1)
}

fn energy(samples: impl Iterator<Item = f64>) -> f64 {
    samples.map(|x| x * x).sum()
}

/// Segments of nothing do not count.
fn mean(ratios: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = ratios.fold((0.0, 0.0), |(sum, count), ratio| (sum + ratio, count + 1.0));
    sum / f64::max(count, 1.0)
}

fn plain(sound: &[f64], decoded: &[f64]) -> f64 {
    mean(sound.chunks(SEGMENT).zip(decoded.chunks(SEGMENT)).filter_map(|(x, y)| {
        let signal = energy(x.iter().copied());
        (signal > 0.0).then(|| ratio(signal, energy(x.iter().zip(y).map(|(x, y)| x - y))))
    }))
}

fn weighted(sound: &[f64], decoded: &[f64]) -> f64 {
    let error: Vec<f64> = sound.iter().zip(decoded).map(|(x, y)| x - y).collect();
    let (mut of_signal, mut of_error) = (Weighting::default(), Weighting::default());
    mean((0..sound.len()).step_by(SEGMENT).filter_map(|start| {
        let around = &sound[start.saturating_sub(120)..(start + 600).min(sound.len())];
        let filter = prediction(around);
        let segment = start..start + SEGMENT;
        let signal = energy(of_signal.filter(&sound[segment.clone()], &filter).into_iter());
        let error = energy(of_error.filter(&error[segment.clone()], &filter).into_iter());
        (energy(sound[segment].iter().copied()) > 0.0).then(|| ratio(signal, error))
    }))
}

/// The state of the weighting filter, the newest first.
#[derive(Default)]
struct Weighting {
    inputs: [f64; ORDER],
    outputs: [f64; ORDER],
}

impl Weighting {
    fn filter(&mut self, samples: &[f64], prediction: &[f64; ORDER]) -> Vec<f64> {
        let mut out = Vec::with_capacity(samples.len());
        for sample in samples {
            let mut weighted = *sample;
            for (n, tap) in prediction.iter().enumerate() {
                let power = n as i32 + 1;
                weighted += tap
                    * (WEIGHTING.1.powi(power) * self.outputs[n] - WEIGHTING.0.powi(power) * self.inputs[n]);
            }
            self.inputs.rotate_right(1);
            self.outputs.rotate_right(1);
            (self.inputs[0], self.outputs[0]) = (*sample, weighted);
            out.push(weighted);
        }
        out
    }
}

/// Linear prediction by the autocorrelation method.
fn prediction(samples: &[f64]) -> [f64; ORDER] {
    let length = samples.len() as f64;
    let windowed: Vec<f64> = samples
        .iter()
        .enumerate()
        .map(|(n, x)| x * (0.5 - 0.5 * (2.0 * PI * n as f64 / length).cos()))
        .collect();
    let lagged = |lag: usize| -> f64 { windowed[lag..].iter().zip(&windowed).map(|(a, b)| a * b).sum() };
    let mut error = lagged(0) * 1.0001 + 1.0;
    let mut taps = [0.0; ORDER];
    for order in 0..ORDER {
        let known: f64 = (0..order).map(|n| taps[n] * lagged(order - n)).sum();
        let reflection = (lagged(order + 1) - known) / error;
        let before = taps;
        taps[order] = reflection;
        for n in 0..order {
            taps[n] = before[n] - reflection * before[order - 1 - n];
        }
        error *= 1.0 - reflection * reflection;
    }
    taps
}
