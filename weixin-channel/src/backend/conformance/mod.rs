//! What any [`Backend`] has to keep to, as checks to run in its tests.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use weixin_channel::StateDir;
//! use weixin_channel::backend::conformance;
//! use weixin_channel::folder::{FolderBackend, FolderOptions};
//!
//! # let parent = tempfile::tempdir().unwrap();
//! let mut count = std::cell::Cell::new(0);
//! conformance::check(async || {
//!     count.set(count.get() + 1);
//!     let state = StateDir::new(parent.path().join(count.get().to_string()));
//!     FolderBackend::open(state, FolderOptions::default()).await.unwrap()
//! })
//! .await;
//! # }
//! ```

#![allow(clippy::expect_used, clippy::panic, reason = "a check fails by panicking")]

mod access;
mod accounts;
mod cancellation;
mod journal;
mod leases;
mod outbound;
mod quotes;

use std::time::{Duration, SystemTime};

use ilink_client::{ContextToken, Cursor, UserId};

use super::{Backend, Lease, NewEntry, Settlement};
use crate::account::AccountId;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Runs all checks, each on a new and empty backend. What differs is shown by a panic that names it.
///
/// # Panics
/// If the backend does not do what the traits say, or if a method of it fails.
pub async fn check<B: Backend>(new: impl AsyncFn() -> B) {
    let lab = async || Lab::new(new().await).await;
    accounts::logins(lab().await).await;
    accounts::approvals(lab().await).await;
    leases::one_at_a_time(lab().await).await;
    leases::fencing(lab().await).await;
    journal::messages_and_cursor(lab().await).await;
    journal::keys(lab().await).await;
    journal::content(lab().await).await;
    journal::settling(lab().await).await;
    journal::attempts(lab().await).await;
    journal::one_conversation(lab().await).await;
    journal::dead_letters(lab().await).await;
    journal::pages_and_counts(lab().await).await;
    journal::prune(lab().await).await;
    journal::prune_users(lab().await).await;
    journal::forget(lab().await).await;
    outbound::context_tokens(lab().await).await;
    outbound::users_that_differ_in_case(lab().await).await;
    outbound::ledger(lab().await).await;
    outbound::reserve(lab().await).await;
    outbound::reserving_at_once(lab().await).await;
    outbound::health(lab().await).await;
    outbound::outbox(lab().await).await;
    access::lists(lab().await).await;
    access::pairing(lab().await).await;
    quotes::quotes(lab().await).await;
    cancellation::ingest(lab().await).await;
    cancellation::the_others(lab().await).await;
}

/// Two accounts of one backend, whose leases are held, at one moment.
struct Lab<B> {
    backend: B,
    a: AccountId,
    b: AccountId,
    lease: Lease,
    lease_b: Lease,
    now: SystemTime,
}

/// Whole milliseconds: no backend has to keep more.
fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(1_763_800_000_123)
}

fn entry(key: &str, peer: &str) -> NewEntry {
    NewEntry::new(key, peer, format!("{{\"key\":{key:?}}}"))
}

/// At the first attempt.
fn failed(id: i64, reason: &str, dead: bool) -> Settlement {
    Settlement::Nacked { id, attempt: 1, reason: reason.to_owned(), dead }
}

fn dispatched(id: i64, attempt: u32) -> Settlement {
    Settlement::Dispatched { id, attempt }
}

impl<B: Backend> Lab<B> {
    async fn new(backend: B) -> Self {
        let (a, b) = (AccountId::new("a"), AccountId::new("b"));
        let lease = backend.acquire(&a, "the conformance suite").await.expect("acquire");
        let lease_b = backend.acquire(&b, "the conformance suite").await.expect("acquire");
        Self { backend, a, b, lease, lease_b, now: now() }
    }

    /// The numbers of the messages that were new.
    async fn ingest(&self, cursor: &str, entries: &[NewEntry]) -> Vec<i64> {
        self.ingest_at(cursor, entries, self.now).await
    }

    async fn ingest_at(&self, cursor: &str, entries: &[NewEntry], now: SystemTime) -> Vec<i64> {
        let fresh = self.backend.ingest(&self.lease, &Cursor::from(cursor), entries, now).await;
        fresh.expect("ingest").into_iter().map(|entry| entry.id).collect()
    }

    async fn settle(&self, what: &[Settlement]) -> Result<(), crate::error::Error> {
        self.backend.settle(&self.lease, what).await
    }

    async fn pending(&self) -> Vec<i64> {
        let pending = self.backend.pending(&self.a, 0, 100).await.expect("pending");
        pending.into_iter().map(|entry| entry.id).collect()
    }

    /// A user writes, with a context token.
    async fn hear_from(&self, user: &str, at: SystemTime) {
        let millis = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let mut written = entry(&format!("{user} {millis}"), user);
        written.context_token = Some(ContextToken::from(format!("token of {user}")));
        self.ingest_at("c", &[written], at).await;
    }

    async fn sends_of(&self, user: &UserId) -> u32 {
        self.backend.send_context(&self.a, user.as_str()).await.expect("context").ledger.sends
    }
}
