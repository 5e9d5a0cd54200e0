//! Field notes 1–12, delivery: what each row says we do about it, each by its number.
//!
//! The table is one, and so is this file.
// Long because: one test per row of the field notes, to be read beside them.

use std::time::Duration;

use ilink_fixtures::{ChatKind, Endpoint, Fault};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};
use weixin_channel::{
    AccountConfig, AccountState, Channel, Deliveries, Delivery, Error, InboundPolicy, OutboxPolicy, Pace,
    Refusal, Reply, SendPolicy, ToolStatus,
};

use crate::{Lab, PATIENCE, USER, config, next, quiet, until};

/// Runs have UUIDs (protocol §5).
const RUNS: [&str; 2] = ["0b7a5f0e-5f0c-4c58-9d0e-0c6a3f1f2d01", "0b7a5f0e-5f0c-4c58-9d0e-0c6a3f1f2d02"];

fn unpaced() -> SendPolicy {
    let mut policy = SendPolicy::default();
    policy.pace = no_pace();
    policy
}

fn no_pace() -> Pace {
    let mut pace = Pace::default();
    pace.refill = Duration::ZERO;
    pace
}

async fn start(lab: &Lab, policy: SendPolicy) -> (Channel, Deliveries) {
    let (channel, deliveries) = lab.builder().sends(policy).build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    (channel, deliveries)
}

/// A user who has just written.
async fn greeted(lab: &Lab, policy: SendPolicy) -> (Channel, Deliveries, Delivery) {
    let (channel, mut deliveries) = start(lab, policy).await;
    lab.phone().send_text("hi");
    let delivery = next(&mut deliveries).await;
    (channel, deliveries, delivery)
}

fn message(id: u64, time: i64, token: &str, text: &str) -> serde_json::Value {
    json!({ "message_id": id, "from_user_id": USER, "create_time_ms": time, "message_type": 1,
            "context_token": token, "item_list": [{ "type": 1, "text_item": { "text": text } }] })
}

fn shown(lab: &Lab) -> Vec<String> {
    let replies = lab.phone().replies().into_iter();
    replies.filter(|entry| entry.kind == ChatKind::Text).filter_map(|entry| entry.text).collect()
}

#[tokio::test(start_paused = true)]
async fn note_1_accepted_without_a_name_is_told_and_remembered() {
    let lab = Lab::new();
    let (channel, deliveries, delivery) = greeted(&lab, unpaced()).await;
    assert!(delivery.reply("seen").await.unwrap().is_confirmed());
    lab.simulator.set_switches(|switches| switches.suppress = true);
    let report = delivery.reply("unseen").await.unwrap();
    assert!(!report.is_confirmed());
    assert_eq!(report.message_id(), None, "nothing is made up in its place");
    let since = channel.status(&lab.account).suppressed_since.expect("the health flag");
    delivery.ack().await.unwrap();
    channel.stop_all().await;
    drop((channel, deliveries));

    let (channel, _deliveries) = start(&lab, unpaced()).await;
    until(&channel, &lab.account, AccountState::Online).await;
    let again = channel.status(&lab.account).suppressed_since.expect("the flag outlives a restart");
    assert!(since.duration_since(again).unwrap_or_default() < Duration::from_millis(1));
    lab.simulator.set_switches(|switches| switches.suppress = false);
    assert!(channel.conversation(&lab.account, USER).send("seen again").await.unwrap().is_confirmed());
    assert_eq!(channel.status(&lab.account).suppressed_since, None);
}

#[tokio::test(start_paused = true)]
async fn note_1_a_server_that_never_names_anything_is_not_suspected() {
    let lab = Lab::new();
    lab.simulator.set_switches(|switches| switches.empty_send_answers = true);
    let (channel, _deliveries, delivery) = greeted(&lab, unpaced()).await;
    assert!(!delivery.reply("seen").await.unwrap().is_confirmed());
    assert_eq!(channel.status(&lab.account).suppressed_since, None);
}

