//! Updates as a stream: long polls, one after the other.

mod known;
mod policy;

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use tokio::time::{Instant, Sleep, sleep};

use self::known::Known;
pub use self::policy::UpdatesPolicy;
use crate::bot::Bot;
use crate::error::{Error, ErrorKind};
use crate::id::Cursor;
use crate::request::UpdateBatch;
use crate::retry::backoff;
use crate::transport::BoxFuture;

/// What [`Updates`] yields.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum UpdatesEvent {
    /// An answer, empty ones included. Asking for the next event acknowledges it.
    Batch(UpdateBatch),
    /// The state of the link has changed, or another poll has failed.
    State(LinkState),
}

/// The state of the link to the server.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LinkState {
    /// A poll was answered well.
    Online,
    /// A poll failed; the next one comes after the delay.
    Backoff {
        /// Why.
        error: Arc<Error>,
        /// How many polls in a row failed.
        failures: u32,
        /// How long the server asked to wait, if it did; more than
        /// [`max_retry_after`](UpdatesPolicy::max_retry_after) is not waited.
        retry_after: Option<Duration>,
        /// When the next one comes.
        delay: Duration,
    },
    /// The server said `-14`; the next poll comes after the delay.
    Stale {
        /// The answer.
        error: Arc<Error>,
        /// When the next one comes.
        delay: Duration,
    },
    /// The token stayed stale: somebody has to scan a code. Sends may still pass, so they are not blocked.
    NeedsLogin {
        /// The last answer.
        error: Arc<Error>,
        /// When the next probe comes.
        delay: Duration,
    },
    /// A gateway cut a poll short: polls are shorter from now on.
    PollShortened(Duration),
    /// Several polls in a row timed out: all connections were closed, and new ones are opened.
    Reconnected,
}

/// New messages as a stream of batches and states; it never ends by itself.
///
/// The cursor is explicit: a batch carries the one to store **together with** its messages, and the poll that
/// acknowledges it starts only when the next event is asked for. An event that you do not ask for is never
/// lost: the server sends the batch again to whoever polls with the old cursor.
///
/// # Cancel safety
///
/// [`next`](Self::next) may be dropped at any time, for example in a `select!`: the poll in flight lives in the
/// stream, not in that future, and goes on with the next call. Dropping the stream itself aborts the poll at
/// once.
///
/// ```no_run
/// # async fn run(bot: ilink_client::Bot) {
/// use ilink_client::{Cursor, UpdatesEvent};
///
/// let mut updates = bot.updates(Cursor::default());
/// while let UpdatesEvent::Batch(batch) = updates.next().await {
///     for message in batch.messages.iter().filter_map(|update| update.message()) {
///         println!("{:?} wrote {} items", message.from_user_id, message.items().len());
///     }
/// }
/// # }
/// ```
#[must_use = "a stream does nothing unless it is asked for events"]
pub struct Updates {
    bot: Bot,
    policy: UpdatesPolicy,
    cursor: Cursor,
    step: Step,
    events: VecDeque<UpdatesEvent>,
    /// Index into the policy's poll lengths.
    length: usize,
    /// What the server said it would hold an answer back for.
    hold: Option<Duration>,
    online: bool,
    failures: u32,
    stale: usize,
    deaf: u32,
    quick: u32,
    known: Known,
    /// The last poll came at once after one that broke at once.
    repeated: bool,
}

