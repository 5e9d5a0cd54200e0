//! One error type: what went wrong, with what, and what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use ilink_client::{Printable, RetryClass, UserId};

use crate::account::AccountId;
use crate::backend::error::{StoreError, StoreErrorKind};
use crate::outbound::refusal::Refusal;

/// Why a call failed. `Display` is one sentence that names the thing and says what to do; its
/// [shape](ilink_client::Error) is that of all crates below.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder of the state folder cannot be read or written.
    State {
        /// Which one.
        path: PathBuf,
        /// What was to be done with it: `read`, `write`, …
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// A file of the state folder cannot be understood. It was kept under another name, never overwritten.
    Corrupt {
        /// Where it was.
        path: PathBuf,
        /// Where it is now.
        kept: PathBuf,
    },
    /// What is kept cannot be read or written.
    Store(StoreError),
    /// The journal was written by a newer version of this crate; the number is its format.
    NewerStore(i64),
    /// There is no such account here.
    UnknownAccount(AccountId),
    /// Another process has this account.
    Locked {
        /// Which account.
        account: AccountId,
        /// What the other process wrote about itself.
        holder: String,
    },
    /// The user has not written to this account yet, so there is no context token to answer with.
    NoContext {
        /// The account.
        account: AccountId,
        /// The user, as given.
        user: String,
    },
    /// The server refused, or could not be reached.
    Client(ilink_client::Error),
    /// Media could not be moved. A caption that goes with it was sent before.
    Media(weixin_media::Error),
    /// A message of several parts was sent in part only.
    Partial {
        /// How many parts were accepted.
        accepted: usize,
        /// Of how many.
        of: usize,
        /// Why the first of the others was not.
        source: Box<Error>,
    },
    /// No more may be sent to this user now: by our own counting, or because the server refused.
    Refused {
        /// Why, as far as our own counting tells ([field note 2]).
        ///
        /// [field note 2]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-2
        reason: Refusal,
        /// The account.
        account: AccountId,
        /// The user.
        user: UserId,
        /// What the server said; `None` if it was not asked.
        source: Option<Box<ilink_client::Error>>,
    },
    /// There is nothing in the reply that could be sent.
    EmptyReply,
    /// There is no account to run, or to send from.
    NoAccounts,
    /// Several accounts could send to this user.
    AmbiguousAccount {
        /// The user, as given.
        user: String,
        /// The accounts.
        candidates: Vec<AccountId>,
    },
    /// No state folder was given, and the environment names none.
    NoStateDir,
    /// No backend was given, and the one of the state folder is not built in (feature `sqlite`).
    NoBackend,
}

/// What kind of failure it is: whose business it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The program's: an argument or a setting is not usable.
    InvalidInput,
    /// The owner's: there is no such account, or several would do.
    Account,
    /// Another process has the account, or has got it since.
    Taken,
    /// The machine's: what is kept cannot be read or written.
    Storage,
    /// No more may be sent to this user now, or not yet: a message of theirs makes it possible.
    Refused,
    /// The server's or the network's: [`ilink_client::Error::kind`] says more.
    Client,
    /// Media could not be moved: [`weixin_media::Error::kind`] says more.
    Media,
}

