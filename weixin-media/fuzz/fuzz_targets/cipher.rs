//! Any cut of any input, in both directions, gives the same bytes; damage is an error or other bytes, never a panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use weixin_media::codec::{BLOCK, CipherError, Decryptor, Encryptor, MediaKey, encrypted_size};

// The first bytes are a key and lengths of pieces, the rest is the file.
fuzz_target!(|input: &[u8]| {
    let Some((head, plain)) = input.split_at_checked(32) else { return };
    let (key, cuts) = head.split_at(16);
    let key = MediaKey::new(key.try_into().unwrap());

    let cipher = encrypt(&key, [plain]);
    assert_eq!(cipher.len() as u64, encrypted_size(plain.len() as u64));
    assert_eq!(encrypt(&key, pieces(plain, cuts)), cipher);
    assert_eq!(decrypt(&key, pieces(&cipher, cuts)).as_deref(), Ok(plain));

    // A stream that breaks off after each piece and goes on at the last whole block.
    let (mut decryptor, mut out, mut at) = (Decryptor::new(&key), Vec::new(), 0);
    for cut in cuts {
        let end = (at + usize::from(*cut)).min(cipher.len());
        decryptor.update(&cipher[at..end], &mut out);
        at = end - decryptor.rewind();
        assert_eq!(at % BLOCK, 0);
    }
    decryptor.update(&cipher[at..], &mut out);
    decryptor.finish(&mut out).unwrap();
    assert_eq!(out, plain);

    // The input itself as ciphertext.
    let whole = !plain.is_empty() && plain.len().is_multiple_of(BLOCK);
    match decrypt(&key, pieces(plain, cuts)) {
        Ok(out) => assert!(whole && out.len() < plain.len()),
        Err(error) => assert_eq!(error == CipherError::Padding, whole),
    }
});

fn pieces<'a>(mut rest: &'a [u8], cuts: &[u8]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    for cut in cuts {
        let (piece, tail) = rest.split_at(usize::from(*cut).min(rest.len()));
        pieces.push(piece);
        rest = tail;
    }
    pieces.push(rest);
    pieces
}

fn encrypt<'a>(key: &MediaKey, pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let (mut encryptor, mut out) = (Encryptor::new(key), Vec::new());
    for piece in pieces {
        encryptor.update(piece, &mut out);
    }
    out.extend(encryptor.finish());
    out
}

fn decrypt(key: &MediaKey, pieces: Vec<&[u8]>) -> Result<Vec<u8>, CipherError> {
    let (mut decryptor, mut out) = (Decryptor::new(key), Vec::new());
    for piece in pieces {
        decryptor.update(piece, &mut out);
    }
    decryptor.finish(&mut out).map(|()| out)
}
