//! SQLite on a thread of its own: reads at once, writes in groups, and whoever waits for it does so asynchronously.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{Semaphore, oneshot};

use super::checkpoint::Checkpoints;
use super::failure::{self, Problem};
use super::job::{Job, Task, Unattended};
use crate::error::Error;

/// Jobs that wait for the thread; who brings more waits until there is room.
const WAITING: usize = 1_024;

/// Jobs of one transaction: more make none of them faster, and the first waits for the last.
const GROUP: usize = 128;

/// How long a write waits for another program to let go of the file.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is tried meanwhile.
const RETRY: Duration = Duration::from_millis(5);

/// How long the thread stays awake with nothing to do: who has just got an answer often asks again at once, and to wake
/// a thread takes about as long.
const LINGER: Duration = Duration::from_micros(50);

/// How long the end of a program may be held up by what is still to be written for it.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// A database file with the thread that owns its connection. The thread ends once this is dropped and what was asked
/// before has been done. Nobody waits for it, but for [unattended](Self::write_unattended) writes, for a second.
#[derive(Debug)]
pub(crate) struct Database {
    queue: Arc<Queue>,
    room: Arc<Semaphore>,
    /// Whether tokio's clock may be a paused one: see [`hold_clock`].
    paused_clock: bool,
}

#[derive(Debug)]
struct Queue {
    state: Mutex<State>,
    ready: Condvar,
    /// Notified when an unattended write has ended.
    written: Condvar,
    /// For messages.
    path: PathBuf,
}

#[derive(Default)]
struct State {
    reads: VecDeque<Box<dyn Job>>,
    writes: VecDeque<Box<dyn Job>>,
    /// Writes that nobody waits for and that have not ended.
    unattended: usize,
    /// Who waits until nothing that was deleted stands in the log any more, and since when.
    scrubs: Vec<(oneshot::Sender<bool>, Instant)>,
    closed: bool,
}

impl Database {
    /// Starts the thread for a connection that is set up.
    ///
    /// # Errors
    /// If the system has no thread left.
    pub(crate) fn start(
        mut connection: Connection,
        path: &Path,
        paused_clock: bool,
        check: impl Fn() -> Result<(), Error> + Send + 'static,
    ) -> Result<Self, Error> {
        let checkpoints = Checkpoints::watch(&mut connection);
        let (ready, written) = (Condvar::new(), Condvar::new());
        let queue = Arc::new(Queue { state: Mutex::default(), ready, written, path: path.to_owned() });
        let owner = Owner { connection, queue: queue.clone(), checkpoints, check: Box::new(check) };
        std::thread::Builder::new()
            .name("weixin-sqlite".to_owned())
            .spawn(move || owner.serve())
            .map_err(Error::state(path, "start a thread for"))?;
        Ok(Self { queue, room: Arc::new(Semaphore::new(WAITING)), paused_clock })
    }

    /// Reads. What was written before by calls that have returned is seen.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Error> {
        self.ask(|state, job| state.reads.push_back(job), work).await
    }

    /// Writes, in a transaction that it may share with others; the result comes once that is committed. `work` may be
    /// called again after a rollback.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Error> {
        self.ask(|state, job| state.writes.push_back(job), work).await
    }

    /// Writes without anybody waiting for it, and without a runtime. The last who lets go of the database waits for it.
    pub(crate) fn write_unattended(
        &self,
        work: impl FnMut(&Connection) -> Result<(), Problem> + Send + 'static,
    ) {
        let queue = self.queue.clone();
        let job = Unattended::new(work, move || {
            queue.lock().unattended -= 1;
            queue.written.notify_all();
        });
        let mut state = self.queue.lock();
        state.unattended += 1;
        state.writes.push_back(Box::new(job));
        self.queue.ready.notify_one();
    }

    /// Once what was deleted is gone from the database's files, too; false if another program has kept it there for
    /// seconds.
    pub(crate) async fn scrub(&self) -> bool {
        let _held = self.paused_clock.then(hold_clock);
        let (reply, done) = oneshot::channel();
        self.queue.lock().scrubs.push((reply, Instant::now()));
        self.queue.ready.notify_one();
        done.await.unwrap_or(false)
    }

    async fn ask<T: Send + 'static>(
        &self,
        push: impl FnOnce(&mut State, Box<dyn Job>),
        work: impl FnMut(&Connection) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Error> {
        let _held = self.paused_clock.then(hold_clock);
        let closed = |_| failure::closed(&self.queue.path);
        let room = self.room.clone().acquire_owned().await.map_err(|_| failure::closed(&self.queue.path))?;
        let (task, answer) = Task::new(work, room);
        push(&mut self.queue.lock(), Box::new(task));
        self.queue.ready.notify_one();
        answer.await.map_err(closed)?
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let mut state = self.queue.lock();
        state.closed = true;
        self.queue.ready.notify_one();
        let waits = |state: &mut State| state.unattended > 0;
        if waits(&mut state) {
            // Else the program would have ended, and the thread with it, before they are done.
            drop(self.queue.written.wait_timeout_while(state, LAST_WRITES, waits));
        }
    }
}

