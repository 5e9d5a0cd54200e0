//! From the journal to a handler: authorise, resolve the quote, fetch media, hand over. Runs beside the poll.

use std::sync::{Arc, Weak};
use std::time::Duration;

use ilink_client::UserId;
use tokio::time::Instant;

use crate::access::admission;
use crate::access::policy::Verdict;
use crate::account::lease_cell::LeaseCell;
use crate::account::{Account, AccountConfig, AccountId};
use crate::backend::{Entry, Lease, Settlement};
use crate::conversation::Conversation;
use crate::core::Core;
use crate::error::Error;
use crate::inbound::delivery::{Delivery, Lanes};
use crate::inbound::in_flight::InFlight;
use crate::inbound::media;
use crate::inbound::message::Inbound;
use crate::inbound::policy::MediaPolicy;
use crate::inbound::settlements::Settlements;
use crate::inbound::settler::Settler;

/// What it takes to hand over messages of one account.
#[derive(Clone)]
pub(crate) struct Dispatcher {
    pub(crate) account: Account,
    pub(crate) config: AccountConfig,
    pub(crate) settlements: Arc<Settlements>,
    /// Not kept alive by an account that runs.
    pub(crate) core: Weak<Core>,
    pub(crate) lanes: Lanes,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) lease: Arc<LeaseCell>,
}

/// How old the note of an attempt may be when its message is handed over.
const FRESH: Duration = Duration::from_millis(250);

/// How a message goes to a handler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Going {
    /// It does not wait for its user's turn.
    pub(crate) control: bool,
    /// The journal knows already that its attempt begins.
    pub(crate) noted: bool,
    /// It may have killed the processes before this one: see [`suspects`](super::suspects).
    pub(crate) suspect: bool,
}

/// What became of a message on its way.
#[derive(Debug)]
pub(crate) enum DispatchOutcome {
    /// A handler has it.
    Delivered,
    /// Nobody is to be given it: it is done.
    Dropped(Entry),
    /// It cannot be read: it is dead.
    Unreadable(Entry),
    /// It could not be prepared, for a reason that may pass.
    Failed(Entry, String),
    /// The channel is gone.
    Gone,
    /// Another process runs the account: it has the message.
    Lost(Error),
}

impl Dispatcher {
    pub(crate) async fn dispatch(self, entry: Entry, going: Going) -> DispatchOutcome {
        let Going { control, noted, suspect } = going;
        let mut alone = None;
        if suspect {
            let Some(suspects) = self.core.upgrade().map(|core| core.suspects.clone()) else {
                return DispatchOutcome::Gone;
            };
            alone = suspects.alone().await;
        }
        // Before anything is done with it: one that kills the process is then known by how often it was tried.
        let lease = self.lease.get();
        let noted_at = Instant::now();
        // Before it is noted: a stop may come while that is being written, and takes it back.
        self.in_flight.begin(&entry);
        if !noted && let Err(error) = self.note(lease.as_ref(), &entry).await {
            return DispatchOutcome::Lost(error);
        }
        let Some(mut inbound) = Inbound::from_json(&entry.raw) else {
            return DispatchOutcome::Unreadable(entry);
        };
        let Some(core) = self.core.upgrade() else { return DispatchOutcome::Gone };
        match self.admit(&core, &inbound.from).await {
            Ok(true) => {}
            Ok(false) => return DispatchOutcome::Dropped(entry),
            Err(error) => return DispatchOutcome::Failed(entry, error.to_string()),
        }
        let id = self.id();
        core.quotes.resolve(id, &mut inbound, core.now()).await;
        if let MediaPolicy::Eager { max_size } = core.inbound.media {
            media::fetch(&core, id, &mut inbound, max_size).await;
        }
        // A channel that is gone has nobody who could handle a message; one that is kept alive here would never go.
        drop(core);
        let Ok(permit) = self.lanes.reserve(control).await else { return DispatchOutcome::Gone };
        let Some(core) = self.core.upgrade() else { return DispatchOutcome::Gone };
        // Another process may have it by now.
        if noted_at.elapsed() > FRESH
            && let Err(error) = self.note(lease.as_ref(), &entry).await
        {
            return DispatchOutcome::Lost(error);
        }
        let redelivered = entry.dispatched;
        let message = entry.id;
        let generation = lease.map_or(0, |lease| lease.generation);
        let Some(ticket) = self.in_flight.add(entry, control, generation) else {
            return DispatchOutcome::Gone;
        };
        let delivery = Delivery {
            account: id.clone(),
            id: message,
            inbound,
            control,
            redelivered,
            settler: Settler {
                account: id.clone(),
                id: message,
                settlements: self.settlements.clone(),
                in_flight: self.in_flight.clone(),
                ticket,
                lease: self.lease.clone(),
                generation,
                done: false,
                _alone: alone,
            },
            core,
        };
        permit.send(delivery);
        DispatchOutcome::Delivered
    }

    /// Notes that the attempt begins. An error says that another process has the account; a journal that cannot be written
    /// keeps nobody from handling messages.
    async fn note(&self, lease: Option<&Lease>, entry: &Entry) -> Result<(), Error> {
        let Some(lease) = lease else { return Ok(()) };
        let what = Settlement::Dispatched { id: entry.id, attempt: entry.attempts };
        match self.settlements.settle(lease.clone(), what).await {
            Err(error) if error.is_fenced() => Err(error),
            Err(error) => {
                tracing::warn!(account = %self.id(), id = entry.id, %error, "an attempt was not journalled");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn id(&self) -> &AccountId {
        &self.account.id
    }

    /// Authorise, then act (invariant 5): false for a sender who is not allowed. One who may ask to be is sent a code.
    async fn admit(&self, core: &Arc<Core>, sender: &UserId) -> Result<bool, Error> {
        match admission::admit(core, &self.account, &self.config, sender).await? {
            Verdict::Allowed { .. } => Ok(true),
            Verdict::Pair => {
                if let Some((code, text)) = admission::request_pairing(core, self.id(), sender).await?
                    && let Err(error) =
                        Conversation::new(core.clone(), self.id(), sender.as_str()).send(text).await
                {
                    tracing::warn!(account = %self.id(), %error, "a pairing code was not sent");
                    admission::take_back(core, &code).await?;
                }
                Ok(false)
            }
            Verdict::Refused => {
                tracing::info!(account = %self.id(), "a message was dropped: its sender is not allowed");
                Ok(false)
            }
        }
    }
}