impl Error {
    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            _ if self.is_fenced() => ErrorKind::Taken,
            Self::State { .. } | Self::Corrupt { .. } | Self::Store(_) | Self::NewerStore(_) => {
                ErrorKind::Storage
            }
            Self::UnknownAccount(_) | Self::NoAccounts | Self::AmbiguousAccount { .. } => ErrorKind::Account,
            Self::Locked { .. } => ErrorKind::Taken,
            Self::NoContext { .. } | Self::Refused { .. } => ErrorKind::Refused,
            Self::Client(_) => ErrorKind::Client,
            Self::Media(_) => ErrorKind::Media,
            Self::Partial { source, .. } => source.kind(),
            Self::EmptyReply | Self::NoStateDir | Self::NoBackend => ErrorKind::InvalidInput,
        }
    }

    /// Whether and how to try again.
    #[must_use]
    pub fn retry_class(&self) -> RetryClass {
        match self {
            Self::State { .. } | Self::Corrupt { .. } => RetryClass::Idempotent,
            Self::Store(error) => error.retry_class(),
            Self::UnknownAccount(_) | Self::NoAccounts => RetryClass::AfterLogin,
            Self::Locked { .. } => RetryClass::Safe,
            Self::NoContext { .. } => RetryClass::Later,
            Self::Refused { reason, .. } if *reason != Refusal::TooLong => RetryClass::Later,
            Self::Client(error) => error.retry_class(),
            Self::Media(error) => error.retry_class(),
            // In part: the same reply would bring what was accepted a second time.
            Self::Partial { .. }
            | Self::Refused { .. }
            | Self::NewerStore(_)
            | Self::EmptyReply
            | Self::AmbiguousAccount { .. }
            | Self::NoStateDir
            | Self::NoBackend => RetryClass::Never,
        }
    }

    /// A short name that stays the same over versions ([the list]).
    ///
    /// [the list]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/errors.md
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::State { .. } => "state-unusable",
            Self::Corrupt { .. } => "state-corrupt",
            Self::Store(error) => error.code(),
            Self::NewerStore(_) => "store-newer",
            Self::UnknownAccount(_) => "unknown-account",
            Self::Locked { .. } => "account-locked",
            Self::NoContext { .. } => "no-context",
            Self::NoStateDir => "no-state-dir",
            Self::NoBackend => "no-backend",
            Self::Client(error) => error.code(),
            Self::Media(error) => error.code(),
            Self::Refused { reason, .. } => reason.code(),
            Self::EmptyReply => "invalid-input",
            Self::NoAccounts => "no-accounts",
            Self::AmbiguousAccount { .. } => "ambiguous-account",
            Self::Partial { source, .. } => source.code(),
        }
    }

    /// Why a send was refused, where it was.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused { reason, .. } => Some(*reason),
            Self::Partial { source, .. } => source.refusal(),
            _ => None,
        }
    }

    /// True if another process runs the account since.
    pub(crate) fn is_fenced(&self) -> bool {
        matches!(self, Self::Store(error) if error.kind() == StoreErrorKind::Fenced)
    }

    pub(crate) fn refused(
        account: &AccountId,
        user: UserId,
        reason: Refusal,
        source: Option<ilink_client::Error>,
    ) -> Self {
        Self::Refused { reason, account: account.clone(), user, source: source.map(Box::new) }
    }

    pub(crate) fn state(path: impl AsRef<Path>, action: &'static str) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::State { path, action, source }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State { path, action, source } => write!(
                f,
                "cannot {action} {}: {source}; check its permissions and the free space, or choose another state folder \
                 (OPENCLAW_STATE_DIR)",
                path.display()
            ),
            Self::Corrupt { path, kept } => write!(
                f,
                "{} is damaged; it was kept as {}: repair it and put it back, or try again to go on with what else is there",
                path.display(),
                kept.display()
            ),
            Self::Store(error) => error.fmt(f),
            Self::NewerStore(format) => {
                write!(f, "the journal was written by a newer version (format {format}): update this program")
            }
            Self::UnknownAccount(account) => {
                write!(f, "there is no account {account} here: log in by QR code, or list the accounts")
            }
            Self::Locked { account, holder } => {
                let holder = name(holder);
                write!(f, "account {account} is in use by another process ({holder}): stop that one first")
            }
            Self::NoContext { account, user } if user.is_empty() => {
                write!(f, "the user is empty: name one who has written to account {account}")
            }
            Self::NoContext { account, user } => write!(
                f,
                "{} has not written to account {account} yet, and WeChat delivers answers only: ask them to write first",
                name(user)
            ),
            Self::Client(error) => error.fmt(f),
            Self::Media(error) => error.fmt(f),
            Self::Partial { accepted, of, source } => {
                write!(f, "only {accepted} of {of} parts of the message were accepted: {source}")
            }
            Self::Refused { reason, account, user, source } => {
                write!(f, "account {account} cannot send to {} now: {reason}", name(user.as_str()))?;
                source.as_deref().map_or(Ok(()), |source| answer(source, f))
            }
            Self::EmptyReply => f.write_str("there is nothing in the reply: give it a text or media"),
            Self::AmbiguousAccount { user, candidates } => {
                let names: Vec<&str> = candidates.iter().map(AccountId::as_str).collect();
                write!(f, "several accounts could write to {}: name one of {}", name(user), names.join(", "))
            }
            Self::NoAccounts => f.write_str("no account is logged in here: log in by QR code first"),
            Self::NoStateDir => f.write_str("no state folder: give one, or set OPENCLAW_STATE_DIR"),
            Self::NoBackend => f.write_str(
                "there is nowhere to keep messages: give the builder a backend, or build with the feature sqlite",
            ),
        }
    }
}

/// A sentence with what others said in it, on one line and no longer than a screen.
pub(crate) fn shown(text: &str) -> String {
    Printable::new(text).max_chars(1_000).to_string()
}

/// A name that somebody else gave.
fn name(text: &str) -> Printable<&str> {
    Printable::new(text).max_chars(100)
}

/// The server's own words; its refusals look alike (field note 2).
fn answer(error: &ilink_client::Error, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let code = |name, code: Option<i64>| code.map(|code| format!("{name} {code}"));
    let errmsg = error.errmsg().filter(|text| !text.is_empty());
    let errmsg = errmsg.map(|text| format!("errmsg \"{}\"", Printable::new(text)));
    let said = [code("ret", error.ret()), code("errcode", error.errcode()), errmsg];
    write!(f, " (the server said: {})", said.into_iter().flatten().collect::<Vec<_>>().join(", "))
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::State { source, .. } => Some(source),
            Self::Store(source) => Some(source),
            Self::Media(source) => Some(source),
            Self::Client(source) => Some(source),
            Self::Partial { source, .. } => Some(&**source),
            Self::Refused { source, .. } => source.as_deref().map(|source| source as _),
            _ => None,
        }
    }
}

impl From<ilink_client::Error> for Error {
    fn from(error: ilink_client::Error) -> Self {
        Self::Client(error)
    }
}

impl From<weixin_media::Error> for Error {
    fn from(error: weixin_media::Error) -> Self {
        Self::Media(error)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
