//! What is uploaded is what the phone shows.

use ilink_fixtures::DEFAULT_USER;
use weixin_media::Source;

use crate::{Lab, noise};

/// All ways in, at the sizes where something begins: a block, a piece, and past them.
#[tokio::test]
async fn every_source_at_every_edge_arrives_unchanged() {
    let lab = Lab::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bin");
    let chunk = 256 << 10;
    let mut expected = 0;
    for size in [0, 1, 15, 16, 17, chunk - 1, chunk, chunk + 1, 3 * chunk, 1_000_003] {
        let bytes = noise(size);
        std::fs::write(&path, &bytes).unwrap();
        let reader = tokio::fs::File::open(&path).await.unwrap();
        for source in [Source::path(&path), Source::bytes(bytes.clone()), Source::reader(reader)] {
            let shown = format!("{source:?} of {size}");
            let uploaded = lab.media.upload(DEFAULT_USER, source).name("a.bin").await.unwrap();
            lab.bot.send_item(DEFAULT_USER, uploaded.to_item()).await.unwrap();
            expected += 1;
            let chat = lab.phone().replies();
            assert_eq!(chat.len(), expected);
            let media = chat.last().unwrap().media.as_ref().unwrap();
            assert!(media.bytes == bytes, "{shown}: other bytes");
        }
    }
    lab.simulator.assert_conformant();
}
