//! The official plugin's files: copies of what the journal has, so that one can go back to it.

use std::time::Duration;

use ilink_client::Cursor;
use tokio::time::Instant;

use crate::account::AccountId;
use crate::error::Error;
use crate::state::StateDir;
use crate::store::{NewEntry, Store};

/// Changes within this time are written at once: the files are small, but so is the news of one message.
const DELAY: Duration = Duration::from_secs(1);

/// What has changed since the files were written.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    cursor: Option<Cursor>,
    tokens: bool,
    due: Option<Instant>,
}

impl Copies {
    /// The journal has taken a batch.
    pub(crate) fn note(&mut self, cursor: &Cursor, entries: &[NewEntry]) {
        if !cursor.is_empty() {
            self.cursor = Some(cursor.clone());
        }
        self.tokens |= entries.iter().any(|entry| entry.context_token.is_some());
        if self.cursor.is_some() || self.tokens {
            self.due.get_or_insert_with(|| Instant::now() + DELAY);
        }
    }

    /// When the files are to be written.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Writes what has changed. They are copies, so a failure costs nothing but them.
    pub(crate) async fn write(&mut self, state: &StateDir, account: &AccountId, store: &dyn Store) {
        self.due = None;
        // An account that was retired or removed meanwhile leaves no files behind.
        if !matches!(state.account(account), Ok(Some(_))) {
            return;
        }
        if let Some(cursor) = self.cursor.take()
            && let Err(error) = state.write_cursor(account, &cursor)
        {
            tracing::warn!(%account, %error, "the cursor file is out of date");
        }
        if std::mem::take(&mut self.tokens)
            && let Err(error) = copy_tokens(state, account, store).await
        {
            tracing::warn!(%account, %error, "the context-token file is out of date");
        }
    }
}

async fn copy_tokens(state: &StateDir, account: &AccountId, store: &dyn Store) -> Result<(), Error> {
    let tokens = store.context_tokens(account).await?;
    let text = tokens.into_iter().map(|(user, token)| (user.as_str().to_owned(), token.as_str().to_owned()));
    state.write_context_tokens(account, &text.collect::<Vec<_>>())
}
