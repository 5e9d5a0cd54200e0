//! This process among those that share a database: its heartbeat, and the leases that last as long as it does.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_postgres::types::Type;

use super::database::{Database, get, text};
use super::failure::{LOST, transient};
use super::whole;
use crate::account::AccountId;
use crate::backend::{Lease, StoreError};
use crate::error::Error;

/// What this process is to others.
pub(super) struct Processes {
    db: Database,
    name: String,
    lifetime: Duration,
    /// Held while the process is registered.
    registering: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Its row, if it is alive.
    alive: Option<Alive>,
    member: bool,
    /// The leases that it has, with the row that they last as long as.
    held: HashMap<AccountId, Held>,
    /// Leases that were let go of, which the database was not told yet.
    owed: Vec<(Lease, i64)>,
    beating: Option<JoinHandle<()>>,
}

#[derive(Clone, Copy)]
struct Alive {
    id: i64,
    /// When the last heartbeat that arrived was begun.
    beat: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Held {
    generation: i64,
    process: i64,
}

impl Processes {
    pub(super) fn new(db: Database, name: String, lifetime: Duration) -> Self {
        let registering = tokio::sync::Mutex::default();
        Self { db, name, lifetime, registering, state: Mutex::default() }
    }

    /// For how long a lease that is got or renewed now is good: for four fifths of a lifetime from the last heartbeat, or
    /// from now if that is so old that another one goes before. The last fifth is for polls that end a little late.
    pub(super) fn lease_time(&self) -> Duration {
        let age = self.lock().alive.map_or(Duration::ZERO, |alive| alive.beat.elapsed());
        let time = self.lifetime * 4 / 5;
        if age <= self.fresh() { time.saturating_sub(age) } else { time }
    }

    /// How old the last heartbeat may be for leases to be given out and renewed.
    fn fresh(&self) -> Duration {
        self.lifetime / 3
    }

