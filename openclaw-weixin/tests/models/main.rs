//! The message port in the orders of its threads' steps that a scheduler comes upon (shuttle): calls, closings and the end of
//! the handle at once. `src/port.rs` is compiled here with threads and tasks that the scheduler knows; tokio's channel is its
//! own, and one step each time. `MODEL_SEED` takes other orders, `MODEL_RUNS` more of them.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[allow(dead_code, reason = "not all of it is needed here")]
#[path = "../../src/failure.rs"]
mod failure;
#[path = "../../src/port.rs"]
mod port;
mod sync;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use shuttle::future::{block_on, yield_now};
use shuttle::rand::{Rng as _, thread_rng};
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner, thread};
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::port::{Port, Service};

fn explore(runs: usize, model: impl Fn() + Send + Sync + Copy + 'static) {
    const UNLUCKY_MOMENTS: usize = 4;
    let number = |name| std::env::var(name).ok().map(|number| number.parse::<u64>().unwrap());
    let seed = number("MODEL_SEED").unwrap_or(1);
    let runs = number("MODEL_RUNS").map_or(runs, |runs| usize::try_from(runs).unwrap()) / 2;
    println!("port: MODEL_SEED={seed}, {runs} random orders and {runs} of PCT");
    let mut config = Config::new();
    // Of each thread; unoptimised futures are large.
    config.stack_size = 1 << 19;
    let random = RandomScheduler::new_from_seed(seed, runs);
    let random = Runner::new(random, config.clone()).run(model);
    let pct = Runner::new(PctScheduler::new_from_seed(seed, UNLUCKY_MOMENTS, runs), config).run(model);
    assert_eq!((random, pct), (runs, runs), "all of them were run");
}

/// A service that watches over itself.
#[derive(Clone)]
struct Probe {
    /// Calls that are being answered.
    open: Arc<AtomicUsize>,
    closing: Arc<AtomicUsize>,
    /// Told at the thread's end.
    ended: mpsc::UnboundedSender<()>,
}

struct Ended(mpsc::UnboundedSender<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.send(()).unwrap();
    }
}

struct Open(Arc<AtomicUsize>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Service for Probe {
    type Guard = Ended;

    fn enter(&self) -> Ended {
        Ended(self.ended.clone())
    }

    async fn call(&self, method: &str, params: &str) -> Result<String, Failure> {
        assert_eq!(self.closing.load(Ordering::Relaxed), 0, "a call on a service that closes");
        self.open.fetch_add(1, Ordering::Relaxed);
        let _open = Open(self.open.clone());
        yield_now().await;
        if method == "hang" {
            std::future::pending::<()>().await;
        }
        yield_now().await;
        Ok(params.to_owned())
    }

    async fn close(&self) {
        assert_eq!(self.closing.fetch_add(1, Ordering::Relaxed), 0, "closed once");
        assert_eq!(self.open.load(Ordering::Relaxed), 0, "while calls go on");
        if thread_rng().gen_bool(0.5) {
            std::future::pending::<()>().await;
        }
    }
}

type Answers = Arc<Mutex<Vec<Result<String, Failure>>>>;

fn call(port: &Port, method: &str, number: usize) -> Answers {
    let answers = Answers::default();
    let told = answers.clone();
    port.call(method.to_owned(), number.to_string(), move |answer| told.lock().unwrap().push(answer));
    answers
}

/// Each call has its one answer, that of its own or "closed".
fn is_answered(answers: &Answers, number: usize) -> bool {
    let answers = answers.lock().unwrap();
    let expected = |answer: &Result<String, Failure>| {
        *answer == Ok(number.to_string()) || *answer == Err(Failure::closed())
    };
    assert!(answers.len() <= 1 && answers.iter().all(expected), "{answers:?}");
    answers.len() == 1
}

/// Four threads call; two of them close as well, at once; the handle goes while they do.
#[test]
fn every_call_is_answered_once_and_before_a_closing_that_comes_after_it() {
    explore(4_000, || {
        let (ended, mut end) = mpsc::unbounded_channel();
        let probe = Probe { open: Arc::default(), closing: Arc::default(), ended };
        let port = Arc::new(Port::open(move || probe).unwrap());
        let closers = thread_rng().gen_range(0..3);
        // All calls that were made, with what they answer.
        let made: Arc<Mutex<Vec<(usize, Answers)>>> = Arc::default();
        let threads: Vec<_> = (0..4)
            .map(|number| {
                let (port, made) = (port.clone(), made.clone());
                thread::spawn(move || {
                    let hangs = closers > 0 && number == 0;
                    let first = call(&port, if hangs { "hang" } else { "echo" }, number);
                    made.lock().unwrap().push((number, first.clone()));
                    let closed = Arc::new(AtomicUsize::new(0));
                    if number < closers {
                        let (before, closed, made) = (first.clone(), closed.clone(), made.clone());
                        port.close(move || {
                            assert!(is_answered(&before, number), "a call from before its closing");
                            // Behind the only one, those that came too late as well.
                            let made = made.lock().unwrap();
                            let all =
                                closers > 1 || made.iter().all(|(number, call)| is_answered(call, *number));
                            assert!(all, "a call that was queued behind it");
                            closed.fetch_add(1, Ordering::Relaxed);
                        });
                    }
                    let second = call(&port, "echo", number);
                    made.lock().unwrap().push((number, second.clone()));
                    (number, first, second, closed)
                })
            })
            .collect();
        drop(port);
        let told: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        // The thread ends; what it has dropped is answered by then, or a step later.
        block_on(end.recv());
        for (number, first, second, closed) in told {
            let is_over = || {
                let is_closed = closed.load(Ordering::Relaxed) == usize::from(number < closers);
                is_answered(&first, number) && is_answered(&second, number) && is_closed
            };
            while !is_over() {
                thread::yield_now();
            }
        }
    });
}
