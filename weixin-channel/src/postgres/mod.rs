//! PostgreSQL as a backend that any number of processes share, on any number of machines.
//!
//! ```no_run
//! # async fn run() -> Result<(), weixin_channel::Error> {
//! use weixin_channel::Channel;
//! use weixin_channel::postgres::{PostgresBackend, PostgresOptions};
//!
//! let backend = PostgresBackend::open("postgres://bot@db.internal/weixin", PostgresOptions::default()).await?;
//! let (channel, deliveries) = Channel::builder().state_dir("media").backend(backend).build().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Everything lies in tables whose names begin with `weixin_`, in the schema that the database's user has as its first.
//! They are made by [`PostgresBackend::open`]. Tokens of accounts and context tokens are stored as they are: whoever
//! reads the database can write as the bots. What is deleted or blanked leaves the tables at once, and the database's
//! files when it vacuums and recycles its log; its backups keep it.
//!
//! # Who runs what
//!
//! A process that takes an account is registered, and sends a heartbeat every second. Its leases last for as long as
//! it is alive: a process that was not heard of for [`PostgresOptions::lifetime`], by the database's clock, is removed by
//! whoever wants one of its accounts, and has lost all of them for good. It stops polling before that. One row is
//! written per process and second, however many accounts it has.
//!
//! # PgBouncer
//!
//! Works in transaction mode: each call is one statement without a name, and keeps nothing in the session.

mod access;
mod accounts;
mod database;
mod failure;
mod journal;
mod leases;
mod members;
mod outbound;
mod processes;
mod quotes;
mod schema;
mod tls;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use self::database::Database;
use self::processes::Processes;
use crate::error::Error;

/// A PostgreSQL database as a [`Backend`](crate::backend::Backend). Cheap to clone; clones are one process to others.
#[derive(Clone)]
pub struct PostgresBackend {
    inner: Arc<Inner>,
}

/// How a [`PostgresBackend`] is opened.
#[derive(Clone)]
#[non_exhaustive]
pub struct PostgresOptions {
    /// Connections to hold at most, beside one for heartbeats: 8.
    pub connections: usize,
    /// Root certificates in PEM instead of the machine's. Whether TLS is used is a matter of the address: `sslmode`
    /// `disable`, `prefer` (if the server has it; the default) or `require`. Its certificate is checked in any case.
    pub roots: Vec<Vec<u8>>,
    /// After how long without a heartbeat a process has lost its accounts: 5 s; at least 3 s.
    pub lifetime: Duration,
    /// What this process is called among others of its [fleet](crate::fleet). Which accounts it gets follows from it,
    /// so one that keeps its name when it restarts gets the same ones. `None`: made up.
    pub name: Option<String>,
    /// How long messages are kept to know what a quote quotes: 30 days; `None` keeps none.
    pub quotes: Option<Duration>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            connections: 8,
            roots: Vec::new(),
            lifetime: Duration::from_secs(5),
            name: None,
            quotes: Some(Duration::from_secs(30 * 24 * 60 * 60)),
        }
    }
}

/// Without the roots: whoever puts a key into such a file by mistake should not find it in a log.
impl fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresOptions")
            .field("connections", &self.connections)
            .field("roots", &format_args!("{} roots", self.roots.len()))
            .field("lifetime", &self.lifetime)
            .field("name", &self.name)
            .field("quotes", &self.quotes)
            .finish()
    }
}

struct Inner {
    db: Database,
    processes: Arc<Processes>,
    quotes: Option<Duration>,
}

impl PostgresBackend {
    /// Connects to the database at an address such as `postgres://user:password@host:5432/database?sslmode=require`, and
    /// makes its tables or brings them up to date.
    ///
    /// # Errors
    /// If the address is unusable, the database is not reached, or was written by a newer version.
    pub async fn open(url: &str, options: PostgresOptions) -> Result<Self, Error> {
        let db = Database::new(url, &options.roots, options.connections)?;
        schema::migrate(&db).await?;
        let name = options.name.unwrap_or_else(|| format!("{:016x}", fastrand::u64(..)));
        let lifetime = options.lifetime.max(Duration::from_secs(3));
        let processes = Arc::new(Processes::new(db.clone(), name, lifetime));
        Ok(Self { inner: Arc::new(Inner { db, processes, quotes: options.quotes }) })
    }
}

impl fmt::Debug for PostgresBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresBackend").field("processes", &self.inner.processes).finish_non_exhaustive()
    }
}

/// Unix milliseconds.
fn millis(time: SystemTime) -> i64 {
    whole(time.duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Milliseconds.
fn whole(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

fn time(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
