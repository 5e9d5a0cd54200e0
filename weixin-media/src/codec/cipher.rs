//! AES-128-ECB with PKCS#7 padding, as a stream (docs/protocol.md §6).
//!
//! ECB is the wire's choice, not ours. Blocks go to the cipher in long slices, in place, which is what lets it use
//! all lanes of the processor (VAES); one block at a time is forty times slower.

use std::fmt;

use aes::Aes128;
use aes::cipher::consts::U16;
use aes::cipher::inout::InOutBuf;
use ecb::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyInit as _};

use super::key::MediaKey;

/// Bytes of one cipher block.
pub const BLOCK: usize = 16;

/// Bytes of ciphertext for `plain` bytes of plaintext. There is always padding.
///
/// ```
/// assert_eq!(weixin_media::codec::encrypted_size(0), 16);
/// assert_eq!(weixin_media::codec::encrypted_size(16), 32);
/// ```
#[must_use]
pub const fn encrypted_size(plain: u64) -> u64 {
    // What no file has, saturates: a message can announce any size.
    (plain / BLOCK as u64 + 1).saturating_mul(BLOCK as u64)
}

/// Encrypts a stream, cut anywhere.
pub struct Encryptor {
    cipher: ecb::Encryptor<Aes128>,
    carry: [u8; BLOCK],
    carried: usize,
}

impl Encryptor {
    /// At the start of a file.
    #[must_use]
    pub fn new(key: &MediaKey) -> Self {
        Self { cipher: ecb::Encryptor::new(key.as_bytes().into()), carry: [0; BLOCK], carried: 0 }
    }

    /// Encrypts whole blocks where they are, for callers who cut at block boundaries themselves.
    ///
    /// # Errors
    /// [`CipherError::NotWholeBlocks`] if the length is not a multiple of [`BLOCK`], or if
    /// [`update`](Self::update) holds the beginning of a block; nothing is changed then.
    pub fn in_place(&mut self, blocks: &mut [u8]) -> Result<(), CipherError> {
        if self.carried != 0 || !blocks.len().is_multiple_of(BLOCK) {
            return Err(CipherError::NotWholeBlocks);
        }
        self.encrypt(blocks);
        Ok(())
    }

    /// Appends the ciphertext of `plain` to `out`, up to a block that is not yet complete.
    pub fn update(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        let total = self.carried + plain.len();
        let ready = total - total % BLOCK;
        if ready == 0 {
            self.carry[self.carried..total].copy_from_slice(plain);
            self.carried = total;
            return;
        }
        let (now, later) = plain.split_at(ready - self.carried);
        let start = out.len();
        out.extend_from_slice(&self.carry[..self.carried]);
        out.extend_from_slice(now);
        self.encrypt(&mut out[start..]);
        self.carry[..later.len()].copy_from_slice(later);
        self.carried = later.len();
    }

    /// The last block, with its padding.
    #[must_use]
    pub fn finish(mut self) -> [u8; BLOCK] {
        let padding = BLOCK - self.carried;
        // 1..=16, which fits.
        self.carry[self.carried..].fill(u8::try_from(padding).unwrap_or_default());
        let mut last = self.carry;
        self.encrypt(&mut last);
        last
    }

    fn encrypt(&mut self, whole: &mut [u8]) {
        let (blocks, _) = InOutBuf::from(whole).into_chunks::<U16>();
        self.cipher.encrypt_blocks_inout(blocks);
    }
}

impl fmt::Debug for Encryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encryptor").field("carried", &self.carried).finish_non_exhaustive()
    }
}

/// Decrypts a stream, cut anywhere. The last block stays back until [`finish`](Self::finish), since only then it is
/// known to hold the padding.
pub struct Decryptor {
    cipher: ecb::Decryptor<Aes128>,
    carry: [u8; BLOCK],
    carried: usize,
}

impl Decryptor {
    /// At the start of a file.
    #[must_use]
    pub fn new(key: &MediaKey) -> Self {
        Self { cipher: ecb::Decryptor::new(key.as_bytes().into()), carry: [0; BLOCK], carried: 0 }
    }

