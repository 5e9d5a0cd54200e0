//! What a phone sends is what a bot gets.

use std::time::Duration;

use ilink_client::wire::MessageItem;
use ilink_fixtures::{DEFAULT_USER, Endpoint, Fault};
use weixin_media::codec::convert_voice;
use weixin_media::{ErrorKind, MediaRef};

use crate::{Lab, noise};

impl Lab {
    /// The item of the message that the phone has just sent.
    async fn received(&self) -> MessageItem {
        let batch = self.bot.get_updates("").await.unwrap();
        batch.messages.last().unwrap().message().unwrap().item_list.as_ref().unwrap()[0].clone()
    }
}

#[tokio::test]
async fn every_kind_to_every_place() {
    let lab = Lab::new().await;
    let bytes = noise(1_000_003);
    let folder = tempfile::tempdir().unwrap();
    let phone = lab.phone();
    let sends: [&dyn Fn() -> u64; 4] = [
        &|| phone.send_image(bytes.clone()),
        &|| phone.send_video(bytes.clone()),
        &|| phone.send_file("../a.bin", bytes.clone()),
        &|| phone.send_voice(bytes.clone(), None),
    ];
    for no_full_url in [false, true] {
        lab.simulator.set_switches(|switches| switches.no_full_url = no_full_url);
        for send in sends {
            send();
            let from = MediaRef::of(&lab.received().await).unwrap();
            assert!(lab.media.download(&from).to_bytes().await.unwrap() == bytes);

            let mut written = Vec::new();
            let length = lab.media.download(&from).to_writer(&mut written).await.unwrap();
            assert!(written == bytes && length == bytes.len() as u64);

            let saved = lab.media.download(&from).to_file(folder.path().join("x")).await.unwrap();
            assert!(std::fs::read(&saved.path).unwrap() == bytes && saved.size == length);
            assert!(!from.file_name(&saved.sniffed).contains('/'));
        }
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    lab.simulator.assert_conformant();
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_is_for_its_owner_only_and_replaces_an_older_one() {
    use std::os::unix::fs::PermissionsExt as _;

    let lab = Lab::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.txt");
    std::fs::write(&path, "older").unwrap();
    lab.phone().send_file("a.txt", "newer");
    let from = MediaRef::of(&lab.received().await).unwrap();
    lab.media.download(&from).to_file(&path).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "newer");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn an_image_without_a_key_is_stored_plain() {
    let lab = Lab::new().await;
    let stored = lab.phone().upload(1, noise(1000));
    let mut item = serde_json::json!({ "type": 2, "image_item": { "media": stored.cdn_media() } });
    item["image_item"]["media"]["aes_key"] = "".into();
    let from = MediaRef::of(&serde_json::from_value(item).unwrap()).unwrap();
    // The simulator has no plain media; what it has is passed on as it is.
    assert_eq!(lab.media.download(&from).to_bytes().await.unwrap().len(), stored.size);
}

#[tokio::test]
async fn breaks_on_the_way_are_mended() {
    let lab = Lab::new().await;
    let bytes = noise(2_000_000);
    lab.phone().send_file("a.bin", bytes.clone());
    let from = MediaRef::of(&lab.received().await).unwrap();
    for fault in [Fault::status(500), Fault::Reset, Fault::LostAnswer, Fault::HalfBody, Fault::Garbage] {
        lab.simulator.fault(fault.clone(), Endpoint::CdnDownload, 2);
        let got = lab.media.download(&from).to_bytes().await;
        assert!(got.unwrap() == bytes, "{fault:?}");
    }
    lab.simulator.fault(Fault::HalfBody, Endpoint::CdnDownload, 3);
    let error = lab.media.download(&from).to_bytes().await.unwrap_err();
    // Which of the two it is depends on how the kernel tells the other side.
    assert!(matches!(error.kind(), ErrorKind::Truncated | ErrorKind::Interrupted), "{error}");
    assert_eq!(error.attempts(), 3);
    lab.simulator.assert_conformant();
}

/// Whoever stops waiting leaves nothing behind.
#[tokio::test]
async fn a_dropped_download_leaves_no_file() {
    let lab = Lab::new().await;
    lab.phone().send_file("a.bin", noise(1_000_000));
    let from = MediaRef::of(&lab.received().await).unwrap();
    let slow = Fault::SlowBody { chunk: 300_000, pause_ms: 200 };
    lab.simulator.fault(slow, Endpoint::CdnDownload, 1);
    let folder = tempfile::tempdir().unwrap();
    let download = lab.media.download(&from).to_file(folder.path().join("a.bin"));
    let stopped = tokio::time::timeout(Duration::from_millis(500), download).await;
    assert!(stopped.is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_voice_message_is_what_an_agent_can_hear() {
    let lab = Lab::new().await;
    let amr = &b"#!AMR\n\x3c\x08\x95\xa6\x10\x5f"[..];
    let silk = &include_bytes!("../silk/091.silk")[..];
    let heard = if cfg!(feature = "silk") { "audio/wav" } else { "audio/silk" };
    for (bytes, mime) in [(silk, heard), (amr, "audio/amr")] {
        lab.phone().send_voice(bytes, None);
        let from = MediaRef::of(&lab.received().await).unwrap();
        let got = lab.media.download(&from).to_bytes().await.unwrap();
        assert_eq!(got, bytes);
        let voice = convert_voice(got).unwrap();
        assert_eq!(voice.mime.essence_str(), mime);
        assert_eq!(voice.bytes == bytes, mime != "audio/wav");
    }
    assert_eq!(DEFAULT_USER, lab.phone().user_id());
}

#[tokio::test]
async fn the_limit_is_one_of_plaintext_and_the_error_names_it() {
    let lab = Lab::new().await;
    for size in [10, 1_000] {
        lab.phone().send_file("a.bin", noise(size));
        let mut item = lab.received().await;
        // A message that says no size, as those of images do.
        let file = item.file_item.as_mut().unwrap();
        (file.len, file.md5) = (None, None);
        let from = MediaRef::of(&item).unwrap();
        let error = lab.media.download(&from).max_size(3).to_bytes().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.to_string().contains("more than the allowed 3 bytes"), "{error}");
        let whole = lab.media.download(&from).max_size(size as u64).to_bytes().await.unwrap();
        assert_eq!(whole.len(), size);
    }
}
