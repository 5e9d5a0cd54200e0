//! What was written before, for quotes of it. Nothing here keeps a message from its handler or a send from its report.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ilink_client::wire::{ItemKind, MessageItem};
use ilink_client::{MessageId, UserId};
use tokio::time::Instant;

use crate::account::AccountId;
use crate::backend::Backend;
use crate::error::Error;
use crate::inbound::message::{Inbound, label};
use crate::quote::resolve::{reference, resolve};
use crate::quote::types::{Direction, StoredMedia, StoredMessage};

/// The quotes of a channel.
#[derive(Debug)]
pub(crate) struct QuoteHistory {
    backend: Arc<dyn Backend>,
    /// When it was last pruned: that is done for all accounts at once.
    pruned: Mutex<Option<Instant>>,
}

impl QuoteHistory {
    pub(crate) fn new(backend: Arc<dyn Backend>) -> Self {
        Self { backend, pruned: Mutex::default() }
    }

    /// Resolves the quote of a message.
    pub(crate) async fn resolve(&self, account: &AccountId, inbound: &mut Inbound, now: SystemTime) {
        if let Some(quoted) = reference(&inbound.message) {
            let quote = resolve(quoted, &*self.backend, account, &inbound.from, millis(now)).await;
            inbound.quote = Some(quote);
        }
    }

    /// Remembers a message that was taken care of.
    pub(crate) async fn received(&self, account: &AccountId, inbound: &Inbound, now: SystemTime) {
        let Some(message_id) = inbound.message_id else { return };
        let saved =
            inbound.attachments.iter().find_map(|attachment| attachment.saved.as_ref()?.as_ref().ok());
        let media = saved.map(|saved| StoredMedia {
            path: Some(saved.path.clone()),
            mime: Some(saved.mime.essence_str().to_owned()),
            name: Some(saved.name.clone()),
            size: Some(saved.size),
        });
        let message = StoredMessage {
            message_id,
            direction: Direction::Inbound,
            body: inbound.text.clone(),
            media,
            created_at_ms: inbound
                .time_ms
                .filter(|time| is_plausible(*time, millis(now)))
                .unwrap_or_else(|| millis(now)),
        };
        self.record(account, &inbound.from, &message).await;
    }

    /// Remembers what was sent.
    pub(crate) async fn sent(
        &self,
        account: &AccountId,
        user: &UserId,
        message_id: MessageId,
        item: &MessageItem,
        now: SystemTime,
    ) {
        let body = match item.kind() {
            // Signs of tools at work are nothing that one quotes.
            ItemKind::ToolCallStart(_) | ItemKind::ToolCallResult(_) | ItemKind::Unknown(_) => return,
            _ => item.text().unwrap_or_else(|| label(item)).to_owned(),
        };
        let message = StoredMessage {
            message_id,
            direction: Direction::Outbound,
            body,
            media: None,
            created_at_ms: millis(now),
        };
        self.record(account, user, &message).await;
    }

    async fn record(&self, account: &AccountId, user: &UserId, message: &StoredMessage) {
        told("record", self.backend.record_quote(account, user, message).await);
    }

    /// Prunes the store, but at most once in so long, however many accounts ask for it.
    pub(crate) async fn prune(&self, now: SystemTime, once_in: Duration) {
        if self.is_due(once_in) {
            told("prune", self.backend.prune_quotes(millis(now)).await);
        }
    }

    fn is_due(&self, once_in: Duration) -> bool {
        let mut pruned = self.pruned.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = pruned.is_none_or(|last| last.elapsed() >= once_in);
        if is_due {
            *pruned = Some(Instant::now());
        }
        is_due
    }

    pub(crate) async fn forget(&self, account: &AccountId) {
        told("forget", self.backend.forget_quotes(account).await);
    }

    /// Where fetched media lies: with what quotes need, which has its limits and is pruned.
    pub(crate) fn media_dir(&self, account: &AccountId) -> Option<std::path::PathBuf> {
        self.backend.media_dir(account)
    }
}

/// A failure is nobody's business.
fn told(what: &str, result: Result<(), Error>) {
    if let Err(error) = result {
        tracing::warn!(%error, what, "the quote store failed");
    }
}

/// By a time that is far off, a message would be gone at once, or never.
fn is_plausible(time_ms: i64, now_ms: i64) -> bool {
    const DAY: i64 = 24 * 60 * 60 * 1_000;
    (now_ms - 30 * DAY..now_ms + DAY).contains(&time_ms)
}

fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
