//! Any cut of any input gives the same bytes: whatever the network and the source cut, and wherever a download breaks.

use std::io::{self, Cursor, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};

use ilink_client::wire::CdnMedia;
use ilink_fixtures::DEFAULT_USER;
use proptest::prelude::*;
use tokio::io::{AsyncRead, AsyncSeek, ReadBuf};
use weixin_media::codec::{Encryptor, MediaKey, MediaKind};
use weixin_media::{MediaRef, Source, TransferPolicy};

use crate::script::{Answer, Script};
use crate::{Lab, noise};

const KEY: MediaKey = MediaKey::new([3; 16]);

/// An answer from a byte on, cut as told; it breaks off at `until`.
fn answer(cipher: &[u8], from: usize, until: usize, cuts: &[usize], ranges: bool) -> Answer {
    let mut answer = if ranges && from > 0 {
        let range = format!("bytes {from}-{}/{}", cipher.len() - 1, cipher.len());
        Answer::new(206).header("content-range", range)
    } else {
        Answer::new(200).announce(cipher.len())
    };
    let mut rest = &cipher[if ranges { from } else { 0 }..until.max(from)];
    for cut in cuts {
        let (piece, tail) = rest.split_at((*cut).min(rest.len()));
        if !piece.is_empty() {
            answer = answer.bytes(piece);
        }
        rest = tail;
    }
    answer = answer.bytes(rest);
    if until < cipher.len() { answer.broken(io::ErrorKind::ConnectionReset) } else { answer }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn of_a_download(
        size in 0usize..3000,
        breaks in proptest::collection::vec(0.0..1.0, 0..3),
        cuts in proptest::collection::vec(1usize..400, 0..20),
        ranges: bool,
    ) {
        let plain = noise(size);
        let (mut encryptor, mut cipher) = (Encryptor::new(&KEY), Vec::new());
        encryptor.update(&plain, &mut cipher);
        cipher.extend(encryptor.finish());

        let (mut answers, mut at) = (Vec::new(), 0);
        for part in breaks {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
            let until = at + ((cipher.len() - at) as f64 * part) as usize;
            answers.push(answer(&cipher, at, until, &cuts, ranges));
            at = until / 16 * 16;
        }
        answers.push(answer(&cipher, at, cipher.len(), &cuts, ranges));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let media = Script::new(answers).media(TransferPolicy::default());
            let cdn = CdnMedia {
                encrypt_query_param: Some("p".into()),
                aes_key: Some(KEY.to_base64()),
                ..CdnMedia::default()
            };
            let from = MediaRef::new(MediaKind::File, cdn);
            assert!(media.download(&from).to_bytes().await.unwrap() == plain);
        });
    }
}

/// Gives a few bytes at a time, another number each time, and is often not ready.
struct Dribble(Cursor<Vec<u8>>, usize);

impl AsyncRead for Dribble {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.1 = self.1 * 31 % 65_537;
        if self.1.is_multiple_of(3) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut bytes = vec![0; self.1.min(buf.remaining())];
        let mut part = ReadBuf::new(&mut bytes);
        let polled = Pin::new(&mut self.0).poll_read(cx, &mut part);
        buf.put_slice(part.filled());
        polled
    }
}

impl AsyncSeek for Dribble {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        Pin::new(&mut self.0).start_seek(position)
    }

    fn poll_complete(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<u64>> {
        Pin::new(&mut self.0).poll_complete(cx)
    }
}

#[tokio::test]
async fn of_a_source() {
    let lab = Lab::new().await;
    for size in [1000, 300_000, 524_288] {
        let source = Source::reader(Dribble(Cursor::new(noise(size)), 7));
        let uploaded = lab.media.upload(DEFAULT_USER, source).await.unwrap();
        lab.bot.send_item(DEFAULT_USER, uploaded.to_item()).await.unwrap();
        let shown = lab.phone().replies().pop().unwrap().media.unwrap();
        assert!(shown.bytes == noise(size), "{size}");
    }
    lab.simulator.assert_conformant();
}
