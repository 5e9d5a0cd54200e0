//! A journal that fails for a while: nothing is lost, and no poll acknowledges what is not written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use ilink_fixtures::Endpoint;
use tokio::time::{sleep, timeout};
use weixin_channel::ilink_client::{ContextToken, Cursor, UserId};
use weixin_channel::store::{
    Answer, DeadLetter, Entry, Health, Ledger, NewEntry, NewOutboxItem, OutboxItem, Retention, SqliteStore,
    Store,
};
use weixin_channel::{
    AccountConfig, AccountId, Channel, Deliveries, Error, LinkState, OutboxPolicy, Reply, SendPolicy,
};

use crate::{Lab, next, until};

/// Fails so many calls of some methods, then works.
#[derive(Clone, Debug)]
struct Failing {
    below: Arc<SqliteStore>,
    /// Of messages that come in, or fail.
    failures: Arc<AtomicU32>,
    /// Of messages that are done.
    done: Arc<AtomicU32>,
    /// Of the beginning.
    beginning: Arc<AtomicU32>,
    /// Of the outbox.
    outbox: Arc<AtomicU32>,
    /// Acknowledgements, and reading context tokens, never end.
    stuck: Arc<AtomicBool>,
}

fn fail(failures: &AtomicU32) -> Result<(), Error> {
    let left = failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
    left.map_or(Ok(()), |_| Err(Error::Store("database or disk is full".into())))
}

/// Passes a method on to the store below; one with a name of failures fails first, as often as they say.
macro_rules! pass_on {
    ($($name:ident($($arg:ident: $type:ty),*) -> $answer:ty $(, $failures:ident)?;)*) => {$(
        fn $name<'a>(&'a self, $($arg: $type),*) -> Answer<'a, $answer> {
            Box::pin(async move {
                $(fail(&self.$failures)?;)?
                self.below.$name($($arg),*).await
            })
        }
    )*};
}

impl Failing {
    async fn unstuck(&self) {
        if self.stuck.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    }
}

