//! Connections, and calls that are each one statement in one round trip.
//!
//! Nothing is kept in a session: statements have no name, settings are left alone, locks end with their transaction.
//! So PgBouncer may give each transaction another connection.

use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use tokio::time::timeout;
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Config, Row};

use super::failure::{Failure, unreadable};
use super::tls::Tls;
use crate::account::AccountId;
use crate::backend::{StoreError, StoreErrorKind};
use crate::error::Error;

/// A value for a statement, with its type: so the server need not be asked for it.
pub(super) type Value<'a> = (&'a (dyn ToSql + Sync), Type);

/// How long a call may take, waiting for a connection included.
const CALL: Duration = Duration::from_secs(10);

/// How long making a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Which option of an address is wrong. What else is said about it may be a part of the password: one with a `?` in it
/// reads like options.
fn mistaken_option(error: &tokio_postgres::Error) -> String {
    const OPTIONS: [&str; 8] = [
        "connect_timeout",
        "host",
        "hostaddr",
        "keepalives",
        "port",
        "sslmode",
        "target_session_attrs",
        "user",
    ];
    let why = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
    let wrong = OPTIONS.iter().find(|option| why == format!("invalid value for option `{option}`"));
    wrong.map(|option| format!(" (its {option})")).unwrap_or_default()
}

/// Connections to one database.
#[derive(Clone)]
pub(super) struct Database {
    pool: Pool,
    /// For heartbeats alone: they must not wait behind others.
    beats: Pool,
}

impl Database {
    pub(super) fn new(url: &str, roots: &[Vec<u8>], connections: usize) -> Result<Self, Error> {
        let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
            let sentence = format!(
                "the address of the database is unusable{}: write postgres://user:password@host:5432/database, with \
                 %40 for @, %2F for / and %3F for ? in the password",
                mistaken_option(&error)
            );
            StoreError::new(StoreErrorKind::Corrupt, sentence)
        })?;
        config.connect_timeout(CONNECT).tcp_user_timeout(CALL).keepalives_idle(CALL);
        if config.get_application_name().is_none() {
            config.application_name("weixin-channel");
        }
        let tls = Tls::new(roots)?;
        let pool = |size: usize| {
            let settings = ManagerConfig { recycling_method: RecyclingMethod::Fast };
            let manager = Manager::from_config(config.clone(), tls.clone(), settings);
            let builder = Pool::builder(manager).max_size(size.max(1)).runtime(Runtime::Tokio1);
            builder.wait_timeout(Some(CALL)).create_timeout(Some(CONNECT)).build().map_err(|error| {
                Error::from(StoreError::new(StoreErrorKind::Transient, format!("{error}: please report it")))
            })
        };
        Ok(Self { pool: pool(connections)?, beats: pool(1)? })
    }

    /// Does one statement. A refusal of a lease is one of `account`'s.
    pub(super) async fn call(
        &self,
        account: Option<&AccountId>,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Error> {
        self.query(sql, values).await.map_err(|failure| failure.into_error(account))
    }

    pub(super) async fn query(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Failure> {
        on(&self.pool, CALL, sql, values).await
    }

    /// The same for a heartbeat.
    pub(super) async fn beat(
        &self,
        limit: Duration,
        sql: &str,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>, Failure> {
        on(&self.beats, limit, sql, values).await
    }

    /// Several statements in one transaction.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Error> {
        let work = async {
            let mut client = self.pool.get().await.map_err(Failure::Pool)?;
            let transaction = client.transaction().await.map_err(Failure::Sql)?;
            transaction.batch_execute(sql).await.map_err(Failure::Sql)?;
            transaction.commit().await.map_err(Failure::Sql)
        };
        work.await.map_err(|failure: Failure| failure.into_error(None))
    }
}

async fn on(pool: &Pool, limit: Duration, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Failure> {
    let mut client = None;
    let work = async {
        let client = client.insert(pool.get().await.map_err(Failure::Pool)?);
        client.query_typed(sql, values).await.map_err(Failure::Sql)
    };
    let ended = timeout(limit, work).await;
    if let (Err(_), Some(client)) = (&ended, client) {
        // Whatever holds it up would hold up the next one.
        drop(deadpool_postgres::Object::take(client));
    }
    ended.unwrap_or(Err(Failure::TimedOut))
}

/// A column of a row.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, Error> {
    row.try_get(column).map_err(unreadable)
}

/// PostgreSQL's texts have no NUL, which nothing readable has either.
pub(super) fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::PostgresOptions;

    #[tokio::test]
    async fn an_address_that_is_unusable_shows_none_of_its_password() {
        for (url, names) in [
            ("postgres://bot:hunter2@db/weixin?secret=hunter2", ""),
            ("postgres://bot:hunter2@db:port/weixin", ""),
            ("postgres://bot:hunter2@db/weixin?sslmode=secret", "its sslmode"),
            ("hunter2 secret", ""),
        ] {
            let error = Database::new(url, &[], 1).map(drop).unwrap_err();
            for said in [error.to_string(), format!("{error:?}")] {
                assert!(!said.contains("hunter2") && !said.contains("secret"), "{said}");
                assert!(said.contains(names), "{said}");
            }
        }
    }

    #[test]
    fn options_show_no_bytes_of_a_file() {
        let options = PostgresOptions { roots: vec![b"PRIVATE".to_vec()], ..PostgresOptions::default() };
        let shown = format!("{options:?}");
        assert!(shown.contains("1 roots") && !shown.contains("80, 82"), "{shown}");
    }
}