#[tokio::test(start_paused = true)]
async fn note_2_a_refusal_is_classified_by_the_ledger_and_keeps_the_servers_words() {
    let lab = Lab::new();
    lab.simulator.set_switches(|switches| {
        (switches.sends_per_inbound, switches.window_ms) = (Some(2), Some(3_600_000));
    });
    let mut policy = unpaced();
    (policy.per_inbound, policy.window, policy.enforce) = (2, Duration::from_secs(3600), false);
    let (channel, _deliveries, delivery) = greeted(&lab, policy).await;
    for text in ["one", "two"] {
        delivery.reply(text).await.unwrap();
    }
    let error = delivery.reply("three").await.unwrap_err();
    let Error::Refused { reason: Refusal::QuotaExhausted, source: Some(source), .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!((source.ret(), error.code()), (Some(-2), "quota-exhausted"));
    assert!(error.to_string().contains("wait until they write again (the server said: ret -2"), "{error}");

    sleep(Duration::from_secs(3600)).await;
    let error = channel.conversation(&lab.account, USER).send("late").await.unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::WindowClosed));
    lab.phone().send_text("hi again");
    sleep(Duration::from_secs(1)).await;
    lab.simulator.fault(Fault::ret(-2), Endpoint::SendMessage, 1);
    let error = delivery.reply("why?").await.unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::Unknown));
}

#[tokio::test(start_paused = true)]
async fn note_2_and_3_too_fast_and_too_long() {
    let lab = Lab::new();
    let mut policy = unpaced();
    (policy.per_inbound, policy.server_bytes) = (100, 10_000);
    let (_channel, _deliveries, delivery) = greeted(&lab, policy).await;
    lab.simulator.fault(Fault::ret(-2), Endpoint::SendMessage, 1);
    let error = delivery.reply("长".repeat(3_500)).await.unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::TooLong));
    for n in 0..18 {
        delivery.reply(format!("message {n}")).await.unwrap();
    }
    lab.simulator.fault(Fault::ret(-2), Endpoint::SendMessage, 1);
    assert_eq!(delivery.reply("and on").await.unwrap_err().refusal(), Some(Refusal::Throttled));
}

#[tokio::test(start_paused = true)]
async fn note_3_a_long_turn_keeps_the_last_send_for_its_answer() {
    let lab = Lab::new();
    lab.simulator.set_switches(|switches| switches.sends_per_inbound = Some(10));
    let (channel, _deliveries, delivery) = greeted(&lab, unpaced()).await;
    let mut turn = delivery.conversation().turn(RUNS[0]);
    for n in 0..15 {
        let call = format!("call-{n}");
        turn.tool_started("search", &call).await;
        turn.block(format!("block {n}")).await.unwrap();
        turn.tool_ended("search", &call, ToolStatus::Completed).await;
    }
    let report = turn.finish("the answer").await.unwrap();
    assert!(report.is_confirmed());
    let texts = shown(&lab);
    let all = texts.join("\n\n");
    let expected: Vec<String> =
        (0..15).map(|n| format!("block {n}")).chain(["the answer".to_owned()]).collect();
    assert_eq!(all, expected.join("\n\n"), "everything, in order");
    let ledger = channel.conversation(&lab.account, USER).ledger().await.unwrap();
    let signs = lab.phone().tool_progress().len();
    assert_eq!(signs + texts.len(), ledger.sends as usize);
    assert!(ledger.sends <= 10 && (1..=7).contains(&signs), "tools were shown while there was room: {signs}");
    lab.simulator.assert_conformant();
}

#[tokio::test(start_paused = true)]
async fn note_3_blocks_fill_messages_once_sends_are_scarce() {
    let lab = Lab::new();
    lab.simulator.set_switches(|switches| switches.sends_per_inbound = Some(10));
    let (_channel, _deliveries, delivery) = greeted(&lab, unpaced()).await;
    let mut turn = delivery.conversation().turn(RUNS[0]);
    let blocks: Vec<String> = (0..15).map(|n| format!("{n:04} {}", "字".repeat(1_490))).collect();
    for block in &blocks {
        turn.block(block).await.unwrap();
    }
    turn.finish(Reply::new()).await.unwrap();
    let texts = shown(&lab);
    assert_eq!(texts.join("\n\n"), blocks.join("\n\n"), "22,000 characters in ten sends, nothing lost");
    assert_eq!(texts[0], blocks[0], "the first at once");
    assert!(texts.len() <= 10 && texts.iter().all(|text| text.chars().count() <= 4_000));
    lab.simulator.assert_conformant();
}