enum Step {
    Ready,
    Polling { started: Instant, future: BoxFuture<'static, Result<UpdateBatch, Error>> },
    Notifying(BoxFuture<'static, Duration>),
    Waiting(Pin<Box<Sleep>>),
}

impl Updates {
    pub(crate) fn new(bot: Bot, cursor: Cursor) -> Self {
        Self {
            bot,
            policy: UpdatesPolicy::default(),
            cursor,
            step: Step::Ready,
            events: VecDeque::new(),
            length: 0,
            hold: None,
            online: false,
            failures: 0,
            stale: 0,
            deaf: 0,
            quick: 0,
            known: Known::default(),
            repeated: false,
        }
        .with_start_length()
    }

    /// Another policy than the default; to be given before the first event is asked for.
    pub fn policy(mut self, policy: UpdatesPolicy) -> Self {
        self.policy = policy;
        self.with_start_length()
    }

    /// Where the next poll goes on.
    #[must_use]
    pub fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// The next event. Cancel-safe.
    pub async fn next(&mut self) -> UpdatesEvent {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    /// This edge answers 524 after 16 to 17 s (docs/field-notes.md#note-13).
    fn with_start_length(mut self) -> Self {
        let host = self.bot.base_url().host_str().unwrap_or_default();
        self.length =
            if host.ends_with(".wechat.com") { self.policy.poll_lengths.len().saturating_sub(1) } else { 0 };
        self
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<UpdatesEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Poll::Ready(event);
            }
            match &mut self.step {
                Step::Ready => self.start_poll(),
                Step::Polling { started, future } => {
                    let elapsed = started.elapsed();
                    let result = ready!(future.as_mut().poll(cx));
                    self.step = Step::Ready;
                    match result {
                        Ok(batch) if batch.timed_out => self.on_timeout(),
                        Ok(batch) => self.on_batch(batch, elapsed),
                        Err(error) if error.is_stale_session() => self.on_stale(error),
                        Err(error) => self.on_failure(error, elapsed),
                    }
                }
                Step::Notifying(future) => {
                    let delay = ready!(future.as_mut().poll(cx));
                    self.wait(delay);
                }
                Step::Waiting(sleep) => {
                    ready!(sleep.as_mut().poll(cx));
                    self.step = Step::Ready;
                }
            }
        }
    }

    fn wait(&mut self, delay: Duration) {
        self.step = Step::Waiting(Box::pin(sleep(delay)));
    }

    /// How long the next poll may take, and whether that covers the server's hold.
    fn poll_length(&self) -> (Duration, bool) {
        let longest = self.policy.poll_lengths.first().copied().unwrap_or(Duration::from_secs(35));
        let hold = self.hold.unwrap_or(longest).clamp(Duration::from_secs(1), Duration::from_secs(120));
        match self.policy.poll_lengths.get(self.length) {
            Some(&shortened) if self.length > 0 && shortened < hold => (shortened, false),
            _ => (hold + self.policy.grace, true),
        }
    }

    fn start_poll(&mut self) {
        let (bot, cursor, timeout) = (self.bot.clone(), self.cursor.clone(), self.poll_length().0);
        let future = Box::pin(async move { bot.get_updates(cursor).timeout(timeout).send().await });
        self.step = Step::Polling { started: Instant::now(), future };
    }

    fn on_batch(&mut self, batch: UpdateBatch, elapsed: Duration) {
        (self.failures, self.stale, self.deaf, self.repeated) = (0, 0, 0, false);
        if !self.online {
            self.online = true;
            self.events.push_back(UpdatesEvent::State(LinkState::Online));
        }
        self.hold = batch.next_poll.or(self.hold);
        // An empty answer, or one that brings again what was there.
        let says_nothing = self.known.has_all(&batch.messages);
        self.quick = if says_nothing && elapsed < self.policy.quick { self.quick + 1 } else { 0 };
        if self.quick >= 3 {
            let base = self.policy.max_quick_delay / 16;
            self.wait(backoff(base, self.policy.max_quick_delay, self.quick - 2, self.bot.client().random()));
        }
        self.cursor = batch.cursor.clone();
        self.events.push_back(UpdatesEvent::Batch(batch));
    }

    fn on_timeout(&mut self) {
        // A shortened poll ends by our own clock as a rule, so its time-out says nothing.
        if !self.poll_length().1 {
            return;
        }
        self.deaf += 1;
        if self.deaf >= self.policy.deaf_after {
            self.deaf = 0;
            self.bot.client().transport().reset();
            self.events.push_back(UpdatesEvent::State(LinkState::Reconnected));
        }
    }

    fn on_stale(&mut self, error: Error) {
        self.online = false;
        let error = Arc::new(error);
        let (delay, state) = match self.policy.stale_retries.get(self.stale) {
            Some(&delay) => (delay, LinkState::Stale { error, delay }),
            None => {
                let delay = self.policy.stale_probe;
                (delay, LinkState::NeedsLogin { error, delay })
            }
        };
        self.stale += 1;
        self.events.push_back(UpdatesEvent::State(state));
        let bot = self.bot.clone();
        self.step = Step::Notifying(Box::pin(async move {
            if let Err(error) = bot.notify_start().await {
                tracing::debug!(%error, "notifystart failed");
            }
            delay
        }));
    }

    fn on_failure(&mut self, error: Error, elapsed: Duration) {
        // A kept connection that the server ended in the very moment in which it was used again: no trouble to speak of.
        let at_once = error.kind() == ErrorKind::Interrupted && elapsed < self.policy.quick;
        if at_once && self.failures == 0 && !std::mem::replace(&mut self.repeated, true) {
            tracing::debug!(%error, "polling again at once");
            return;
        }
        self.online = false;
        self.failures = self.failures.saturating_add(1);
        let cut_short = matches!(error.status(), Some(504 | 524))
            || (error.kind() == ErrorKind::Interrupted && elapsed > Duration::from_secs(5));
        if let (true, Some(&length)) = (cut_short, self.policy.poll_lengths.get(self.length + 1)) {
            self.length += 1;
            self.events.push_back(UpdatesEvent::State(LinkState::PollShortened(length)));
        }
        if error.is_connect() && self.failures.is_multiple_of(self.policy.deaf_after.max(1)) {
            self.bot.client().transport().reset();
        }
        let random = self.bot.client().random();
        let retry_after = error.retry_after();
        let delay = backoff(self.policy.base_delay, self.policy.max_delay, self.failures, random)
            .max(retry_after.unwrap_or_default().min(self.policy.max_retry_after));
        if let Some(asked) = retry_after.filter(|asked| *asked > delay) {
            tracing::warn!(
                ?asked,
                ?delay,
                "the server asks to wait longer than is good: it is asked again sooner"
            );
        }
        let error = Arc::new(error);
        let state = LinkState::Backoff { error, failures: self.failures, retry_after, delay };
        self.events.push_back(UpdatesEvent::State(state));
        self.wait(delay);
    }
}

impl Stream for Updates {
    type Item = UpdatesEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<UpdatesEvent>> {
        self.poll_event(cx).map(Some)
    }
}

impl std::fmt::Debug for Updates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Updates")
            .field("bot", &self.bot)
            .field("online", &self.online)
            .field("failures", &self.failures)
            .finish_non_exhaustive()
    }
}
