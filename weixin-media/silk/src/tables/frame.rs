//! What is left of a frame.
//!
//! Figures: SILK SDK 1.0.9, `SKP_Silk_tables_other.c` and `SKP_Silk_tables_type_offset.c`.

/// Internal sampling rate: 8, 12, 16 or 24 kHz.
pub(crate) static BANDWIDTH_CDF: [u16; 5] = [0, 16_000, 32_000, 48_000, 65_535];

/// Signal type and quantization offset of the first frame of a packet.
pub(crate) static TYPE_OFFSET_CDF: [u16; 5] = [0, 37_522, 41_030, 44_212, 65_535];

/// The same for each other frame, by that of the frame before it.
pub(crate) static TYPE_OFFSET_JOINT_CDF: [[u16; 5]; 4] = [
    [0, 57_686, 61_230, 62_358, 65_535],
    [0, 18_346, 40_067, 43_659, 65_535],
    [0, 22_694, 24_279, 35_507, 65_535],
    [0, 6067, 7215, 13_010, 65_535],
];

/// Quarters of the way from the NLSFs before to those of this frame, for its first half.
pub(crate) static NLSF_INTERPOLATION_CDF: [u16; 6] = [0, 3706, 8703, 19_226, 30_926, 65_535];

/// Seed of the dither.
pub(crate) static SEED_CDF: [u16; 5] = [0, 16_384, 32_768, 49_152, 65_535];

/// Whether somebody speaks.
pub(crate) static VOICE_ACTIVITY_CDF: [u16; 3] = [0, 22_000, 65_535];

/// What follows the frame.
pub(crate) static TERMINATION_CDF: [u16; 5] = [0, 20_000, 45_000, 56_000, 65_535];

/// Offset of a pulse, by signal type and index, Q10.
pub(crate) static QUANTIZATION_OFFSETS_Q10: [[i32; 2]; 2] = [[32, 100], [100, 256]];

/// High-pass filter of the output, by internal rate: the poles, Q13. It halves the amplitude at about 45 Hz.
pub(crate) static HIGH_PASS_AR_Q13: [[i16; 2]; 4] =
    [[-15_885, 7710], [-16_043, 7859], [-16_127, 7940], [-16_220, 8030]];

/// Its zeros, Q13, the same for all rates.
pub(crate) static HIGH_PASS_MA_Q13: [i16; 3] = [8000, -16_000, 8000];