    /// Appends the plaintext of `cipher` to `out`, up to the last block, which stays back.
    pub fn update(&mut self, cipher: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + self.carried + cipher.len(), 0);
        let written = self.update_into(cipher, &mut out[start..]);
        out.truncate(start + written);
    }

    /// The same into a buffer that is there already, without copying: how many bytes are now plaintext.
    ///
    /// # Panics
    /// If the buffer is shorter than `cipher` and one block together.
    pub fn update_into(&mut self, cipher: &[u8], out: &mut [u8]) -> usize {
        let total = self.carried + cipher.len();
        if total <= BLOCK {
            self.carry[self.carried..total].copy_from_slice(cipher);
            self.carried = total;
            return 0;
        }
        let ready = (total - 1) / BLOCK * BLOCK;
        let out = &mut out[..ready];
        let (first, rest) = out.split_at_mut(if self.carried == 0 { 0 } else { BLOCK });
        let (filling, cipher) = cipher.split_at(first.len().saturating_sub(self.carried));
        first[..self.carried].copy_from_slice(&self.carry[..self.carried]);
        first[self.carried..].copy_from_slice(filling);
        let (now, later) = cipher.split_at(rest.len());
        self.decrypt(first);
        if let Ok(buffers) = InOutBuf::new(now, rest) {
            self.cipher.decrypt_blocks_inout(buffers.into_chunks::<U16>().0);
        }
        self.carry[..later.len()].copy_from_slice(later);
        self.carried = later.len();
        ready
    }

    /// Forgets the beginning of a block that is not complete, and says how many bytes that were. A download that is
    /// resumed has to begin again that many bytes earlier.
    pub fn rewind(&mut self) -> usize {
        let partial = self.carried % BLOCK;
        self.carried -= partial;
        partial
    }

    /// Appends what the last block holds beside the padding.
    ///
    /// # Errors
    /// [`CipherError::NotWholeBlocks`] if the stream did not end with a whole block: it was cut off.
    /// [`CipherError::Padding`] if the last block has no valid padding: the key does not fit, or the bytes are
    /// no ciphertext.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), CipherError> {
        if self.carried != BLOCK {
            return Err(CipherError::NotWholeBlocks);
        }
        let mut last = self.carry;
        self.decrypt(&mut last);
        let padding = usize::from(last[BLOCK - 1]);
        let valid = (1..=BLOCK).contains(&padding)
            && last[BLOCK - padding..].iter().all(|byte| usize::from(*byte) == padding);
        if !valid {
            return Err(CipherError::Padding);
        }
        out.extend_from_slice(&last[..BLOCK - padding]);
        Ok(())
    }

    fn decrypt(&mut self, whole: &mut [u8]) {
        let (blocks, _) = InOutBuf::from(whole).into_chunks::<U16>();
        self.cipher.decrypt_blocks_inout(blocks);
    }
}

impl fmt::Debug for Decryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decryptor").field("carried", &self.carried).finish_non_exhaustive()
    }
}

/// Why bytes are no ciphertext of this key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CipherError {
    /// The length is not a multiple of 16, or there is nothing at all.
    NotWholeBlocks,
    /// The padding is not valid.
    Padding,
}

impl CipherError {
    /// A short name that stays the same over versions. The same bytes give the same error again.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::NotWholeBlocks => "truncated",
            Self::Padding => "bad-padding",
        }
    }
}

impl fmt::Display for CipherError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotWholeBlocks => "the ciphertext is not a whole number of 16-byte blocks",
            Self::Padding => "the padding is not valid: the key does not fit",
        })
    }
}

