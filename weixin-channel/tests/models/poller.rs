//! The steps of `src/inbound/poller` and of `src/inbound/dispatch.rs` that others see, in the order in which they are made
//! there, without a server, a clock and what a message says.

use std::collections::{HashSet, VecDeque};
use std::future::pending;
use std::sync::{Arc, Mutex};

use shuttle::future::JoinHandle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use weixin_channel::InboundPolicy;
use weixin_channel::ilink_client::{BoxFuture, UserId};

use crate::account::AccountId;
use crate::account::lease_cell::LeaseCell;
use crate::backend::{Backend as _, Entry, Settlement};
use crate::error::Error;
use crate::inbound::in_flight::{InFlight, Settled};
use crate::inbound::queue::Queues;
use crate::inbound::settlements::Settlements;
use crate::inbound::settler::Settler;
use crate::journal::{Journal, Row};
use crate::sync::{spawn, yield_now};

/// What a handler is given.
pub(crate) struct Given {
    pub(crate) entry: Entry,
    pub(crate) control: bool,
    pub(crate) settler: Settler,
}

/// What outlives a poller.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) journal: Arc<Journal>,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) lease: Arc<LeaseCell>,
    pub(crate) handlers: mpsc::UnboundedSender<Given>,
    /// What is still to come from the server.
    pub(crate) server: Arc<Mutex<VecDeque<(i64, &'static str)>>>,
    /// Which messages do not wait for their peer's turn.
    pub(crate) control: fn(i64) -> bool,
    /// Told of whatever may have been the last thing to happen.
    pub(crate) progress: mpsc::UnboundedSender<()>,
    /// When everything is tried that is ever tried again.
    pub(crate) now: Instant,
}

type Loading = BoxFuture<'static, (UserId, Vec<Entry>)>;

struct Work {
    queues: Queues,
    dispatches: Dispatches,
    loading: Option<Loading>,
    done_meanwhile: HashSet<i64>,
    unwritten_acks: Vec<i64>,
}

/// Messages on their way, which end with their poller.
#[derive(Default)]
struct Dispatches(Vec<JoinHandle<()>>);

impl Drop for Dispatches {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

/// The last word of a poller, also of one that is cut off.
struct Returning(Account, Arc<Settlements>, i64);

impl Drop for Returning {
    fn drop(&mut self) {
        self.1.close();
        let returned = self.0.in_flight.close(self.2);
        if let Some(lease) = self.0.lease.get().filter(|_| !returned.is_empty()) {
            // The way without a runtime, which does not fail where others do.
            let _ = self.0.journal.lock().write(&lease, &returned);
        }
    }
}

/// Little of everything, so that everything is met.
fn policy() -> InboundPolicy {
    let mut policy = InboundPolicy::default();
    (policy.max_in_flight, policy.max_held, policy.max_held_per_peer) = (2, 3, 1);
    policy
}

impl Account {
    /// A poller from its start to its end.
    pub(crate) async fn run(self, mut stop: oneshot::Receiver<()>) {
        let lease = self.journal.acquire();
        self.lease.set(lease.clone(), None);
        let settlements = Settlements::new(self.journal.clone());
        let _returning = Returning(self.clone(), settlements.clone(), lease.generation);
        let mut work = Work {
            queues: Queues::new(&policy()),
            dispatches: Dispatches::default(),
            loading: None,
            done_meanwhile: HashSet::new(),
            unwritten_acks: Vec::new(),
        };
        while self.work(&mut work, &settlements, &mut stop).await.is_err() {
            work.queues = Queues::new(&policy());
            work.loading = None;
        }
        for dispatch in std::mem::take(&mut work.dispatches.0) {
            dispatch.abort();
            let _ = dispatch.await;
        }
        self.write_acks(&mut work).await;
        settlements.written().await;
        let returned = self.in_flight.begun();
        if !returned.is_empty() && self.settle(&returned).await.is_ok() {
            self.in_flight.take_begun();
        }
        self.lease.release(&*self.journal).await;
    }

    async fn work(
        &self,
        work: &mut Work,
        settlements: &Arc<Settlements>,
        stop: &mut oneshot::Receiver<()>,
    ) -> Result<(), Error> {
        let (poller, mut settled) = mpsc::unbounded_channel();
        let open = self.in_flight.attach(poller);
        for (entry, control) in &open {
            work.queues.push_in_flight(entry, *control);
        }
        self.read_journal(work, &open).await?;
        let mut ended = Vec::new();
        loop {
            self.load(work);
            work.queues.wake(self.now);
            while let Some((mut entry, control)) = work.queues.pop() {
                entry.attempts += 1;
                let dispatch = self.clone().dispatch(settlements.clone(), entry, control);
                work.dispatches.0.push(spawn(dispatch));
            }
            let has_news = !self.server.lock().unwrap().is_empty();
            tokio::select! {
                biased;
                _ = &mut *stop => return Ok(()),
                1.. = settled.recv_many(&mut ended, 8) => {
                    for what in ended.drain(..) {
                        self.on_settled(work, what).await;
                    }
                    let _ = self.progress.send(());
                }
                (user, page) = loaded(&mut work.loading) => {
                    work.done_meanwhile.extend(&work.unwritten_acks);
                    work.queues.loaded(&user, Some(page), &work.done_meanwhile);
                }
                () = yield_now(), if has_news => self.poll(work),
                // A little later, until it has worked.
                () = yield_now(), if !work.unwritten_acks.is_empty() => {
                    self.write_acks(work).await;
                    let _ = self.progress.send(());
                }
            }
        }
    }

