//! Fixed-point arithmetic.
//!
//! A name such as `gain_q16` says that the number stands for itself divided by 2^16. Sums wrap as they do in the
//! reference, whose results these are to the bit; where it saturates, so does this.

/// `a·b / 2^16`, rounded down, of a 32-bit and a 16-bit number.
#[inline]
pub(crate) fn mul_q16(a: i32, b: i16) -> i32 {
    ((i64::from(a) * i64::from(b)) >> 16) as i32
}

/// `sum + a·b / 2^16`.
#[inline]
pub(crate) fn mac_q16(sum: i32, a: i32, b: i16) -> i32 {
    sum.wrapping_add(mul_q16(a, b))
}

/// `a·b / 2^16`, rounded down, of two 32-bit numbers.
#[inline]
pub(crate) fn mul_wide_q16(a: i32, b: i32) -> i32 {
    ((i64::from(a) * i64::from(b)) >> 16) as i32
}

/// `sum + a·b / 2^16` of 32-bit numbers.
#[inline]
pub(crate) fn mac_wide_q16(sum: i32, a: i32, b: i32) -> i32 {
    sum.wrapping_add(mul_wide_q16(a, b))
}

/// `a·b / 2^32`, rounded down.
#[inline]
pub(crate) fn mul_high(a: i32, b: i32) -> i32 {
    ((i64::from(a) * i64::from(b)) >> 32) as i32
}

/// `a·b` of 16-bit numbers.
#[inline]
pub(crate) fn mul_16(a: i16, b: i16) -> i32 {
    i32::from(a) * i32::from(b)
}

/// `sum + a·b` of 16-bit numbers.
#[inline]
pub(crate) fn mac_16(sum: i32, a: i16, b: i16) -> i32 {
    sum.wrapping_add(mul_16(a, b))
}

/// `a / 2^bits`, rounded to nearest; `bits` is at least 1.
#[inline]
pub(crate) fn round_shift(a: i32, bits: u32) -> i32 {
    if bits == 1 { (a >> 1) + (a & 1) } else { ((a >> (bits - 1)) + 1) >> 1 }
}

/// The same of a 64-bit number; `bits` is at least 2.
#[inline]
pub(crate) fn round_shift_64(a: i64, bits: u32) -> i64 {
    ((a >> (bits - 1)) + 1) >> 1
}

/// The nearest 16-bit number.
#[inline]
pub(crate) fn saturate_16(a: i32) -> i16 {
    a.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
}

/// `a·2^bits`, or the nearest number that fits.
#[inline]
pub(crate) fn shift_left_saturating(a: i32, bits: u32) -> i32 {
    a.clamp(i32::MIN >> bits, i32::MAX >> bits) << bits
}

/// An approximation of `2^q / b`; `b` is neither 0 nor the least number. It has 14 bits and one step of refinement.
pub(crate) fn inverse(b: i32, q: i32) -> i32 {
    let headroom = b.wrapping_abs().leading_zeros() as i32 - 1;
    let normal = b << headroom;
    let inverse = ((i32::MAX >> 2) / (normal >> 16)) as i16;
    let first = i32::from(inverse) << 16;
    let error_q32 = mul_q16(normal, inverse).wrapping_neg() << 3;
    let result = mac_wide_q16(first, error_q32, i32::from(inverse));
    scale_down(result, 61 - headroom - q)
}

/// An approximation of `a·2^q / b`; `b` is neither 0 nor the least number. It has 14 bits and one step of refinement.
pub(crate) fn divide(a: i32, b: i32, q: i32) -> i32 {
    // Of 0 the headroom is 31, as in the reference.
    let a_headroom = a.wrapping_abs().leading_zeros() as i32 - 1;
    let a_normal = a << a_headroom;
    let b_headroom = b.wrapping_abs().leading_zeros() as i32 - 1;
    let b_normal = b << b_headroom;
    let inverse = ((i32::MAX >> 2) / (b_normal >> 16)) as i16;
    let first = mul_q16(a_normal, inverse);
    let rest = a_normal.wrapping_sub(mul_high(b_normal, first) << 3);
    let result = mac_q16(first, rest, inverse);
    scale_down(result, 29 + a_headroom - b_headroom - q)
}

/// Shifts right by `bits`, or left with saturation if that is negative.
fn scale_down(a: i32, bits: i32) -> i32 {
    match bits {
        ..=0 => shift_left_saturating(a, bits.unsigned_abs().min(31)),
        1..32 => a >> bits,
        _ => 0,
    }
}

