//! Quantization of frequencies: a search through the stages of the codebook that keeps several ways open.
//!
//! Source of the weights: R. Laroia, N. Phamdo and N. Farvardin, "Robust and efficient quantization of speech LSP
//! parameters", 1991.

use super::lpc_analysis::{Filter, frequencies};
use crate::nlsf::{Nlsfs, to_lpc};
use crate::params::{MAX_ORDER, MAX_STAGES};
use crate::tables::NlsfCodebook;

/// What a bit counts beside the weighted error.
const RATE_WEIGHT: f64 = 0.006;

/// A way through the codebook.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) indices: [usize; MAX_STAGES],
    pub(super) nlsfs: Nlsfs,
    pub(super) filter: Filter,
    /// Bits of the indices.
    pub(super) bits: f64,
}

/// A way as far as the stages are searched.
#[derive(Clone)]
struct Way {
    indices: [usize; MAX_STAGES],
    rest: Filter,
    bits: f64,
    cost: f64,
}

/// The frequencies to quantize, in units of the codebook: those of the filter, or evenly spread if it has none.
pub(super) fn wanted(filter: &[f64]) -> Filter {
    let order = filter.len();
    for widening in [1.0, 0.998, 0.99, 0.96, 0.9] {
        let mut wider = [0.0; MAX_ORDER];
        let mut factor = 1.0;
        for (to, from) in wider.iter_mut().zip(filter) {
            factor *= widening;
            *to = from * factor;
        }
        if let Some(found) = frequencies(&wider[..order]) {
            return found.map(|frequency| frequency * 32_768.0);
        }
    }
    std::array::from_fn(|n| (n + 1) as f64 * 32_768.0 / (order + 1) as f64)
}

/// How much an error of each frequency counts: the nearer its neighbours, the more.
fn weights(nlsfs: &[f64]) -> Filter {
    let inverse = |distance: f64| 1.0 / (distance / 32_768.0).max(0.001);
    let mut weights = [0.0; MAX_ORDER];
    for (n, weight) in weights.iter_mut().enumerate().take(nlsfs.len()) {
        let below = if n == 0 { 0.0 } else { nlsfs[n - 1] };
        let above = nlsfs.get(n + 1).copied().unwrap_or(32_768.0);
        *weight = inverse(nlsfs[n] - below) + inverse(above - nlsfs[n]);
    }
    weights
}

/// The best `survivors` ways through the codebook.
pub(super) fn search(codebook: &NlsfCodebook, nlsfs: &Filter, survivors: usize) -> Vec<Candidate> {
    let order = codebook.order();
    let weights = weights(&nlsfs[..order]);
    let mut ways = vec![Way { indices: [0; MAX_STAGES], rest: *nlsfs, bits: 0.0, cost: 0.0 }];
    for (number, stage) in codebook.stages.iter().enumerate() {
        let mut found: Vec<(f64, usize, usize)> = Vec::new();
        for (way_number, way) in ways.iter().enumerate() {
            for (index, vector) in stage.vectors_q15.chunks_exact(order).enumerate() {
                let error: f64 = vector
                    .iter()
                    .zip(&way.rest)
                    .zip(&weights)
                    .map(|((part, rest), weight)| {
                        let error = (rest - f64::from(*part)) / 32_768.0;
                        error * error * weight
                    })
                    .sum();
                let bits = way.bits + f64::from(stage.rates_q5[index]) / 32.0;
                found.push((error + RATE_WEIGHT / 100.0 * bits, way_number, index));
            }
        }
        let kept = survivors.min(found.len());
        if kept < found.len() {
            found.select_nth_unstable_by(kept, |a, b| a.0.total_cmp(&b.0));
            found.truncate(kept);
        }
        ways = found
            .iter()
            .map(|(cost, way, index)| {
                let mut way = ways[*way].clone();
                way.indices[number] = *index;
                way.bits += f64::from(stage.rates_q5[*index]) / 32.0;
                way.cost = *cost;
                for (rest, part) in way.rest.iter_mut().zip(&stage.vectors_q15[index * order..][..order]) {
                    *rest -= f64::from(*part);
                }
                way
            })
            .collect();
    }
    ways.sort_by(|a, b| a.cost.total_cmp(&b.cost));
    ways.into_iter()
        .map(|way| {
            let nlsfs = codebook.decode(&way.indices);
            Candidate { indices: way.indices, nlsfs, filter: filter_of(&nlsfs[..order]), bits: way.bits }
        })
        .collect()
}

/// The prediction filter that the decoder makes of frequencies.
pub(super) fn filter_of(nlsfs: &[i32]) -> Filter {
    to_lpc(nlsfs).map(|tap| f64::from(tap) / 4096.0)
}
