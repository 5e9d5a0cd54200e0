//! How a channel is set up.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use ilink_client::{Client, ClientBuilder};
use tokio::sync::{Semaphore, broadcast};

use crate::access::pairing::PairingPolicy;
use crate::account::running::RunningAccounts;
use crate::backend::Backend;
use crate::channel::Channel;
use crate::core::{Clients, Core};
use crate::error::Error;
use crate::folder::state_dir::StateDir;
#[cfg(feature = "sqlite")]
use crate::folder::{Durability, FolderBackend, FolderOptions};
use crate::inbound::delivery::{Deliveries, lanes};
use crate::inbound::policy::InboundPolicy;
use crate::inbound::suspects::Suspects;
use crate::outbound::policy::SendPolicy;
use crate::outbound::tickets::Tickets;
use crate::quote::QuoteLimits;
use crate::quote::history::QuoteHistory;

/// Status events that wait for a listener; one that is slower misses some and can look at the snapshot.
const EVENTS: usize = 256;

/// Accounts that begin at the same time; the others wait for their turn.
const STARTS: usize = 64;

/// Voice messages that are decoded at the same time.
const DECODERS: usize = 2;

/// Settings of a [`Channel`].
#[must_use = "call build() to get the channel"]
pub struct ChannelBuilder {
    state: Option<StateDir>,
    backend: Option<Arc<dyn Backend>>,
    #[cfg(feature = "sqlite")]
    durability: Durability,
    client: ClientBuilder,
    paused_clock: bool,
    sends: SendPolicy,
    inbound: InboundPolicy,
    quotes: Option<QuoteLimits>,
    pairing: PairingPolicy,
}

impl Default for ChannelBuilder {
    fn default() -> Self {
        Self {
            state: None,
            backend: None,
            #[cfg(feature = "sqlite")]
            durability: Durability::default(),
            client: Client::builder(),
            paused_clock: false,
            sends: SendPolicy::default(),
            inbound: InboundPolicy::default(),
            quotes: Some(QuoteLimits::default()),
            pairing: PairingPolicy::default(),
        }
    }
}

/// Without the client and the backend, whose addresses may hold passwords.
impl fmt::Debug for ChannelBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelBuilder")
            .field("state", &self.state)
            .field("sends", &self.sends)
            .field("inbound", &self.inbound)
            .field("quotes", &self.quotes)
            .field("pairing", &self.pairing)
            .finish_non_exhaustive()
    }
}

impl ChannelBuilder {
    /// The state folder to work in; without it, the one of the [environment](StateDir::from_env), which OpenClaw uses
    /// too (`~/.openclaw`).
    pub fn state_dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.state = Some(StateDir::new(dir));
        self
    }

    /// The same, with more than a path.
    pub fn state(mut self, state: StateDir) -> Self {
        self.state = Some(state);
        self
    }

    /// Keeps everything in a backend of your own instead of the state folder. Only fetched media lies there then.
    pub fn backend(mut self, backend: impl Backend) -> Self {
        self.backend = Some(Arc::new(backend));
        self
    }

    /// What a commit of the state folder's journal survives.
    #[cfg(feature = "sqlite")]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// How the clients of all accounts are set up: another server, root certificates, a proxy, who is talking. An
    /// [`AccountConfig`](crate::AccountConfig) comes before it.
    ///
    /// ```
    /// use weixin_channel::Channel;
    /// use weixin_channel::ilink_client::{BotAgent, Client};
    ///
    /// let channel = Channel::builder().client(Client::builder().bot_agent(BotAgent::new("MyBot/1.0")));
    /// ```
    pub fn client(mut self, client: ClientBuilder) -> Self {
        self.client = client;
        self
    }

    /// What sends keep to: budget, pace, size, Markdown, outbox.
    pub fn sends(mut self, policy: SendPolicy) -> Self {
        self.sends = policy;
        self
    }

    /// What becomes of messages on their way to a handler: retries, control messages, media, retention.
    pub fn inbound(mut self, policy: InboundPolicy) -> Self {
        self.inbound = policy;
        self
    }

    /// How much the state folder keeps of past messages, to know what a quote quotes; `None` keeps nothing. Fetched
    /// media goes with it; without it, that is yours to remove.
    pub fn quotes(mut self, limits: Option<QuoteLimits>) -> Self {
        self.quotes = limits;
        self
    }

    /// How strangers ask to be allowed.
    pub fn pairing(mut self, policy: PairingPolicy) -> Self {
        self.pairing = policy;
        self
    }

    /// Keeps tokio's clock still, where it is [paused](https://docs.rs/tokio/latest/tokio/time/fn.pause.html), while the
    /// state folder's database is waited for: for tests.
    pub fn paused_clock(mut self) -> Self {
        self.paused_clock = true;
        self
    }

    /// The channel, and the messages that come in once accounts are started.
    ///
    /// # Errors
    /// If the state folder cannot be written, the journal cannot be opened, or a setting is unusable.
    pub async fn build(self) -> Result<(Channel, Deliveries), Error> {
        let state = self.state.or_else(StateDir::from_env);
        // Else an empty setting would make the current folder one.
        let state = state.filter(|state| !state.root().as_os_str().is_empty()).ok_or(Error::NoStateDir)?;
        // An unusable base URL is better known now than at the first login.
        let plain = self.client.clone().build()?;
        #[cfg(feature = "sqlite")]
        let options = FolderOptions {
            durability: self.durability,
            quotes: self.quotes,
            paused_clock: self.paused_clock,
            vfs: None,
        };
        #[cfg(not(feature = "sqlite"))]
        let options = self.quotes;
        let backend = match self.backend {
            Some(backend) => backend,
            None => open_folder(&state, options).await?,
        };
        let (lanes, deliveries) = lanes();
        let core = Core {
            state,
            quotes: QuoteHistory::new(backend.clone()),
            backend,
            clients: Clients::new(self.client, plain),
            sends: self.sends,
            inbound: self.inbound,
            pairing: self.pairing,
            running: RunningAccounts::new(broadcast::channel(EVENTS).0),
            remote: OnceLock::new(),
            tickets: Tickets::default(),
            starts: Arc::new(Semaphore::new(STARTS)),
            decoders: Semaphore::new(DECODERS),
            suspects: Suspects::new(),
        };
        Ok((Channel::new(core, lanes), deliveries))
    }
}

#[cfg(feature = "sqlite")]
async fn open_folder(state: &StateDir, options: FolderOptions) -> Result<Arc<dyn Backend>, Error> {
    Ok(Arc::new(FolderBackend::open(state.clone(), options).await?))
}

#[cfg(not(feature = "sqlite"))]
#[expect(clippy::unused_async, reason = "the same with and without the feature")]
async fn open_folder(_: &StateDir, _: Option<QuoteLimits>) -> Result<Arc<dyn Backend>, Error> {
    Err(Error::NoBackend)
}
