//! The official plugin's files of an account, cursor and context tokens: taken over once, and kept up to date, so that
//! one can go back to it (protocol §8).
//!
//! The database has what was last written into the cursor's file. A cursor that is found there and is neither that nor
//! what was about to be written is of another program, which has polled the account since: polling goes on from it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use ilink_client::{ContextToken, Cursor, UserId};
use rusqlite::{Connection, OptionalExtension as _, params};

use super::backend::{FolderBackend, Inner};
use crate::account::AccountId;
use crate::backend::NewEntry;
use crate::blocking::blocking;
use crate::error::Error;
use crate::sqlite::{journal, outbound};

/// Changes within this time are written at once: the files are small, but so is the news of one message.
const DELAY: Duration = Duration::from_secs(1);

/// What has changed since the files were written, by account.
#[derive(Debug, Default)]
pub(super) struct Changes(Mutex<HashMap<AccountId, Change>>);

#[derive(Debug, Default)]
struct Change {
    cursor: Option<Cursor>,
    tokens: bool,
}

/// The cursors that we wrote into the official plugin's file: the last, and one that may have been or not.
#[derive(Debug, Default)]
struct Marks {
    written: Option<String>,
    writing: Option<String>,
}

impl FolderBackend {
    /// Takes over what the official plugin left of an account, its cursor and context tokens: once, and again only if
    /// that plugin has polled the account since. True if something was taken over.
    ///
    /// [`acquire`](crate::backend::Leases::acquire) does so for whoever gets the account.
    ///
    /// # Errors
    /// If a file is damaged (it is kept aside), or the journal cannot be written.
    pub(super) async fn import_official(&self, account: &AccountId) -> Result<bool, Error> {
        let (state, id) = (self.inner.state.clone(), account.clone());
        let found = blocking(move || state.read_cursor(&id)).await?;
        let id = account.clone();
        let (known, marks) =
            self.inner.db.read(move |db| Ok((journal::cursor(db, &id)?, marks(db, &id)?))).await?;
        let foreign = match (&marks, &found) {
            // A journal of before there were marks has a cursor of its own.
            (None, _) => known.is_none() || found.as_ref().is_some_and(|found| Some(found) != known.as_ref()),
            (Some(_), None) => false,
            (Some(marks), Some(found)) => {
                let ours = [marks.written.as_deref(), marks.writing.as_deref()];
                Some(found) != known.as_ref() && !ours.contains(&Some(found.as_str()))
            }
        };
        if !foreign {
            return Ok(false);
        }
        if known.is_some() {
            tracing::info!(%account, "another program has polled this account since: going on from its cursor");
        }
        let (state, id) = (self.inner.state.clone(), account.clone());
        let tokens = blocking(move || state.read_context_tokens(&id)).await?;
        let tokens: Vec<(UserId, ContextToken)> =
            tokens.into_iter().map(|(user, token)| (user.into(), token.into())).collect();
        let (id, now) = (account.clone(), SystemTime::now());
        let cursor = found.unwrap_or_default();
        self.inner
            .db
            .write(move |db| {
                journal::take_over(db, &id, &cursor, &tokens, now)?;
                Ok(mark(db, &id, &cursor)?)
            })
            .await?;
        Ok(true)
    }

    /// A batch is in the journal: the files follow in a while.
    pub(super) fn note_change(&self, account: &AccountId, cursor: &Cursor, entries: &[NewEntry]) {
        let tokens = entries.iter().any(|entry| entry.context_token.is_some());
        if cursor.is_empty() && !tokens {
            return;
        }
        let mut changes = self.inner.changes.lock();
        let is_new = !changes.contains_key(account);
        let change = changes.entry(account.clone()).or_default();
        if !cursor.is_empty() {
            change.cursor = Some(cursor.clone());
        }
        change.tokens |= tokens;
        drop(changes);
        if is_new {
            let (inner, account) = (Arc::downgrade(&self.inner), account.clone());
            tokio::spawn(async move {
                tokio::time::sleep(DELAY).await;
                if let Some(inner) = inner.upgrade() {
                    inner.export(&account).await;
                }
            });
        }
    }
}

impl Inner {
    /// Writes what has changed. They are copies, so a failure costs nothing but them.
    pub(super) async fn export(&self, account: &AccountId) {
        let Some(change) = self.changes.lock().remove(account) else { return };
        if let Err(error) = self.write_files(account, change).await {
            tracing::warn!(%account, %error, "the official plugin's files are out of date");
        }
    }

    async fn write_files(&self, account: &AccountId, change: Change) -> Result<(), Error> {
        let (id, cursor) = (account.clone(), change.cursor.clone());
        if let Some(cursor) = cursor {
            // Before the file: whatever becomes of it, it is known as ours.
            self.db.write(move |db| Ok(mark(db, &id, &cursor)?)).await?;
        }
        let id = account.clone();
        let tokens = if change.tokens {
            Some(self.db.read(move |db| Ok(outbound::context_tokens(db, &id)?)).await?)
        } else {
            None
        };
        let (state, id) = (self.state.clone(), account.clone());
        blocking(move || {
            // An account that was retired or removed meanwhile leaves no files behind.
            if state.account(&id)?.is_none() {
                return Ok(());
            }
            if let Some(cursor) = &change.cursor {
                state.write_cursor(&id, cursor)?;
            }
            let Some(tokens) = tokens else { return Ok(()) };
            let text =
                tokens.iter().map(|(user, token)| (user.as_str().to_owned(), token.as_str().to_owned()));
            state.write_context_tokens(&id, &text.collect::<Vec<_>>())
        })
        .await
    }
}

impl Changes {
    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, Change>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn marks(db: &Connection, account: &AccountId) -> rusqlite::Result<Option<Marks>> {
    let mut select = db.prepare_cached("SELECT written, writing FROM official WHERE account = ?1")?;
    select
        .query_row([account.as_str()], |row| Ok(Marks { written: row.get(0)?, writing: row.get(1)? }))
        .optional()
}

/// A cursor is in the file, or is about to be.
fn mark(db: &Connection, account: &AccountId, cursor: &Cursor) -> rusqlite::Result<()> {
    let sql = "INSERT INTO official VALUES (?1, NULL, ?2)
               ON CONFLICT DO UPDATE SET written = writing, writing = excluded.writing";
    db.prepare_cached(sql)?.execute(params![account.as_str(), cursor.as_str()]).map(drop)
}
