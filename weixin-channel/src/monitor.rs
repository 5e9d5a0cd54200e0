//! The monitor of one account: polls, journals, gives out, and never waits for a handler.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ilink_client::{Bot, LinkState as PollState, UpdateBatch, Updates, UpdatesEvent};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::account::AccountId;
use crate::channel::{Channel, WeakChannel};
use crate::delivery::{Delivery, Settler};
use crate::error::Error;
use crate::inbound::{Inbound, journal_entry};
use crate::open::{OpenDeliveries, Settled};
use crate::queue::Queues;
use crate::state::{AccountLock, StateDir};
use crate::status::{LinkState, StatusCell};
use crate::store::{Entry, NewEntry, Store};

/// With so many messages not done, polling pauses: back-pressure instead of growth (invariant 2).
const MAX_OPEN: usize = 1_000;

/// So many handlers of one account at once.
const MAX_IN_FLIGHT: usize = 64;

/// A message that failed so often becomes a dead letter.
const MAX_ATTEMPTS: u32 = 5;

/// The first pause before a failed message is tried again; doubled each time.
const RETRY_DELAY: Duration = Duration::from_secs(2);

/// How long `notifystop` may take: stopping as a whole is bounded by a second (invariant 10).
const STOP_NOTICE: Duration = Duration::from_millis(500);

pub(crate) struct Monitor {
    pub(crate) account: AccountId,
    pub(crate) bot: Bot,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) state: StateDir,
    pub(crate) status: StatusCell,
    pub(crate) channel: WeakChannel,
    pub(crate) deliveries: mpsc::Sender<Delivery>,
    pub(crate) open: Arc<OpenDeliveries>,
    pub(crate) stop: watch::Receiver<bool>,
    /// Held for as long as the account runs here.
    pub(crate) lock: AccountLock,
}

/// A batch that could not be written yet, and when it is tried again.
struct Unstored {
    batch: UpdateBatch,
    at: Instant,
}

impl Monitor {
    /// Runs until it is told to stop.
    pub(crate) async fn run(mut self) {
        self.status.update(|status| status.state = LinkState::Starting);
        if let Err(error) = self.work().await {
            tracing::error!(account = %self.account, %error, "the monitor cannot run");
            self.status.update(|status| status.last_error = Some(error.to_string()));
        }
        // The server need not know; a stop is not held up for it.
        let _ = timeout(STOP_NOTICE, self.bot.notify_stop().into_future()).await;
        self.status.update(|status| status.state = LinkState::Stopped);
        drop(self.lock);
    }

