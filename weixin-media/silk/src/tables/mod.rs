//! Figures. Each file names where they come from.
//!
//! A table named `…_CDF` is a cumulative distribution on a scale of 65,535: symbol `n` has the part from entry `n` to
//! entry `n + 1`.

pub(crate) mod cosine;
pub(crate) mod excitation;
pub(crate) mod frame;
pub(crate) mod gain;
pub(crate) mod ltp;
pub(crate) mod nlsf_unvoiced_10;
pub(crate) mod nlsf_unvoiced_16;
pub(crate) mod nlsf_voiced_10;
pub(crate) mod nlsf_voiced_16;
pub(crate) mod pitch;
pub(crate) mod resampler;

/// A codebook of normalized line spectral frequencies: the sum of one vector of each stage.
#[derive(Debug)]
pub(crate) struct NlsfCodebook {
    /// Least distance of each frequency from the one before it (the first: from 0; the last: from 1), Q15.
    pub(crate) min_spacing_q15: &'static [i32],
    /// The stages, coarse to fine.
    pub(crate) stages: &'static [Stage],
}

/// One stage of a codebook.
#[derive(Debug)]
pub(crate) struct Stage {
    /// Distribution of the index.
    pub(crate) cdf: &'static [u16],
    /// What the index costs, in bits, Q5.
    pub(crate) rates_q5: &'static [i16],
    /// The vectors, one after the other, Q15.
    pub(crate) vectors_q15: &'static [i16],
}
