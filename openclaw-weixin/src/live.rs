//! What lives between `init` and `close`: the channel, and what JavaScript holds of it by name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::broadcast::{Receiver, error::RecvError};
use weixin_channel::ilink_client::{BotAgent, RunId, UserId};
use weixin_channel::{
    AccountConfig, AccountId, AccountStatus, Channel, Deliveries, Delivery, Error, InboundPolicy, SendReport,
};

use crate::debug::DebugMode;
use crate::events::Events;
use crate::failure::Failure;
use crate::login::Logins;
use crate::messages::{
    AccountRef, AccountStart, Connection, DeliveryFail, DeliveryRef, Event, Init, Message, Outcome, Probe,
    QuotedMessage, SendText, Sent, Status, Typing,
};

/// By account and number, as JavaScript names them.
pub(crate) type Open = Arc<Mutex<HashMap<(AccountId, String), Delivery>>>;

/// The channel and its state.
pub(crate) struct Live {
    pub(crate) channel: Channel,
    pub(crate) logins: Logins,
    debug: DebugMode,
    pub(crate) open: Open,
    typing: Mutex<HashMap<(AccountId, String), weixin_channel::Typing>>,
}

impl Live {
    /// Opens the state folder and begins to send events.
    pub(crate) fn open(init: &Init, events: Events) -> Result<Self, Failure> {
        // What the official plugin sends where nothing is set.
        let agent = BotAgent::new("OpenClaw");
        let mut inbound = InboundPolicy::default();
        // Answered by the plugin itself, so they need not wait for a turn.
        inbound.control.extend(["/echo", "/toggle-debug"].map(str::to_owned));
        let mut builder = Channel::builder().state_dir(&init.state_dir).bot_agent(agent).inbound(inbound);
        if !init.roots.is_empty() {
            builder = builder.root_certificates(init.roots.join("\n"));
        }
        let (channel, deliveries) = builder.build()?;
        let open = Open::default();
        tokio::spawn(pass_on_deliveries(deliveries, Arc::clone(&open), events.clone()));
        tokio::spawn(pass_on_statuses(channel.status_events(), events));
        let debug = DebugMode::new(&init.state_dir);
        Ok(Self { channel, logins: Logins::default(), debug, open, typing: Mutex::default() })
    }

    pub(crate) async fn start_account(&self, start: AccountStart) -> Result<(), Failure> {
        let account = AccountId::new(&start.account_id);
        self.channel.start(&account, start.connection.into()).await.map_err(Failure::of_connection)
    }

    pub(crate) async fn stop_account(&self, account: &AccountRef) -> Result<(), Failure> {
        let account = AccountId::new(&account.account_id);
        self.channel.stop(&account).await;
        self.let_go(&account);
        Ok(())
    }

    /// Stops the account and forgets its token, cursor, context tokens and journal.
    pub(crate) async fn logout(&self, account: &AccountRef) -> Result<(), Failure> {
        let account = AccountId::new(&account.account_id);
        self.channel.logout(&account).await?;
        self.let_go(&account);
        Ok(())
    }

    /// Asks the server for the typing ticket of whoever has scanned the code: the one request that needs the
    /// token, changes nothing and does not stand in the way of the running poll.
    pub(crate) async fn probe(&self, probe: AccountStart) -> Result<Probe, Failure> {
        let account = AccountId::new(&probe.account_id);
        let answer = self.ask(&account, &probe.connection.into()).await;
        let status = self.channel.status(&account).into();
        Ok(match answer {
            Ok(()) => Probe { ok: true, code: None, error: None, status },
            Err(error) => {
                let Failure { code, message } = Failure::from(error);
                // Whatever else it says, it has answered us: `-4` before the user's first message (field note 18).
                let ok = code == "rejected";
                Probe { ok, code: Some(code), error: Some(message), status }
            }
        })
    }

    async fn ask(&self, account: &AccountId, config: &AccountConfig) -> Result<(), Error> {
        let bot = self.channel.bot_with(account, config).await?;
        let credentials = bot.credentials();
        // Accounts of old installations may not say who has scanned; the server answers for anybody.
        let user = credentials.user_id.clone().unwrap_or_else(|| UserId::from(credentials.bot_id.as_str()));
        let token = self.channel.store().context_token(account, user.as_str()).await?.map(|(_, token)| token);
        bot.get_config(&user).context_token(token).await?;
        Ok(())
    }

    /// Only once the monitor has stopped: while it runs, a dropped delivery counts as a failed attempt.
    fn let_go(&self, account: &AccountId) {
        lock(&self.open).retain(|(owner, _), _| owner != account);
        lock(&self.typing).retain(|(owner, _), _| owner != account);
    }

    #[allow(clippy::unnecessary_wraps, reason = "the shape of all methods")]
    pub(crate) fn account_status(&self, account: &AccountRef) -> Result<Status, Failure> {
        Ok(self.channel.status(&AccountId::new(&account.account_id)).into())
    }

    pub(crate) async fn ack(&self, delivery: &DeliveryRef) -> Result<(), Failure> {
        self.take(&delivery.account_id, &delivery.delivery_id)?.ack().await.map_err(Failure::from)
    }