#[tokio::test(start_paused = true)]
async fn note_3_a_block_of_several_sends_goes_whole_or_waits_whole() {
    let lab = Lab::new();
    let mut policy = unpaced();
    policy.per_inbound = 4;
    let (_channel, _deliveries, delivery) = greeted(&lab, policy).await;
    let mut turn = delivery.conversation().turn(RUNS[0]);
    assert!(turn.block("short").await.unwrap().is_some());
    let long = "word ".repeat(2_000);
    assert!(turn.block(long.trim()).await.unwrap().is_none(), "two of its three pieces might go");
    assert!(turn.finish("the answer").await.unwrap().is_confirmed());
    let texts = shown(&lab);
    let lengths: Vec<usize> = texts.iter().map(String::len).collect();
    assert_eq!((texts.len(), texts[0].as_str()), (4, "short"), "{lengths:?}");
    assert_eq!(texts[1..].join(" ").split_whitespace().count(), 2_002, "nothing of it is lost");
}

#[tokio::test(start_paused = true)]
async fn note_3_beyond_the_budget_nothing_is_asked_of_the_server() {
    let lab = Lab::new();
    let (channel, mut deliveries, delivery) = greeted(&lab, unpaced()).await;
    for n in 0..10 {
        delivery.reply(format!("{n}")).await.unwrap();
    }
    let error = delivery.reply("one too many").await.unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::QuotaExhausted));
    assert_eq!(lab.simulator.requests_to(Endpoint::SendMessage).len(), 10);
    delivery.ack().await.unwrap();
    lab.phone().send_text("go on");
    next(&mut deliveries).await.reply("gladly").await.unwrap();
    sleep(Duration::from_secs(24 * 3600)).await;
    let error = channel.conversation(&lab.account, USER).send("a day later").await.unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::WindowClosed));
}

#[tokio::test(start_paused = true)]
async fn note_3_sends_are_paced() {
    let lab = Lab::new();
    let (_channel, _deliveries, delivery) = greeted(&lab, SendPolicy::default()).await;
    let start = Instant::now();
    for n in 0..8 {
        delivery.reply(format!("{n}")).await.unwrap();
    }
    assert_eq!(start.elapsed().as_secs(), 9, "five at once, then one every 3 s");
}

#[tokio::test(start_paused = true)]
async fn note_3_what_is_refused_waits_in_the_outbox_and_goes_out_with_the_next_message() {
    let lab = Lab::new();
    lab.simulator.set_switches(|switches| switches.sends_per_inbound = Some(3));
    let policy = || {
        let mut policy = unpaced();
        (policy.per_inbound, policy.outbox) = (3, Some(OutboxPolicy::default()));
        policy
    };
    let (channel, deliveries, delivery) = greeted(&lab, policy()).await;
    let reply = (0..6).fold(Reply::new(), |reply, n| reply.and_text(format!("part {n}")));
    let report = delivery.reply(reply).await.unwrap();
    assert_eq!((report.parts.len(), report.queued, report.is_confirmed()), (3, 3, false));
    assert_eq!(channel.status(&lab.account).outbox, 3);
    delivery.ack().await.unwrap();
    channel.stop_all().await;
    drop((channel, deliveries));

    let (channel, mut deliveries) = start(&lab, policy()).await;
    lab.phone().send_text("and?");
    next(&mut deliveries).await.ack().await.unwrap();
    lab.phone().wait_for_text("part 4", PATIENCE).await.unwrap();
    assert_eq!(
        shown(&lab),
        ["part 0", "part 1", "part 2", "part 3", "part 4"],
        "one send is left for an answer"
    );
    lab.phone().send_text("more");
    lab.phone().wait_for_text("part 5", PATIENCE).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(channel.status(&lab.account).outbox, 0);
    assert!(channel.outbox(&lab.account).await.unwrap().is_empty());
    lab.simulator.assert_conformant();
}

