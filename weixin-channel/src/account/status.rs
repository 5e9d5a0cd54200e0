//! How an account is doing: as a snapshot, and as events when it changes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::broadcast;

use crate::account::AccountId;
use crate::error::shown;

/// How an account is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountStatus {
    /// Which account.
    pub account: AccountId,
    /// What it is doing.
    pub state: AccountState,
    /// The last thing that went wrong, until a poll succeeds again. A server's words in it are
    /// [printable](ilink_client::Printable).
    pub last_error: Option<String>,
    /// When the server last answered a poll.
    pub last_poll: Option<SystemTime>,
    /// When a message last came in.
    pub last_inbound: Option<SystemTime>,
    /// When a message last went out and was accepted.
    pub last_outbound: Option<SystemTime>,
    /// Messages in the journal that are not done.
    pub pending: usize,
    /// Messages that were given up and wait to be looked at ([`Channel::dead_letters`](crate::Channel::dead_letters)).
    pub dead: usize,
    /// Sends that wait for their user's next message ([`Channel::outbox`](crate::Channel::outbox)).
    pub outbox: usize,
    /// What is sent since is accepted without a name and perhaps never shown ([field note 1]).
    ///
    /// [field note 1]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-1
    pub suppressed_since: Option<SystemTime>,
    /// A message came that was written this much later than it is here: the clock of this machine is slow.
    pub clock_behind: Option<Duration>,
}

/// What an account is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AccountState {
    /// Not running here.
    Stopped,
    /// Started, not answered yet.
    Starting,
    /// The server answers: the notice of the start, then each poll.
    Online,
    /// Polls fail; they are repeated.
    Backoff,
    /// The server says that the token is stale; it is asked again for some time.
    Stale,
    /// The token is stale for good: somebody has to scan a code.
    NeedsLogin,
}

impl AccountState {
    /// A name that stays the same over versions.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Online => "online",
            Self::Backoff => "backoff",
            Self::Stale => "stale",
            Self::NeedsLogin => "needs-login",
        }
    }
}

impl AccountStatus {
    pub(crate) fn stopped(account: AccountId) -> Self {
        Self {
            account,
            state: AccountState::Stopped,
            last_error: None,
            last_poll: None,
            last_inbound: None,
            last_outbound: None,
            pending: 0,
            dead: 0,
            outbox: 0,
            suppressed_since: None,
            clock_behind: None,
        }
    }
}

/// The status of a running account, shared by its poller and those who send for it.
#[derive(Clone, Debug)]
pub(crate) struct StatusCell {
    status: Arc<Mutex<AccountStatus>>,
    events: broadcast::Sender<AccountStatus>,
}

impl StatusCell {
    pub(crate) fn new(account: AccountId, events: broadcast::Sender<AccountStatus>) -> Self {
        Self { status: Arc::new(Mutex::new(AccountStatus::stopped(account))), events }
    }

    pub(crate) fn get(&self) -> AccountStatus {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes the status; a change of state, error or health is an event, a new time stamp or count is not.
    pub(crate) fn update(&self, change: impl FnOnce(&mut AccountStatus)) {
        let mut status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        let health =
            |status: &AccountStatus| (status.state, status.suppressed_since, status.clock_behind.is_some());
        let (before, error) = (health(&status), status.last_error.clone());
        change(&mut status);
        if status.last_error != error {
            status.last_error = status.last_error.take().map(|text| shown(&text));
        }
        if (health(&status), &status.last_error) != (before, &error) {
            // Nobody has to listen.
            let _ = self.events.send(status.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_does_nothing_to_the_terminal_of_who_looks() {
        let (events, mut heard) = broadcast::channel(1);
        let cell = StatusCell::new(AccountId::new("a"), events);
        cell.update(|status| status.last_error = Some(format!("busy\n\u{1b}[2J{}", "x".repeat(20 << 20))));
        for status in [cell.get(), heard.try_recv().unwrap()] {
            let said = status.last_error.unwrap();
            assert!(said.starts_with(r"busy\n\u{1b}[2Jxx") && said.len() <= 1_100, "{} bytes", said.len());
        }
    }
}