    /// The row of this process, which is made if there is none.
    pub(super) async fn register(self: &Arc<Self>) -> Result<i64, Error> {
        if let Some(id) = self.fresh_id() {
            return Ok(id);
        }
        let _turn = self.registering.lock().await;
        if let Some(id) = self.fresh_id() {
            return Ok(id);
        }
        if let Some(id) = self.id() {
            // Behind with its heartbeats: it is better known now.
            self.beat(id).await?;
        }
        if let Some(id) = self.fresh_id() {
            return Ok(id);
        }
        let (begun, member) = (Instant::now(), self.lock().member);
        let sql = "INSERT INTO weixin_processes (name, member, expires)
                   VALUES ($1, $2, clock_timestamp() + $3 * interval '1 millisecond') RETURNING id";
        let name = text(&self.name);
        let values: [super::database::Value<'_>; 3] =
            [(&name, Type::TEXT), (&member, Type::BOOL), (&whole(self.lifetime), Type::INT8)];
        let rows =
            self.db.beat(self.fresh(), sql, &values).await.map_err(|failure| failure.into_error(None))?;
        let id: i64 = get(rows.first().ok_or_else(|| transient("PostgreSQL gave no number"))?, 0)?;
        tracing::debug!(name = self.name, id, "registered with the database");
        let mut state = self.lock();
        state.alive = Some(Alive { id, beat: begun });
        if let Some(old) = state.beating.replace(tokio::spawn(keep_beating(Arc::downgrade(self), id))) {
            old.abort();
        }
        Ok(id)
    }

    /// Sends a heartbeat. True while this process is alive.
    async fn beat(&self, id: i64) -> Result<bool, Error> {
        let begun = Instant::now();
        let values: [super::database::Value<'_>; 2] =
            [(&id, Type::INT8), (&whole(self.lifetime), Type::INT8)];
        let beat = self.db.beat(self.fresh(), "SELECT account, generation FROM weixin_beat($1, $2)", &values);
        let rows = match beat.await {
            Ok(rows) => rows,
            Err(failure) if failure.is(LOST) => {
                tracing::warn!(
                    name = self.name,
                    "no heartbeat of this process arrived in time: its accounts are lost"
                );
                self.lost(id);
                return Ok(false);
            }
            Err(failure) => return Err(failure.into_error(None)),
        };
        let mut revoked = Vec::new();
        for row in &rows {
            revoked.push((AccountId::new(get(row, 0)?), get::<i64>(row, 1)?));
        }
        let mut state = self.lock();
        for (account, generation) in revoked {
            if state.held.get(&account).is_some_and(|held| held.generation <= generation) {
                state.held.remove(&account);
            }
        }
        match &mut state.alive {
            Some(alive) if alive.id == id => alive.beat = alive.beat.max(begun),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A row that is gone never comes back.
    fn lost(&self, id: i64) {
        let mut state = self.lock();
        state.alive.take_if(|alive| alive.id == id);
        state.held.retain(|_, held| held.process != id);
    }

    pub(super) fn id(&self) -> Option<i64> {
        self.lock().alive.map(|alive| alive.id)
    }

    fn fresh_id(&self) -> Option<i64> {
        let alive = self.lock().alive?;
        (alive.beat.elapsed() <= self.fresh()).then_some(alive.id)
    }

    /// A lease was got.
    pub(super) fn hold(&self, lease: &Lease, process: i64) {
        self.lock().held.insert(lease.account.clone(), Held { generation: lease.generation, process });
    }

    /// A lease is let go of; returns the row that it lasted as long as. The release is repeated until the database
    /// [knows](Self::told), or the process would keep for good what it does not run.
    pub(super) fn let_go(&self, lease: &Lease) -> Option<i64> {
        let mut state = self.lock();
        let held = *state.held.get(&lease.account).filter(|held| held.generation == lease.generation)?;
        state.held.remove(&lease.account);
        state.owed.push((lease.clone(), held.process));
        Some(held.process)
    }

    /// The database knows that a lease was let go of.
    pub(super) fn told(&self, lease: &Lease) {
        self.lock().owed.retain(|(owed, _)| owed != lease);
    }

    /// Tells the database what it was not told.
    async fn pay(&self, id: i64) -> Result<(), Error> {
        let owed: Vec<Lease> = {
            let mut state = self.lock();
            // What another row had is gone with it.
            state.owed.retain(|(_, process)| *process == id);
            state.owed.iter().map(|(lease, _)| lease.clone()).collect()
        };
        if owed.is_empty() {
            return Ok(());
        }
        let accounts: Vec<&str> = owed.iter().map(|lease| lease.account.as_str()).collect();
        let generations: Vec<i64> = owed.iter().map(|lease| lease.generation).collect();
        let sql = "UPDATE weixin_leases l SET process = NULL FROM unnest($1, $2) AS o (account, generation)
                   WHERE l.account = o.account AND l.generation = o.generation AND l.process = $3";
        let values: [super::database::Value<'_>; 3] =
            [(&accounts, Type::TEXT_ARRAY), (&generations, Type::INT8_ARRAY), (&id, Type::INT8)];
        self.db.beat(self.fresh(), sql, &values).await.map_err(|failure| failure.into_error(None))?;
        self.lock().owed.retain(|(lease, _)| !owed.contains(lease));
        Ok(())
    }

    /// Whether a lease is good for another [`lease_time`](Self::lease_time). Asks nobody: the heartbeat is for all.
    pub(super) fn renew(&self, lease: &Lease) -> Result<(), Error> {
        let state = self.lock();
        let held = state.held.get(&lease.account).filter(|held| held.generation == lease.generation);
        match (held, state.alive) {
            (Some(held), Some(alive)) if held.process == alive.id => {
                if alive.beat.elapsed() <= self.fresh() {
                    return Ok(());
                }
                Err(transient(
                    "the database was not told for seconds that this process is alive: see whether it is reached",
                ))
            }
            _ => Err(StoreError::fenced(&lease.account).into()),
        }
    }

    /// From now on it is one of those that share the accounts, or no longer.
    pub(super) async fn set_member(self: &Arc<Self>, member: bool) -> Result<i64, Error> {
        let is_new = std::mem::replace(&mut self.lock().member, member) != member;
        let id = self.register().await?;
        if is_new {
            let sql = "UPDATE weixin_processes SET member = $2 WHERE id = $1";
            self.db.call(None, sql, &[(&id, Type::INT8), (&member, Type::BOOL)]).await?;
        }
        Ok(id)
    }

    /// Takes its row away, and with it all that it has: others need not wait.
    pub(super) async fn leave(&self) -> Result<(), Error> {
        let Some(id) = self.id() else { return Ok(()) };
        self.lost(id);
        if let Some(beating) = self.lock().beating.take() {
            beating.abort();
        }
        let sql = "DELETE FROM weixin_processes WHERE id = $1";
        self.db.call(None, sql, &[(&id, Type::INT8)]).await.map(drop)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends with the backend, or with the row.
async fn keep_beating(processes: Weak<Processes>, id: i64) {
    let mut next = Instant::now();
    loop {
        let Some(processes) = processes.upgrade() else { return };
        next = (next + processes.lifetime / 6).max(Instant::now());
        match processes.beat(id).await {
            Ok(true) => {
                if let Err(error) = processes.pay(id).await {
                    tracing::warn!(%error, "accounts stay taken until the database is told");
                }
            }
            Ok(false) => return,
            Err(error) => tracing::warn!(%error, "the database was not told that this process is alive"),
        }
        drop(processes);
        sleep_until(next).await;
    }
}

impl fmt::Debug for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processes").field("name", &self.name).field("id", &self.id()).finish_non_exhaustive()
    }
}
