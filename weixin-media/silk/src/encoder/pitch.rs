//! Pitch analysis: the lag, its contour over the subframes, and the filters of long-term prediction.

use crate::indices::{contour_cdf, lag_cdf};
use crate::params::{Bandwidth, LTP_TAPS, PitchIndices, SUBFRAMES};
use crate::tables::{ltp, pitch};

/// Ways that are refined, of all lags and contours.
const WAYS: usize = 6;
/// The longest lag, ms.
const MAX_LAG_MS: usize = 18;

/// What long-term prediction would do.
#[derive(Clone, Debug)]
pub(super) struct Voicing {
    pub(super) indices: PitchIndices,
    /// Lag of each subframe.
    pub(super) lags: [usize; SUBFRAMES],
    /// Filter of each subframe.
    pub(super) filters: [[f64; LTP_TAPS]; SUBFRAMES],
    /// Bits of the indices.
    pub(super) bits: f64,
    /// The energy that is left.
    pub(super) energy: f64,
}

/// How far before a frame the pitch analysis looks: the longest lag and half a filter.
pub(super) const fn reach(bandwidth: Bandwidth) -> usize {
    MAX_LAG_MS * bandwidth.khz() + LTP_TAPS / 2
}

/// Bits of a symbol.
pub(super) fn bits(cdf: &[u16], symbol: usize) -> f64 {
    (65_535.0 / f64::from(cdf[symbol + 1] - cdf[symbol])).log2()
}

/// The best long-term prediction of `residual`, which begins [`reach`] before the frame. `bit` is the energy that is
/// worth a bit.
pub(super) fn analyse(bandwidth: Bandwidth, residual: &[f64], bit: f64) -> Option<Voicing> {
    let search = Search::new(bandwidth, residual);
    search
        .ways(bit)
        .into_iter()
        .filter_map(|(base, contour)| search.refine(base, contour, bit))
        .min_by(|a, b| (a.energy + bit * a.bits).total_cmp(&(b.energy + bit * b.bits)))
}

struct Search<'a> {
    bandwidth: Bandwidth,
    contours: &'static [[i8; SUBFRAMES]],
    residual: &'a [f64],
    /// By subframe and lag: how much energy a prediction with one tap takes away.
    gains: [Vec<f64>; SUBFRAMES],
}

impl<'a> Search<'a> {
    fn new(bandwidth: Bandwidth, residual: &'a [f64]) -> Self {
        let contours: &[_] = match bandwidth {
            Bandwidth::Narrow => &pitch::CONTOURS_NARROW,
            _ => &pitch::CONTOURS,
        };
        let (shortest, longest) = (2 * bandwidth.khz(), MAX_LAG_MS * bandwidth.khz());
        let length = bandwidth.subframe();
        let single: Vec<f32> = residual.iter().map(|x| *x as f32).collect();
        let gains = std::array::from_fn(|subframe| {
            let start = reach(bandwidth) + subframe * length;
            let now = &single[start..][..length];
            let mut energy: f64 = residual[start - shortest + 1..][..length].iter().map(|x| x * x).sum();
            (0..=longest)
                .map(|lag| {
                    if lag < shortest {
                        return 0.0;
                    }
                    let from = start - lag;
                    let (gone, come) = (residual[from + length], residual[from]);
                    energy = (energy + come * come - gone * gone).max(0.0);
                    let product = f64::from(dot(now, &single[from..][..length])).max(0.0);
                    product * product / (energy + 1.0)
                })
                .collect()
        });
        Self { bandwidth, contours, residual, gains }
    }

    /// The most promising lags with their contours.
    fn ways(&self, bit: f64) -> Vec<(usize, usize)> {
        let mut best: Vec<(f64, usize, usize)> = Vec::new();
        let shortest = 2 * self.bandwidth.khz();
        let lag_bits = lag_cdf(self.bandwidth);
        let contour_bits: Vec<f64> =
            (0..self.contours.len()).map(|contour| bits(contour_cdf(self.bandwidth), contour)).collect();
        for base in shortest..=MAX_LAG_MS * self.bandwidth.khz() {
            let lag_cost = bit * bits(lag_bits, base - shortest);
            for (contour, contour_bits) in contour_bits.iter().enumerate() {
                let Some(lags) = self.lags(base, contour) else { continue };
                let gain: f64 = self.gains.iter().zip(lags).map(|(gains, lag)| gains[lag]).sum();
                let worth = gain - lag_cost - bit * contour_bits;
                if best.len() == WAYS && worth <= best[WAYS - 1].0 {
                    continue;
                }
                let at = best.partition_point(|way| way.0 >= worth);
                best.insert(at, (worth, base, contour));
                best.truncate(WAYS);
            }
        }
        best.into_iter().map(|(_, base, contour)| (base, contour)).collect()
    }

