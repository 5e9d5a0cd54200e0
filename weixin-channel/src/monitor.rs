//! The monitor of one account: polls, journals, gives out, and never waits for a handler.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ilink_client::{Bot, LinkState as PollState, UpdateBatch, Updates, UpdatesEvent, UserId};
use tokio::sync::{mpsc, watch};
use tokio::task::{self, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use crate::account::AccountId;
use crate::copies::Copies;
use crate::error::Error;
use crate::inbound::{InboundPolicy, journal_entry};
use crate::intake::{Intake, Passage};
use crate::open::Settled;
use crate::queue::Queues;
use crate::state::{AccountLock, StateDir};
use crate::status::{LinkState, StatusCell};
use crate::store::{Entry, NewEntry, Store};

/// How long `notifystop` may take: stopping as a whole is bounded by a second (invariant 10).
const STOP_NOTICE: Duration = Duration::from_millis(500);

/// How often the journal is pruned.
const PRUNE: Duration = Duration::from_secs(60 * 60);

/// A message from the future by this much says that our clock is slow, and not only a little off.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(120);

pub(crate) struct Monitor {
    pub(crate) account: AccountId,
    pub(crate) bot: Bot,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) state: StateDir,
    pub(crate) status: StatusCell,
    pub(crate) policy: InboundPolicy,
    pub(crate) intake: Intake,
    pub(crate) requeued: mpsc::UnboundedReceiver<Entry>,
    pub(crate) stop: watch::Receiver<bool>,
    /// Held for as long as the account runs here.
    pub(crate) lock: AccountLock,
}

/// A batch that could not be written yet, and when it is tried again.
struct Unstored {
    batch: UpdateBatch,
    at: Instant,
}

/// What the loop of a monitor goes through.
#[derive(Default)]
struct Work {
    queues: Queues,
    /// Messages on their way to a handler.
    passages: JoinSet<Passage>,
    /// The same, for one that panics on its way.
    on_their_way: HashMap<task::Id, Entry>,
    unstored: Option<Unstored>,
    copies: Copies,
    /// Counts what has come, for messages that say nothing of themselves.
    arrivals: u64,
}

impl Monitor {
    /// Runs until it is told to stop.
    pub(crate) async fn run(mut self) {
        self.status.update(|status| status.state = LinkState::Starting);
        let mut work = Work::default();
        if let Err(error) = self.work(&mut work).await {
            tracing::error!(account = %self.account, %error, "the monitor cannot run");
            self.status.update(|status| status.last_error = Some(error.to_string()));
        }
        work.passages.abort_all();
        work.copies.write(&self.state, &self.account, &*self.store).await;
        // The server need not know; a stop is not held up for it.
        let _ = timeout(STOP_NOTICE, self.bot.notify_stop().into_future()).await;
        self.status.update(|status| status.state = LinkState::Stopped);
        drop(self.lock);
    }

    async fn work(&mut self, work: &mut Work) -> Result<(), Error> {
        let cursor = self.store.cursor(&self.account).await?.map(|(cursor, _)| cursor).unwrap_or_default();
        // Before the journal is read: what is settled meanwhile is then heard of, or found done.
        let (monitor, mut settled) = mpsc::unbounded_channel();
        let open = self.intake.open.attach(monitor);
        for (entry, control) in &open {
            work.queues.push_in_flight(entry, *control);
        }
        for entry in self.store.pending(&self.account).await? {
            if open.iter().all(|(open, _)| open.id != entry.id) {
                self.push(&mut work.queues, entry);
            }
        }
        self.show_counts(work).await;
        let mut updates = self.bot.updates(cursor);
        let notice = self.notify_start();
        tokio::pin!(notice);
        let mut noticed = false;
        let mut prune_at = Instant::now();
        let mut stop = self.stop.clone();
        loop {
            while let Some((entry, control)) = work.queues.pop(self.policy.max_in_flight) {
                let passage = self.intake.clone().pass(entry.clone(), control);
                work.on_their_way.insert(work.passages.spawn(passage).id(), entry);
            }
            let far = Instant::now() + Duration::from_secs(3600);
            let retry_at = work.queues.next_retry().unwrap_or(far);
            let store_at = work.unstored.as_ref().map_or(far, |unstored| unstored.at);
            let copy_at = work.copies.due().unwrap_or(far);
            let may_poll = work.unstored.is_none() && work.queues.open() < self.policy.max_open;
            tokio::select! {
                () = told(&mut stop) => return Ok(()),
                () = &mut notice, if !noticed => noticed = true,
                Some(what) = settled.recv() => self.on_settled(&mut work.queues, what).await,
                Some(entry) = self.requeued.recv() => self.push(&mut work.queues, entry),
                Some(ended) = work.passages.join_next_with_id() => {
                    // The channel is gone: so is everybody who could handle a message.
                    if !self.on_passage(work, ended).await {
                        return Ok(());
                    }
                }
                () = sleep_until(retry_at) => work.queues.wake(Instant::now()),
                () = sleep_until(store_at) => {
                    if let Some(Unstored { batch, .. }) = work.unstored.take() {
                        self.ingest(batch, work).await;
                    }
                }
                () = sleep_until(copy_at) => work.copies.write(&self.state, &self.account, &*self.store).await,
                () = sleep_until(prune_at) => {
                    prune_at = Instant::now() + PRUNE;
                    self.prune().await;
                }
                event = next(&mut updates), if may_poll => match event {
                    UpdatesEvent::Batch(batch) => self.ingest(batch, work).await,
                    UpdatesEvent::State(state) => self.on_state(state),
                    _ => {}
                }
            }
            self.status.update(|status| status.pending = work.queues.open());
        }
    }

