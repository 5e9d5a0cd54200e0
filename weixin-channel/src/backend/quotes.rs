//! Past messages, to know what a quote quotes.

use std::path::PathBuf;

use ilink_client::{MessageId, UserId};

use super::answer::Answer;
use crate::account::AccountId;
use crate::quote::types::StoredMessage;

/// Past messages of all accounts, by id and by time. How much is kept, and for how long, is the backend's to decide;
/// one that keeps nothing leaves every method as it is.
pub trait Quotes: Send + Sync {
    /// Remembers a message; one with the same id is replaced, but keeps its media if the new one has none. A message
    /// without id, or with neither text nor media, is none that can be quoted.
    ///
    /// Nothing waits for the disk here: a crash may cost the messages of the last moment.
    fn record_quote<'a>(
        &'a self,
        account: &'a AccountId,
        conversation: &'a UserId,
        message: &'a StoredMessage,
    ) -> Answer<'a, ()> {
        let _ = (account, conversation, message);
        Box::pin(async { Ok(()) })
    }

    /// A message of a conversation by its id; `None` if it is not here. Its media has a path only if the file is there.
    fn quote_by_id<'a>(
        &'a self,
        account: &'a AccountId,
        conversation: &'a UserId,
        id: MessageId,
        now_ms: i64,
    ) -> Answer<'a, Option<StoredMessage>> {
        let _ = (account, conversation, id, now_ms);
        Box::pin(async { Ok(None) })
    }

    /// Messages of a conversation that may be the one written at a time, in Unix milliseconds, the likeliest first:
    /// those of that very millisecond; if the time is a whole second, those that round to it, down or to the next
    /// ([field note 25]); those that were sent from here, as far off as clocks may be.
    ///
    /// [field note 25]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-25
    fn quotes_near<'a>(
        &'a self,
        account: &'a AccountId,
        conversation: &'a UserId,
        time_ms: i64,
        now_ms: i64,
    ) -> Answer<'a, Vec<StoredMessage>> {
        let _ = (account, conversation, time_ms, now_ms);
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Forgets what is older or more than is to be kept. Called about once an hour.
    fn prune_quotes(&self, now_ms: i64) -> Answer<'_, ()> {
        let _ = now_ms;
        Box::pin(async { Ok(()) })
    }

    /// Forgets all messages of an account.
    fn forget_quotes<'a>(&'a self, account: &'a AccountId) -> Answer<'a, ()> {
        let _ = account;
        Box::pin(async { Ok(()) })
    }

    /// Where fetched media of an account is to lie so that a quote finds it, if anywhere.
    fn media_dir(&self, account: &AccountId) -> Option<PathBuf> {
        let _ = account;
        None
    }
}
