//! What `src/sync.rs` is to the addon, in steps that the scheduler interleaves; as much of it as the port uses.

#![allow(clippy::unused_self, reason = "they look as tokio's do")]

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use shuttle::future::{JoinHandle, block_on, spawn, yield_now};
use shuttle::rand::{Rng as _, thread_rng};
pub(crate) use shuttle::thread;

pub(crate) struct Builder;

pub(crate) struct Runtime;

impl Builder {
    pub(crate) fn new_current_thread() -> Self {
        Self
    }

    pub(crate) fn enable_all(self) -> Self {
        self
    }

    #[allow(clippy::unnecessary_wraps, reason = "as tokio's")]
    pub(crate) fn build(self) -> io::Result<Runtime> {
        Ok(Runtime)
    }
}

impl Runtime {
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        block_on(future)
    }

    /// The port leaves no task behind that would have to be waited for.
    pub(crate) fn shutdown_timeout(self, _: Duration) {
        thread::yield_now();
    }
}

pub(crate) struct JoinSet(Vec<JoinHandle<()>>);

impl JoinSet {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.push(spawn(task));
    }

    /// Which one has ended; tokio's says with what.
    pub(crate) async fn join_next(&mut self) -> Option<usize> {
        if self.0.is_empty() {
            return None;
        }
        let place = poll_fn(|context| {
            let ended = self.0.iter_mut().position(|task| pin!(task).poll(context).is_ready());
            ended.map_or(Poll::Pending, Poll::Ready)
        });
        let place = place.await;
        drop(self.0.swap_remove(place));
        Some(place)
    }

    pub(crate) async fn shutdown(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
        for task in self.0.drain(..) {
            let _ = task.await;
        }
    }
}

/// The time is up whenever the scheduler says so.
pub(crate) async fn timeout<F: Future>(_: Duration, future: F) -> Result<F::Output, ()> {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await {
            return Ok(output);
        }
        if thread_rng().gen_bool(0.3) {
            return Err(());
        }
        yield_now().await;
    }
}
