//! Inbound: nothing lost, nothing blocked, nothing doubled.

use std::time::Duration;

use ilink_fixtures::{Endpoint, Fault};
use serde_json::json;
use tokio::time::{sleep, timeout};
use weixin_channel::{AccountConfig, AccountState, InboundPolicy};

use crate::{Lab, USER, config, next, quiet, until};

fn message(id: u64, user: &str, text: &str) -> serde_json::Value {
    json!({ "message_id": id, "from_user_id": user, "message_type": 1, "context_token": format!("ctx-{id}"),
            "item_list": [{ "type": 1, "text_item": { "text": text } }] })
}

#[tokio::test(start_paused = true)]
async fn a_text_is_delivered_answered_and_acknowledged() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    let id = lab.phone().send_text("你好");
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.inbound.text, "你好");
    assert_eq!(delivery.inbound.message_id.unwrap().0, id);
    assert_eq!(delivery.inbound.from.as_str(), USER);
    let report = delivery.reply("echo: 你好").await.unwrap();
    assert!(report.is_confirmed());
    delivery.ack().await.unwrap();
    lab.phone().wait_for_text("echo: 你好", Duration::from_secs(5)).await.unwrap();
    assert!(quiet(&mut deliveries).await);
    assert_eq!(channel.status(&lab.account).pending, 0);
    channel.stop_all().await;
    lab.simulator.assert_conformant();
}

#[tokio::test(start_paused = true)]
async fn what_was_not_acknowledged_comes_again_after_a_restart() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    for text in ["one", "two", "three"] {
        lab.phone().send_text(text);
    }
    let first = next(&mut deliveries).await;
    first.ack().await.unwrap();
    let second = next(&mut deliveries).await;
    assert_eq!(second.inbound.text, "two");
    // The process ends here, with the second message in a handler and the third in the journal.
    channel.stop_all().await;
    drop((second, channel, deliveries));

    let (_channel, mut deliveries) = lab.start().await;
    for text in ["two", "three"] {
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.inbound.text, text);
        delivery.ack().await.unwrap();
    }
    assert!(quiet(&mut deliveries).await, "the acknowledged message does not come again");
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_outlives_a_restart_is_not_begun_again() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    for text in ["one", "two"] {
        lab.phone().send_text(text);
    }
    let slow = next(&mut deliveries).await;
    let config = || {
        let mut config = AccountConfig::default();
        config.bot_agent = Some("reloaded/1".into());
        config
    };
    channel.stop(&lab.account).await;
    channel.start(&lab.account, config()).await.unwrap();
    assert!(quiet(&mut deliveries).await, "the first is still being handled, and the second waits for it");
    slow.ack().await.unwrap();
    let two = next(&mut deliveries).await;
    assert_eq!(two.inbound.text, "two");
    two.ack().await.unwrap();
    assert!(quiet(&mut deliveries).await);
    assert_eq!(channel.status(&lab.account).pending, 0);
}

#[tokio::test(start_paused = true)]
async fn what_is_settled_while_the_account_is_stopped_counts() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    for text in ["one", "two"] {
        lab.phone().send_text(text);
    }
    let one = next(&mut deliveries).await;
    channel.stop(&lab.account).await;
    one.ack().await.unwrap();
    channel.start(&lab.account, AccountConfig::default()).await.unwrap();
    let two = next(&mut deliveries).await;
    assert_eq!(two.inbound.text, "two");
    channel.stop(&lab.account).await;
    two.nack("not now");
    channel.start(&lab.account, AccountConfig::default()).await.unwrap();
    assert_eq!(next(&mut deliveries).await.inbound.text, "two");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_twice_is_delivered_once() {
    let lab = Lab::new();
    let (_channel, mut deliveries) = lab.start().await;
    let phone = lab.phone();
    phone.send_raw_batch(vec![message(7, USER, "once"), message(7, USER, "once")]);
    next(&mut deliveries).await.ack().await.unwrap();
    phone.send_message(message(7, USER, "once"));
    phone.send_message(message(8, USER, "another"));
    assert_eq!(next(&mut deliveries).await.inbound.text, "another");
}

#[tokio::test(start_paused = true)]
async fn order_within_a_user_and_users_in_parallel() {
    let lab = Lab::new();
    let (_channel, mut deliveries) = lab.start().await;
    let other = "o9cq8Other0002@im.wechat";
    lab.phone().send_raw_batch(vec![message(1, USER, "a1"), message(2, USER, "a2"), message(3, other, "b1")]);
    let slow = next(&mut deliveries).await;
    assert_eq!(slow.inbound.text, "a1");
    let parallel = next(&mut deliveries).await;
    assert_eq!(parallel.inbound.text, "b1", "the second user does not wait for the first one's turn");
    assert!(quiet(&mut deliveries).await, "a2 waits for a1, and the poll went on meanwhile");
    slow.ack().await.unwrap();
    assert_eq!(next(&mut deliveries).await.inbound.text, "a2");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_fails_comes_again_and_becomes_a_dead_letter() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    lab.phone().send_text("poison");
    lab.phone().send_text("behind it");
    for _ in 0..5 {
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.inbound.text, "poison", "what is behind it waits");
        delivery.nack("the agent is down");
    }
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.inbound.text, "behind it");
    delivery.ack().await.unwrap();
    let dead = channel.dead_letters(&lab.account).await.unwrap();
    assert_eq!((dead.len(), dead[0].reason.as_str(), dead[0].entry.attempts), (1, "the agent is down", 5));
    assert!(dead[0].entry.raw.contains("poison"));
}

