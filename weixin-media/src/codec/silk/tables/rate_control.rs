//! What an encoder can reach at a bit rate.
//!
//! Figures: SILK SDK 1.0.9, `SKP_Silk_tables_other.c`.

/// Bits per second, by internal rate.
pub(crate) static TARGET_RATES: [[i32; 8]; 4] = [
    [0, 8000, 9000, 11_000, 13_000, 16_000, 22_000, 100_000],
    [0, 10_000, 12_000, 14_000, 17_000, 21_000, 28_000, 100_000],
    [0, 11_000, 14_000, 17_000, 21_000, 26_000, 36_000, 100_000],
    [0, 13_000, 16_000, 19_000, 25_000, 32_000, 46_000, 100_000],
];

/// The signal-to-noise ratio at those rates, dB, Q1.
pub(crate) static SNR_Q1: [i32; 8] = [19, 31, 35, 39, 43, 47, 54, 64];

/// The same at a bit per sample, by internal rate, Q7.
pub(crate) static SNR_ONE_BIT_PER_SAMPLE_Q7: [i32; 4] = [1984, 2240, 2408, 2708];
