//! What counts as an attempt to handle a message: one that fails, and one that ends the process; not one that a stop ends.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::timeout;
use weixin_channel::backend::{Journal as _, Leases as _, Settlement, StoreError, StoreErrorKind};
use weixin_channel::ilink_client::UserId;
use weixin_channel::{AccountState, Channel, InboundPolicy};

use crate::hooked::{Hook, Hooked};
use crate::{Lab, PATIENCE, USER, config, next, quiet, until};

fn policy() -> InboundPolicy {
    let mut policy = InboundPolicy::default();
    policy.max_attempts = 3;
    policy
}

/// What a process leaves that is killed: leases end, and nothing is written. The backend is opened anew.
async fn killed(lab: &Lab, texts: &[&str]) -> Vec<String> {
    let (mut handled, mut in_hands) = (Vec::new(), None);
    // Whose writes all fail from then on leaves what a killed process does. Its lease ends with it.
    let dead = Arc::new(AtomicBool::new(false));
    let refuse = dead.clone();
    let hook: Hook = Arc::new(move |call, _| {
        let is_dead = call != "release" && refuse.load(Ordering::Relaxed);
        let ended = || StoreError::new(StoreErrorKind::Transient, "the process was killed").into();
        Box::pin(async move { if is_dead { Err(ended()) } else { Ok(()) } })
    });
    let backend = Hooked { below: lab.backend().await, hook, dead: dead.clone() };
    let builder = lab.builder().inbound(policy()).backend(backend.clone());
    let (channel, mut deliveries) = builder.build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    for text in texts {
        lab.phone().send_text(text);
    }
    while let Ok(delivery) = timeout(Duration::from_secs(1), deliveries.next()).await {
        let delivery = delivery.unwrap();
        handled.push(delivery.inbound.text.clone());
        if delivery.inbound.text.starts_with("killer") {
            in_hands = Some(delivery);
            break;
        }
        delivery.ack().await.unwrap();
    }
    dead.store(true, Ordering::Relaxed);
    channel.stop_all().await;
    drop(in_hands);
    handled
}

#[tokio::test(start_paused = true)]
async fn a_message_that_kills_the_process_becomes_a_dead_letter() {
    let lab = Lab::new();
    assert_eq!(killed(&lab, &["killer", "and then?"]).await, ["killer"]);
    assert_eq!(killed(&lab, &[]).await, ["killer"]);
    assert_eq!(killed(&lab, &[]).await, ["killer"], "the third and last time");
    assert_eq!(killed(&lab, &[]).await, ["and then?"], "the same user's next one comes");
    let backend = lab.backend().await;
    let dead = backend.dead_letters(&lab.account, 0, 9).await.unwrap();
    insta::assert_snapshot!(&dead[0].reason, @"the program ended 3 times while this message was being handled");
    assert!(backend.pending(&lab.account, 0, 9).await.unwrap().is_empty());
}

/// Others that were with handlers when the process died wait until the suspect before them is cleared, or is dead.
#[tokio::test(start_paused = true)]
async fn who_stood_beside_it_is_not_blamed() {
    let lab = Lab::new();
    let ids = {
        let backend = lab.backend().await;
        let lease = backend.acquire(&lab.account, "test").await.unwrap();
        let entries: Vec<_> =
            ["killer", "one", "two"].into_iter().enumerate().map(|(n, text)| message(n, text)).collect();
        let fresh = backend.ingest(&lease, &"c".into(), &entries, lab.now()).await.unwrap();
        // Two processes have died with all three in their hands.
        let begun: Vec<_> =
            fresh.iter().map(|entry| Settlement::Dispatched { id: entry.id, attempt: 2 }).collect();
        backend.settle(&lease, &begun).await.unwrap();
        backend.release(&lease).await.unwrap();
        fresh.into_iter().map(|entry| entry.id).collect::<Vec<_>>()
    };
    assert_eq!(killed(&lab, &[]).await, ["killer"], "alone");
    let attempts = async || {
        let pending = lab.backend().await.pending(&lab.account, 0, 9).await.unwrap();
        pending.into_iter().map(|entry| (entry.id, entry.attempts)).collect::<Vec<_>>()
    };
    assert_eq!(attempts().await, [(ids[0], 3), (ids[1], 2), (ids[2], 2)]);
    assert_eq!(killed(&lab, &[]).await, ["one", "two"]);
}

fn message(n: usize, text: &str) -> weixin_channel::backend::NewEntry {
    let user = format!("o9cq8User{n:04}@im.wechat");
    let raw = serde_json::json!({ "message_id": n + 1, "from_user_id": user, "message_type": 1,
        "item_list": [{ "type": 1, "text_item": { "text": text } }] });
    weixin_channel::backend::NewEntry::new(n.to_string(), UserId::from(user), raw.to_string())
}