/// Keeps a paused clock of tokio from running ahead until the result is dropped: it knows nothing of our thread, but
/// waits for its own. Only where a channel has a clock of its own, which is for tests.
pub(crate) fn hold_clock() -> std::sync::mpsc::Sender<()> {
    let (held, until) = std::sync::mpsc::channel();
    tokio::task::spawn_blocking(move || until.recv().is_ok());
    held
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.reads.is_empty() && self.writes.is_empty() && self.scrubs.is_empty() && !self.closed
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("State")
            .field("reads", &self.reads.len())
            .field("writes", &self.writes.len())
            .finish_non_exhaustive()
    }
}

/// What the thread owns.
struct Owner {
    connection: Connection,
    queue: Arc<Queue>,
    checkpoints: Checkpoints,
    /// Asked before each write: whether the file is still the one that it was.
    check: Box<dyn Fn() -> Result<(), Error> + Send>,
}

impl Owner {
    fn serve(mut self) {
        while self.wait() {
            self.read();
            if self.begin() {
                self.write();
            }
            if self.checkpoints.are_overdue() {
                self.checkpoints.run(&self.connection);
            }
            self.scrub();
        }
    }

    /// For those who wait for it, behind all that was written before. Another program may be reading: it is tried again.
    fn scrub(&mut self) {
        let state = self.queue.lock();
        if state.scrubs.is_empty() || !state.writes.is_empty() {
            return;
        }
        drop(state);
        let emptied = self.checkpoints.empty(&self.connection);
        let mut state = self.queue.lock();
        let scrubs = std::mem::take(&mut state.scrubs);
        let (done, waiting): (Vec<_>, Vec<_>) =
            scrubs.into_iter().partition(|(_, since)| emptied || since.elapsed() >= PATIENCE || state.closed);
        for (reply, _) in done {
            // Whoever asked may be gone.
            let _ = reply.send(emptied);
        }
        state.scrubs = waiting;
        if !state.scrubs.is_empty() && state.reads.is_empty() && state.writes.is_empty() {
            drop(self.queue.ready.wait_timeout(state, RETRY));
        }
    }

