//! The range decoder: symbols out of bytes.
//!
//! Source: the SDK's `SKP_Silk_range_coder.c`.

/// Bytes that a packet has at most; longer ones are refused.
pub(crate) const MAX_PACKET: usize = 1024;

/// A range that was narrowed, in 16 bits again, and how many bytes of the stream that settles.
#[inline]
pub(crate) fn normalize(range: u32) -> (u32, u32) {
    if range >= 1 << 24 {
        (range >> 16, 0)
    } else if range >= 1 << 16 {
        (range >> 8, 1)
    } else {
        (range, 2)
    }
}

/// Bits that a range tells beyond the whole bytes of the stream.
#[inline]
pub(crate) fn bits_of(range: u32) -> usize {
    (range - 1).leading_zeros() as usize - 14
}

/// Reads the symbols of a packet. An error is final: from then on every symbol is 0.
#[derive(Clone, Debug)]
pub(crate) struct RangeDecoder<'a> {
    packet: &'a [u8],
    /// The next byte to take in.
    next: usize,
    /// Where in the range the stream is.
    base: u32,
    range: u32,
    failed: bool,
}

impl<'a> RangeDecoder<'a> {
    /// At the start of a packet. Behind its end there are zeros.
    pub(crate) fn new(packet: &'a [u8]) -> Self {
        let mut decoder = Self { packet, next: 0, base: 0, range: 0xffff, failed: packet.len() > MAX_PACKET };
        for _ in 0..4 {
            decoder.take_byte();
        }
        decoder
    }

    /// The next symbol.
    #[inline]
    pub(crate) fn symbol(&mut self, cdf: &[u16]) -> usize {
        let Some(target) = self.target() else { return 0 };
        let symbol = if cdf.len() <= 16 {
            cdf[1..cdf.len() - 1].iter().take_while(|end| u32::from(**end) <= target).count()
        } else {
            cdf.partition_point(|start| u32::from(*start) <= target) - 1
        };
        self.narrow(cdf[symbol].into(), cdf[symbol + 1].into());
        symbol
    }

    /// The next symbol of two, of which the first ends at `split`.
    #[inline]
    pub(crate) fn bit(&mut self, split: u16) -> bool {
        let Some(target) = self.target() else { return false };
        let (split, top) = (u32::from(split), 0xffff);
        let bit = target >= split;
        let (low, high) = if bit { (split, top) } else { (0, split) };
        self.narrow(low, high);
        bit
    }

    /// Where on the scale of 65,535 the stream is; `None`, from then on, if it is beyond.
    #[inline]
    fn target(&mut self) -> Option<u32> {
        if self.failed {
            return None;
        }
        let target = self.base / self.range;
        self.failed = target >= 0xffff;
        (!self.failed).then_some(target)
    }

    /// Goes on with a part of the range. The stream is within, so that the base stays below the new range: nothing
    /// is lost in shifting.
    #[inline]
    fn narrow(&mut self, low: u32, high: u32) {
        self.base -= self.range * low;
        let (range, bytes) = normalize(self.range * (high - low));
        self.range = range;
        for _ in 0..bytes {
            self.take_byte();
        }
    }

    #[inline]
    fn take_byte(&mut self) {
        let byte = self.packet.get(self.next).copied().unwrap_or(0);
        self.base = self.base << 8 | u32::from(byte);
        self.next += 1;
    }

    /// Bytes that the symbols so far take, or `None` if those are more than there are, or if there was an error.
    ///
    /// If they are all, the bits that are left in the last byte have to be ones.
    pub(crate) fn used(&self) -> Option<usize> {
        // Four bytes are read ahead, and no more are counted than the packet has.
        let taken = self.next.min(self.packet.len() + 4) - 4;
        let bits = taken * 8 + bits_of(self.range);
        let used = bits.div_ceil(8);
        let padding = match bits % 8 {
            0 => 0,
            rest => 0xff_u8 >> rest,
        };
        let whole = used == self.packet.len();
        let valid = !self.failed
            && used <= self.packet.len()
            && !(whole && self.packet.last().is_some_and(|last| last & padding != padding));
        valid.then_some(used)
    }
}
