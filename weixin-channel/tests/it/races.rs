//! What happens at the same time, or in the wrong moment: starts, stops, logouts, flushes, clocks, and a journal that
//! is taken away.

use std::sync::Arc;
use std::time::Duration;

use ilink_fixtures::{Endpoint, Fault};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use weixin_channel::backend::Settlement;
use weixin_channel::{AccountState, ChannelLoginEvent, InboundPolicy, OutboxPolicy, SendPolicy};

use crate::hooked::{Hook, Hooked};
use crate::{Lab, USER, config, next, quiet, until};

/// Sends that wait for each other by so much.
fn paced(refill: Duration) -> SendPolicy {
    let mut policy = SendPolicy::default();
    (policy.pace.burst, policy.pace.refill) = (1, refill);
    policy
}

#[tokio::test(start_paused = true)]
async fn a_start_waits_for_the_stop_that_is_under_way() {
    let lab = Lab::new();
    let (channel, _deliveries) = lab.start().await;
    until(&channel, &lab.account, AccountState::Online).await;
    lab.simulator.fault(Fault::Hang { limit_ms: None }, Endpoint::NotifyStop, 2);
    let (stopping, id) = (channel.clone(), lab.account.clone());
    let stop = tokio::spawn(async move { stopping.stop(&id).await });
    tokio::task::yield_now().await;
    channel.start(&lab.account, config()).await.expect("not an error that names this very process");
    stop.await.unwrap();
    // A stop that nobody waits for to its end ends all the same.
    assert!(timeout(Duration::ZERO, channel.stop(&lab.account)).await.is_err());
    channel.start(&lab.account, config()).await.unwrap();
    until(&channel, &lab.account, AccountState::Online).await;
}

/// It is asked for by the lease of before, and written when there is a later one.
#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_a_restart_overtakes_is_noted() {
    let lab = Lab::new();
    let slow = Arc::new(Semaphore::new(0));
    let gate = slow.clone();
    let hook: Hook = Arc::new(move |_, what| {
        let waits = what.iter().any(|what| matches!(what, Settlement::Acked(_)));
        let gate = gate.clone();
        Box::pin(async move {
            if waits {
                drop(gate.acquire().await);
            }
            Ok(())
        })
    });
    let backend = Hooked { below: lab.backend().await, hook, dead: Arc::default() };
    let (channel, mut deliveries) = lab.builder().backend(backend).build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    lab.phone().send_text("hi");
    let ack = tokio::spawn(next(&mut deliveries).await.ack());
    sleep(Duration::from_secs(1)).await;
    channel.stop(&lab.account).await;
    channel.start(&lab.account, config()).await.unwrap();
    slow.add_permits(1);
    ack.await.unwrap().expect("nobody else has the account");
    assert!(quiet(&mut deliveries).await);
    assert_eq!(channel.backend().counts(&lab.account).await.unwrap().pending, 0);
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_that_is_put_back_while_its_account_starts_comes_once() {
    let lab = Lab::new();
    let mut policy = InboundPolicy::default();
    policy.max_attempts = 1;
    let (channel, mut deliveries) = lab.builder().inbound(policy).build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    lab.phone().send_text("poison");
    next(&mut deliveries).await.nack("the agent is down");
    assert!(quiet(&mut deliveries).await);
    let letter = channel.dead_letters(&lab.account).await.unwrap()[0].entry.id;
    channel.stop(&lab.account).await;
    channel.start(&lab.account, config()).await.unwrap();
    assert!(channel.requeue(&lab.account, letter).await.unwrap());
    next(&mut deliveries).await.ack().await.unwrap();
    assert!(quiet(&mut deliveries).await, "it was put back once");
    assert_eq!(channel.status(&lab.account).pending, 0);
}

