//! Size and MD5 in one pass (docs/protocol.md §6).

use std::fmt;

use md5::{Digest as _, Md5};

use super::cipher::encrypted_size;
use super::key::{from_hex, to_hex};

/// Takes the bytes of a file, cut anywhere.
#[derive(Clone, Default)]
pub struct Digest {
    md5: Md5,
    size: u64,
}

impl Digest {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.md5.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// Bytes so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// What came out.
    #[must_use]
    pub fn finish(self) -> Fingerprint {
        Fingerprint { size: self.size, md5: self.md5.finalize().into() }
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Digest").field("size", &self.size).finish_non_exhaustive()
    }
}

/// Size and MD5 of a file's plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Plaintext bytes.
    pub size: u64,
    /// MD5 of the plaintext.
    pub md5: [u8; 16],
}

impl Fingerprint {
    /// Of bytes that are in memory.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut digest = Digest::default();
        digest.update(bytes);
        digest.finish()
    }

    /// The MD5 as the wire has it: 32 lower-case hex characters.
    #[must_use]
    pub fn md5_hex(&self) -> String {
        to_hex(&self.md5)
    }

    /// Bytes of ciphertext.
    #[must_use]
    pub fn encrypted_size(&self) -> u64 {
        encrypted_size(self.size)
    }
}

/// An MD5 from a message, in either case; `None` for what is no MD5, such as an empty field.
pub(crate) fn parse_md5(text: &str) -> Option<[u8; 16]> {
    from_hex(text.trim().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        // RFC 1321.
        let abc = Fingerprint::of(b"abc");
        assert_eq!(abc.md5_hex(), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(parse_md5("900150983CD24FB0D6963F7D28E17F72"), Some(abc.md5));
        assert_eq!((abc.size, abc.encrypted_size()), (3, 16));
        assert_eq!(parse_md5(""), None);
    }

    proptest::proptest! {
        #[test]
        fn any_cut_gives_the_same(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400), at in 0usize..400) {
            let (first, rest) = bytes.split_at(at.min(bytes.len()));
            let mut digest = Digest::default();
            digest.update(first);
            digest.update(rest);
            proptest::prop_assert_eq!(digest.finish(), Fingerprint::of(&bytes));
        }
    }
}
