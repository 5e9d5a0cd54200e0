//! Short-term analysis: the prediction filter of a signal by Burg's method, and its line spectral frequencies.
//!
//! Sources: J. P. Burg, "Maximum entropy spectral analysis", 1975; P. Kabal and R. P. Ramachandran, "The computation
//! of line spectral frequencies using Chebyshev polynomials", 1986.

use std::f64::consts::PI;

use crate::params::MAX_ORDER;

/// Points of the search for frequencies.
const GRID: usize = 512;
/// Halvings of the interval in which there is one.
const HALVINGS: usize = 12;

/// The power of noise, per sample, that keeps silence from being predicted.
const FLOOR: f64 = 1e-3;

/// A prediction filter: the sample is near the sum of `filter[n]` times the sample `n + 1` before.
pub(super) type Filter = [f64; MAX_ORDER];

/// The filter of least forward and backward error.
pub(super) fn burg(signal: &[f64], order: usize) -> Filter {
    let mut filter = [0.0; MAX_ORDER];
    let mut forward = signal.to_vec();
    let mut backward = signal.to_vec();
    for n in 0..order {
        let ahead = &mut forward[n + 1..];
        let behind = &mut backward[n..signal.len() - 1];
        let (mut product, mut energy) = (0.0, 2.0 * FLOOR * (signal.len() - n) as f64);
        for (f, b) in ahead.iter().zip(behind.iter()) {
            product += f * b;
            energy += f * f + b * b;
        }
        let reflection = 2.0 * product / energy;
        // In place: what is behind moves one on.
        for (f, b) in ahead.iter_mut().zip(behind.iter_mut()) {
            (*f, *b) = (*f - reflection * *b, *b - reflection * *f);
        }
        backward.copy_within(n..signal.len() - 1, n + 1);
        let before = filter;
        for m in 0..n {
            filter[m] = before[m] - reflection * before[n - 1 - m];
        }
        filter[n] = reflection;
    }
    filter
}

/// The frequencies of a stable filter, ascending in (0, 1); `None` if not all can be told apart.
pub(super) fn frequencies(filter: &[f64]) -> Option<Filter> {
    let order = filter.len();
    // Both halves of the filter have their zeros on the unit circle; those at 1 and -1 are divided out.
    let half = order / 2;
    let (mut even, mut odd) = ([0.0; MAX_ORDER / 2 + 1], [0.0; MAX_ORDER / 2 + 1]);
    (even[0], odd[0]) = (1.0, 1.0);
    for n in 1..=half {
        let (near, far) = (-filter[n - 1], -filter[order - n]);
        even[n] = near + far - even[n - 1];
        odd[n] = near - far + odd[n - 1];
    }
    let (even, odd) = (&even[..=half], &odd[..=half]);
    let mut found = [0.0; MAX_ORDER];
    let mut at = 0.0;
    for (n, frequency) in found.iter_mut().enumerate().take(order) {
        at = next_zero(if n % 2 == 0 { even } else { odd }, at)?;
        *frequency = at;
    }
    Some(found)
}

/// A symmetric polynomial on the unit circle, without its linear phase; `at` in half turns.
fn on_circle(polynomial: &[f64], at: f64) -> f64 {
    // Clenshaw's recurrence.
    let double_cosine = 2.0 * (PI * at).cos();
    let half = polynomial.len() - 1;
    let (mut one, mut two) = (0.0, 0.0);
    for coefficient in &polynomial[..half] {
        (one, two) = (2.0 * coefficient + double_cosine * one - two, one);
    }
    polynomial[half] + double_cosine / 2.0 * one - two
}

