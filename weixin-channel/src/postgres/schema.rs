//! The tables, and how an older database becomes what this version wants.

use super::database::{Database, get};
use crate::error::Error;

/// A step for each version: a new database takes them all, an older one those that it lacks.
const STEPS: [&str; 1] = [include_str!("schema/1.sql")];

const VERSION: &str = "SELECT coalesce((SELECT max(version) FROM weixin_schema), 0)";

/// Brings the database to this version's format. Several programs may do so at once: each looks again once it has the
/// lock.
pub(super) async fn migrate(db: &Database) -> Result<(), Error> {
    let newest = i32::try_from(STEPS.len()).unwrap_or(i32::MAX);
    let known = db.call(None, "SELECT to_regclass('weixin_schema') IS NOT NULL", &[]).await?;
    if known.first().map(|row| get::<bool>(row, 0)).transpose()? == Some(true) {
        let found = version(db).await?;
        if found > newest {
            return Err(Error::NewerStore(i64::from(found)));
        }
        if found == newest {
            return Ok(());
        }
    }
    // The lock is the same for all databases of this kind, and ends with the transaction.
    let lock = "SELECT pg_advisory_xact_lock(7310452811);
                   CREATE TABLE IF NOT EXISTS weixin_schema (version integer PRIMARY KEY);";
    let steps = (1..).zip(STEPS).map(|(step, statements)| {
        format!(
            "DO $step$ BEGIN IF NOT EXISTS (SELECT 1 FROM weixin_schema WHERE version >= {step}) THEN
             EXECUTE $sql${statements}$sql$; INSERT INTO weixin_schema VALUES ({step}); END IF; END $step$;"
        )
    });
    db.batch(&std::iter::once(lock.to_owned()).chain(steps).collect::<String>()).await
}

async fn version(db: &Database) -> Result<i32, Error> {
    let rows = db.call(None, VERSION, &[]).await?;
    rows.first().map_or(Ok(0), |row| get(row, 0))
}
