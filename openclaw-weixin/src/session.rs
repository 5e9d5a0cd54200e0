//! The session between `init` and `close`: the channel, and what JavaScript holds of it by name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::broadcast::{Receiver, error::RecvError};
use weixin_channel::ilink_client::{BotAgent, Client, UserId};
use weixin_channel::markdown::Mode;
use weixin_channel::quote::QuoteLimits;
use weixin_channel::{
    AccountConfig, AccountId, AccountStatus, Channel, Deliveries, Delivery, Error, InboundPolicy,
    OutboxPolicy, SendPolicy, Turn,
};

use crate::debug::DebugMode;
use crate::events::Events;
use crate::failure::{Failure, shown};
use crate::login::Logins;
use crate::messages::{
    AccountRef, AccountStart, Connection, DeliveryNack, DeliveryRef, Event, Init, Message, Probe, QuoteCache,
    QuotedMessage, Recipient, Status, Typing,
};
use crate::received::Received;

/// By account and number, as JavaScript names them.
pub(crate) type Open = Arc<Mutex<HashMap<(AccountId, String), Delivery>>>;

/// The channel and its state.
pub(crate) struct Session {
    pub(crate) channel: Channel,
    pub(crate) logins: Logins,
    debug: Arc<Mutex<DebugMode>>,
    pub(crate) open: Open,
    typing: Mutex<HashMap<(AccountId, String), weixin_channel::Typing>>,
    /// Turns of which blocks have been sent or wait, by account and run.
    pub(crate) turns: Mutex<HashMap<(AccountId, String), Turn>>,
    /// Who has sent which file.
    pub(crate) received: Arc<Mutex<Received>>,
    /// Whether any of them may be sent to anybody.
    pub(crate) share_received_media: bool,
}

impl Session {
    /// Opens the state folder and begins to send events.
    pub(crate) async fn open(init: &Init, events: Events) -> Result<Self, Failure> {
        // What the official plugin sends where nothing is set.
        let agent = BotAgent::new("OpenClaw");
        let mut inbound = InboundPolicy::default();
        // Answered by the plugin itself, so they need not wait for a turn.
        inbound.control.extend(["/echo", "/toggle-debug"].map(str::to_owned));
        let mut sends = SendPolicy::default();
        sends.outbox = init.outbox.then(OutboxPolicy::default);
        sends.markdown =
            init.markdown.as_deref().and_then(|mode| mode.parse::<Mode>().ok()).unwrap_or_default();
        let mut client = Client::builder().bot_agent(agent);
        if let Some(pem) = init.trusted() {
            client = client.root_certificates(pem);
        }
        let builder = Channel::builder()
            .state_dir(&init.state_dir)
            .client(client)
            .inbound(inbound)
            .sends(sends)
            .quotes(init.quotes.limits());
        let (channel, deliveries) = builder.build().await?;
        let open = Open::default();
        tokio::spawn(pass_on_deliveries(deliveries, Arc::clone(&open), events.clone()));
        tokio::spawn(pass_on_statuses(channel.status_events(), events));
        let debug = Arc::new(Mutex::new(DebugMode::new(&init.state_dir)));
        let state_dir = init.state_dir.clone();
        let received = tokio::task::spawn_blocking(move || Received::open(&state_dir)).await;
        let received = received.map_err(|_| Failure::closed())?;
        Ok(Self {
            channel,
            logins: Logins::default(),
            debug,
            open,
            typing: Mutex::default(),
            turns: Mutex::default(),
            received: Arc::new(Mutex::new(received)),
            share_received_media: init.share_received_media,
        })
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
        let context = self.channel.backend().send_context(account, user.as_str()).await?;
        let token = context.recipient.map(|recipient| recipient.token);
        bot.get_config(&user).context_token(token).await?;
        Ok(())
    }

