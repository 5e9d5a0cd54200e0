//! A journal that fails for a while: nothing is lost, and no poll acknowledges what is not written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use ilink_fixtures::Endpoint;
use tokio::time::{sleep, timeout};
use weixin_channel::backend::{Settlement, StoreError, StoreErrorKind};
use weixin_channel::{
    AccountConfig, AccountState, Channel, Deliveries, Error, OutboxPolicy, Reply, SendPolicy,
};

use crate::hooked::{Hook, Hooked};
use crate::{Lab, next, until};

/// A state folder that fails a number of calls of some methods, then works.
#[derive(Clone, Default)]
struct Failing {
    /// Of messages that come in, or fail.
    failures: Arc<AtomicU32>,
    /// Of messages that are done.
    done: Arc<AtomicU32>,
    /// Of the beginning.
    beginning: Arc<AtomicU32>,
    /// Of the outbox.
    outbox: Arc<AtomicU32>,
    /// What is settled never comes to an end.
    stuck: Arc<AtomicBool>,
}

fn fail(failures: &AtomicU32) -> Result<(), Error> {
    let left = failures.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
    let full = || StoreError::new(StoreErrorKind::Transient, "the disk is full: make room").into();
    left.map_or(Ok(()), |_| Err(full()))
}

impl Failing {
    async fn before(self, method: &'static str, settled: Vec<Settlement>) -> Result<(), Error> {
        if method == "settle" && self.stuck.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        for what in settled {
            match what {
                Settlement::Acked(_) => fail(&self.done)?,
                Settlement::Nacked { .. } => fail(&self.failures)?,
                Settlement::Dispatched { .. } | Settlement::Returned { .. } => {}
            }
        }
        match method {
            "ingest" => fail(&self.failures),
            "pending" => fail(&self.beginning),
            "enqueue" => fail(&self.outbox),
            _ => Ok(()),
        }
    }

    /// The folder of a lab, behind it.
    async fn over(&self, lab: &Lab) -> Hooked {
        let failing = self.clone();
        let hook: Hook = Arc::new(move |method, settled| Box::pin(failing.clone().before(method, settled)));
        Hooked { below: lab.backend().await, hook, dead: Arc::default() }
    }
}

fn failing(times: u32) -> Failing {
    Failing { failures: Arc::new(times.into()), ..Failing::default() }
}

/// A channel that keeps everything there, whose account runs.
async fn start(lab: &Lab, store: &Failing) -> (Channel, Deliveries) {
    let (channel, deliveries) = lab.builder().backend(store.over(lab).await).build().await.unwrap();
    channel.start(&lab.account, AccountConfig::default()).await.unwrap();
    (channel, deliveries)
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_cannot_be_written_waits_and_is_not_acknowledged() {
    let lab = Lab::new();
    let store = failing(3);
    let (channel, mut deliveries) = lab.builder().backend(store.over(&lab).await).build().await.unwrap();
    lab.phone().send_text("do not lose me");
    channel.start(&lab.account, AccountConfig::default()).await.unwrap();
    let delivery = next(&mut deliveries).await;
    assert_eq!(delivery.inbound.text, "do not lose me");
    let polls = lab.simulator.requests_to(Endpoint::GetUpdates);
    let with_old_cursor = polls.iter().filter(|poll| poll.json()["get_updates_buf"] == "").count();
    assert_eq!(with_old_cursor, 1, "the batch was kept, not polled for again");
    assert!(polls.len() <= 2, "no poll acknowledged the batch before it was written");
    let status = channel.status(&lab.account);
    assert_eq!((status.state, status.last_error), (AccountState::Online, None), "and it is over");
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
    assert!(
        channel.backend().counts(&lab.account).await.unwrap().pending == 0,
        "a restart does not bring it again"
    );
    // A stop makes up for it too.
    lab.phone().send_text("and once more");
    let delivery = next(&mut deliveries).await;
    store.done.store(1, Ordering::Relaxed);
    delivery.ack().await.unwrap_err();
    tokio::task::yield_now().await;
    channel.stop(&lab.account).await;
    assert!(channel.backend().counts(&lab.account).await.unwrap().pending == 0);
}

#[tokio::test(start_paused = true)]
async fn an_account_whose_journal_cannot_be_read_begins_later() {
    let lab = Lab::new();
    let store = failing(0);
    store.beginning.store(2, Ordering::Relaxed);
    let (channel, mut deliveries) = start(&lab, &store).await;
    until(&channel, &lab.account, AccountState::Backoff).await;
    lab.phone().send_text("hello");
    assert_eq!(next(&mut deliveries).await.inbound.text, "hello");
}

#[tokio::test(start_paused = true)]
async fn an_outbox_that_cannot_be_written_does_not_hide_what_was_sent() {
    let lab = Lab::new();
    let store = failing(0);
    let mut policy = SendPolicy::default();
    (policy.per_inbound, policy.outbox) = (1, Some(OutboxPolicy::default()));
    let (channel, mut deliveries) =
        lab.builder().backend(store.over(&lab).await).sends(policy).build().await.unwrap();
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
    delivery.nack("the agent is down");
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
    assert_eq!(channel.status(&lab.account).state, AccountState::Stopped);
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
