//! An account begins to run here, and ends.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::account::running::Run;
use crate::account::{AccountConfig, AccountId};
use crate::backend::Retention;
use crate::core::Core;
use crate::error::Error;
use crate::inbound::delivery::Lanes;
use crate::inbound::dispatch::Dispatcher;
use crate::inbound::policy::ControlWords;
use crate::inbound::poller::Poller;
use crate::inbound::settlements::Settlements;

/// See [`Channel::start`](crate::Channel::start).
pub(crate) async fn start(
    core: &Arc<Core>,
    lanes: &Lanes,
    id: &AccountId,
    config: AccountConfig,
) -> Result<(), Error> {
    let (running, mut task) = core.running.enter(id).await;
    let Some(account) = core.backend.account(id).await? else {
        core.running.remove(id);
        return Err(Error::UnknownAccount(id.clone()));
    };
    let same = running.run(|run| run.account == account && run.config == config);
    if same == Some(true) && task.as_ref().is_some_and(|task| !task.is_finished()) {
        return Ok(());
    }
    running.end(&mut task, core.backend()).await;
    let bot = core.bot_for(&account, &config)?;
    // From before it was asked for: the backend's own count begins later.
    let good_until = core.backend.lease_time().map(|time| Instant::now() + time);
    running.lease.set(core.backend.acquire(id, &holder()).await?, good_until);
    let (stop, stopped) = watch::channel(());
    let (requeue, requeued) = mpsc::unbounded_channel();
    let dispatcher = Dispatcher {
        account: account.clone(),
        config: config.clone(),
        settlements: Settlements::new(core.backend.clone()),
        core: Arc::downgrade(core),
        lanes: lanes.clone(),
        in_flight: running.in_flight.clone(),
        lease: running.lease.clone(),
    };
    let poller = Poller {
        account: id.clone(),
        bot: bot.clone(),
        backend: core.backend.clone(),
        lease: running.lease.clone(),
        status: running.status.clone(),
        control: ControlWords::new(&core.inbound),
        policy: core.inbound.clone(),
        dispatcher,
        starts: core.starts.clone(),
        requeued,
        stop: stopped,
    };
    *task = Some(tokio::spawn(poller.run()));
    running.begin(Run { account, config, bot, _stop: stop, requeue });
    Ok(())
}

/// What others are told of who has an account.
fn holder() -> String {
    let program = std::env::current_exe().ok();
    let program = program.as_deref().and_then(|path| path.file_name()).unwrap_or_default();
    format!("{} pid {}", program.display(), std::process::id())
}

/// See [`Channel::stop`](crate::Channel::stop).
pub(crate) async fn stop(core: &Core, id: &AccountId) {
    if let Some(running) = core.running.get(id) {
        running.stop(core.backend()).await;
    }
}

/// See [`Channel::stop_all`](crate::Channel::stop_all).
pub(crate) async fn stop_all(core: &Core) {
    let mut stops: JoinSet<()> = JoinSet::new();
    for (_, running) in core.running.all() {
        let backend = core.backend.clone();
        stops.spawn(async move { running.stop(&*backend).await });
    }
    stops.join_all().await;
}

/// See [`Channel::logout`](crate::Channel::logout).
pub(crate) async fn logout(core: &Core, id: &AccountId) -> Result<(), Error> {
    let (running, mut task) = core.running.enter(id).await;
    running.end(&mut task, core.backend()).await;
    running.in_flight.forget();
    running.sends.close();
    let forgotten = forget(core, id).await;
    core.running.remove(id);
    forgotten
}

async fn forget(core: &Core, id: &AccountId) -> Result<(), Error> {
    core.backend.remove_account(id).await?;
    core.tickets.forget(id);
    core.quotes.forget(id).await;
    core.backend.forget(id).await
}

/// A stopped account that is no longer in the backend needs no keys of what was handled, and nothing here once its
/// last turn is over. What was not handled stays in the journal; it is counted.
pub(crate) async fn retire(core: &Core, id: &AccountId) -> usize {
    let mut nothing_done = Retention::default();
    (nothing_done.done, nothing_done.done_rows) = (Duration::ZERO, 0);
    if let Err(error) = core.backend.prune(id, &nothing_done, core.now()).await {
        tracing::warn!(account = %id, %error, "the journal of an account that is gone was not pruned");
    }
    if core.running.get(id).is_some_and(|running| running.in_flight.is_empty()) {
        core.running.remove(id);
    }
    let unhandled = core.backend.counts(id).await.map_or(0, |counts| counts.pending);
    if unhandled > 0 {
        tracing::warn!(account = %id, unhandled, "messages to an account that is gone were not handled");
    }
    unhandled
}
