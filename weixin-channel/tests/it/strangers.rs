//! What the server says of times and senders, and what it sends too much of.

use std::time::Duration;

use ilink_fixtures::IN_PROCESS_EPOCH_MS;
use serde_json::{Value, json};
use tokio::time::sleep;
use weixin_channel::ilink_client::UserId;
use weixin_channel::{AccountState, InboundPolicy, MediaPolicy, Refusal};

use crate::{Lab, USER, config, next, quiet, until};

const HOUR_MS: i64 = 60 * 60 * 1_000;

fn text(id: u64, from: &str, time: i64) -> Value {
    json!({ "message_id": id, "from_user_id": from, "create_time_ms": time, "message_type": 1,
            "context_token": format!("token of {from}"), "item_list": [{ "type": 1, "text_item": { "text": from } }] })
}

fn now_ms(lab: &Lab) -> i64 {
    i64::try_from(IN_PROCESS_EPOCH_MS + u64::try_from(lab.start.elapsed().as_millis()).unwrap()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_window_of_a_message_begins_when_it_comes_whatever_time_it_says() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    until(&channel, &lab.account, AccountState::Online).await;
    // An answer to a poll, with nothing in it.
    sleep(Duration::from_secs(90)).await;
    let now = now_ms(&lab);
    let times = [
        now / 1_000,
        1,
        0,
        -5,
        i64::MIN,
        i64::MAX,
        now + 1_000_000 * HOUR_MS,
        now - 40 * 24 * HOUR_MS,
        now - 30 * HOUR_MS,
    ];
    for (id, time) in (1..).zip(times) {
        lab.phone().send_raw_batch(vec![text(id, USER, time)]);
        let delivery = next(&mut deliveries).await;
        delivery.reply(format!("{time}")).await.unwrap_or_else(|error| panic!("{time}: {error}"));
        delivery.ack().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_waited_at_the_server_counts_from_when_it_was_written() {
    let lab = Lab::new();
    let (id, now) = (77, now_ms(&lab));
    lab.phone().send_raw_batch(vec![text(id, USER, now - 30 * HOUR_MS)]);
    let (_channel, mut deliveries) = lab.start().await;
    let delivery = next(&mut deliveries).await;
    let error = delivery.reply("late").await.unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::WindowClosed), "the server would refuse it");
    delivery.ack().await.unwrap();
    // One that cannot be meant is not believed there either.
    lab.phone().send_raw_batch(vec![text(id + 1, USER, now / 1_000)]);
    let delivery = next(&mut deliveries).await;
    delivery.reply("in time").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reply_goes_to_the_sender_and_not_to_one_who_is_called_alike() {
    let lab = Lab::new();
    let (_channel, mut deliveries) = lab.start().await;
    let (upper, lower) = ("o9ABC@im.wechat", "o9abc@im.wechat");
    lab.phone().send_raw_batch(vec![text(1, upper, now_ms(&lab))]);
    next(&mut deliveries).await.ack().await.unwrap();
    let mut without_token = text(2, lower, now_ms(&lab));
    without_token.as_object_mut().unwrap().remove("context_token");
    lab.phone().send_raw_batch(vec![without_token]);
    let delivery = next(&mut deliveries).await;
    let error = delivery.reply("for the other one").await.unwrap_err();
    assert_eq!(error.code(), "no-context", "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_sender_who_is_called_like_everybody_is_nobody() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.builder().build().await.unwrap();
    // Everybody may write.
    channel.start(&lab.account, config()).await.unwrap();
    let long = "o".repeat(300);
    for (id, from) in (1..).zip(["*", " * ", "dm:*", "user:o9cq8Owner0001@im.wechat", " ", "\u{0}", &*long]) {
        lab.phone().send_raw_batch(vec![text(id, from, now_ms(&lab))]);
    }
    assert!(quiet(&mut deliveries).await);
    for from in ["*", "dm:*"] {
        assert!(!channel.allow_list(&lab.account).add(&UserId::from(from)).await.unwrap());
    }
    assert!(channel.allow_list(&lab.account).users().await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn so_much_media_of_one_message_is_fetched_and_no_more() {
    let lab = Lab::new();
    let mut policy = InboundPolicy::default();
    policy.media = MediaPolicy::Eager { max_size: 1 << 20 };
    (policy.max_media, policy.max_media_bytes) = (3, 2_500);
    let (channel, mut deliveries) = lab.builder().inbound(policy).build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    lab.phone().send_file("a.bin", vec![7; 1_000]);
    let one = next(&mut deliveries).await;
    let item = serde_json::to_value(&one.inbound.message.items()[0]).unwrap();
    one.ack().await.unwrap();
    let many = json!({ "message_id": 5, "from_user_id": USER, "message_type": 1, "context_token": "t",
                       "item_list": [item, item, item, item, item] });
    lab.phone().send_raw_batch(vec![many]);
    let delivery = next(&mut deliveries).await;
    let saved: Vec<bool> =
        delivery.inbound.attachments.iter().map(|media| media.saved.as_ref().unwrap().is_ok()).collect();
    assert_eq!(saved, [true, true, false, false, false], "two fit into the bytes, two more are too many");
    assert_eq!(delivery.inbound.text.matches("下载失败").count(), 3, "{}", delivery.inbound.text);
    // A folder of the user's own.
    let folder = delivery.conversation().media_dir();
    for media in &delivery.inbound.attachments[..2] {
        let path = &media.saved.as_ref().unwrap().as_ref().unwrap().path;
        assert_eq!(path.parent().unwrap(), folder);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
    assert_ne!(folder, channel.conversation(&lab.account, "another@im.wechat").media_dir());
}
