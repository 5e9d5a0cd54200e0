//! What is uploaded is what the phone shows.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use ilink_client::wire::VoiceEncoding;
use ilink_fixtures::{ChatEntry, ChatKind, DEFAULT_USER, Endpoint};
use weixin_media::codec::{MediaKind, encrypted_size};
use weixin_media::{MediaRef, Source, Thumbnail, VoiceInfo};

use crate::{Lab, noise};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF";
const MP4: &[u8] = b"\0\0\0\x20ftypisom\0\0\x02\0isomiso2avc1mp41";

impl Lab {
    /// Sends what was uploaded, and what the phone shows then.
    async fn shown(&self, uploaded: &weixin_media::Uploaded) -> ChatEntry {
        self.bot.send_item(DEFAULT_USER, uploaded.to_item()).await.unwrap();
        self.phone().replies().pop().unwrap()
    }
}

/// All ways in, at the sizes where something begins: a block, a piece, and past them.
#[tokio::test]
async fn every_source_at_every_edge_arrives_unchanged() {
    let lab = Lab::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bin");
    let piece = 256 << 10;
    for size in [0, 1, 15, 16, 17, piece - 1, piece, piece + 1, 3 * piece, 1_000_003] {
        let bytes = noise(size);
        std::fs::write(&path, &bytes).unwrap();
        let reader = tokio::fs::File::open(&path).await.unwrap();
        for source in [Source::path(&path), Source::bytes(bytes.clone()), Source::reader(reader)] {
            let what = format!("{source:?} of {size}");
            let uploaded = lab.media.upload(DEFAULT_USER, source).name("a.bin").await.unwrap();
            let shown = lab.shown(&uploaded).await.media.unwrap();
            assert!(shown.bytes == bytes, "{what}: other bytes");
        }
    }
    let uploads = lab.simulator.requests_to(Endpoint::CdnUpload);
    let lengths = |name: &str| uploads.iter().filter(|upload| upload.header(name).is_some()).count();
    assert_eq!((lengths("content-length"), lengths("transfer-encoding")), (uploads.len(), 0));
    lab.simulator.assert_conformant();
}

#[tokio::test]
async fn the_kind_follows_the_type() {
    let lab = Lab::new().await;
    let cases = [
        (PNG, "photo.png", ChatKind::Image),
        (PNG, "lies.pdf", ChatKind::Image),
        (MP4, "clip", ChatKind::Video),
        (b"%PDF-1.7 ", "../../报告.pdf", ChatKind::File),
        (b"ID3\x03\0\0", "song.mp3", ChatKind::File),
        (b"hello", "", ChatKind::File),
    ];
    for (bytes, name, kind) in cases {
        let uploaded = lab.media.upload(DEFAULT_USER, Bytes::from_static(bytes)).name(name).await.unwrap();
        let shown = lab.shown(&uploaded).await;
        assert_eq!(shown.kind, kind, "{name}");
        assert_eq!(shown.media.unwrap().bytes, bytes);
    }
    let names: Vec<_> = lab
        .phone()
        .replies()
        .iter()
        .filter(|entry| entry.kind == ChatKind::File)
        .map(|entry| entry.media.as_ref().unwrap().name.clone())
        .collect();
    assert_eq!(names, ["报告.pdf", "song.mp3", "file.bin"]);

    let as_file =
        lab.media.upload(DEFAULT_USER, Bytes::from_static(PNG)).name("x.png").as_file().await.unwrap();
    assert_eq!(lab.shown(&as_file).await.kind, ChatKind::File);
    lab.simulator.assert_conformant();
}

/// Every field that the wire has, with its name and its type (field note 19).
#[tokio::test]
async fn items_have_all_that_the_phone_needs() {
    let lab = Lab::new().await;
    let thumbnail = Thumbnail { bytes: Bytes::from_static(JPEG), width: 90, height: 160 };
    let upload = |bytes: &'static [u8]| lab.media.upload(DEFAULT_USER, Bytes::from_static(bytes));
    let voice = VoiceInfo { encoding: VoiceEncoding::Silk, play_time_ms: 1500, ..VoiceInfo::default() };
    let uploads = [
        upload(PNG).await,
        upload(MP4).play_length(7).thumbnail(thumbnail).await,
        upload(b"hello").name("a.txt").await,
        upload(b"\x02#!SILK_V3").experimental_voice(voice).await,
    ];
    let mut items = Vec::new();
    for uploaded in uploads {
        let uploaded = uploaded.unwrap();
        lab.bot.send_item(DEFAULT_USER, uploaded.to_item()).await.unwrap();
        let json = serde_json::to_string_pretty(&uploaded.to_item()).unwrap();
        let json = json.replace(&uploaded.key.to_base64_of_hex(), "(base64 of the key in hex)");
        items.push(json.replace(&uploaded.param, "(download parameter)"));
    }
    // The thumbnail has a parameter of its own.
    let items = items.join("\n");
    let at = items.find("\"thumb_media\"").unwrap();
    let param = items[at..].split('"').nth(5).unwrap().to_owned();
    insta::assert_snapshot!(items.replace(&param, "(parameter of the thumbnail)"));
    lab.simulator.assert_conformant();
}

/// As a phone shows it: what a bot gets back from its own item.
#[tokio::test]
async fn what_was_uploaded_can_be_downloaded() {
    let lab = Lab::new().await;
    let bytes = noise(700_001);
    for kind in [MediaKind::Image, MediaKind::Video, MediaKind::File] {
        let upload = lab.media.upload(DEFAULT_USER, bytes.clone());
        let uploaded = match kind {
            MediaKind::Image => upload.mime(weixin_media::mime::IMAGE_PNG).await,
            MediaKind::Video => upload.mime("video/mp4".parse().unwrap()).await,
            _ => upload.await,
        }
        .unwrap();
        assert_eq!(uploaded.kind, kind);
        let from = MediaRef::of(&uploaded.to_item()).unwrap();
        assert!(lab.media.download(&from).to_bytes().await.unwrap() == bytes);
    }
    lab.simulator.assert_conformant();
}

#[tokio::test]
async fn progress_grows_to_the_whole() {
    let lab = Lab::new().await;
    let (size, seen) = (1_000_000_u64, Arc::new(Mutex::new(Vec::new())));
    let tell = {
        let seen = Arc::clone(&seen);
        move |progress: weixin_media::Progress| seen.lock().unwrap().push(progress)
    };
    let source = noise(usize::try_from(size).unwrap());
    let uploaded = lab.media.upload(DEFAULT_USER, source).on_progress(tell.clone()).await.unwrap();
    let check = |seen: Vec<weixin_media::Progress>| {
        let total = encrypted_size(size);
        assert!(seen.len() > 1 && seen.is_sorted_by_key(|progress| progress.done), "{seen:?}");
        assert!(seen.iter().all(|progress| progress.total == Some(total)));
        assert_eq!(seen.last().unwrap().done, total);
    };
    check(std::mem::take(&mut *seen.lock().unwrap()));
    let from = MediaRef::of(&uploaded.to_item()).unwrap();
    lab.media.download(&from).on_progress(tell).to_bytes().await.unwrap();
    check(std::mem::take(&mut *seen.lock().unwrap()));
}

#[tokio::test]
async fn older_servers_name_a_parameter_instead_of_a_url() {
    let lab = Lab::new().await;
    lab.simulator.set_switches(|switches| switches.upload_param_only = true);
    let uploaded = lab.media.upload(DEFAULT_USER, noise(1000)).await.unwrap();
    assert_eq!(lab.shown(&uploaded).await.media.unwrap().bytes, noise(1000));
    lab.simulator.assert_conformant();
}
