//! Analysis of a frame: whether it is voiced, and the indices of its prediction.

use super::lpc_analysis::{Covariance, burg, whiten};
use super::nlsf_quantizer::{Candidate, filter_of, search, wanted};
use super::pitch::{self, Voicing, bits, reach};
use crate::nlsf::{Nlsfs, interpolate};
use crate::params::{Bandwidth, FrameIndices, SUBFRAMES, SignalType};
use crate::tables::frame;

/// No interpolation.
const WHOLE: usize = 4;
/// How much of the memory of long-term prediction is left at the start of a frame: the first of its scales.
const MEMORY: f64 = 0.95;

/// What is analysed.
#[derive(Debug)]
pub(super) struct Input<'a> {
    pub(super) bandwidth: Bandwidth,
    /// Decoded samples, then those of the frame.
    pub(super) signal: &'a [f64],
    /// The frequencies of the frame before, if there is one.
    pub(super) before: Option<&'a Nlsfs>,
    /// Ways through the NLSF codebook.
    pub(super) survivors: usize,
    /// The energy that a bit is worth, as a part of what prediction leaves.
    pub(super) bit: f64,
}

/// What is found.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) indices: FrameIndices,
    /// The energy that prediction leaves.
    pub(super) energy: f64,
    /// Bits of the prediction's indices.
    pub(super) bits: f64,
}

impl Found {
    /// Energy and bits as one number, the lower the better.
    fn cost(&self, bit: f64) -> f64 {
        self.energy.ln() + self.bits * bit
    }
}

/// The best prediction.
pub(super) fn analyse(input: &Input<'_>) -> Found {
    let order = input.bandwidth.order();
    let start = input.signal.len() - input.bandwidth.frame();
    let frame = &input.signal[start - order..];
    let filter = burg(frame, order);
    let unvoiced = short_term(input, frame, SignalType::Unvoiced);

    let history = reach(input.bandwidth);
    let mut residual = whiten(&input.signal[start - history - order..], &filter[..order]);
    for past in &mut residual[..history] {
        *past *= MEMORY;
    }
    let energy: f64 = residual[history..].iter().map(|x| x * x).sum();
    let Some(voicing) = pitch::analyse(input.bandwidth, &residual, energy * input.bit) else {
        return unvoiced;
    };
    if voicing.energy > 0.9 * energy {
        return unvoiced;
    }
    let predicted = without_long_term(input, start, &voicing);
    let mut voiced = short_term(input, &predicted, SignalType::Voiced);
    voiced.bits += voicing.bits;
    voiced.indices.pitch = Some(voicing.indices);
    if voiced.cost(input.bit) < unvoiced.cost(input.bit) { voiced } else { unvoiced }
}

/// The frame, and as many samples before it as the order, less what long-term prediction tells.
fn without_long_term(input: &Input<'_>, start: usize, voicing: &Voicing) -> Vec<f64> {
    let (order, length) = (input.bandwidth.order(), input.bandwidth.subframe());
    let at = |n: usize| if n < start { MEMORY * input.signal[n] } else { input.signal[n] };
    (start - order..input.signal.len())
        .map(|n| {
            let subframe = (n.saturating_sub(start) / length).min(SUBFRAMES - 1);
            let (lag, taps) = (voicing.lags[subframe], &voicing.filters[subframe]);
            let past: f64 = taps.iter().enumerate().map(|(i, tap)| tap * at(n + 2 - lag - i)).sum();
            input.signal[n] - past
        })
        .collect()
}

/// The best frequencies for `signal`, which begins `order` samples before the frame.
fn short_term(input: &Input<'_>, signal: &[f64], kind: SignalType) -> Found {
    let order = input.bandwidth.order();
    let half = order + input.bandwidth.frame() / 2;
    let first = Covariance::new(&signal[..half], order);
    let second = Covariance::new(&signal[half - order..], order);
    let filter = burg(signal, order);
    let nlsfs = wanted(&filter[..order]);
    let candidates = search(input.bandwidth.nlsf_codebook(kind), &nlsfs, input.survivors);

    let interpolation_bits = |quarters| bits(&frame::NLSF_INTERPOLATION_CDF, quarters);
    let mut best: Option<(f64, Found)> = None;
    let mut consider = |candidate: &Candidate, quarters: usize, energy: f64| {
        let found = Found {
            indices: FrameIndices {
                signal: kind,
                nlsf: candidate.indices,
                nlsf_interpolation: quarters,
                ..Default::default()
            },
            energy,
            bits: candidate.bits + interpolation_bits(quarters),
        };
        let cost = found.cost(input.bit);
        if best.as_ref().is_none_or(|(least, _)| cost < *least) {
            best = Some((cost, found));
        }
    };
    for candidate in &candidates {
        let filter = &candidate.filter[..order];
        let energy = second.residual(filter);
        consider(candidate, WHOLE, first.residual(filter) + energy);
        let Some(before) = input.before else { continue };
        for quarters in 0..WHOLE {
            let between = filter_of(&interpolate(before, &candidate.nlsfs, quarters)[..order]);
            consider(candidate, quarters, first.residual(&between[..order]) + energy);
        }
    }
    best.map(|(_, found)| found).unwrap_or_default()
}