#[tokio::test(start_paused = true)]
async fn odd_messages_cost_nothing_but_themselves() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    lab.phone().send_raw_batch(vec![
        json!(7),
        message(1, USER, "good"),
        json!({ "message_id": 2 }),
        json!(null),
    ]);
    assert_eq!(next(&mut deliveries).await.inbound.text, "good");
    assert_eq!(channel.dead_letters(&lab.account).await.unwrap().len(), 3, "kept, not lost");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_is_asked_for_again() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    until(&channel, &lab.account, AccountState::Online).await;
    lab.simulator.fault(Fault::LostAnswer, Endpoint::GetUpdates, 1);
    lab.phone().send_text("hello");
    assert_eq!(next(&mut deliveries).await.inbound.text, "hello");
}

#[tokio::test(start_paused = true)]
async fn a_stale_token_is_told_and_the_account_recovers() {
    let lab = Lab::new();
    let stale = Fault::Errcode { errcode: -14, errmsg: Some("session timeout".into()) };
    lab.simulator.fault(stale, Endpoint::GetUpdates, 4);
    let (channel, mut deliveries) = lab.start().await;
    until(&channel, &lab.account, AccountState::NeedsLogin).await;
    let status = channel.status(&lab.account);
    assert!(status.last_error.unwrap().contains("log in again"));
    lab.phone().send_text("still here?");
    let delivery = tokio::time::timeout(Duration::from_secs(3600), deliveries.next()).await.unwrap().unwrap();
    assert_eq!(delivery.inbound.text, "still here?");
    assert_eq!(channel.status(&lab.account).state, AccountState::Online);
}

#[tokio::test(start_paused = true)]
async fn an_account_is_online_before_anybody_writes() {
    let lab = Lab::new();
    let (channel, _deliveries) = lab.start().await;
    until(&channel, &lab.account, AccountState::Online).await;
    assert_eq!(
        channel.status(&lab.account).last_poll,
        None,
        "the server answers the first poll when it is over"
    );
}

#[tokio::test(start_paused = true)]
async fn stop_ends_within_a_second_whatever_is_in_flight() {
    let lab = Lab::new();
    let (channel, deliveries) = lab.start().await;
    until(&channel, &lab.account, AccountState::Online).await;
    while lab.simulator.requests_to(Endpoint::GetUpdates).is_empty() {
        sleep(Duration::from_millis(1)).await;
    }
    lab.simulator.fault(Fault::Hang { limit_ms: None }, Endpoint::NotifyStop, 1);
    timeout(Duration::from_secs(1), channel.stop(&lab.account)).await.expect("it took more than a second");
    channel.stop(&lab.account).await;
    assert_eq!(channel.status(&lab.account).state, AccountState::Stopped);
    // And again, with the same lock and the same token.
    channel.start(&lab.account, AccountConfig::default()).await.unwrap();
    channel.start(&lab.account, AccountConfig::default()).await.unwrap();
    drop(deliveries);
}

#[tokio::test(start_paused = true)]
async fn the_journal_goes_on_where_the_official_plugin_stopped() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    lab.phone().send_text("one");
    next(&mut deliveries).await.ack().await.unwrap();
    channel.stop_all().await;
    drop((channel, deliveries));
    // Only the files that the official plugin has are left.
    let accounts = lab.folder.path().join("openclaw-weixin/accounts");
    let cursor = std::fs::read_to_string(accounts.join(format!("{}.sync.json", lab.account))).unwrap();
    assert!(cursor.contains("get_updates_buf"));
    for file in ["channel.sqlite", "channel.sqlite-wal", "channel.sqlite-shm"] {
        let _ = std::fs::remove_file(lab.folder.path().join("openclaw-weixin").join(file));
    }
    let (channel, mut deliveries) = lab.start().await;
    channel.conversation(&lab.account, USER).send("I still know you").await.unwrap();
    lab.phone().send_text("two");
    assert_eq!(next(&mut deliveries).await.inbound.text, "two", "and not one again");
}

#[tokio::test(start_paused = true)]
async fn a_slow_handler_is_felt_by_the_poll_not_by_the_memory() {
    let lab = Lab::new();
    let mut policy = InboundPolicy::default();
    policy.max_pending = 3;
    let (channel, mut deliveries) = lab.builder().inbound(policy).build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    until(&channel, &lab.account, AccountState::Online).await;
    for n in 0..10 {
        lab.phone().send_text(&format!("m{n}"));
        sleep(Duration::from_secs(1)).await;
    }
    let polls = lab.simulator.requests_to(Endpoint::GetUpdates).len();
    sleep(Duration::from_secs(600)).await;
    assert_eq!(lab.simulator.requests_to(Endpoint::GetUpdates).len(), polls, "polling has paused");
    assert_eq!(channel.status(&lab.account).pending, 3);
    for n in 0..10 {
        let delivery = next(&mut deliveries).await;
        assert_eq!(delivery.inbound.text, format!("m{n}"));
        delivery.ack().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn the_journal_forgets_what_is_old() {
    let lab = Lab::new();
    let mut policy = InboundPolicy::default();
    policy.retention.done = Duration::from_secs(3_600);
    let (channel, mut deliveries) = lab.builder().inbound(policy).build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    lab.phone().send_message(message(7, USER, "once"));
    next(&mut deliveries).await.ack().await.unwrap();
    lab.phone().send_message(message(7, USER, "once"));
    assert!(quiet(&mut deliveries).await, "a repetition");
    sleep(Duration::from_secs(2 * 3_600)).await;
    lab.phone().send_message(message(7, USER, "once"));
    next(&mut deliveries).await.ack().await.unwrap();
}
