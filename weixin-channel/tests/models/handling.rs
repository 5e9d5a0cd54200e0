//! Queue, in-flight deliveries and the way back of each, with handlers on threads of their own and a poller that is stopped
//! and started again.

use std::collections::{BTreeMap, BTreeSet};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use shuttle::future::block_on;
use shuttle::rand::{Rng as _, thread_rng};
use shuttle::thread;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use weixin_channel::ilink_client::UserId;

use crate::explore;
use crate::journal::Journal;
use crate::poller::{Account, Given};
use crate::sync::{spawn, yield_now};

const OLD: [(i64, &str); 4] = [(1, "a"), (2, "a"), (3, "b"), (4, "a")];
const NEW: [(i64, &str); 4] = [(5, "a"), (6, "a"), (7, "b"), (8, "a")];

fn is_control(id: i64) -> bool {
    id == 2 || id == 6
}

/// What is seen of the messages from the handlers' side.
#[derive(Default)]
struct Seen {
    journal: Arc<Journal>,
    /// Whose message is with a handler.
    in_hands: BTreeMap<i64, UserId>,
    /// Those that a handler acknowledges, or has.
    acking: BTreeSet<i64>,
    /// Those whose acknowledgement has come back without an error.
    acked: BTreeSet<i64>,
    /// Those whose acknowledgement was given up, or was refused by the journal.
    unsure: BTreeSet<i64>,
    failures: BTreeMap<i64, u32>,
}

impl Seen {
    fn is_given(&mut self, given: &Given) {
        let entry = &given.entry;
        let id = entry.id;
        assert!(!self.acked.contains(&id), "{id} was acknowledged, and comes again");
        let failures = self.failures.get(&id).copied().unwrap_or(0);
        let writes = || self.journal.lock().writes.clone();
        // Where the journal fails, that an attempt was none may be what it does not know.
        assert!(
            entry.attempts <= failures + 1 || self.journal.fails > 0,
            "{id}: attempt {}, but {failures} failed: {:?}",
            entry.attempts,
            writes()
        );
        if !given.control {
            let others = self.in_hands.iter().filter(|(id, _)| !is_control(**id));
            assert!(!others.into_iter().any(|(_, peer)| *peer == entry.peer), "two of one peer at once");
            let before = OLD.iter().chain(&NEW).filter(|(other, _)| *other < id && !is_control(*other));
            for (other, peer) in before {
                let is_over = self.acking.contains(other) || self.unsure.contains(other);
                assert!(*peer != entry.peer.as_str() || is_over, "{id} has overtaken {other}");
            }
        }
        assert!(self.in_hands.insert(id, entry.peer.clone()).is_none(), "{id} is with two handlers");
    }

    fn is_given_up(&mut self, id: i64) {
        self.is_let_go(id, true);
        self.unsure.insert(id);
    }

    fn is_acked(&mut self, id: i64) {
        // One that the journal refuses counts.
        self.is_let_go(id, true);
        self.acking.insert(id);
    }

    /// Before it is said: others see it from then on.
    fn is_let_go(&mut self, id: i64, failed: bool) {
        self.in_hands.remove(&id);
        *self.failures.entry(id).or_default() += u32::from(failed);
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A handler to whom everything may happen, as long as that is wanted.
async fn handle(mut given: Given, seen: &Mutex<Seen>, careless: bool) {
    let id = given.entry.id;
    lock(seen).is_given(&given);
    yield_now().await;
    match if careless { thread_rng().gen_range(0..6) } else { 5 } {
        0 => {
            lock(seen).is_let_go(id, true);
            given.settler.nack("not now".to_owned());
        }
        1 => {
            lock(seen).is_let_go(id, false);
            given.settler.give_back();
        }
        2 => {
            lock(seen).is_let_go(id, true);
            drop(given);
        }
        3 => {
            // An acknowledgement that is not waited for to its end: it counts as a failure, or is done.
            lock(seen).is_given_up(id);
            let polls = thread_rng().gen_range(0..4);
            let mut ack = pin!(given.settler.ack());
            for _ in 0..polls {
                if poll_fn(|context| Poll::Ready(ack.as_mut().poll(context))).await.is_ready() {
                    break;
                }
                yield_now().await;
            }
        }
        _ => {
            lock(seen).is_acked(id);
            let acked = given.settler.ack().await.is_ok();
            let mut now = lock(seen);
            let _ = if acked { now.acked.insert(id) } else { now.unsure.insert(id) };
        }
    }
}

/// Two handlers, and three pollers one after the other, of which the first two are stopped at any moment.
fn model(fails: u32) {
    let mut journal = Journal::new(&OLD);
    journal.fails = fails;
    let in_order = thread_rng().gen_bool(0.5);
    journal.in_order = in_order;
    let journal = Arc::new(journal);
    let seen = Arc::new(Mutex::new(Seen { journal: journal.clone(), ..Seen::default() }));
    let careless = Arc::new(Mutex::new(true));
    let (handlers, deliveries) = mpsc::unbounded_channel();
    let deliveries = Arc::new(tokio::sync::Mutex::new(deliveries));
    let (progress, mut progresses) = mpsc::unbounded_channel();
    let account = Account {
        journal: journal.clone(),
        in_flight: Arc::default(),
        lease: Arc::default(),
        handlers,
        server: Arc::new(Mutex::new(NEW.into())),
        control: is_control,
        progress,
        now: Instant::now(),
    };
    let workers: Vec<_> = (0..2)
        .map(|_| {
            let (deliveries, seen, careless) = (deliveries.clone(), seen.clone(), careless.clone());
            let progress = account.progress.clone();
            thread::spawn(move || {
                block_on(async {
                    loop {
                        let given = deliveries.lock().await.recv().await;
                        let Some(given) = given else { break };
                        let careless = *careless.lock().unwrap();
                        handle(given, &seen, careless).await;
                        let _ = progress.send(());
                    }
                });
            })
        })
        .collect();
    for life in 0..3 {
        let (stop, stopped) = oneshot::channel();
        let account = account.clone();
        let server = account.server.clone();
        let poller = spawn(account.run(stopped));
        if life < 2 {
            for _ in 0..thread_rng().gen_range(0..40) {
                thread::yield_now();
            }
        } else {
            // From now on each message is handled, and that is the end.
            *careless.lock().unwrap() = false;
            let is_done = || journal.all_done() && server.lock().unwrap().is_empty();
            while !is_done() {
                block_on(progresses.recv());
            }
        }
        // One that does not end in time is cut off; what it says last is written after what it has asked for before.
        let cut_off = in_order && life < 2 && thread_rng().gen_bool(0.5);
        if cut_off {
            poller.abort();
        }
        drop(stop);
        let ended = block_on(poller);
        assert!(ended.is_ok() || cut_off);
    }
    drop(account);
    for worker in workers {
        worker.join().unwrap();
    }
    let seen = lock(&seen);
    for (id, _) in OLD.iter().chain(&NEW) {
        assert!(seen.acked.contains(id) || seen.unsure.contains(id), "{id} was not handled");
    }
    assert!(journal.lock().writes.len() < 1_000);
}

#[test]
fn each_message_is_handled_once_and_in_order_over_stops_and_starts() {
    explore("handling", 2_000, || model(0));
}

/// One write in four fails.
#[test]
fn and_so_it_is_with_a_journal_that_fails() {
    explore("handling, with a journal that fails", 2_000, || model(4));
}