#[tokio::test(start_paused = true)]
async fn two_messages_flush_the_outbox_once() {
    let lab = Lab::new();
    let mut policy = paced(Duration::from_secs(10));
    (policy.per_inbound, policy.outbox) = (3, Some(OutboxPolicy::default()));
    let (channel, mut deliveries) = lab.builder().sends(policy).build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    lab.phone().send_text("hi");
    let delivery = next(&mut deliveries).await;
    for text in ["one", "two", "three", "four"] {
        delivery.reply(text).await.unwrap();
    }
    assert_eq!(channel.outbox(&lab.account).await.unwrap().len(), 1);
    delivery.ack().await.unwrap();
    for text in ["and?", "hello?"] {
        lab.phone().send_text(text);
        sleep(Duration::from_secs(1)).await;
    }
    sleep(Duration::from_secs(60)).await;
    let sends = lab.simulator.requests_to(Endpoint::SendMessage);
    let four = sends.iter().filter(|send| send.json().to_string().contains("four")).count();
    assert_eq!(four, 1, "sent once");
    assert!(channel.outbox(&lab.account).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_good_holds_up_nothing_behind_it() {
    let lab = Lab::new();
    let mut policy = paced(Duration::ZERO);
    (policy.per_inbound, policy.outbox) = (3, Some(OutboxPolicy::default()));
    let (channel, mut deliveries) = lab.builder().sends(policy).build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    lab.phone().send_text("hi");
    let delivery = next(&mut deliveries).await;
    for text in ["one", "two", "three", "bad", "good"] {
        delivery.reply(text).await.unwrap();
    }
    lab.simulator.fault(Fault::ret(-3), Endpoint::SendMessage, 1);
    lab.phone().send_text("and?");
    lab.phone().wait_for_text("good", Duration::from_secs(10)).await.unwrap();
    sleep(Duration::from_secs(1)).await;
    assert!(channel.outbox(&lab.account).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_waits_too_long_is_dropped_though_its_user_never_writes() {
    let lab = Lab::new();
    let mut policy = paced(Duration::ZERO);
    let mut outbox = OutboxPolicy::default();
    outbox.ttl = Duration::from_secs(60);
    (policy.per_inbound, policy.outbox) = (1, Some(outbox));
    let (channel, mut deliveries) = lab.builder().sends(policy).build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    lab.phone().send_text("hi");
    let delivery = next(&mut deliveries).await;
    delivery.reply("one").await.unwrap();
    assert_eq!(delivery.reply("two").await.unwrap().queued, 1);
    delivery.ack().await.unwrap();
    sleep(Duration::from_secs(2 * 3600)).await;
    assert!(channel.outbox(&lab.account).await.unwrap().is_empty());
    assert_eq!(channel.status(&lab.account).outbox, 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_acknowledged_after_the_logout_leaves_nothing_behind() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    lab.phone().send_text("a secret");
    let delivery = next(&mut deliveries).await;
    channel.logout(&lab.account).await.unwrap();
    delivery.ack().await.unwrap();
    let quotes = lab.folder.path().join("openclaw-weixin/ref-messages.sqlite");
    let quotes = rusqlite::Connection::open(quotes).unwrap();
    let rows: i64 = quotes.query_row("SELECT count(*) FROM quote_messages", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 0);
    assert!(!format!("{channel:?}").contains(lab.account.as_str()), "nor is it in memory");
}

#[tokio::test(start_paused = true)]
async fn a_send_that_waits_for_its_pace_does_not_outlive_the_logout() {
    let lab = Lab::new();
    let (channel, mut deliveries) =
        lab.builder().sends(paced(Duration::from_secs(60))).build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    lab.phone().send_text("hi");
    let delivery = next(&mut deliveries).await;
    delivery.reply("one").await.unwrap();
    let waiting = tokio::spawn(async move { delivery.reply("two").await });
    sleep(Duration::from_secs(1)).await;
    channel.logout(&lab.account).await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap_err().code(), "unknown-account");
    assert_eq!(lab.simulator.requests_to(Endpoint::SendMessage).len(), 1);
    let ledger = channel.conversation(&lab.account, USER).ledger().await.unwrap();
    assert_eq!(ledger.sends, 0, "nothing is noted of an account that is gone");
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_journal_that_is_taken_away_acknowledges_nothing() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    until(&channel, &lab.account, AccountState::Online).await;
    for file in ["channel.sqlite", "channel.sqlite-wal", "channel.sqlite-shm"] {
        std::fs::remove_file(lab.folder.path().join("openclaw-weixin").join(file)).unwrap();
    }
    lab.phone().send_text("do not lose me");
    sleep(Duration::from_secs(60)).await;
    let status = channel.status(&lab.account);
    assert_eq!(status.state, AccountState::Backoff);
    assert!(status.last_error.as_ref().unwrap().contains("channel.sqlite"), "{status:?}");
    assert!(quiet(&mut deliveries).await, "what is not written is not given out");
    channel.stop_all().await;
    drop((channel, deliveries));
    let (_channel, mut deliveries) = lab.start().await;
    assert_eq!(next(&mut deliveries).await.inbound.text, "do not lose me");
}

#[tokio::test(start_paused = true)]
async fn who_was_approved_stays_approved_after_a_new_login() {
    let mut lab = Lab::new();
    let (channel, _deliveries) = lab.builder().build().await.unwrap();
    let mine = lab.account.clone();
    let others = lab.add_account("o9cq8Other0002@im.wechat");
    channel.allow_list(&mine).add(&"o9cq8Friend003@im.wechat".into()).await.unwrap();
    channel.allow_list(&others).add(&"o9cq8Theirs004@im.wechat".into()).await.unwrap();
    let (account, retired, _) = lab.log_in_again(&channel).await;
    assert_eq!(retired, std::slice::from_ref(&mine));
    assert_eq!(channel.allow_list(&account).users().await.unwrap(), ["o9cq8Friend003@im.wechat"]);
    assert_eq!(channel.allow_list(&others).users().await.unwrap(), ["o9cq8Theirs004@im.wechat"]);
    assert!(channel.allow_list(&mine).users().await.unwrap().is_empty(), "it went along");
    // And on, from login to login.
    let (account, ..) = lab.log_in_again(&channel).await;
    assert_eq!(channel.allow_list(&account).users().await.unwrap(), ["o9cq8Friend003@im.wechat"]);
}

#[tokio::test(start_paused = true)]
async fn a_login_whose_confirmation_is_not_waited_for_is_told_by_the_next_call() {
    let lab = Lab::new();
    let (channel, _deliveries) = lab.start().await;
    until(&channel, &lab.account, AccountState::Online).await;
    lab.simulator.revoke(lab.account.bot_id().as_str());
    lab.simulator.fault(Fault::Hang { limit_ms: None }, Endpoint::NotifyStop, 1);
    let mut login = channel.login(&config()).await.unwrap();
    let stored = async || channel.accounts().await.unwrap().iter().all(|account| account.id != lab.account);
    while !stored().await {
        if lab.simulator.qrcodes().last().is_some_and(|code| code.pending) {
            let code = lab.simulator.qrcodes().last().unwrap().qrcode.clone();
            lab.phone().scan(&code).unwrap();
            lab.phone().confirm(&code).unwrap();
        }
        // Dropped while the old account is being stopped.
        let _ = timeout(Duration::from_millis(100), login.next()).await;
    }
    let event = login.next().await.unwrap().unwrap();
    assert!(matches!(event, ChannelLoginEvent::LoggedIn { retired, .. } if retired == [lab.account.clone()]));
    assert!(login.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_replaced_account_leaves_in_the_journal_only_what_was_not_handled() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    for text in ["handled", "not handled"] {
        lab.phone().send_text(text);
    }
    next(&mut deliveries).await.ack().await.unwrap();
    let _open = next(&mut deliveries).await;
    let (.., unhandled) = lab.log_in_again(&channel).await;
    assert_eq!(unhandled, 1, "and it is told");
    let rows = |state: &str| -> i64 {
        let journal = lab.folder.path().join("openclaw-weixin/channel.sqlite");
        let journal = rusqlite::Connection::open(journal).unwrap();
        let sql = format!("SELECT count(*) FROM journal WHERE account = ?1 AND {state}");
        journal.query_row(&sql, [lab.account.as_str()], |row| row.get(0)).unwrap()
    };
    assert_eq!((rows("state = 1"), rows("state <> 1")), (0, 1));
}
