//! A journal that fails for a while: nothing is lost, and no poll acknowledges what is not written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::SystemTime;

use ilink_fixtures::Endpoint;
use weixin_channel::ilink_client::{ContextToken, Cursor, UserId};
use weixin_channel::store::{
    Answer, DeadLetter, Entry, Health, Ledger, NewEntry, NewOutboxItem, OutboxItem, Retention, SqliteStore,
    Store,
};
use weixin_channel::{AccountConfig, AccountId, Error};

use crate::{Lab, next};

/// Fails so many writes, then works.
#[derive(Clone, Debug)]
struct Failing {
    below: Arc<SqliteStore>,
    failures: Arc<AtomicU32>,
}

impl Failing {
    fn fails(&self) -> Result<(), Error> {
        let left =
            self.failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        left.map_or(Ok(()), |_| Err(Error::Store("database or disk is full".into())))
    }
}

/// Passes a method on to the store below; one marked `fails` fails first, as often as it is to.
macro_rules! pass_on {
    ($($name:ident($($arg:ident: $type:ty),*) -> $answer:ty $(, $fails:ident)?;)*) => {$(
        fn $name<'a>(&'a self, $($arg: $type),*) -> Answer<'a, $answer> {
            Box::pin(async move {
                $(self.$fails()?;)?
                self.below.$name($($arg),*).await
            })
        }
    )*};
}

impl Store for Failing {
    pass_on! {
        cursor(account: &'a AccountId) -> Option<(Cursor, SystemTime)>;
        take_over(account: &'a AccountId, cursor: &'a Cursor, tokens: &'a [(UserId, ContextToken)], now: SystemTime) -> ();
        ingest(account: &'a AccountId, cursor: &'a Cursor, entries: &'a [NewEntry], now: SystemTime) -> Vec<Entry>, fails;
        pending(account: &'a AccountId) -> Vec<Entry>;
        dispatched(account: &'a AccountId, id: i64) -> ();
        done(account: &'a AccountId, id: i64) -> ();
        failed(account: &'a AccountId, id: i64, reason: &'a str, dead: bool) -> (), fails;
        dead_letters(account: &'a AccountId) -> Vec<DeadLetter>;
        requeue(account: &'a AccountId, id: i64) -> Option<Entry>;
        context_token(account: &'a AccountId, user: &'a str) -> Option<(UserId, ContextToken)>;
        context_tokens(account: &'a AccountId) -> Vec<(UserId, ContextToken)>;
        ledger(account: &'a AccountId, user: &'a UserId) -> Ledger;
        note_send(account: &'a AccountId, user: &'a UserId, bytes: u64, now: SystemTime) -> ();
        health(account: &'a AccountId) -> Health;
        set_health(account: &'a AccountId, health: Health) -> ();
        enqueue(account: &'a AccountId, items: &'a [NewOutboxItem], cap: u32) -> bool;
        outbox(account: &'a AccountId) -> Vec<OutboxItem>;
        dequeue(account: &'a AccountId, id: i64) -> ();
        prune(account: &'a AccountId, retention: &'a Retention, now: SystemTime) -> u64;
        forget(account: &'a AccountId) -> ();
    }
}

fn failing(times: u32) -> Failing {
    Failing { below: Arc::new(SqliteStore::in_memory().unwrap()), failures: Arc::new(times.into()) }
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
}

#[tokio::test(start_paused = true)]
async fn a_failure_that_cannot_be_written_does_not_end_the_monitor() {
    let lab = Lab::new();
    let store = failing(0);
    let (channel, mut deliveries) = lab.builder().store(store.clone()).build().unwrap();
    channel.start(&lab.account, AccountConfig::default()).await.unwrap();
    lab.phone().send_text("again and again");
    let delivery = next(&mut deliveries).await;
    store.failures.store(1, Ordering::Relaxed);
    delivery.fail("the agent is down");
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.inbound.text, "again and again");
    delivery.ack().await.unwrap();
}