    fn lags(&self, base: usize, contour: usize) -> Option<[usize; SUBFRAMES]> {
        let (shortest, longest) = (2 * self.bandwidth.khz(), MAX_LAG_MS * self.bandwidth.khz());
        let mut lags = [0; SUBFRAMES];
        for (lag, change) in lags.iter_mut().zip(self.contours[contour]) {
            *lag = base.checked_add_signed(change.into())?;
            if !(shortest..=longest).contains(lag) {
                return None;
            }
        }
        Some(lags)
    }

    /// The best filters for some lags.
    fn refine(&self, base: usize, contour: usize, bit: f64) -> Option<Voicing> {
        let lags = self.lags(base, contour)?;
        let forms: [Form; SUBFRAMES] = std::array::from_fn(|n| self.form(n, lags[n]));
        let mut indices =
            PitchIndices { lag: base - 2 * self.bandwidth.khz(), contour, ..Default::default() };
        let common = bits(lag_cdf(self.bandwidth), indices.lag)
            + bits(contour_cdf(self.bandwidth), contour)
            + bits(&ltp::LTP_SCALE_CDF, 0);
        let mut best: Option<Voicing> = None;
        for (periodicity, codebook) in ltp::LTP_CODEBOOKS.iter().enumerate() {
            indices.periodicity = periodicity;
            let mut voicing = Voicing {
                indices: indices.clone(),
                lags,
                filters: [[0.0; LTP_TAPS]; SUBFRAMES],
                bits: common + bits(&ltp::PERIODICITY_CDF, periodicity),
                energy: 0.0,
            };
            for (n, form) in forms.iter().enumerate() {
                let mut chosen = (f64::INFINITY, 0, 0.0, 0.0, [0.0; LTP_TAPS]);
                for (index, taps) in codebook.taps_q14.iter().enumerate() {
                    let taps = taps.map(|tap| f64::from(tap) / 16_384.0);
                    let energy = form.residual(&taps);
                    let bits = f64::from(codebook.bits_q6[index]) / 64.0;
                    let cost = energy + bit * bits;
                    if cost < chosen.0 {
                        chosen = (cost, index, energy, bits, taps);
                    }
                }
                voicing.indices.filters[n] = chosen.1;
                voicing.energy += chosen.2;
                voicing.bits += chosen.3;
                voicing.filters[n] = chosen.4;
            }
            let cost = |voicing: &Voicing| voicing.energy + bit * voicing.bits;
            if best.as_ref().is_none_or(|best| cost(&voicing) < cost(best)) {
                best = Some(voicing);
            }
        }
        best
    }

    /// The energy of a subframe as a form of the filter.
    fn form(&self, subframe: usize, lag: usize) -> Form {
        let length = self.bandwidth.subframe();
        let start = reach(self.bandwidth) + subframe * length;
        let now = &self.residual[start..][..length];
        // Tap `n` is for the sample `lag - 2 + n` ago.
        let past = |tap: usize| &self.residual[start - lag + LTP_TAPS / 2 - tap..][..length];
        let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let mut form = Form { energy: product(now, now), ..Default::default() };
        for i in 0..LTP_TAPS {
            form.with_now[i] = product(now, past(i));
            for j in 0..=i {
                form.past[i][j] = product(past(i), past(j));
                form.past[j][i] = form.past[i][j];
            }
        }
        form
    }
}

#[derive(Debug, Default)]
struct Form {
    energy: f64,
    with_now: [f64; LTP_TAPS],
    past: [[f64; LTP_TAPS]; LTP_TAPS],
}

impl Form {
    fn residual(&self, taps: &[f64; LTP_TAPS]) -> f64 {
        let mut energy = self.energy;
        for (i, tap) in taps.iter().enumerate() {
            let row: f64 = self.past[i].iter().zip(taps).map(|(sum, tap)| sum * tap).sum();
            energy += tap * (row - 2.0 * self.with_now[i]);
        }
        energy.max(0.0)
    }
}

/// The sum of products, in eight sums side by side.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    let (a_parts, b_parts) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a_parts.remainder().iter().zip(b_parts.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a_parts.zip(b_parts) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + rest
}
