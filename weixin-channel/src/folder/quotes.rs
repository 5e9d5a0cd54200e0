//! The quote store on a thread of its own: what is remembered is not waited for.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ilink_client::{MessageId, UserId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::backend::FolderBackend;
use super::state_dir::StateDir;
use crate::account::AccountId;
use crate::backend::{Answer, Quotes, StoreError, StoreErrorKind};
use crate::error::Error;
use crate::quote::{QuoteLimits, QuoteStore, StoredMessage};
use crate::sqlite::hold_clock;

/// Messages and questions that wait; who brings more waits until there is room.
const WAITING: usize = 1_024;

/// Messages of one transaction.
const GROUP: usize = 256;

/// How long a message waits for others to be written with: a transaction for each costs more than all that the channel
/// does with it besides.
const GATHER: Duration = Duration::from_millis(50);

/// The store, behind its thread. Whatever was asked before is seen by what is asked later.
#[derive(Debug)]
pub(super) struct QuoteThread {
    queue: Arc<Queue>,
    room: Arc<Semaphore>,
    /// Where the files of accounts lie.
    media: PathBuf,
    paused_clock: bool,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    ready: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: Vec<(Job, OwnedSemaphorePermit)>,
    /// Somebody waits for an answer.
    asked: bool,
    closed: bool,
}

enum Job {
    Record(Record),
    Ask(Box<dyn FnOnce(&QuoteStore) + Send>),
}

/// A message to remember.
type Record = (AccountId, UserId, StoredMessage);

impl QuoteThread {
    /// Opens the store; what is wrong with it is logged, and quotes are then known by what they bring themselves.
    pub(super) fn open(state: &StateDir, limits: QuoteLimits, paused_clock: bool) -> Option<Self> {
        let start = || {
            let store = QuoteStore::open(state, limits)?;
            let media = store.media_root().to_owned();
            let queue = Arc::new(Queue::default());
            let jobs = queue.clone();
            std::thread::Builder::new()
                .name("weixin-quotes".to_owned())
                .spawn(move || serve(&store, &jobs))
                .map_err(Error::state(state.root(), "start a thread for"))?;
            Ok(Self { queue, room: Arc::new(Semaphore::new(WAITING)), media, paused_clock })
        };
        start()
            .inspect_err(|error: &Error| {
                tracing::warn!(%error, "quotes of past messages will not be known until the next start");
            })
            .ok()
    }

    async fn record(&self, record: Record) -> Result<(), Error> {
        self.push(Job::Record(record)).await
    }

    async fn push(&self, job: Job) -> Result<(), Error> {
        let room = self.room.clone().acquire_owned().await.map_err(|_| gone())?;
        self.queue.push(job, room);
        Ok(())
    }

    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&QuoteStore) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let _held = self.paused_clock.then(hold_clock);
        let (reply, answer) = oneshot::channel();
        let job = move |store: &QuoteStore| {
            // Whoever asked may be gone.
            let _ = reply.send(work(store));
        };
        self.push(Job::Ask(Box::new(job))).await?;
        answer.await.map_err(|_| gone())?
    }
}

impl Drop for QuoteThread {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.ready.notify_one();
    }
}

impl Queue {
    fn push(&self, job: Job, room: OwnedSemaphorePermit) {
        let mut waiting = self.lock();
        let is_first = waiting.jobs.is_empty();
        waiting.asked |= matches!(job, Job::Ask(_));
        waiting.jobs.push((job, room));
        // Else the thread need not wake: it looks by itself before long.
        if is_first || waiting.is_urgent() {
            self.ready.notify_one();
        }
    }

    /// What is to be done next, in the order in which it came; `None` once nobody is left who could ask.
    fn take(&self) -> Option<Vec<(Job, OwnedSemaphorePermit)>> {
        let mut waiting = self.lock();
        while !waiting.is_urgent() {
            if waiting.jobs.is_empty() {
                waiting = self.ready.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let waited = self.ready.wait_timeout(waiting, GATHER);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            waiting = guard;
            if timeout.timed_out() {
                break;
            }
        }
        waiting.asked = false;
        let jobs = std::mem::take(&mut waiting.jobs);
        (!jobs.is_empty()).then_some(jobs)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn is_urgent(&self) -> bool {
        self.asked || self.closed || self.jobs.len() >= GROUP
    }
}

/// Works until nobody is left who could ask.
fn serve(store: &QuoteStore, queue: &Queue) {
    let mut records = Vec::new();
    while let Some(jobs) = queue.take() {
        for (job, _room) in jobs {
            match job {
                Job::Record(record) => records.push(record),
                Job::Ask(ask) => {
                    record(store, &mut records);
                    ask(store);
                }
            }
        }
        record(store, &mut records);
    }
}

/// As one transaction; if that fails, one by one, so that one costs the others nothing.
fn record(store: &QuoteStore, records: &mut Vec<Record>) {
    if records.len() > 1 && store.record_all(records).is_ok() {
        records.clear();
    }
    for record in records.drain(..) {
        if let Err(error) = store.record_all(std::slice::from_ref(&record)) {
            tracing::warn!(account = %record.0, %error, "a message will not be known to quotes of it");
        }
    }
}

fn gone() -> Error {
    StoreError::new(StoreErrorKind::Transient, "the quote store is closed: open the channel again").into()
}

impl Quotes for FolderBackend {
    fn record_quote<'a>(
        &'a self,
        account: &'a AccountId,
        conversation: &'a UserId,
        message: &'a StoredMessage,
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            let Some(quotes) = &self.inner.quotes else { return Ok(()) };
            quotes.record((account.clone(), conversation.clone(), message.clone())).await
        })
    }

    fn quote_by_id<'a>(
        &'a self,
        account: &'a AccountId,
        conversation: &'a UserId,
        id: MessageId,
        now_ms: i64,
    ) -> Answer<'a, Option<StoredMessage>> {
        Box::pin(async move {
            let Some(quotes) = &self.inner.quotes else { return Ok(None) };
            let (account, user) = (account.clone(), conversation.clone());
            let find = move |store: &QuoteStore| store.by_id(&account, &user, id, now_ms);
            quotes.ask(move |store| Ok(find(store)?.map(StoredMessage::with_what_is_there))).await
        })
    }

    fn quotes_near<'a>(
        &'a self,
        account: &'a AccountId,
        conversation: &'a UserId,
        time_ms: i64,
        now_ms: i64,
    ) -> Answer<'a, Vec<StoredMessage>> {
        Box::pin(async move {
            let Some(quotes) = &self.inner.quotes else { return Ok(Vec::new()) };
            let (account, user) = (account.clone(), conversation.clone());
            let find = move |store: &QuoteStore| store.near(&account, &user, time_ms, now_ms);
            let there = StoredMessage::with_what_is_there;
            quotes.ask(move |store| Ok(find(store)?.into_iter().map(there).collect())).await
        })
    }

    fn prune_quotes(&self, now_ms: i64) -> Answer<'_, ()> {
        Box::pin(async move {
            let Some(quotes) = &self.inner.quotes else { return Ok(()) };
            quotes.ask(move |store| store.prune(now_ms)).await
        })
    }

    fn forget_quotes<'a>(&'a self, account: &'a AccountId) -> Answer<'a, ()> {
        Box::pin(async move {
            let Some(quotes) = &self.inner.quotes else { return Ok(()) };
            let account = account.clone();
            quotes.ask(move |store| store.forget(&account)).await
        })
    }

    fn media_dir(&self, account: &AccountId) -> Option<PathBuf> {
        self.inner.quotes.as_ref().map(|quotes| quotes.media.join(account.as_str()))
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Job")
    }
}