#[tokio::test(start_paused = true)]
async fn note_3_the_outbox_has_a_cap_and_an_end() {
    let lab = Lab::new();
    let mut policy = unpaced();
    let mut outbox = OutboxPolicy::default();
    (outbox.cap, outbox.ttl) = (2, Duration::from_secs(3600));
    (policy.per_inbound, policy.outbox) = (1, Some(outbox));
    let (channel, _deliveries, delivery) = greeted(&lab, policy).await;
    delivery.reply("one").await.unwrap();
    for n in 0..2 {
        assert_eq!(delivery.reply(format!("waits {n}")).await.unwrap().queued, 1);
    }
    let error = delivery.reply("no room").await.unwrap_err();
    assert_eq!(error.refusal(), Some(Refusal::QuotaExhausted));
    sleep(Duration::from_secs(3600)).await;
    lab.phone().send_text("late");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(channel.status(&lab.account).outbox, 0, "too old to be sent");
    assert_eq!(shown(&lab), ["one"]);
}

#[tokio::test(start_paused = true)]
async fn note_4_context_tokens_persist_and_a_send_without_one_is_refused_unless_asked_for() {
    let lab = Lab::new();
    let (channel, deliveries, delivery) = greeted(&lab, unpaced()).await;
    delivery.ack().await.unwrap();
    channel.stop_all().await;
    drop((channel, deliveries));
    let (channel, _deliveries) = start(&lab, unpaced()).await;
    assert_eq!(channel.account_for(USER).await.unwrap(), lab.account);
    channel.conversation(&lab.account, USER).send("by schedule").await.unwrap();
    let sent = lab.simulator.requests_to(Endpoint::SendMessage);
    assert!(sent[0].json()["msg"]["context_token"].as_str().is_some_and(|token| !token.is_empty()));

    channel.stop_all().await;
    channel.backend().forget(&lab.account).await.unwrap();
    let error = channel.conversation(&lab.account, USER).send("hi").await.unwrap_err();
    assert_eq!(error.code(), "no-context");
    channel.conversation(&lab.account, USER).send(Reply::text("hi").without_context()).await.unwrap();
    assert!(lab.simulator.requests_to(Endpoint::SendMessage)[1].json()["msg"]["context_token"].is_null());
}

#[tokio::test(start_paused = true)]
async fn note_4_the_account_is_inferred_or_the_candidates_are_listed() {
    let mut lab = Lab::new();
    let first = lab.account.clone();
    let second = lab.add_account("o9cq8Other0002@im.wechat");
    let (channel, mut deliveries) = lab.builder().sends(unpaced()).build().await.unwrap();
    for id in [&first, &second] {
        channel.start(id, config()).await.unwrap();
    }
    let error = channel.account_for(USER).await.unwrap_err();
    assert_eq!(error.code(), "ambiguous-account");
    for id in [&first, &second] {
        assert!(error.to_string().contains(id.as_str()), "{error}");
    }
    lab.phone().writing_to(second.bot_id().as_str()).send_text("hi");
    next(&mut deliveries).await.ack().await.unwrap();
    assert_eq!(channel.account_for(&format!("user:{}", USER.to_lowercase())).await.unwrap(), second);
}