impl std::error::Error for CipherError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codec::key::to_hex;

    fn cut(bytes: &[u8], cuts: &[usize]) -> Vec<Vec<u8>> {
        let mut rest = bytes;
        let mut pieces = Vec::new();
        for at in cuts {
            let (piece, tail) = rest.split_at((*at).min(rest.len()));
            pieces.push(piece.to_vec());
            rest = tail;
        }
        pieces.push(rest.to_vec());
        pieces
    }

    fn encrypt(key: &MediaKey, pieces: &[Vec<u8>]) -> Vec<u8> {
        let (mut encryptor, mut out) = (Encryptor::new(key), Vec::new());
        for piece in pieces {
            encryptor.update(piece, &mut out);
        }
        out.extend(encryptor.finish());
        out
    }

    fn decrypt(key: &MediaKey, pieces: &[Vec<u8>]) -> Result<Vec<u8>, CipherError> {
        let (mut decryptor, mut out) = (Decryptor::new(key), Vec::new());
        for piece in pieces {
            decryptor.update(piece, &mut out);
        }
        decryptor.finish(&mut out)?;
        Ok(out)
    }

    #[test]
    fn known_answer() {
        // FIPS-197, appendix C.1.
        let key = MediaKey::new(std::array::from_fn(|i| u8::try_from(i).unwrap()));
        let plain: Vec<u8> = (0..16).map(|i: u8| i * 0x11).collect();
        let cipher = encrypt(&key, std::slice::from_ref(&plain));
        assert_eq!(to_hex(&cipher[..16]), "69c4e0d86a7b0430d8cdb78070b4c55a");
        assert_eq!(cipher.len(), 32);
        assert_eq!(decrypt(&key, &[cipher]), Ok(plain));
    }

    #[test]
    fn cut_off_and_wrong_key_are_different_errors() {
        let key = MediaKey::new([1; 16]);
        let cipher = encrypt(&key, &[vec![77; 100]]);
        assert_eq!(decrypt(&key, &[]), Err(CipherError::NotWholeBlocks));
        assert_eq!(decrypt(&key, &[cipher[..cipher.len() - 1].to_vec()]), Err(CipherError::NotWholeBlocks));
        assert_eq!(decrypt(&key, &[cipher[..96].to_vec()]), Err(CipherError::Padding));
        assert_eq!(decrypt(&MediaKey::new([2; 16]), &[cipher]), Err(CipherError::Padding));
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_bytes(
            key: [u8; 16],
            plain in proptest::collection::vec(any::<u8>(), 0..600),
            cuts in proptest::collection::vec(0usize..70, 0..20),
            others in proptest::collection::vec(0usize..70, 0..20),
        ) {
            let key = MediaKey::new(key);
            let cipher = encrypt(&key, &cut(&plain, &cuts));
            prop_assert_eq!(cipher.len() as u64, encrypted_size(plain.len() as u64));
            prop_assert_eq!(&cipher, &encrypt(&key, std::slice::from_ref(&plain)));
            prop_assert_eq!(decrypt(&key, &cut(&cipher, &others)), Ok(plain.clone()));

            // In place gives the same for whole blocks.
            let mut blocks = plain[..plain.len() / BLOCK * BLOCK].to_vec();
            Encryptor::new(&key).in_place(&mut blocks).unwrap();
            prop_assert_eq!(&cipher[..blocks.len()], &blocks[..]);
        }

        #[test]
        fn a_stream_can_go_on_after_a_break(
            plain in proptest::collection::vec(any::<u8>(), 0..600),
            breaks in proptest::collection::vec(0usize..100, 0..10),
        ) {
            let key = MediaKey::new([9; 16]);
            let cipher = encrypt(&key, std::slice::from_ref(&plain));
            let (mut decryptor, mut out, mut at) = (Decryptor::new(&key), Vec::new(), 0);
            for length in breaks {
                let end = (at + length).min(cipher.len());
                decryptor.update(&cipher[at..end], &mut out);
                at = end - decryptor.rewind();
                prop_assert!(at % BLOCK == 0);
            }
            decryptor.update(&cipher[at..], &mut out);
            decryptor.finish(&mut out).unwrap();
            prop_assert_eq!(out, plain);
        }
    }
}
