//! The number of each account's latest lease. Who holds it is a matter of lock files.

use rusqlite::{Connection, OptionalExtension as _, Result, params};

use super::failure::Problem;
use crate::account::AccountId;
use crate::backend::{Lease, StoreError};

/// A later lease than all before.
pub(crate) fn next(db: &Connection, account: &AccountId, holder: &str) -> Result<Lease> {
    let sql = "INSERT INTO leases VALUES (?1, 1, ?2) ON CONFLICT DO UPDATE
               SET generation = generation + 1, holder = excluded.holder RETURNING generation";
    let generation =
        db.prepare_cached(sql)?.query_row(params![account.as_str(), holder], |row| row.get(0))?;
    Ok(Lease::new(account.clone(), generation))
}

/// Refuses a lease that is not the latest.
pub(crate) fn check(db: &Connection, lease: &Lease) -> std::result::Result<(), Problem> {
    let sql = "SELECT generation FROM leases WHERE account = ?1";
    let latest: Option<i64> =
        db.prepare_cached(sql)?.query_row([lease.account.as_str()], |row| row.get(0)).optional()?;
    if latest.is_some_and(|latest| latest > lease.generation) {
        return Err(Problem::Refused(StoreError::fenced(&lease.account).into()));
    }
    Ok(())
}