#[tokio::test(start_paused = true)]
async fn note_5_a_stale_token_is_retried_told_and_never_blocks_sends() {
    let lab = Lab::new();
    let (channel, mut deliveries, delivery) = greeted(&lab, unpaced()).await;
    let stale = || Fault::errcode(-14, "session timeout");
    lab.simulator.fault(stale(), Endpoint::GetUpdates, 4);
    until(&channel, &lab.account, AccountState::Stale).await;
    let start = Instant::now();
    until(&channel, &lab.account, AccountState::NeedsLogin).await;
    assert_eq!(start.elapsed().as_secs(), 5 + 15 + 60);
    assert!(channel.status(&lab.account).last_error.unwrap().contains("log in again"));
    delivery.reply("sends still go").await.unwrap();
    lab.phone().send_text("are you there?");
    delivery.ack().await.unwrap();
    let slow_probes = Instant::now();
    let back = timeout(Duration::from_secs(3600), deliveries.next()).await.unwrap().unwrap();
    assert_eq!(back.inbound.text, "are you there?");
    assert_eq!(slow_probes.elapsed().as_secs() / 60, 15);
    assert_eq!(channel.status(&lab.account).state, AccountState::Online);
}

#[tokio::test(start_paused = true)]
async fn note_6_what_is_not_acknowledged_comes_again_though_the_server_does_not_replay() {
    let lab = Lab::new();
    let (channel, deliveries, delivery) = greeted(&lab, unpaced()).await;
    assert!(!delivery.redelivered);
    channel.stop_all().await;
    drop((delivery, channel, deliveries));
    let (_channel, mut deliveries) = start(&lab, unpaced()).await;
    let again = next(&mut deliveries).await;
    assert_eq!(again.inbound.text, "hi");
    assert!(again.redelivered, "a handler has had it");
}

#[tokio::test(start_paused = true)]
async fn note_6_a_dead_letter_can_be_put_back() {
    let lab = Lab::new();
    let mut policy = InboundPolicy::default();
    policy.max_attempts = 2;
    let (channel, mut deliveries) = lab.builder().inbound(policy).build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    lab.phone().send_text("poison");
    for _ in 0..2 {
        next(&mut deliveries).await.nack("the agent is down");
    }
    assert!(quiet(&mut deliveries).await);
    assert_eq!(channel.status(&lab.account).dead, 1);
    let letters = channel.dead_letters(&lab.account).await.unwrap();
    assert_eq!(letters[0].reason, "the agent is down");
    assert!(channel.requeue(&lab.account, letters[0].entry.id).await.unwrap());
    assert!(!channel.requeue(&lab.account, letters[0].entry.id).await.unwrap(), "only once");
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.inbound.text, "poison");
    delivery.ack().await.unwrap();
    assert_eq!(channel.status(&lab.account).dead, 0);
}

#[tokio::test(start_paused = true)]
async fn note_7_the_same_message_is_delivered_once_over_a_restart_too() {
    let lab = Lab::new();
    let (channel, mut deliveries) = start(&lab, unpaced()).await;
    let phone = lab.phone();
    let now = 1_763_800_000_000;
    phone.send_message(message(1, now, "t1", "once"));
    next(&mut deliveries).await.ack().await.unwrap();
    // Another id, no id, another token: 1 to 11 s later.
    sleep(Duration::from_secs(1)).await;
    phone.send_message(message(2, now, "t1", "once"));
    let mut nameless = message(0, now, "t1", "once");
    nameless.as_object_mut().unwrap().remove("message_id");
    sleep(Duration::from_secs(5)).await;
    phone.send_message(nameless);
    phone.send_message(message(1, now, "t2", "once"));
    sleep(Duration::from_secs(5)).await;
    channel.stop_all().await;
    drop((channel, deliveries));

    let (_channel, mut deliveries) = start(&lab, unpaced()).await;
    phone.send_message(message(1, now, "t1", "once"));
    // Two real messages that say the same.
    phone.send_message(message(3, now + 1_000, "t1", "once"));
    let second = next(&mut deliveries).await;
    assert_eq!(second.inbound.message_id.unwrap().0, 3);
    second.ack().await.unwrap();
    assert!(quiet(&mut deliveries).await);
}

