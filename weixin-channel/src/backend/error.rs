//! What can go wrong in a backend.

use std::error::Error as StdError;
use std::fmt;

use ilink_client::RetryClass;

use crate::account::AccountId;

/// Why a backend could not do what it was asked to. `Display` is one sentence that says what to do.
#[derive(Debug)]
pub struct StoreError {
    kind: StoreErrorKind,
    sentence: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What a caller can do about a [`StoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// It may pass: a full disk, a lock that another program holds, a server that restarts. The same call may be made
    /// again.
    Transient,
    /// Something else happened at the same time, and this call lost: look again, then decide.
    Conflict,
    /// Another process has got the account since: this one may write nothing for it any more.
    Fenced,
    /// What is stored cannot be read, by this version or at all: somebody has to look at it.
    Corrupt,
}

impl StoreError {
    /// An error with its sentence: what failed, and what to do.
    pub fn new(kind: StoreErrorKind, sentence: impl Into<String>) -> Self {
        Self { kind, sentence: sentence.into(), source: None }
    }

    /// With what lies beneath it.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The error of a write with a lease that is not the latest of its account.
    #[must_use]
    pub fn fenced(account: &AccountId) -> Self {
        let sentence = format!(
            "account {account} is run by another process since: this one writes nothing more for it; nothing needs to be \
             done"
        );
        Self::new(StoreErrorKind::Fenced, sentence)
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Whether and how to try again.
    #[must_use]
    pub fn retry_class(&self) -> RetryClass {
        match self.kind {
            StoreErrorKind::Transient | StoreErrorKind::Conflict => RetryClass::Idempotent,
            StoreErrorKind::Fenced | StoreErrorKind::Corrupt => RetryClass::Never,
        }
    }

    /// As [`Error::code`](crate::Error::code).
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.kind {
            StoreErrorKind::Transient => "store-failed",
            StoreErrorKind::Conflict => "store-conflict",
            StoreErrorKind::Fenced => "account-lost",
            StoreErrorKind::Corrupt => "store-corrupt",
        }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl StdError for StoreError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