    fn push(&self, queues: &mut Queues, entry: Entry) {
        if self.policy.is_control(&entry.raw) {
            queues.push_control(entry);
        } else {
            queues.push(entry);
        }
    }

    fn notify_start(&self) -> impl Future<Output = ()> + use<> {
        let (bot, account) = (self.bot.clone(), self.account.clone());
        async move {
            if let Err(error) = bot.notify_start().await {
                tracing::debug!(%account, %error, "notifystart failed; polling goes on");
            }
        }
    }

    /// Messages and cursor into the journal, before anybody sees them (invariant 1). A batch that cannot be written
    /// is kept and tried again; the next poll, which would acknowledge it, waits for that.
    async fn ingest(&self, batch: UpdateBatch, work: &mut Work) {
        let now = self.now();
        let behind = batch.messages.iter().filter_map(|update| written_ahead(update, now)).max();
        self.status.update(|status| {
            status.last_poll = Some(now);
            if !batch.messages.is_empty() {
                status.last_inbound = Some(now);
                status.clock_behind = behind;
            }
        });
        let bot_id = &self.bot.credentials().bot_id;
        let arrivals = &mut work.arrivals;
        let entries: Vec<NewEntry> = batch
            .messages
            .iter()
            .filter_map(|update| {
                *arrivals += 1;
                let arrival = || format!("{}-{arrivals}", humantime::format_rfc3339_nanos(now));
                journal_entry(update, bot_id, arrival)
            })
            .collect();
        match self.store.ingest(&self.account, &batch.cursor, &entries, now).await {
            Ok(fresh) => {
                let users: Vec<UserId> = fresh.iter().map(|entry| entry.peer.clone()).collect();
                for entry in fresh {
                    self.push(&mut work.queues, entry);
                }
                work.copies.note(&batch.cursor, &entries);
                self.flush_outbox(users);
                if entries.iter().any(|entry| entry.dead.is_some()) {
                    self.show_counts(work).await;
                }
            }
            Err(error) => {
                tracing::error!(account = %self.account, %error, "a batch waits to be journalled");
                self.status.update(|status| {
                    status.state = LinkState::Backoff;
                    status.last_error = Some(error.to_string());
                });
                work.unstored = Some(Unstored { batch, at: Instant::now() + self.policy.retry_delay });
            }
        }
    }

    /// Who has written can be written to again.
    fn flush_outbox(&self, users: Vec<UserId>) {
        if users.is_empty() || self.status.get().outbox == 0 {
            return;
        }
        let Some(channel) = self.intake.channel.upgrade() else { return };
        let account = self.account.clone();
        tokio::spawn(async move {
            if let Err(error) = channel.flush_outbox(&account, &users).await {
                tracing::warn!(%account, %error, "sends still wait in the outbox");
            }
        });
    }

    async fn show_counts(&self, work: &Work) {
        let dead = self.store.dead_letters(&self.account).await.map_or(0, |letters| letters.len());
        let outbox = self.store.outbox(&self.account).await.map_or(0, |items| items.len());
        let health = self.store.health(&self.account).await.unwrap_or_default();
        self.status.update(|status| {
            (status.pending, status.dead, status.outbox) = (work.queues.open(), dead, outbox);
            status.suppressed_since = health.suppressed_since;
        });
    }