    /// Waits for something to do; false once nobody is left who could ask for anything.
    fn wait(&mut self) -> bool {
        let begin = Instant::now();
        while self.queue.lock().is_idle() && begin.elapsed() < LINGER {
            std::thread::yield_now();
        }
        let mut state = self.queue.lock();
        loop {
            if !state.reads.is_empty() || !state.writes.is_empty() || !state.scrubs.is_empty() {
                return true;
            }
            if state.closed {
                return false;
            }
            let Some(pause) = self.checkpoints.due_after() else {
                state = self.queue.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let waited = self.queue.ready.wait_timeout(state, pause);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = guard;
            if timeout.timed_out() {
                drop(state);
                self.checkpoints.run_after_pause(&self.connection);
                state = self.queue.lock();
            }
        }
    }

    fn read(&self) {
        let reads = std::mem::take(&mut self.queue.lock().reads);
        for mut job in reads {
            if job.is_abandoned() {
                continue;
            }
            match run(&mut *job, &self.connection) {
                Err(Problem::Sql(error)) if is_busy(&error) && job.since().elapsed() < PATIENCE => {
                    let mut state = self.queue.lock();
                    state.reads.push_back(job);
                    drop(self.queue.ready.wait_timeout(state, RETRY));
                }
                ended => job.finish(ended.map_err(|problem| problem.into_error(&self.queue.path))),
            }
        }
    }

    /// Begins a transaction if there is something to write. Who has waited too long for it gets an error; false if there is
    /// none.
    fn begin(&self) -> bool {
        if self.queue.lock().writes.is_empty() {
            return false;
        }
        if let Err(error) = (self.check)() {
            let message = error.to_string();
            // Not in the loop, which would hold the lock that an unattended job takes at its end.
            let writes = std::mem::take(&mut self.queue.lock().writes);
            for job in writes {
                job.finish(Err(failure::unusable(message.clone())));
            }
            return false;
        }
        let error = match execute(&self.connection, "BEGIN IMMEDIATE") {
            Ok(()) => return true,
            Err(error) => error,
        };
        let is_busy = is_busy(&error);
        let mut state = self.queue.lock();
        state.writes.retain(|job| !job.is_abandoned());
        let (late, waiting): (VecDeque<_>, VecDeque<_>) = std::mem::take(&mut state.writes)
            .into_iter()
            .partition(|job| !is_busy || job.since().elapsed() >= PATIENCE);
        state.writes = waiting;
        drop(state);
        let problem = Problem::from(error);
        for job in late {
            job.finish(Err(problem.to_error(&self.queue.path)));
        }
        let state = self.queue.lock();
        if is_busy && state.reads.is_empty() && !state.writes.is_empty() {
            // Reads go on meanwhile.
            drop(self.queue.ready.wait_timeout(state, RETRY));
        }
        false
    }

    /// Writes what waits, as one transaction, which has begun.
    fn write(&self) {
        let mut state = self.queue.lock();
        let number = state.writes.len().min(GROUP);
        let mut jobs: Vec<Box<dyn Job>> = state.writes.drain(..number).collect();
        drop(state);
        jobs.retain(|job| !job.is_abandoned());
        let mut refused = Vec::new();
        let mut failed = None;
        let mut done: Vec<Box<dyn Job>> = Vec::with_capacity(jobs.len());
        let mut jobs = VecDeque::from(jobs);
        while let Some(mut job) = jobs.pop_front() {
            match run(&mut *job, &self.connection) {
                Ok(()) => done.push(job),
                // It has written nothing.
                Err(Problem::Refused(error)) => refused.push((job, error)),
                Err(problem) => {
                    jobs.push_front(job);
                    failed = Some(problem);
                    break;
                }
            }
        }
        let failed = failed.or_else(|| execute(&self.connection, "COMMIT").err().map(Problem::from));
        match failed {
            None => done.into_iter().for_each(|job| job.finish(Ok(()))),
            Some(_) => {
                self.roll_back();
                done.into_iter().chain(jobs).for_each(|job| self.write_alone(job));
            }
        }
        for (job, error) in refused {
            job.finish(Err(error));
        }
    }

    /// After a group has failed: each by itself, so that one costs the others nothing.
    fn write_alone(&self, mut job: Box<dyn Job>) {
        let db = &self.connection;
        let begin = || execute(db, "BEGIN IMMEDIATE").map_err(Problem::from);
        let commit = |()| execute(db, "COMMIT").map_err(Problem::from);
        let ended = begin().and_then(|()| run(&mut *job, db)).and_then(commit);
        if ended.is_err() {
            self.roll_back();
        }
        job.finish(ended.map_err(|problem| problem.into_error(&self.queue.path)));
    }

    fn roll_back(&self) {
        // SQLite has often done so itself.
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, path = %self.queue.path.display(), "a transaction could not be undone");
        }
    }
}

/// Prepared once.
fn execute(db: &Connection, sql: &str) -> rusqlite::Result<()> {
    db.prepare_cached(sql)?.execute([]).map(drop)
}

/// A job that panics fails; the thread goes on.
fn run(job: &mut dyn Job, db: &Connection) -> Result<(), Problem> {
    // What it has written is rolled back, and it is not asked again.
    catch_unwind(AssertUnwindSafe(|| job.run(db)))
        .unwrap_or_else(|_| Err(Problem::Failed(failure::panicked())))
}

pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}
