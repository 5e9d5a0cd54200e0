//! The default backend: the state folder that existing installations have ([protocol §8]), with SQLite in it.
//!
//! | what | where |
//! |---|---|
//! | accounts | `accounts.json` and `accounts/{id}.json`, in the official plugin's format |
//! | leases | a lock file per account, which the system lets go of when the process ends; their numbers in the journal's file |
//! | journal, context tokens, ledger, outbox | `channel.sqlite`, on a thread of its own |
//! | allow-lists, pairing requests | files |
//! | quotes | `ref-messages.sqlite`, used in place beside the official plugin, on a thread of its own |
//!
//! Cursor and context tokens of the official plugin are taken over when an account is first run, and its files are kept
//! up to date from then on, so that one can go back to it.
//!
//! [protocol §8]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#8-local-files

#[cfg(feature = "sqlite")]
mod access;
#[cfg(feature = "sqlite")]
mod accounts;
#[cfg(feature = "sqlite")]
mod allow_list;
#[cfg(feature = "sqlite")]
mod backend;
pub(crate) mod environment;
#[cfg(feature = "sqlite")]
pub(crate) mod files;
#[cfg(feature = "sqlite")]
mod journal;
#[cfg(feature = "sqlite")]
mod leases;
#[cfg(feature = "sqlite")]
mod lock;
#[cfg(feature = "sqlite")]
mod official;
#[cfg(feature = "sqlite")]
mod official_files;
#[cfg(feature = "sqlite")]
mod outbound;
#[cfg(feature = "sqlite")]
mod pairing;
#[cfg(feature = "sqlite")]
mod quotes;
pub(crate) mod state_dir;

#[cfg(feature = "sqlite")]
pub use backend::{FolderBackend, FolderOptions};
pub use state_dir::StateDir;

#[cfg(feature = "sqlite")]
pub use crate::sqlite::Durability;