    async fn prune(&self) {
        let now = self.now();
        match self.store.prune(&self.account, &self.policy.retention, now).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(account = %self.account, rows, "the journal was pruned"),
            Err(error) => tracing::warn!(account = %self.account, %error, "the journal was not pruned"),
        }
        if let Some(channel) = self.intake.channel.upgrade() {
            channel.quotes().prune(now);
        }
    }

    fn now(&self) -> SystemTime {
        self.bot.client().now()
    }

    /// False if nobody is left to give messages to.
    async fn on_passage(&self, work: &mut Work, ended: Result<(task::Id, Passage), JoinError>) -> bool {
        let (id, passage) = match ended {
            Ok(ended) => ended,
            Err(error) => {
                let id = error.id();
                let Some(entry) = work.on_their_way.remove(&id) else { return true };
                tracing::error!(account = %self.account, id = entry.id, %error, "a message could not be prepared");
                (id, Passage::Failed(entry, "it could not be prepared".to_owned()))
            }
        };
        work.on_their_way.remove(&id);
        match passage {
            Passage::Delivered => {}
            Passage::Gone => return false,
            Passage::Dropped(entry) => {
                if let Err(error) = self.store.done(&self.account, entry.id).await {
                    tracing::warn!(account = %self.account, %error, "a dropped message was not journalled as done");
                }
                work.queues.settle(&entry);
            }
            Passage::Unreadable(entry) => {
                // It stays in the journal if that cannot be written; here it is out of the way.
                self.note_failure(&entry, "it cannot be read", true).await;
                work.queues.settle(&entry);
            }
            Passage::Failed(entry, reason) => {
                self.on_settled(&mut work.queues, Settled::Failed(entry, reason)).await;
            }
        }
        true
    }

    async fn on_settled(&self, queues: &mut Queues, what: Settled) {
        let (mut entry, reason) = match what {
            Settled::Done(entry) => return queues.settle(&entry),
            Settled::Failed(entry, reason) => (entry, reason),
        };
        entry.attempts += 1;
        entry.dispatched = true;
        let dead = entry.attempts >= self.policy.max_attempts;
        tracing::warn!(account = %self.account, id = entry.id, attempts = entry.attempts, dead, reason, "a message was not handled");
        let noted = self.note_failure(&entry, &reason, dead).await;
        if dead && noted {
            queues.settle(&entry);
        } else {
            let doublings = (entry.attempts - 1).min(self.policy.max_attempts).min(16);
            queues.retry(entry, Instant::now() + self.policy.retry_delay * (1 << doublings));
        }
    }

    /// Writes a failure into the journal. A journal that cannot be written ends nothing: the message stays open and is
    /// tried again, and what the journal does not know it gives out again after a restart.
    async fn note_failure(&self, entry: &Entry, reason: &str, dead: bool) -> bool {
        let result = self.store.failed(&self.account, entry.id, reason, dead).await;
        if let Err(error) = &result {
            tracing::error!(account = %self.account, id = entry.id, %error, "a failure could not be journalled");
            self.status.update(|status| status.last_error = Some(error.to_string()));
        } else if dead {
            self.status.update(|status| status.dead += 1);
        }
        result.is_ok()
    }

    fn on_state(&self, state: PollState) {
        let (state, error) = match state {
            PollState::Online => (LinkState::Online, None),
            PollState::Backoff { error, .. } => (LinkState::Backoff, Some(error)),
            PollState::Stale { error, .. } => (LinkState::Stale, Some(error)),
            PollState::NeedsLogin { error, .. } => (LinkState::NeedsLogin, Some(error)),
            other => {
                tracing::info!(account = %self.account, ?other, "the link was adapted");
                return;
            }
        };
        self.status.update(|status| {
            status.state = state;
            status.last_error = error.map(|error| error.to_string());
        });
    }
}

/// By how much a message is from the future, if it is by more than clocks differ.
fn written_ahead(update: &ilink_client::Update, now: SystemTime) -> Option<Duration> {
    let ms = update.message()?.create_time_ms.and_then(|ms| u64::try_from(ms).ok())?;
    let written = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ms))?;
    written.duration_since(now).ok().filter(|ahead| *ahead > CLOCK_TOLERANCE)
}

/// Resolves when the account is told to stop, or nobody is left who could tell it.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Named, so that the borrow is clear: an event that is not awaited to its end stays in the stream.
async fn next(updates: &mut Updates) -> UpdatesEvent {
    updates.next().await
}