impl Store for Failing {
    pass_on! {
        cursor(account: &'a AccountId) -> Option<(Cursor, SystemTime)>;
        take_over(account: &'a AccountId, cursor: &'a Cursor, tokens: &'a [(UserId, ContextToken)], now: SystemTime) -> ();
        ingest(account: &'a AccountId, cursor: &'a Cursor, entries: &'a [NewEntry], now: SystemTime) -> Vec<Entry>, failures;
        pending(account: &'a AccountId) -> Vec<Entry>, beginning;
        dispatched(account: &'a AccountId, id: i64) -> ();
        failed(account: &'a AccountId, id: i64, reason: &'a str, dead: bool) -> (), failures;
        dead_letters(account: &'a AccountId) -> Vec<DeadLetter>;
        requeue(account: &'a AccountId, id: i64) -> Option<Entry>;
        context_token(account: &'a AccountId, user: &'a str) -> Option<(UserId, ContextToken)>;
        ledger(account: &'a AccountId, user: &'a UserId) -> Ledger;
        note_send(account: &'a AccountId, user: &'a UserId, bytes: u64, now: SystemTime) -> ();
        health(account: &'a AccountId) -> Health;
        set_health(account: &'a AccountId, health: Health) -> ();
        enqueue(account: &'a AccountId, items: &'a [NewOutboxItem], cap: u32) -> bool, outbox;
        outbox(account: &'a AccountId) -> Vec<OutboxItem>;
        dequeue(account: &'a AccountId, id: i64) -> ();
        prune(account: &'a AccountId, retention: &'a Retention, now: SystemTime) -> u64;
        forget(account: &'a AccountId) -> ();
    }

    fn done<'a>(&'a self, account: &'a AccountId, id: i64) -> Answer<'a, ()> {
        Box::pin(async move {
            self.unstuck().await;
            fail(&self.done)?;
            self.below.done(account, id).await
        })
    }

    fn context_tokens<'a>(&'a self, account: &'a AccountId) -> Answer<'a, Vec<(UserId, ContextToken)>> {
        Box::pin(async move {
            self.unstuck().await;
            self.below.context_tokens(account).await
        })
    }
}

fn failing(times: u32) -> Failing {
    Failing {
        below: Arc::new(SqliteStore::in_memory().unwrap()),
        failures: Arc::new(times.into()),
        done: Arc::default(),
        beginning: Arc::default(),
        outbox: Arc::default(),
        stuck: Arc::default(),
    }
}

/// A channel that keeps everything there, whose account runs.
async fn start(lab: &Lab, store: &Failing) -> (Channel, Deliveries) {
    let (channel, deliveries) = lab.builder().store(store.clone()).build().unwrap();
    channel.start(&lab.account, AccountConfig::default()).await.unwrap();
    (channel, deliveries)
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_cannot_be_written_waits_and_is_not_acknowledged() {
    let lab = Lab::new();
    let store = failing(3);
    let (channel, mut deliveries) = lab.builder().store(store).build().unwrap();
    lab.phone().send_text("do not lose me");
    channel.start(&lab.account, AccountConfig::default()).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.inbound.text, "do not lose me");
    let polls = lab.simulator.requests_to(Endpoint::GetUpdates);
    let with_old_cursor = polls.iter().filter(|poll| poll.json()["get_updates_buf"] == "").count();
    assert_eq!(with_old_cursor, 1, "the batch was kept, not polled for again");
    assert!(polls.len() <= 2, "no poll acknowledged the batch before it was written");
    let status = channel.status(&lab.account);
    assert_eq!((status.state, status.last_error), (LinkState::Online, None), "and it is over");
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_cannot_be_written_is_made_up_for() {
    let lab = Lab::new();
    let store = failing(0);
    let (channel, mut deliveries) = start(&lab, &store).await;
    lab.phone().send_text("once");
    let delivery = next(&mut deliveries).await;
    store.done.store(3, Ordering::Relaxed);
    assert_eq!(delivery.ack().await.unwrap_err().code(), "store-failed");
    sleep(Duration::from_secs(60)).await;
    assert!(store.below.pending(&lab.account).await.unwrap().is_empty(), "a restart does not bring it again");
    // A stop makes up for it too.
    lab.phone().send_text("and once more");
    let delivery = next(&mut deliveries).await;
    store.done.store(1, Ordering::Relaxed);
    delivery.ack().await.unwrap_err();
    tokio::task::yield_now().await;
    channel.stop(&lab.account).await;
    assert!(store.below.pending(&lab.account).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_account_whose_journal_cannot_be_read_begins_later() {
    let lab = Lab::new();
    let store = failing(0);
    store.beginning.store(2, Ordering::Relaxed);
    let (channel, mut deliveries) = start(&lab, &store).await;
    until(&channel, &lab.account, LinkState::Backoff).await;
    lab.phone().send_text("hello");
    assert_eq!(next(&mut deliveries).await.inbound.text, "hello");
}

#[tokio::test(start_paused = true)]
async fn an_outbox_that_cannot_be_written_does_not_hide_what_was_sent() {
    let lab = Lab::new();
    let store = failing(0);
    let mut policy = SendPolicy::default();
    (policy.per_inbound, policy.outbox) = (1, Some(OutboxPolicy::default()));
    let (channel, mut deliveries) = lab.builder().store(store.clone()).sends(policy).build().unwrap();
    channel.start(&lab.account, AccountConfig::default()).await.unwrap();
    lab.phone().send_text("hi");
    let delivery = next(&mut deliveries).await;
    store.outbox.store(1, Ordering::Relaxed);
    let error = delivery.reply(Reply::text("one").and_text("two")).await.unwrap_err();
    assert!(matches!(error, Error::Partial { accepted: 1, of: 2, .. }), "{error}");
    assert_eq!(error.code(), "quota-exhausted");
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_cannot_be_written_does_not_end_the_monitor() {
    let lab = Lab::new();
    let store = failing(0);
    let (_channel, mut deliveries) = start(&lab, &store).await;
    lab.phone().send_text("again and again");
    let delivery = next(&mut deliveries).await;
    store.failures.store(1, Ordering::Relaxed);
    delivery.fail("the agent is down");
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.inbound.text, "again and again");
    delivery.ack().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_monitor_that_is_cut_off_is_stopped_and_can_be_started_again() {
    let lab = Lab::new();
    let store = failing(0);
    let (channel, mut deliveries) = start(&lab, &store).await;
    lab.phone().send_text("hi");
    let delivery = next(&mut deliveries).await;
    store.stuck.store(true, Ordering::Relaxed);
    timeout(Duration::from_secs(1), channel.stop(&lab.account)).await.expect("it took more than a second");
    assert_eq!(channel.status(&lab.account).state, LinkState::Stopped);
    store.stuck.store(false, Ordering::Relaxed);
    channel.start(&lab.account, AccountConfig::default()).await.unwrap();
    delivery.ack().await.unwrap();
    lab.phone().send_text("and again");
    assert_eq!(next(&mut deliveries).await.inbound.text, "and again");
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_that_is_given_up_gives_the_message_back() {
    let lab = Lab::new();
    let store = failing(0);
    let (_channel, mut deliveries) = start(&lab, &store).await;
    lab.phone().send_text("hi");
    let delivery = next(&mut deliveries).await;
    store.stuck.store(true, Ordering::Relaxed);
    timeout(Duration::from_secs(1), delivery.ack()).await.unwrap_err();
    store.stuck.store(false, Ordering::Relaxed);
    next(&mut deliveries).await.ack().await.unwrap();
}
