//! A download from the CDN, as a program without a setting makes it. `cargo xtask tls` builds and runs it.
use weixin_media::ilink_client::{Client, Credentials, wire::MessageItem};
use weixin_media::{Media, MediaRef};

fn main() {
    let item = r#"{ "type": 2, "image_item": { "media": {
        "encrypt_query_param": "AAAA", "aes_key": "ZTEwNGEzZDA4N2U5MDIwYzM4ZTJjYmZlYzYzZDZjYmY="
    } } }"#;
    let item: MessageItem = serde_json::from_str(item).expect("an item");
    let media = MediaRef::of(&item).expect("media");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let answer = runtime.block_on(async {
        let bot = Client::new().expect("a client").bot(Credentials::new("0@im.bot", "token")).expect("a bot");
        Media::new(bot).expect("media of a bot").download(&media).to_bytes().await
    });
    println!("{answer:?}");
}