    async fn work(&mut self) -> Result<(), Error> {
        let cursor = self.store.cursor(&self.account).await?.unwrap_or_default();
        let mut queues = Queues::default();
        // Before the journal is read: what is settled meanwhile is then heard of, or found done.
        let (monitor, mut settled) = mpsc::unbounded_channel();
        let open = self.open.attach(monitor);
        for entry in &open {
            queues.push_in_flight(entry);
        }
        for entry in self.store.pending(&self.account).await? {
            if open.iter().all(|open| open.id != entry.id) {
                queues.push(entry);
            }
        }
        self.status.update(|status| status.pending = queues.open());
        let mut updates = self.bot.updates(cursor);
        let mut unstored: Option<Unstored> = None;
        let notice = self.notify_start();
        tokio::pin!(notice);
        let mut noticed = false;
        let mut stop = self.stop.clone();
        let deliveries = self.deliveries.clone();
        loop {
            let far = Instant::now() + Duration::from_secs(3600);
            let retry_at = queues.next_retry().unwrap_or(far);
            let store_at = unstored.as_ref().map_or(far, |unstored| unstored.at);
            let may_poll = unstored.is_none() && queues.open() < MAX_OPEN;
            let may_give = queues.has_ready() && queues.in_flight() < MAX_IN_FLIGHT;
            tokio::select! {
                () = told(&mut stop) => return Ok(()),
                () = &mut notice, if !noticed => noticed = true,
                Some(what) = settled.recv() => self.on_settled(&mut queues, what).await,
                Ok(permit) = deliveries.reserve(), if may_give => {
                    // The channel is gone: so is everybody who could handle a message.
                    let Some(channel) = self.channel.upgrade() else { return Ok(()) };
                    if let Some(entry) = queues.pop() {
                        match Inbound::from_json(&entry.raw) {
                            Some(inbound) => permit.send(self.delivery(channel, entry, inbound)),
                            None => {
                                // It stays in the journal if that cannot be written; here it is out of the way.
                                self.note_failure(&entry, "it cannot be read", true).await;
                                queues.settle(&entry.peer);
                            }
                        }
                    }
                }
                () = sleep_until(retry_at) => queues.wake(Instant::now()),
                () = sleep_until(store_at) => {
                    if let Some(Unstored { batch, .. }) = unstored.take() {
                        unstored = self.ingest(batch, &mut queues).await;
                    }
                }
                event = next(&mut updates), if may_poll => match event {
                    UpdatesEvent::Batch(batch) => unstored = self.ingest(batch, &mut queues).await,
                    UpdatesEvent::State(state) => self.on_state(state),
                    _ => {}
                }
            }
            self.status.update(|status| status.pending = queues.open());
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
    async fn ingest(&self, batch: UpdateBatch, queues: &mut Queues) -> Option<Unstored> {
        let now = SystemTime::now();
        self.status.update(|status| {
            status.last_poll = Some(now);
            if !batch.messages.is_empty() {
                status.last_inbound = Some(now);
            }
        });
        let bot_id = &self.bot.credentials().bot_id;
        let entries: Vec<NewEntry> =
            batch.messages.iter().filter_map(|update| journal_entry(update, bot_id)).collect();
        match self.store.ingest(&self.account, &batch.cursor, &entries).await {
            Ok(fresh) => {
                for entry in fresh {
                    queues.push(entry);
                }
                self.copy_to_state_dir(&batch, &entries).await;
                None
            }
            Err(error) => {
                tracing::error!(account = %self.account, %error, "a batch waits to be journalled");
                self.status.update(|status| {
                    status.state = LinkState::Backoff;
                    status.last_error = Some(error.to_string());
                });
                Some(Unstored { batch, at: Instant::now() + RETRY_DELAY })
            }
        }
    }

    /// The official plugin's files follow the journal; they are copies, so a failure costs nothing but them.
    async fn copy_to_state_dir(&self, batch: &UpdateBatch, entries: &[NewEntry]) {
        if !batch.cursor.is_empty()
            && let Err(error) = self.state.write_cursor(&self.account, &batch.cursor)
        {
            tracing::warn!(account = %self.account, %error, "the cursor file is out of date");
        }
        if entries.iter().any(|entry| entry.context_token.is_some()) {
            let copied = match self.store.context_tokens(&self.account).await {
                Ok(tokens) => {
                    let text = tokens
                        .into_iter()
                        .map(|(user, token)| (user.as_str().to_owned(), token.as_str().to_owned()));
                    self.state.write_context_tokens(&self.account, &text.collect::<Vec<_>>())
                }
                Err(error) => Err(error),
            };
            if let Err(error) = copied {
                tracing::warn!(account = %self.account, %error, "the context-token file is out of date");
            }
        }
    }

    fn delivery(&self, channel: Channel, entry: Entry, inbound: Inbound) -> Delivery {
        let (account, id) = (self.account.clone(), entry.id);
        self.open.add(entry);
        let settler = Settler { store: self.store.clone(), open: self.open.clone() };
        Delivery { account, id, inbound, channel, settler: Some(settler) }
    }

    async fn on_settled(&self, queues: &mut Queues, what: Settled) {
        let (mut entry, reason) = match what {
            Settled::Done(entry) => return queues.settle(&entry.peer),
            Settled::Failed(entry, reason) => (entry, reason),
        };
        entry.attempts += 1;
        let dead = entry.attempts >= MAX_ATTEMPTS;
        tracing::warn!(account = %self.account, id = entry.id, attempts = entry.attempts, dead, reason, "a message was not handled");
        let noted = self.note_failure(&entry, &reason, dead).await;
        if dead && noted {
            queues.settle(&entry.peer);
        } else {
            let delay = RETRY_DELAY * (1 << (entry.attempts - 1).min(MAX_ATTEMPTS));
            queues.retry(entry, Instant::now() + delay);
        }
    }

    /// Writes a failure into the journal. A journal that cannot be written ends nothing: the message stays open and is
    /// tried again, and what the journal does not know it gives out again after a restart.
    async fn note_failure(&self, entry: &Entry, reason: &str, dead: bool) -> bool {
        let result = self.store.failed(&self.account, entry.id, reason, dead).await;
        if let Err(error) = &result {
            tracing::error!(account = %self.account, id = entry.id, %error, "a failure could not be journalled");
            self.status.update(|status| status.last_error = Some(error.to_string()));
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

/// Resolves when the account is told to stop, or nobody is left who could tell it.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Named, so that the borrow is clear: an event that is not awaited to its end stays in the stream.
async fn next(updates: &mut Updates) -> UpdatesEvent {
    updates.next().await
}
