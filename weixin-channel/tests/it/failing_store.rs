//! A journal that fails for a while: nothing is lost, and no poll acknowledges what is not written.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ilink_fixtures::Endpoint;
use weixin_channel::ilink_client::{BoxFuture, ContextToken, Cursor, UserId};
use weixin_channel::store::{DeadLetter, Entry, NewEntry, SqliteStore, Store};
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

impl Store for Failing {
    fn cursor<'a>(&'a self, account: &'a AccountId) -> BoxFuture<'a, Result<Option<Cursor>, Error>> {
        self.below.cursor(account)
    }
    fn take_over<'a>(
        &'a self,
        account: &'a AccountId,
        cursor: &'a Cursor,
        tokens: &'a [(UserId, ContextToken)],
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.below.take_over(account, cursor, tokens)
    }
    fn ingest<'a>(
        &'a self,
        account: &'a AccountId,
        cursor: &'a Cursor,
        entries: &'a [NewEntry],
    ) -> BoxFuture<'a, Result<Vec<Entry>, Error>> {
        Box::pin(async move {
            self.fails()?;
            self.below.ingest(account, cursor, entries).await
        })
    }
    fn pending<'a>(&'a self, account: &'a AccountId) -> BoxFuture<'a, Result<Vec<Entry>, Error>> {
        self.below.pending(account)
    }
    fn done<'a>(&'a self, account: &'a AccountId, id: i64) -> BoxFuture<'a, Result<(), Error>> {
        self.below.done(account, id)
    }
    fn failed<'a>(
        &'a self,
        account: &'a AccountId,
        id: i64,
        reason: &'a str,
        dead: bool,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.fails()?;
            self.below.failed(account, id, reason, dead).await
        })
    }
    fn dead_letters<'a>(&'a self, account: &'a AccountId) -> BoxFuture<'a, Result<Vec<DeadLetter>, Error>> {
        self.below.dead_letters(account)
    }
    fn context_token<'a>(
        &'a self,
        account: &'a AccountId,
        user: &'a str,
    ) -> BoxFuture<'a, Result<Option<(UserId, ContextToken)>, Error>> {
        self.below.context_token(account, user)
    }
    fn context_tokens<'a>(
        &'a self,
        account: &'a AccountId,
    ) -> BoxFuture<'a, Result<Vec<(UserId, ContextToken)>, Error>> {
        self.below.context_tokens(account)
    }
    fn forget<'a>(&'a self, account: &'a AccountId) -> BoxFuture<'a, Result<(), Error>> {
        self.below.forget(account)
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