    /// Not to be taken care of: its sender is not let in.
    pub(crate) async fn dismiss(&self, delivery: &DeliveryRef) -> Result<(), Failure> {
        self.take(&delivery.account_id, &delivery.delivery_id)?.dismiss().await.map_err(Failure::from)
    }

    pub(crate) fn fail(&self, delivery: DeliveryFail) -> Result<(), Failure> {
        self.take(&delivery.account_id, &delivery.delivery_id)?.fail(delivery.reason);
        Ok(())
    }

    pub(crate) async fn send_text(&self, send: SendText) -> Result<Sent, Failure> {
        let run = send.run_id.map(RunId::from);
        let account = AccountId::new(&send.account_id);
        let report = self.channel.send_text(&account, &send.to, &send.text, run.as_ref()).await?;
        Ok(report.into())
    }

    pub(crate) async fn typing(&self, typing: Typing) -> Result<(), Failure> {
        let key = (AccountId::new(&typing.account_id), typing.to);
        if typing.on {
            let shown = self.channel.typing(&key.0, &key.1).await?;
            lock(&self.typing).insert(key, shown);
        } else {
            lock(&self.typing).remove(&key);
        }
        Ok(())
    }

    #[allow(clippy::unnecessary_wraps, reason = "the shape of all methods")]
    pub(crate) fn debug_status(&self, account: &AccountRef) -> Result<bool, Failure> {
        Ok(self.debug.is_on(AccountId::new(&account.account_id).as_str()))
    }

    pub(crate) fn toggle_debug(&self, account: &AccountRef) -> Result<bool, Failure> {
        self.debug.toggle(AccountId::new(&account.account_id).as_str())
    }

    pub(crate) async fn close(&self) {
        self.channel.stop_all().await;
        lock(&self.open).clear();
    }

    fn take(&self, account: &str, id: &str) -> Result<Delivery, Failure> {
        lock(&self.open).remove(&(AccountId::new(account), id.to_owned())).ok_or_else(|| {
            Failure::new(
                "unknown-delivery",
                format!(
                    "Delivery {id} is settled already, or its account has been stopped since; nothing to do."
                ),
            )
        })
    }
}

async fn pass_on_deliveries(mut deliveries: Deliveries, open: Open, events: Events) {
    while let Some(delivery) = deliveries.next().await {
        let delivery_id = delivery.id.to_string();
        let event = Event::Inbound {
            account_id: delivery.account.to_string(),
            delivery_id: delivery_id.clone(),
            message: Message::of(&delivery),
        };
        // First: the acknowledgement may come as soon as the event is sent.
        lock(&open).insert((delivery.account.clone(), delivery_id), delivery);
        events.send(&event).await;
    }
}

async fn pass_on_statuses(mut changes: Receiver<AccountStatus>, events: Events) {
    loop {
        match changes.recv().await {
            Ok(status) => events.send(&Event::Status(status.into())).await,
            // The ones that follow tell where things stand now.
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

impl Message {
    fn of(delivery: &Delivery) -> Self {
        let inbound = &delivery.inbound;
        Self {
            // A message without an id still needs one that stays the same when it comes again.
            message_id: inbound
                .message_id
                .map_or_else(|| format!("journal-{}", delivery.id), |id| id.to_string()),
            from: inbound.from.to_string(),
            to: delivery.account.bot_id().to_string(),
            text: inbound.text.clone(),
            timestamp_ms: inbound.time_ms,
            media: inbound.attachments.len(),
            quote: inbound.quote.as_ref().map(|quote| QuotedMessage {
                message_id: quote.message_id.map(|id| id.to_string()),
                body: quote.body.clone(),
                selected: quote.selected.clone(),
            }),
        }
    }
}

impl From<SendReport> for Sent {
    fn from(report: SendReport) -> Self {
        Self {
            outcome: if report.is_confirmed() { Outcome::Accepted } else { Outcome::Unconfirmed },
            message_id: report.message_id().map(|id| id.to_string()),
        }
    }
}

impl From<AccountStatus> for Status {
    fn from(status: AccountStatus) -> Self {
        let millis = |time: Option<SystemTime>| {
            let since = time?.duration_since(UNIX_EPOCH).ok()?;
            u64::try_from(since.as_millis()).ok()
        };
        Self {
            account_id: status.account.to_string(),
            state: status.state.as_str(),
            detail: status.last_error,
            last_poll_ms: millis(status.last_poll),
            last_inbound_ms: millis(status.last_inbound),
            last_outbound_ms: millis(status.last_outbound),
            pending: status.pending,
            dead: status.dead,
            outbox: status.outbox,
            suppressed_since_ms: millis(status.suppressed_since),
            clock_behind_ms: status.clock_behind.and_then(|behind| u64::try_from(behind.as_millis()).ok()),
        }
    }
}

impl From<Connection> for AccountConfig {
    fn from(connection: Connection) -> Self {
        // The host decides who may write (access.js).
        let mut config = Self::default().open();
        config.base_url = connection.base_url;
        config.cdn_base_url = connection.cdn_base_url;
        config.route_tag = connection.route_tag;
        config.bot_agent = connection.bot_agent;
        config
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