/// Leading zeros, and the seven bits behind the first one.
fn normalize(a: i32) -> (u32, i32) {
    let zeros = a.leading_zeros();
    // Rotating right by 24 - zeros brings those bits to the bottom.
    (zeros, a.rotate_left((zeros + 8) % 32) & 0x7f)
}

/// An approximation of the square root, within 10 % above 15 and 2.5 % above 120; 0 of what has none.
pub(crate) fn square_root(a: i32) -> i32 {
    if a <= 0 {
        return 0;
    }
    let (zeros, fraction_q7) = normalize(a);
    // 2^15, or that times the square root of 2.
    let root = if zeros & 1 == 1 { 32_768 } else { 46_214 } >> (zeros >> 1);
    mac_q16(root, root, (213 * fraction_q7) as i16)
}

/// An approximation of `2^(a / 128)`: 0 below, the largest number above.
pub(crate) fn exp2_q7(a: i32) -> i32 {
    if a < 0 {
        return 0;
    }
    if a >= 31 << 7 {
        return i32::MAX;
    }
    let whole = 1 << (a >> 7);
    let fraction_q7 = a & 0x7f;
    let parabola = mac_q16(fraction_q7, fraction_q7 * (128 - fraction_q7), -174);
    if a < 2048 { whole + ((whole * parabola) >> 7) } else { whole + (whole >> 7) * parabola }
}

/// The next number of the generator behind dither and noise.
#[inline]
pub(crate) fn next_random(seed: i32) -> i32 {
    seed.wrapping_mul(196_314_165).wrapping_add(907_633_515)
}

/// The energy of some samples as `energy·2^shift`, with two bits of headroom. Pairs are summed up before they are
/// scaled, and the scale grows by 2 whenever the sum would become negative: what is lost in rounding depends on that.
pub(crate) fn energy(samples: &[i16]) -> (i32, u32) {
    let (mut sum, mut shift) = (0_u32, 0_u32);
    for pair in samples.chunks(2) {
        let squares = pair.iter().fold(0_u32, |sum, x| sum.wrapping_add(mul_16(*x, *x) as u32));
        sum = sum.wrapping_add(squares >> shift);
        if pair.len() == 2 && sum >> 31 == 1 {
            sum >>= 2;
            shift += 2;
        }
    }
    if sum >> 30 != 0 {
        sum >>= 2;
        shift += 2;
    }
    (sum as i32, shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_are_near() {
        for a in (700..31 << 7).step_by(37) {
            let exact = (f64::from(a) / 128.0).exp2();
            assert!((f64::from(exp2_q7(a)) / exact - 1.0).abs() < 0.03, "{a}");
        }
        assert_eq!((exp2_q7(-1), exp2_q7(31 << 7)), (0, i32::MAX));
    }

    #[test]
    fn quotients_and_roots_are_near() {
        for (a, b, q) in [(1, 3, 16), (65_536, 200, 16), (-5, 7, 20), (32_767, 2, 10)] {
            let exact = f64::from(a) * f64::from(1 << q) / f64::from(b);
            assert!((f64::from(divide(a, b, q)) - exact).abs() <= exact.abs() / 8192.0 + 1.0, "{a}/{b}");
        }
        assert_eq!(divide(0, 5, 16), 0);
        assert!((f64::from(inverse(65_536, 32)) - 65_536.0).abs() < 4.0);
        for a in [400, 10_000, 1 << 29, i32::MAX] {
            assert!((f64::from(square_root(a)) / f64::from(a).sqrt() - 1.0).abs() < 0.1, "{a}");
        }
        assert_eq!(square_root(-1), 0);
    }

    #[test]
    fn energies_are_scaled_to_leave_headroom() {
        assert_eq!(energy(&[3, 4, 1]), (26, 0));
        let (sum, shift) = energy(&[i16::MIN; 480]);
        let exact = 480.0 * f64::from(1 << 30);
        assert!(sum >> 30 == 0);
        assert!((f64::from(sum) * f64::from(1 << shift) / exact - 1.0).abs() < 0.01);
    }

    #[test]
    fn rounding_and_saturation() {
        assert_eq!(
            [round_shift(3, 1), round_shift(-3, 1), round_shift(6, 2), round_shift(-6, 2)],
            [2, -1, 2, -1]
        );
        assert_eq!((saturate_16(40_000), saturate_16(-40_000)), (i16::MAX, i16::MIN));
        assert_eq!(shift_left_saturating(1 << 30, 4), i32::MAX >> 4 << 4);
        assert_eq!((mul_q16(-1, 1), mul_wide_q16(1 << 20, 1 << 20), mul_high(-1, 1)), (-1, 1 << 24, -1));
    }
}