    async fn read_journal(&self, work: &mut Work, open: &[(Entry, bool)]) -> Result<(), Error> {
        let again =
            |(entry, _): &(Entry, bool)| Settlement::Dispatched { id: entry.id, attempt: entry.attempts };
        let again: Vec<Settlement> = open.iter().map(again).collect();
        if !again.is_empty() {
            self.settle(&again).await?;
        }
        let open: HashSet<i64> = open.iter().map(|(entry, _)| entry.id).collect();
        let mut after = 0;
        loop {
            let page = self.journal.pending(None, after, 2).await;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.id;
            page.into_iter()
                .filter(|entry| !open.contains(&entry.id))
                .for_each(|entry| self.push(&mut work.queues, entry));
        }
    }

    /// What comes is in the journal before anybody sees it.
    fn poll(&self, work: &mut Work) {
        let Some((id, peer)) = self.server.lock().unwrap().pop_front() else { return };
        let entry = Entry::new(id, UserId::from(peer), String::new());
        self.journal.lock().rows.insert(id, Row { entry: entry.clone(), done: false });
        self.push(&mut work.queues, entry);
    }

    fn push(&self, queues: &mut Queues, entry: Entry) {
        if (self.control)(entry.id) { queues.push_control(entry) } else { queues.push(entry) }
    }

    fn load(&self, work: &mut Work) {
        if work.loading.is_some() {
            return;
        }
        let Some((user, after)) = work.queues.load() else { return };
        work.done_meanwhile.clear();
        let (journal, limit) = (self.journal.clone(), work.queues.page() as usize);
        work.loading = Some(Box::pin(async move {
            let page = journal.pending(Some(&user), after, limit).await;
            (user, page)
        }));
    }

    async fn on_settled(&self, work: &mut Work, what: Settled) {
        let mut entry = match what {
            Settled::Acked { entry, journalled } => {
                self.in_flight.end(entry.id);
                work.queues.settle(&entry);
                if work.loading.is_some() {
                    work.done_meanwhile.insert(entry.id);
                }
                if !journalled {
                    work.unwritten_acks.push(entry.id);
                }
                return;
            }
            Settled::Returned(mut entry) => {
                let _ = self.settle(&[Settlement::Returned { id: entry.id, attempt: entry.attempts }]).await;
                self.in_flight.end(entry.id);
                entry.attempts = entry.attempts.saturating_sub(1);
                entry
            }
            Settled::Nacked(entry, reason) => {
                self.in_flight.end(entry.id);
                let (id, attempt) = (entry.id, entry.attempts);
                let _ = self.settle(&[Settlement::Nacked { id, attempt, reason, dead: false }]).await;
                entry
            }
        };
        entry.dispatched = true;
        work.queues.retry(entry, self.now);
    }

    async fn write_acks(&self, work: &mut Work) {
        let acks: Vec<Settlement> = work.unwritten_acks.iter().copied().map(Settlement::Acked).collect();
        if !acks.is_empty() && self.settle(&acks).await.is_ok() {
            work.unwritten_acks.clear();
        }
    }

    async fn settle(&self, what: &[Settlement]) -> Result<(), Error> {
        let Some(lease) = self.lease.get() else { return Ok(()) };
        self.journal.settle(&lease, what).await
    }

    async fn dispatch(self, settlements: Arc<Settlements>, entry: Entry, control: bool) {
        let lease = self.lease.get().unwrap();
        let begins = Settlement::Dispatched { id: entry.id, attempt: entry.attempts };
        self.in_flight.begin(&entry);
        if settlements.settle(lease.clone(), begins).await.is_err_and(|error| error.code() == "account-lost")
        {
            return;
        }
        // Who may write, what is quoted, media, and a place where deliveries wait.
        yield_now().await;
        let Some(ticket) = self.in_flight.add(entry.clone(), control, lease.generation) else { return };
        let settler = Settler {
            account: AccountId::new("account"),
            id: entry.id,
            settlements,
            in_flight: self.in_flight.clone(),
            ticket,
            lease: self.lease.clone(),
            generation: lease.generation,
            done: false,
            _alone: None,
        };
        let _ = self.handlers.send(Given { entry, control, settler });
    }
}

async fn loaded(loading: &mut Option<Loading>) -> (UserId, Vec<Entry>) {
    let Some(read) = loading else { return pending().await };
    let page = read.await;
    *loading = None;
    page
}
