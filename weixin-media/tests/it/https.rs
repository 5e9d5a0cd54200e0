//! The build opens https: up to the CDN and back over TLS, under the compiled-in names.

use ilink_client::Client;
use ilink_fixtures::net::Network;
use ilink_fixtures::{ChatKind, DEFAULT_USER, Simulator};
use weixin_media::{Media, MediaRef, Source};

use crate::{bot_of, noise};

#[tokio::test]
async fn media_go_up_and_down_over_tls() {
    let simulator = Simulator::builder().real_names(true).start().await.unwrap();
    let network = Network::start(&simulator).await.unwrap();
    let here = network.tls_addr();
    let client = Client::builder()
        .root_certificates(network.ca_pem())
        .lookup(move |_| Box::pin(async move { Ok(vec![here]) }))
        .build()
        .unwrap();
    let bot = bot_of(&client, &simulator.add_bot(DEFAULT_USER));
    let media = Media::new(bot.clone()).unwrap();
    let bytes = noise(100_000);

    let uploaded = media.upload(DEFAULT_USER, Source::bytes(bytes.clone())).name("a.bin").await.unwrap();
    bot.send_item(DEFAULT_USER, uploaded.to_item()).await.unwrap();
    let shown = simulator.phone(DEFAULT_USER).replies().pop().unwrap();
    assert_eq!(shown.kind, ChatKind::File);
    assert!(shown.media.unwrap().bytes == bytes, "other bytes");

    simulator.phone(DEFAULT_USER).send_file("a.bin", bytes.clone());
    let batch = bot.get_updates("").await.unwrap();
    let item = &batch.messages[0].message().unwrap().item_list.as_ref().unwrap()[0];
    let from = MediaRef::of(item).unwrap();
    assert!(media.download(&from).to_bytes().await.unwrap() == bytes, "other bytes");
    assert!(network.connections() >= 2, "to the API and to the CDN");
    simulator.assert_conformant();
}
