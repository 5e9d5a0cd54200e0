//! The poller of one account: polls, journals, gives out, and never waits for a handler.

mod keeper;
mod load;
mod returning;
mod settle;
mod store;

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt as _;
use ilink_client::{Bot, Cursor, LinkState, Updates, UpdatesEvent, UserId};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{self, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use self::keeper::Keeper;
use self::load::{Loading, loaded};
use self::returning::Returning;
use self::store::{Storing, Unstored, stored};
use crate::account::AccountId;
use crate::account::lease_cell::LeaseCell;
use crate::account::status::{AccountState, StatusCell};
use crate::backend::{Backend, Entry, StoreError, StoreErrorKind};
use crate::error::Error;
use crate::inbound::dispatch::{DispatchOutcome, Dispatcher, Going};
use crate::inbound::policy::{ControlWords, InboundPolicy};
use crate::inbound::queue::Queues;
use crate::outbound::outbox;

/// How long `notifystop` may take, and telling the journal what it was not told before: stopping as a whole is bounded
/// by a second (invariant 10).
const STOP_NOTICE: Duration = Duration::from_millis(500);

/// How long `notifystart` may take. The first poll waits for it, so that it can have the same connection.
const START_NOTICE: Duration = Duration::from_secs(3);

/// How many settled messages one turn of the loop takes in.
const TOGETHER: usize = 256;

/// How often the journal is pruned, and how long after a start first: whoever takes over a thousand accounts has more
/// urgent things to do.
const PRUNE: Duration = Duration::from_secs(60 * 60);
const FIRST_PRUNE: Duration = Duration::from_secs(60);

pub(crate) struct Poller {
    pub(crate) account: AccountId,
    pub(crate) bot: Bot,
    pub(crate) backend: Arc<dyn Backend>,
    /// Held for as long as the account runs here.
    pub(crate) lease: Arc<LeaseCell>,
    pub(crate) status: StatusCell,
    pub(crate) control: ControlWords,
    pub(crate) policy: InboundPolicy,
    pub(crate) dispatcher: Dispatcher,
    /// Limits how many accounts of the channel say `notifystart` at once: without a limit each opens a connection for
    /// it that another account could have used for its poll.
    pub(crate) starts: Arc<Semaphore>,
    pub(crate) requeued: mpsc::UnboundedReceiver<Entry>,
    /// Closed when the account is to stop.
    pub(crate) stop: watch::Receiver<()>,
}

/// Says so at the end of a poller, that of one that panics or is cut off too.
struct Stopped(StatusCell);

impl Drop for Stopped {
    fn drop(&mut self) {
        self.0.update(|status| status.state = AccountState::Stopped);
    }
}

/// What the loop of a poller goes through.
struct Work {
    queues: Queues,
    /// Messages on their way to a handler.
    dispatches: JoinSet<DispatchOutcome>,
    /// The same, for one that panics on its way.
    on_their_way: HashMap<task::Id, Entry>,
    /// Messages about to be on it whose attempt the journal knows since they came.
    noted: HashSet<i64>,
    /// Messages that may have killed the processes before this one.
    suspects: HashSet<i64>,
    /// Messages that are being read because there is room for them now; when that is tried again after it has failed;
    /// and which have been done since it began.
    loading: Option<Loading>,
    load_at: Option<Instant>,
    done_meanwhile: HashSet<i64>,
    /// A batch on its way into the journal.
    storing: Option<Storing>,
    unstored: Option<Unstored>,
    /// The last batch could not be written: the link is not what holds it up.
    store_failed: bool,
    /// Messages that are done, which the journal could not be told, and when that is tried again.
    unwritten_acks: Vec<i64>,
    write_acks_at: Option<Instant>,
    /// What the status says of it meanwhile.
    acks_failed: Option<String>,
    /// What the journal has.
    cursor: Cursor,
    /// Nothing waits at the server any more from before it was asked: what comes now was written now.
    caught_up: bool,
    /// Counts what has come, for messages that say nothing of themselves.
    arrivals: u64,
}

impl Work {
    fn new(policy: &InboundPolicy) -> Self {
        Self {
            queues: Queues::new(policy),
            dispatches: JoinSet::new(),
            on_their_way: HashMap::new(),
            noted: HashSet::new(),
            suspects: HashSet::new(),
            loading: None,
            load_at: None,
            done_meanwhile: HashSet::new(),
            storing: None,
            unstored: None,
            store_failed: false,
            unwritten_acks: Vec::new(),
            write_acks_at: None,
            acks_failed: None,
            cursor: Cursor::default(),
            arrivals: 0,
            caught_up: false,
        }
    }

    /// A message is done, or dead.
    fn settled(&mut self, entry: &Entry) {
        self.queues.settle(entry);
        if self.loading.is_some() {
            self.done_meanwhile.insert(entry.id);
        }
    }
}

impl Poller {
    /// Runs until it is told to stop.
    pub(crate) async fn run(mut self) {
        self.status.update(|status| status.state = AccountState::Starting);
        let _stopped = Stopped(self.status.clone());
        let _returning = Returning {
            backend: self.backend.clone(),
            lease: self.lease.clone(),
            generation: self.lease.get().map_or(0, |lease| lease.generation),
            in_flight: self.dispatcher.in_flight.clone(),
            settlements: self.dispatcher.settlements.clone(),
        };
        let mut work = Work::new(&self.policy);
        let (backend, lease) = (self.backend.clone(), self.lease.clone());
        let keeper = Keeper::new(&*backend, &lease);
        let lost = tokio::select! {
            error = keeper.lost() => Some(error),
            lost = self.attempts(&mut work, &keeper) => lost,
        };
        if let Some(error) = &lost {
            tracing::warn!(account = %self.account, %error, "the account stops here");
            self.status.update(|status| status.last_error = Some(error.to_string()));
            // Whoever has the account gives its messages to handlers of its own.
            self.lease.lose();
            self.dispatcher.in_flight.forget();
        }
        // To their ends: a message that is handed over later would be unknown to whoever comes after us.
        work.dispatches.shutdown().await;
        // Neither the server nor the journal holds up a stop; and who has the account now would not want it.
        if lost.is_none() {
            let in_flight = self.dispatcher.in_flight.clone();
            let settlements = self.dispatcher.settlements.clone();
            let last_writes = async {
                self.write_acks(&mut work).await;
                // That an attempt begins is not to be noted after it was taken back.
                settlements.written().await;
                let returned = in_flight.begun();
                if !returned.is_empty() && self.settle(&returned).await.is_ok() {
                    in_flight.take_begun();
                }
            };
            let _ = tokio::join!(
                timeout(STOP_NOTICE, self.bot.notify_stop().into_future()),
                timeout(STOP_NOTICE, last_writes),
            );
        }
        self.lease.release(&*self.backend).await;
    }

    /// Works until it is told to stop, or an error says that another process has the account.
    async fn attempts(&mut self, work: &mut Work, keeper: &Keeper<'_>) -> Option<Error> {
        let mut stop = self.stop.clone();
        loop {
            // One that panics is begun again: what it was about to do is in the journal.
            let worked = AssertUnwindSafe(self.work(work, keeper)).catch_unwind().await;
            let error = match worked {
                Ok(Ok(())) => return None,
                Ok(Err(error)) if error.is_fenced() => return Some(error),
                Ok(Err(error)) => error,
                // Its message has gone to wherever the program has panics go.
                Err(_) => panicked(),
            };
            tracing::error!(account = %self.account, %error, "the poller begins again soon");
            self.status.update(|status| {
                status.state = AccountState::Backoff;
                status.last_error = Some(error.to_string());
            });
            if timeout(self.policy.retry_delay, told(&mut stop)).await.is_ok() {
                return None;
            }
        }
    }

    /// An error is one of the beginning, when nothing has been done yet; or another process has the account.
    async fn work(&mut self, work: &mut Work, keeper: &Keeper<'_>) -> Result<(), Error> {
        *work = Work::new(&self.policy);
        work.cursor = self.backend.cursor(&self.account).await?.unwrap_or_default();
        // Before the journal is read: what is settled meanwhile is then heard of, or found done.
        let (poller, mut settled) = mpsc::unbounded_channel();
        let open = self.dispatcher.in_flight.attach(poller);
        for (entry, control) in &open {
            work.queues.push_in_flight(entry, *control);
        }
        self.read_journal(work, &open).await?;
        self.show_counts(work.queues.pending()).await;
        let mut updates = self.bot.updates(work.cursor.clone());
        let notice = self.notify_start();
        tokio::pin!(notice);
        let mut noticed = false;
        let (mut prune_at, mut ended) = (Instant::now() + FIRST_PRUNE, Vec::new());
        let mut stop = self.stop.clone();
        loop {
            self.load(work);
            while let Some((mut entry, control)) = work.queues.pop() {
                entry.attempts += 1;
                let (noted, suspect) = (work.noted.remove(&entry.id), work.suspects.remove(&entry.id));
                let going = Going { control, noted, suspect };
                let outcome = self.dispatcher.clone().dispatch(entry.clone(), going);
                work.on_their_way.insert(work.dispatches.spawn(outcome).id(), entry);
            }
            let far = Instant::now() + Duration::from_secs(3600);
            let retry_at = work.queues.next_retry().unwrap_or(far);
            let store_at = work.unstored.as_ref().map_or(far, |unstored| unstored.at);
            let acks_at = work.write_acks_at.unwrap_or(far);
            let load_at = work.load_at.unwrap_or(far);
            // The next poll acknowledges what the last one brought.
            let is_stored = work.storing.is_none() && work.unstored.is_none();
            let may_poll = noticed && is_stored && work.queues.pending() < self.policy.max_pending;
            tokio::select! {
                () = told(&mut stop) => return Ok(()),
                () = &mut notice, if !noticed => noticed = true,
                1.. = settled.recv_many(&mut ended, TOGETHER) => {
                    for what in ended.drain(..) {
                        self.on_settled(work, what).await;
                    }
                }
                Some(entry) = self.requeued.recv() => self.push(&mut work.queues, entry),
                Some(ended) = work.dispatches.join_next_with_id() => {
                    // The channel is gone: so is everybody who could handle a message.
                    if !self.on_dispatched(work, ended).await? {
                        return Ok(());
                    }
                }
                () = sleep_until(retry_at) => work.queues.wake(Instant::now()),
                () = sleep_until(store_at) => {
                    if let Some(Unstored { cursor, entries, .. }) = work.unstored.take() {
                        self.store(cursor, entries, work);
                    }
                }
                loaded = loaded(&mut work.loading) => self.on_loaded(loaded, work),
                () = sleep_until(load_at) => work.load_at = None,
                stored = stored(&mut work.storing) => self.on_stored(stored, work).await?,
                () = sleep_until(acks_at) => self.write_acks(work).await,
                () = sleep_until(prune_at) => {
                    prune_at = Instant::now() + PRUNE;
                    self.prune().await;
                }
                event = keeper.while_good(next(&mut updates)), if may_poll => match event {
                    UpdatesEvent::Batch(batch) => self.ingest(batch, work),
                    UpdatesEvent::State(state) => self.on_state(state),
                    _ => {}
                }
            }
            self.status.update(|status| status.pending = work.queues.pending());
        }
    }

    fn push(&self, queues: &mut Queues, entry: Entry) {
        if self.control.begin(&entry.raw) {
            queues.push_control(entry);
        } else {
            queues.push(entry);
        }
    }

    /// Its answer shows that the link works; that of the first poll may take as long as nobody writes.
    fn notify_start(&self) -> impl Future<Output = ()> + use<> {
        let (bot, account, starts) = (self.bot.clone(), self.account.clone(), self.starts.clone());
        let status = self.status.clone();
        async move {
            let _turn = starts.acquire().await;
            match timeout(START_NOTICE, bot.notify_start().into_future()).await {
                Ok(Ok(())) => {
                    status.update(|status| (status.state, status.last_error) = (AccountState::Online, None));
                }
                Ok(Err(error)) => tracing::debug!(%account, %error, "notifystart failed; polling goes on"),
                Err(_) => tracing::debug!(%account, "notifystart was not answered in time; polling goes on"),
            }
        }
    }

    /// Who has written can be written to again.
    fn flush_outbox(&self, users: Vec<UserId>) {
        if self.status.get().outbox == 0 {
            return;
        }
        let Some(core) = self.dispatcher.core.upgrade() else { return };
        let account = self.account.clone();
        tokio::spawn(async move {
            if let Err(error) = outbox::flush(&core, &account, &users).await {
                tracing::warn!(%account, %error, "sends still wait in the outbox");
            }
        });
    }

    async fn show_counts(&self, pending: usize) {
        let (counts, health) =
            tokio::join!(self.backend.counts(&self.account), self.backend.health(&self.account));
        let (counts, health) = (counts.unwrap_or_default(), health.unwrap_or_default());
        self.status.update(|status| {
            (status.pending, status.dead, status.outbox) = (pending, counts.dead, counts.outbox);
            status.suppressed_since = health.suppressed_since;
        });
    }

    async fn prune(&self) {
        let now = self.now();
        match self.backend.prune(&self.account, &self.policy.retention, now).await {
            Ok(0) => {}
            Ok(rows) => tracing::debug!(account = %self.account, rows, "the journal was pruned"),
            Err(error) => tracing::warn!(account = %self.account, %error, "the journal was not pruned"),
        }
        // For nobody: only what has waited too long goes.
        self.flush_outbox(Vec::new());
        if let Some(core) = self.dispatcher.core.upgrade() {
            core.quotes.prune(now, PRUNE / 2).await;
        }
    }

    fn now(&self) -> SystemTime {
        self.bot.client().now()
    }

    fn on_state(&self, state: LinkState) {
        let (state, error) = match state {
            LinkState::Online => (AccountState::Online, None),
            LinkState::Backoff { error, .. } => (AccountState::Backoff, Some(error)),
            LinkState::Stale { error, .. } => (AccountState::Stale, Some(error)),
            LinkState::NeedsLogin { error, .. } => (AccountState::NeedsLogin, Some(error)),
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

fn panicked() -> Error {
    let sentence = "a bug ended what receives the messages of this account, and it begins again: \
                    please report it with the log of this program";
    StoreError::new(StoreErrorKind::Transient, sentence).into()
}

/// Resolves when the account is told to stop, or nobody is left who could tell it.
async fn told(stop: &mut watch::Receiver<()>) {
    while stop.changed().await.is_ok() {}
}

/// Named, so that the borrow is clear: an event that is not awaited to its end stays in the stream.
async fn next(updates: &mut Updates) -> UpdatesEvent {
    updates.next().await
}
