//! What the thread of a database is asked to do.

use std::time::Instant;

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::failure::{self, Problem};
use crate::error::Error;

/// Something to be done with the connection, and somebody who waits for the result.
pub(super) trait Job: Send {
    /// Does it, and keeps the result. May be called again after a rollback.
    fn run(&mut self, db: &Connection) -> Result<(), Problem>;

    /// Says how it ended.
    fn finish(self: Box<Self>, ended: Result<(), Error>);

    /// True if nobody waits for the result any more.
    fn is_abandoned(&self) -> bool;

    /// When it came.
    fn since(&self) -> Instant;
}

/// A job whose result somebody waits for.
pub(super) struct Task<T, F> {
    work: F,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, Error>>,
    since: Instant,
    _room: OwnedSemaphorePermit,
}

impl<T, F> Task<T, F> {
    /// The job, which takes up room in the queue, and where its result comes.
    pub(super) fn new(work: F, room: OwnedSemaphorePermit) -> (Self, oneshot::Receiver<Result<T, Error>>) {
        let (reply, answer) = oneshot::channel();
        (Self { work, value: None, reply, since: Instant::now(), _room: room }, answer)
    }
}

impl<T, F> Job for Task<T, F>
where
    T: Send,
    F: FnMut(&Connection) -> Result<T, Problem> + Send,
{
    fn run(&mut self, db: &Connection) -> Result<(), Problem> {
        self.value = Some((self.work)(db)?);
        Ok(())
    }

    fn finish(self: Box<Self>, ended: Result<(), Error>) {
        let Self { value, reply, .. } = *self;
        let result = ended.and_then(|()| value.ok_or_else(failure::panicked));
        // Whoever asked may be gone.
        let _ = reply.send(result);
    }

    fn is_abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    fn since(&self) -> Instant {
        self.since
    }
}

/// A write that nobody waits for.
pub(super) struct Unattended<F, E: FnMut()> {
    work: F,
    /// Called in the end, however that comes.
    ended: E,
    since: Instant,
}

impl<F, E: FnMut()> Unattended<F, E> {
    pub(super) fn new(work: F, ended: E) -> Self {
        Self { work, ended, since: Instant::now() }
    }
}

impl<F, E> Job for Unattended<F, E>
where
    F: FnMut(&Connection) -> Result<(), Problem> + Send,
    E: FnMut() + Send,
{
    fn run(&mut self, db: &Connection) -> Result<(), Problem> {
        (self.work)(db)
    }

    fn finish(self: Box<Self>, ended: Result<(), Error>) {
        if let Err(error) = ended {
            tracing::warn!(%error, "what the end of the program was to leave behind was not written");
        }
    }

    fn is_abandoned(&self) -> bool {
        false
    }

    fn since(&self) -> Instant {
        self.since
    }
}

impl<F, E: FnMut()> Drop for Unattended<F, E> {
    fn drop(&mut self) {
        (self.ended)();
    }
}