    /// The account to write to a user from, if there is no doubt.
    pub(crate) async fn infer_account(&self, to: Recipient) -> Result<String, Failure> {
        match self.channel.account_for(&to.to).await {
            Ok(account) => Ok(account.to_string()),
            Err(error @ Error::AmbiguousAccount { .. }) => {
                Err(Failure::new(error.code(), format!("{error}, with --account or accountId")))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Only once the poller has stopped: while it runs, a dropped delivery counts as a failed attempt.
    fn let_go(&self, account: &AccountId) {
        lock(&self.open).retain(|(owner, _), _| owner != account);
        lock(&self.typing).retain(|(owner, _), _| owner != account);
        lock(&self.turns).retain(|(owner, _), _| owner != account);
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

    pub(crate) fn nack(&self, delivery: &DeliveryNack) -> Result<(), Failure> {
        let reason = shown(&delivery.reason);
        self.take(&delivery.account_id, &delivery.delivery_id)?.nack(reason);
        Ok(())
    }

    pub(crate) async fn typing(&self, typing: Typing) -> Result<(), Failure> {
        let key = (AccountId::new(&typing.account_id), typing.to);
        if typing.on {
            // Heartbeats ask again and again; a sign that is shown would be taken back by its successor.
            if lock(&self.typing).get(&key).is_some_and(weixin_channel::Typing::is_shown) {
                return Ok(());
            }
            let shown = self.channel.conversation(&key.0, &key.1).typing().await?;
            lock(&self.typing).insert(key, shown);
        } else {
            lock(&self.typing).remove(&key);
        }
        Ok(())
    }

    pub(crate) async fn debug_status(&self, account: &AccountRef) -> Result<bool, Failure> {
        let account = AccountId::new(&account.account_id);
        self.with_debug(move |debug| Ok(debug.is_on(account.as_str()))).await
    }

    pub(crate) async fn toggle_debug(&self, account: &AccountRef) -> Result<bool, Failure> {
        let account = AccountId::new(&account.account_id);
        self.with_debug(move |debug| debug.toggle(account.as_str())).await
    }

    /// Its file is read and written beside the runtime.
    async fn with_debug(
        &self,
        work: impl FnOnce(&DebugMode) -> Result<bool, Failure> + Send + 'static,
    ) -> Result<bool, Failure> {
        let debug = Arc::clone(&self.debug);
        tokio::task::spawn_blocking(move || work(&lock(&debug)))
            .await
            .unwrap_or_else(|_| Err(Failure::closed()))
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

/// From 2010 to 2100, in Unix milliseconds. A date beyond what JavaScript has would end the host's turn.
const PLAUSIBLE: std::ops::Range<i64> = 1_262_304_000_000..4_102_444_800_000;

impl Message {
    fn of(delivery: &Delivery) -> Self {
        let inbound = &delivery.inbound;
        Self {
            // A message without an id still needs one that stays the same when it comes again.
            message_id: inbound
                .message_id
                .map_or_else(|| format!("journal-{}", delivery.id), |id| id.to_string()),
            from: inbound.from.as_str().to_owned(),
            to: delivery.account.bot_id().as_str().to_owned(),
            text: inbound.text.clone(),
            timestamp_ms: inbound.time_ms.filter(|time| PLAUSIBLE.contains(time)),
            media: inbound.attachments.len(),
            quote: inbound.quote.as_ref().map(|quote| QuotedMessage {
                message_id: quote.message_id.map(|id| id.to_string()),
                body: quote.body.clone(),
                selected: quote.selected.clone(),
            }),
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

impl Init {
    /// Node's root certificates; `None`, for those of the system, if it names none, as one that was built without does.
    fn trusted(&self) -> Option<String> {
        let roots = self.roots.iter().map(|root| root.trim()).filter(|root| !root.is_empty());
        Some(roots.collect::<Vec<_>>().join("\n")).filter(|pem| !pem.is_empty())
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

impl QuoteCache {
    /// `None` keeps nothing. Numbers that cannot be meant stand for the nearest that can.
    fn limits(&self) -> Option<QuoteLimits> {
        const DAY: f64 = 24.0 * 60.0 * 60.0;
        let mut limits = QuoteLimits::default();
        let days = |days: f64| Duration::try_from_secs_f64((days * DAY).max(0.0)).unwrap_or(Duration::MAX);
        set(&mut limits.retention, self.retention_days.map(days));
        set(&mut limits.media_retention, self.media_retention_days.map(days));
        // `as` stops at the ends of the range, which is what is wanted.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        {
            set(&mut limits.max_messages, self.max_messages_per_account.map(|count| count as u32));
            set(&mut limits.max_media_bytes, self.max_media_bytes_per_account.map(|bytes| bytes as u64));
            set(&mut limits.max_single_media_bytes, self.max_single_media_bytes.map(|bytes| bytes as u64));
        }
        (self.enabled != Some(false)).then_some(limits)
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_certificates_that_are_none_leave_the_choice_to_the_library() {
        let init = |roots: &str| {
            serde_json::from_str::<Init>(&format!(r#"{{"stateDir":"/s"{roots}}}"#)).unwrap().trusted()
        };
        for none in ["", r#","roots":[]"#, r#","roots":[""]"#, r#","roots":[" \n",""]"#] {
            assert_eq!(init(none), None, "{none}");
        }
        assert_eq!(init(r#","roots":["a\n","","b"]"#).as_deref(), Some("a\nb"));
    }
}