#[tokio::test(start_paused = true)]
async fn note_8_stop_does_not_wait_for_the_turn() {
    let lab = Lab::new();
    let (_channel, mut deliveries) = lab.start().await;
    for text in ["a long task", "and another", "/stop", "停止"] {
        lab.phone().send_text(text);
    }
    let (mut control, mut normal) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let delivery = next(&mut deliveries).await;
        if delivery.control { &mut control } else { &mut normal }.push(delivery);
    }
    let texts = |list: &[Delivery]| list.iter().map(|d| d.inbound.text.clone()).collect::<Vec<_>>();
    assert_eq!(texts(&control), ["/stop", "停止"]);
    assert_eq!(texts(&normal), ["a long task"], "and never two turns of one conversation at once");
    for delivery in control {
        delivery.ack().await.unwrap();
    }
    assert!(quiet(&mut deliveries).await);
    normal.remove(0).ack().await.unwrap();
    assert_eq!(next(&mut deliveries).await.inbound.text, "and another");
}

#[tokio::test(start_paused = true)]
async fn note_8_a_control_message_passes_a_full_house() {
    let lab = Lab::new();
    let mut policy = InboundPolicy::default();
    policy.max_in_flight = 1;
    policy.control.push("/echo".to_owned());
    let (channel, mut deliveries) = lab.builder().inbound(policy).build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    lab.phone().send_text("busy");
    let busy = next(&mut deliveries).await;
    lab.phone().send_text("/echo still alive");
    let echo = next(&mut deliveries).await;
    assert!(echo.control);
    echo.ack().await.unwrap();
    busy.ack().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn note_9_another_login_does_not_stop_this_account() {
    let mut lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    let first = lab.account.clone();
    until(&channel, &first, AccountState::Online).await;
    let second = lab.add_account("o9cq8Other0002@im.wechat");
    channel.reconcile(|_| config()).await.unwrap();
    until(&channel, &second, AccountState::Online).await;
    assert_eq!(channel.status(&first).state, AccountState::Online);
    lab.phone().writing_to(first.bot_id().as_str()).send_text("still mine?");
    assert_eq!(next(&mut deliveries).await.account, first);
    // Gone from the folder: gone.
    channel.backend().remove_account(&second).await.unwrap();
    channel.reconcile(|_| config()).await.unwrap();
    assert_eq!(channel.status(&second).state, AccountState::Stopped);
    assert!(channel.status(&first).last_poll.is_some(), "health is the age of the last good poll");
}

#[tokio::test(start_paused = true)]
async fn note_10_minus_3_is_never_retried() {
    let lab = Lab::new();
    let (_channel, _deliveries, delivery) = greeted(&lab, unpaced()).await;
    lab.simulator.fault(
        Fault::Ret { ret: -3, errmsg: Some("invalid arguments".into()) },
        Endpoint::SendMessage,
        1,
    );
    let error = delivery.reply("hello").await.unwrap_err();
    assert_eq!(error.code(), "bad-target");
    assert_eq!(lab.simulator.requests_to(Endpoint::SendMessage).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn note_11_a_retry_keeps_its_client_id_and_shows_once() {
    let lab = Lab::new();
    lab.simulator.set_switches(|switches| switches.show_repeated_client_ids = true);
    let (_channel, _deliveries, delivery) = greeted(&lab, unpaced()).await;
    lab.simulator.fault(Fault::status(503), Endpoint::SendMessage, 1);
    delivery.reply("once").await.unwrap();
    let ids: Vec<String> = lab
        .simulator
        .requests_to(Endpoint::SendMessage)
        .iter()
        .map(|request| request.json()["msg"]["client_id"].to_string())
        .collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test(start_paused = true)]
async fn note_11_the_same_send_within_seconds_is_made_once() {
    let lab = Lab::new();
    let (channel, mut deliveries, delivery) = greeted(&lab, unpaced()).await;
    let reply = || Reply::text("pong").run(RUNS[0]);
    let first = delivery.reply(reply()).await.unwrap();
    assert_eq!(delivery.reply(reply()).await.unwrap(), first, "the host tried again");
    delivery.reply(Reply::text("pong").run(RUNS[1])).await.unwrap();
    delivery.ack().await.unwrap();
    lab.phone().send_text("ping");
    next(&mut deliveries).await.reply(reply()).await.unwrap();
    sleep(Duration::from_secs(6)).await;
    channel.conversation(&lab.account, USER).send(reply()).await.unwrap();
    assert_eq!(shown(&lab), ["pong"; 4], "another run, another message, another time");
}

#[tokio::test(start_paused = true)]
async fn note_11_equal_parts_of_one_reply_and_equal_sends_that_waited_are_no_repetitions() {
    let lab = Lab::new();
    let mut policy = unpaced();
    (policy.per_inbound, policy.outbox) = (3, Some(OutboxPolicy::default()));
    let (_channel, _deliveries, delivery) = greeted(&lab, policy).await;
    delivery.reply(Reply::text("ha").and_text("ha").and_text("ha")).await.unwrap();
    assert_eq!(shown(&lab), ["ha", "ha", "ha"]);
    for _ in 0..2 {
        assert_eq!(delivery.reply("still there?").await.unwrap().queued, 1);
        sleep(Duration::from_secs(3600)).await;
    }
    lab.phone().send_text("yes");
    sleep(Duration::from_secs(1)).await;
    assert_eq!(shown(&lab)[3..], ["still there?", "still there?"]);
}

#[tokio::test(start_paused = true)]
async fn note_12_every_message_says_all_that_the_phone_needs() {
    let lab = Lab::new();
    let (_channel, _deliveries, delivery) = greeted(&lab, unpaced()).await;
    delivery.reply("one").await.unwrap();
    delivery.conversation().turn(RUNS[0]).tool_started("search", "call").await;
    for request in lab.simulator.requests_to(Endpoint::SendMessage) {
        let json = request.json();
        assert_eq!(json["msg"]["from_user_id"], "");
        assert!(json["msg"]["client_id"].as_str().is_some_and(|id| !id.is_empty()));
        assert!(json["base_info"]["channel_version"].is_string());
    }
    let last = lab.simulator.requests_to(Endpoint::SendMessage).pop().unwrap().json();
    let kind = last["msg"]["item_list"][0]["type"].as_i64();
    assert_eq!(kind, Some(11));
    lab.simulator.assert_conformant();
}

#[tokio::test(start_paused = true)]
async fn accounts_are_taken_over_from_the_official_plugin_and_back_again() {
    let lab = Lab::new();
    let (channel, deliveries, delivery) = greeted(&lab, unpaced()).await;
    delivery.ack().await.unwrap();
    channel.stop_all().await;
    drop((channel, deliveries));
    let accounts = lab.folder.path().join("openclaw-weixin/accounts");
    let (sync, tokens) = (
        accounts.join(format!("{}.sync.json", lab.account)),
        accounts.join(format!("{}.context-tokens.json", lab.account)),
    );
    // The official plugin runs for a while, and a user writes to it who is new to us.
    let foreign = r#"{"get_updates_buf":"of-the-official-plugin"}"#;
    std::fs::write(&sync, foreign).unwrap();
    std::fs::write(&tokens, r#"{"o9cq8New00004@im.wechat":"token-of-the-official-plugin"}"#).unwrap();
    let later = std::time::SystemTime::now() + Duration::from_secs(60);
    std::fs::File::options().append(true).open(&sync).unwrap().set_modified(later).unwrap();

    let (channel, _deliveries) = lab.builder().build().await.unwrap();
    channel.start(&lab.account, AccountConfig::default()).await.unwrap();
    let known = channel.conversation(&lab.account, "o9cq8new00004@im.wechat").user_id().await.unwrap();
    assert_eq!(known.unwrap().as_str(), "o9cq8New00004@im.wechat");
    assert!(
        channel.conversation(&lab.account, USER).user_id().await.unwrap().is_some(),
        "and nobody is forgotten"
    );
    // The simulator has never given out that cursor, and says so.
    until(&channel, &lab.account, AccountState::Backoff).await;
    let polls = lab.simulator.requests_to(Endpoint::GetUpdates);
    assert_eq!(polls.last().unwrap().json()["get_updates_buf"], "of-the-official-plugin");
}
