//! What PostgreSQL says, as errors of a backend with a sentence.

use deadpool_postgres::{PoolError, TimeoutType};
use tokio_postgres::error::SqlState;

use crate::account::AccountId;
use crate::backend::{StoreError, StoreErrorKind};
use crate::error::Error;

/// A write with a lease that is not the latest.
const FENCED: &str = "WX001";
/// A process whose row is gone.
pub(super) const LOST: &str = "WX002";
/// More than may wait in the outbox.
pub(super) const FULL: &str = "WX003";

/// Why a call failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server, or the way to it.
    Sql(tokio_postgres::Error),
    /// There was no connection for it.
    Pool(PoolError),
    /// No answer came in time.
    TimedOut,
}

impl Failure {
    /// The code of an error that our own functions raise.
    pub(super) fn is(&self, code: &str) -> bool {
        matches!(self, Self::Sql(error) if error.code().is_some_and(|state| state.code() == code))
    }

    /// With its sentence. `account` is whose lease the call carried.
    pub(super) fn into_error(self, account: Option<&AccountId>) -> Error {
        if let Some(account) = account.filter(|_| self.is(FENCED)) {
            return StoreError::fenced(account).into();
        }
        match self {
            Self::Pool(PoolError::Backend(error)) | Self::Sql(error) => of_sql(error),
            Self::Pool(PoolError::Timeout(TimeoutType::Wait)) => transient(
                "all connections to PostgreSQL are in use for seconds: allow more of them, or see what is slow there",
            ),
            Self::Pool(_) => {
                transient("PostgreSQL was not reached in time: see whether it runs and the network works")
            }
            Self::TimedOut => transient(
                "PostgreSQL did not answer in time: see what holds it up, or whether the network works",
            ),
        }
    }
}

fn of_sql(error: tokio_postgres::Error) -> Error {
    let Some(told) = error.as_db_error() else {
        return StoreError::new(
            StoreErrorKind::Transient,
            format!(
                "the connection to PostgreSQL failed ({}): see whether it runs, and its address",
                causes(&error)
            ),
        )
        .with_source(error)
        .into();
    };
    let (kind, advice) = advice(told.code());
    let sentence = format!("PostgreSQL refused ({}, {}): {advice}", told.message(), told.code().code());
    StoreError::new(kind, sentence).with_source(error).into()
}

/// By the class of an SQLSTATE, which is its first two characters.
fn advice(state: &SqlState) -> (StoreErrorKind, &'static str) {
    use StoreErrorKind::{Conflict, Corrupt, Transient};
    match (state.code().get(..2).unwrap_or_default(), state.code()) {
        (_, "23505" | "23P01") => (Conflict, "somebody else wrote the same at that moment: look again"),
        (_, "53300") => {
            (Transient, "it has no connection left: allow more there, or put PgBouncer before it")
        }
        (_, "25006") => (Transient, "it is a replica that only reads: give the address of the primary"),
        ("40" | "55", _) => {
            (Transient, "others wrote at that moment: nothing needs to be done, it is tried again")
        }
        ("53" | "58", _) => (Transient, "it lacks disk, memory or connections: make room there"),
        ("57", _) => (Transient, "it is being stopped or started: wait for it"),
        ("08", _) => (Transient, "the connection broke: see whether it runs"),
        ("28", _) => (Transient, "check the user and the password in its address"),
        ("3D", _) => (Transient, "create that database, or correct its name in the address"),
        ("XX", _) => (Corrupt, "its data is damaged: restore a backup"),
        ("42", _) => {
            (Corrupt, "its tables are not those of this version, or its user may not use them: have a look")
        }
        ("22" | "23", _) => (Corrupt, "it was given what it cannot keep: please report it with this message"),
        _ => (Transient, "see its log"),
    }
}

/// With what lies beneath: the error itself says "error connecting to server" only.
fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let each = std::iter::successors(Some(error), |error| error.source());
    each.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

pub(super) fn transient(sentence: &str) -> Error {
    StoreError::new(StoreErrorKind::Transient, sentence).into()
}

/// A value that is not what this version wrote.
pub(super) fn unreadable(error: tokio_postgres::Error) -> Error {
    let sentence =
        format!("a row in PostgreSQL cannot be read ({error}): was it written by another version?");
    StoreError::new(StoreErrorKind::Corrupt, sentence).with_source(error).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_repetition_helps_with() {
        use StoreErrorKind::{Conflict, Corrupt, Transient};
        for (state, kind) in [
            (SqlState::UNIQUE_VIOLATION, Conflict),
            (SqlState::T_R_SERIALIZATION_FAILURE, Transient),
            (SqlState::T_R_DEADLOCK_DETECTED, Transient),
            (SqlState::LOCK_NOT_AVAILABLE, Transient),
            (SqlState::TOO_MANY_CONNECTIONS, Transient),
            (SqlState::DISK_FULL, Transient),
            (SqlState::ADMIN_SHUTDOWN, Transient),
            (SqlState::CANNOT_CONNECT_NOW, Transient),
            (SqlState::CONNECTION_FAILURE, Transient),
            (SqlState::READ_ONLY_SQL_TRANSACTION, Transient),
            (SqlState::INVALID_PASSWORD, Transient),
            (SqlState::UNDEFINED_TABLE, Corrupt),
            (SqlState::INSUFFICIENT_PRIVILEGE, Corrupt),
            (SqlState::DATA_CORRUPTED, Corrupt),
        ] {
            assert_eq!(advice(&state).0, kind, "{state:?}");
        }
    }
}
