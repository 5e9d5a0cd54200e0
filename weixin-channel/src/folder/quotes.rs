//! The quote store on a thread of its own: what is remembered is not waited for.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use ilink_client::{MessageId, UserId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::{FolderBackend, StateDir};
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
    jobs: Sender<(Job, OwnedSemaphorePermit)>,
    room: Arc<Semaphore>,
    /// Where the files of accounts lie.
    media: PathBuf,
    paused_clock: bool,
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
            let (jobs, waiting) = mpsc::channel();
            std::thread::Builder::new()
                .name("weixin-quotes".to_owned())
                .spawn(move || serve(&store, &waiting))
                .map_err(Error::state(state.root(), "start a thread for"))?;
            Ok(Self { jobs, room: Arc::new(Semaphore::new(WAITING)), media, paused_clock })
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
        self.jobs.send((job, room)).map_err(|_| gone())
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

/// Works until nobody is left who could ask.
fn serve(store: &QuoteStore, jobs: &Receiver<(Job, OwnedSemaphorePermit)>) {
    let mut records = Vec::new();
    // Held until they are written.
    let mut rooms = Vec::new();
    let mut due = Instant::now();
    loop {
        let next = match records.is_empty() {
            true => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
            false => jobs.recv_timeout(due.saturating_duration_since(Instant::now())),
        };
        let (ask, is_last) = match next {
            Ok((Job::Record(record), room)) => {
                if records.is_empty() {
                    due = Instant::now() + GATHER;
                }
                records.push(record);
                rooms.push(room);
                if records.len() < GROUP {
                    continue;
                }
                (None, false)
            }
            Ok((Job::Ask(ask), room)) => (Some((ask, room)), false),
            Err(RecvTimeoutError::Timeout) => (None, false),
            Err(RecvTimeoutError::Disconnected) => (None, true),
        };
        record(store, &mut records);
        rooms.clear();
        if let Some((ask, _room)) = ask {
            ask(store);
        }
        if is_last {
            return;
        }
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
