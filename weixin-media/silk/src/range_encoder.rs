//! The range encoder: bytes out of symbols, the other half of [`super::range_decoder`].
//!
//! Source: the SDK's `SKP_Silk_range_coder.c`.

use super::range_decoder::{bits_of, normalize};

/// Writes the symbols of a packet.
#[derive(Clone, Debug)]
pub(crate) struct RangeEncoder {
    bytes: Vec<u8>,
    base: u32,
    range: u32,
}

impl Default for RangeEncoder {
    fn default() -> Self {
        Self { bytes: Vec::new(), base: 0, range: 0xffff }
    }
}

impl RangeEncoder {
    /// Writes a symbol. It must have a part in the distribution.
    pub(crate) fn symbol(&mut self, symbol: usize, cdf: &[u16]) {
        self.narrow(cdf[symbol].into(), cdf[symbol + 1].into());
    }

    /// Writes a symbol of two, of which the first ends at `split`.
    pub(crate) fn bit(&mut self, bit: bool, split: u16) {
        if bit { self.narrow(split.into(), 0xffff) } else { self.narrow(0, split.into()) }
    }

    fn narrow(&mut self, low: u32, high: u32) {
        debug_assert!(low < high, "a symbol without a part in its distribution");
        let (base, carry) = self.base.overflowing_add(self.range * low);
        self.base = base;
        if carry {
            self.carry();
        }
        let (range, bytes) = normalize(self.range * (high - low));
        self.range = range;
        for _ in 0..bytes {
            self.give_byte();
        }
    }

    fn give_byte(&mut self) {
        self.bytes.push((self.base >> 24) as u8);
        self.base <<= 8;
    }

    fn carry(&mut self) {
        for byte in self.bytes.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                break;
            }
        }
    }

    /// Bits so far.
    pub(crate) fn bits(&self) -> usize {
        self.bytes.len() * 8 + bits_of(self.range)
    }

    /// The packet: as few bytes as tell the symbols, the bits that are left in the last one all ones.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let bits = self.bits();
        // 1 to 9 bits are to be stored.
        let stored = bits - self.bytes.len() * 8;
        let rounded = (self.base >> 8) + (0x80_0000 >> (stored - 1));
        let base = rounded & (u32::MAX << (24 - stored));
        if base & 0x100_0000 != 0 {
            self.carry();
        }
        self.bytes.push((base >> 16) as u8);
        if stored > 8 {
            self.bytes.push((base >> 8) as u8);
        }
        if !bits.is_multiple_of(8)
            && let Some(last) = self.bytes.last_mut()
        {
            *last |= 0xff >> (bits % 8);
        }
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::range_decoder::RangeDecoder;
    use crate::tables::{excitation, frame, gain, pitch};

    fn cdfs() -> Vec<&'static [u16]> {
        let mut cdfs: Vec<&[u16]> =
            vec![&frame::BANDWIDTH_CDF, &gain::DELTA_GAIN_CDF, &pitch::LAG_SUPER_WIDE_CDF];
        cdfs.extend(gain::GAIN_CDF.iter().map(|cdf| &cdf[..]));
        cdfs.extend(excitation::SHELL_16_CDF);
        cdfs
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(symbols in proptest::collection::vec((any::<prop::sample::Index>(), any::<u16>()), 0..400)) {
            let cdfs = cdfs();
            let pick = |cdf: &prop::sample::Index, symbol: u16| {
                let cdf = cdfs[cdf.index(cdfs.len())];
                let possible: Vec<usize> = (0..cdf.len() - 1).filter(|n| cdf[*n] < cdf[n + 1]).collect();
                (cdf, possible[usize::from(symbol) % possible.len()])
            };
            let mut encoder = RangeEncoder::default();
            for (cdf, symbol) in &symbols {
                let (cdf, chosen) = pick(cdf, *symbol);
                encoder.symbol(chosen, cdf);
                encoder.bit(symbol % 3 == 0, 40_000);
            }
            let bits = encoder.bits();
            let bytes = encoder.finish();
            prop_assert_eq!(bytes.len(), bits.div_ceil(8));
            // What follows in the packet does not matter.
            for tail in [&[][..], &[0xff; 9], &[0x00; 9]] {
                let packet = [&bytes, tail].concat();
                let mut decoder = RangeDecoder::new(&packet);
                for (cdf, symbol) in &symbols {
                    let (cdf, chosen) = pick(cdf, *symbol);
                    prop_assert_eq!(decoder.symbol(cdf), chosen);
                    prop_assert_eq!(decoder.bit(40_000), symbol % 3 == 0);
                }
                if packet.len() <= crate::range_decoder::MAX_PACKET {
                    prop_assert_eq!(decoder.used(), Some(bytes.len()));
                }
            }
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut decoder = RangeDecoder::new(&bytes);
            for cdf in cdfs() {
                prop_assert!(decoder.symbol(cdf) < cdf.len() - 1);
            }
            decoder.used();
        }
    }
}