fn next_zero(polynomial: &[f64], from: f64) -> Option<f64> {
    let step = 1.0 / GRID as f64;
    let mut low = from;
    let mut low_value = on_circle(polynomial, low);
    loop {
        let high = (low + step).min(1.0);
        let high_value = on_circle(polynomial, high);
        if (low_value < 0.0) != (high_value < 0.0) {
            let (mut low, mut high) = (low, high);
            for _ in 0..HALVINGS {
                let middle = low.midpoint(high);
                if (on_circle(polynomial, middle) < 0.0) == (low_value < 0.0) {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            return Some(low.midpoint(high));
        }
        if high >= 1.0 {
            return None;
        }
        (low, low_value) = (high, high_value);
    }
}

/// Sums of products of a signal with itself `i` and `j` samples before, over the samples from `order` on. The energy
/// that any filter leaves is a form of them.
#[derive(Clone, Debug)]
pub(super) struct Covariance {
    sums: [[f64; MAX_ORDER + 1]; MAX_ORDER + 1],
    order: usize,
}

impl Covariance {
    pub(super) fn new(signal: &[f64], order: usize) -> Self {
        let mut sums = [[0.0; MAX_ORDER + 1]; MAX_ORDER + 1];
        let length = signal.len();
        for lag in 0..=order {
            sums[0][lag] = signal[order..].iter().zip(&signal[order - lag..]).map(|(a, b)| a * b).sum();
        }
        for n in 0..order {
            for lag in 0..order - n {
                let (i, j) = (n, n + lag);
                let before = signal[order - 1 - i] * signal[order - 1 - j];
                let last = signal[length - 1 - i] * signal[length - 1 - j];
                sums[i + 1][j + 1] = sums[i][j] + before - last;
            }
        }
        for i in 1..=order {
            let (above, below) = sums.split_at_mut(i);
            for (j, row) in above.iter().enumerate() {
                below[0][j] = row[i];
            }
        }
        Self { sums, order }
    }

    /// The energy that a filter does not predict.
    pub(super) fn residual(&self, filter: &[f64]) -> f64 {
        let mut whitener = [0.0; MAX_ORDER + 1];
        whitener[0] = 1.0;
        for (to, from) in whitener[1..].iter_mut().zip(filter) {
            *to = -from;
        }
        let used = &whitener[..=self.order];
        let energy: f64 = self.sums[..=self.order]
            .iter()
            .zip(used)
            .map(|(row, a)| a * row.iter().zip(used).map(|(sum, b)| sum * b).sum::<f64>())
            .sum();
        energy.max(1e-3)
    }
}

/// What a filter does not predict of a signal, from sample `filter.len()` on.
pub(super) fn whiten(signal: &[f64], filter: &[f64]) -> Vec<f64> {
    let order = filter.len();
    signal
        .windows(order + 1)
        .map(|window| {
            let predicted: f64 = window[..order].iter().rev().zip(filter).map(|(x, a)| x * a).sum();
            window[order] - predicted
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nlsf::to_lpc;

    /// A resonance at a quarter of the rate, excited by a pulse and some noise.
    fn signal() -> Vec<f64> {
        let mut random = 1_i32;
        let (mut one, mut two) = (0.0, 0.0);
        (0..500)
            .map(|_| {
                random = crate::fixed::next_random(random);
                let now = f64::from(random >> 16) / 100.0 + 1.2 * one - 0.8 * two;
                (one, two) = (now, one);
                now
            })
            .collect()
    }

    #[test]
    fn burg_finds_the_filter() {
        let filter = burg(&signal(), 2);
        assert!((filter[0] - 1.2).abs() < 0.1 && (filter[1] + 0.8).abs() < 0.1, "{filter:?}");
    }

    #[test]
    fn frequencies_give_the_filter_back() {
        for order in [10, 16] {
            let filter = burg(&signal(), order);
            let found = frequencies(&filter[..order]).unwrap();
            assert!(found[..order].windows(2).all(|pair| pair[0] < pair[1]));
            let nlsfs: Vec<i32> = found[..order].iter().map(|f| (f * 32_768.0) as i32).collect();
            for (a, b) in to_lpc(&nlsfs).iter().zip(&filter[..order]) {
                assert!((f64::from(*a) / 4096.0 - b).abs() < 0.01, "{a} {b}");
            }
        }
    }

    #[test]
    fn covariance_tells_the_energy_that_is_left() {
        let signal = signal();
        let filter = burg(&signal, 10);
        let left: f64 = whiten(&signal, &filter[..10]).iter().map(|x| x * x).sum();
        let told = Covariance::new(&signal, 10).residual(&filter[..10]);
        assert!((left / told - 1.0).abs() < 1e-6, "{left} {told}");
    }
}
