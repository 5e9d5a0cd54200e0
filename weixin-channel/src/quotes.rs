//! What was written before, for quotes of it. Nothing here keeps a message from its handler or a send from its report.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ilink_client::wire::{ItemKind, MessageItem};
use ilink_client::{MessageId, UserId};
use tokio::time::Instant;

use crate::account::AccountId;
use crate::error::Error;
use crate::inbound::Inbound;
use crate::quote::{Direction, QuoteLimits, QuoteStore, StoredMedia, StoredMessage, reference, resolve};
use crate::state::StateDir;

/// The quote store, if one is wanted and could be opened.
#[derive(Debug)]
pub(crate) struct Quotes {
    store: Option<QuoteStore>,
    /// When it was last pruned: that is done for all accounts at once.
    pruned: Mutex<Option<Instant>>,
}

impl Quotes {
    /// Opens the store; what is wrong with it is logged, and quotes are then known by what they bring themselves.
    pub(crate) fn open(state: &StateDir, limits: Option<QuoteLimits>) -> Self {
        let store = limits.and_then(|limits| match QuoteStore::open(state, limits) {
            Ok(store) => Some(store),
            Err(error) => {
                tracing::warn!(%error, "quotes of past messages will not be known until the next start");
                None
            }
        });
        Self { store, pruned: Mutex::default() }
    }

    /// Resolves the quote of a message.
    pub(crate) fn resolve(&self, account: &AccountId, inbound: &mut Inbound, now: SystemTime) {
        inbound.quote = reference(&inbound.message)
            .map(|quoted| resolve(quoted, self.store.as_ref(), account, &inbound.from, millis(now)));
    }

    /// Remembers a message that was taken care of.
    pub(crate) fn received(&self, account: &AccountId, inbound: &Inbound, now: SystemTime) {
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
            created_at_ms: inbound.time_ms.unwrap_or_else(|| millis(now)),
        };
        self.record(account, &inbound.from, &message);
    }

    /// Remembers what was sent.
    pub(crate) fn sent(
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
            _ => item.text().unwrap_or_else(|| crate::inbound::label(item)).to_owned(),
        };
        let message = StoredMessage {
            message_id,
            direction: Direction::Outbound,
            body,
            media: None,
            created_at_ms: millis(now),
        };
        self.record(account, user, &message);
    }

    fn record(&self, account: &AccountId, user: &UserId, message: &StoredMessage) {
        self.try_to("record", |store| store.record(account, user, message));
    }

    /// Prunes the store, but at most once in so long, however many accounts ask for it.
    pub(crate) fn prune(&self, now: SystemTime, once_in: Duration) {
        let mut pruned = self.pruned.lock().unwrap_or_else(PoisonError::into_inner);
        if pruned.is_some_and(|last| last.elapsed() < once_in) {
            return;
        }
        *pruned = Some(Instant::now());
        drop(pruned);
        self.try_to("prune", |store| store.prune(millis(now)));
    }

    pub(crate) fn forget(&self, account: &AccountId) {
        self.try_to("forget", |store| store.forget(account));
    }

    fn try_to(&self, what: &str, work: impl FnOnce(&QuoteStore) -> Result<(), Error>) {
        if let Some(Err(error)) = self.store.as_ref().map(work) {
            tracing::warn!(%error, what, "the quote store failed");
        }
    }

    /// Where fetched media lies: with what quotes need, which has its limits and is pruned.
    pub(crate) fn media_dir(&self, account: &AccountId) -> Option<std::path::PathBuf> {
        self.store.as_ref().map(|store| store.media_dir(account))
    }
}

fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