/// Ctrl-C, again and again, as the documentation of `run` has it: a runtime with threads, dropped with everything on it.
#[test]
fn a_program_that_is_stopped_while_it_handles_a_message_has_not_failed() {
    let lab = Builder::new_current_thread().build().unwrap().block_on(async { Lab::new() });
    lab.phone().send_text("long");
    for _ in 0..6 {
        let (begins, handling) = tokio::sync::oneshot::channel();
        let begins = Arc::new(Mutex::new(Some(begins)));
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let (channel, deliveries) = lab.real_time().inbound(policy()).build().await.unwrap();
            channel.start(&lab.account, config()).await.unwrap();
            let handler = deliveries.handle(move |_, _| {
                let begins = begins.clone();
                async move {
                    begins.lock().unwrap().take().map(|begins| begins.send(()));
                    pending::<Result<(), String>>().await
                }
            });
            tokio::select! {
                () = handler => panic!("the channel is gone"),
                begun = handling => begun.unwrap(),
            }
        });
    }
    let pending = Builder::new_current_thread().build().unwrap().block_on(async {
        let backend = lab.backend().await;
        assert!(backend.dead_letters(&lab.account, 0, 9).await.unwrap().is_empty());
        backend.pending(&lab.account, 0, 9).await.unwrap()
    });
    assert_eq!((pending.len(), pending[0].attempts), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_no_attempt_and_a_panic_is_one() {
    let lab = Lab::new();
    let attempts = async |channel: &Channel| {
        let pending = channel.backend().pending(&lab.account, 0, 9).await.unwrap();
        pending.iter().map(|entry| entry.attempts).collect::<Vec<_>>()
    };
    let (channel, mut deliveries) = lab.builder().inbound(policy()).build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    lab.phone().send_text("hi");
    let delivery = next(&mut deliveries).await;
    assert_eq!(attempts(&channel).await, [1], "it counts before the handler has it");
    channel.stop(&lab.account).await;
    assert_eq!(attempts(&channel).await, [0]);
    channel.start(&lab.account, config()).await.unwrap();
    until(&channel, &lab.account, AccountState::Online).await;
    assert_eq!(attempts(&channel).await, [1], "the handler has it still");
    delivery.give_back();
    let delivery = next(&mut deliveries).await;
    assert_eq!(attempts(&channel).await, [1], "given back, it is at its first attempt again");
    tokio::spawn(async move {
        let _held = delivery;
        panic!("a bug of the handler");
    })
    .await
    .unwrap_err();
    next(&mut deliveries).await.nack("why not");
    next(&mut deliveries).await.nack("not today");
    assert!(quiet(&mut deliveries).await);
    assert_eq!(channel.dead_letters(&lab.account).await.unwrap()[0].reason, "not today", "three have failed");
}

/// One user's flood and a handler that never ends: everybody else's messages come, the owner's control word too, and
/// polling goes on; then what waited comes, in order.
#[tokio::test(start_paused = true)]
async fn one_peer_starves_nobody() {
    const FLOOD: usize = 1_200;
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    let bot = lab.simulator.bots().remove(0).bot_id;
    let flooder = lab.simulator.phone("o9cq8Flooder001@im.wechat").writing_to(&bot);
    for n in 0..FLOOD {
        flooder.send_text(&format!("flood {n}"));
    }
    let mut first = Some(next(&mut deliveries).await);
    until(&channel, &lab.account, AccountState::Online).await;
    assert!(quiet(&mut deliveries).await, "their handler is busy");
    lab.phone().send_text("/stop");
    let stop = next(&mut deliveries).await;
    assert!(stop.control);
    stop.ack().await.unwrap();
    lab.phone().send_text("hello");
    let hello = next(&mut deliveries).await;
    assert_eq!(hello.inbound.from.as_str(), USER);
    hello.ack().await.unwrap();
    assert!(quiet(&mut deliveries).await);
    assert_eq!(channel.status(&lab.account).pending, FLOOD);
    for n in 0..FLOOD {
        let delivery = match first.take() {
            Some(delivery) => delivery,
            None => next(&mut deliveries).await,
        };
        assert_eq!(delivery.inbound.text, format!("flood {n}"));
        delivery.ack().await.unwrap();
    }
    assert!(quiet(&mut deliveries).await);
    assert_eq!(channel.status(&lab.account).pending, 0);
}

/// A bug of ours in the middle of a poller's work.
#[tokio::test(start_paused = true)]
async fn a_poller_that_panics_begins_again_and_says_so() {
    let lab = Lab::new();
    let bugs = Arc::new(AtomicUsize::new(1));
    let hook: Hook = Arc::new(move |call, _| {
        let is_bug = call == "ingest"
            && bugs.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        Box::pin(async move {
            assert!(!is_bug, "a bug");
            Ok(())
        })
    });
    let backend = Hooked { below: lab.backend().await, hook, dead: Arc::default() };
    let (channel, mut deliveries) = lab.builder().backend(backend).build().await.unwrap();
    let mut events = channel.status_events();
    channel.start(&lab.account, config()).await.unwrap();
    lab.phone().send_text("hi");
    let error = timeout(PATIENCE, async {
        loop {
            if let Some(error) = events.recv().await.unwrap().last_error {
                return error;
            }
        }
    });
    insta::assert_snapshot!(error.await.unwrap(), @"a bug ended what receives the messages of this account, and it begins again: please report it with the log of this program");
    assert_eq!(next(&mut deliveries).await.inbound.text, "hi", "nothing is lost");
    until(&channel, &lab.account, AccountState::Online).await;
}
