//! How a channel is set up.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use ilink_client::{BotAgent, Client, ClientVersion, HostPolicy, Transport};
use tokio::sync::{Semaphore, broadcast};

use crate::account::AccountConfig;
use crate::admission::PairingPolicy;
use crate::backend::Backend;
use crate::channel::{Channel, Inner};
use crate::delivery::{Deliveries, lanes};
use crate::error::Error;
use crate::folder::StateDir;
#[cfg(feature = "sqlite")]
use crate::folder::{Durability, FolderBackend, FolderOptions};
use crate::inbound::InboundPolicy;
use crate::outbound::SendPolicy;
use crate::quote::QuoteLimits;
use crate::quotes::Quotes;
use crate::slot::Slots;
use crate::typing::Tickets;

/// Status events that wait for a listener; one that is slower misses some and can look at the snapshot.
const EVENTS: usize = 256;

/// Accounts that begin at the same time; the others wait for their turn.
const STARTS: usize = 64;

/// Voice messages that are decoded at the same time.
const DECODERS: usize = 2;

/// Settings of a [`Channel`].
#[derive(Debug)]
#[must_use = "call build() to get the channel"]
pub struct ChannelBuilder {
    state: Option<StateDir>,
    backend: Option<Arc<dyn Backend>>,
    #[cfg(feature = "sqlite")]
    durability: Durability,
    roots: Vec<Vec<u8>>,
    transport: Option<Arc<dyn Transport>>,
    base_url: Option<String>,
    hosts: HostPolicy,
    version: Option<ClientVersion>,
    agent: Option<BotAgent>,
    sends: SendPolicy,
    inbound: InboundPolicy,
    quotes: Option<QuoteLimits>,
    pairing: PairingPolicy,
    clock: Option<Clock>,
}

/// Where the wall clock comes from.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

/// What the clients of all accounts have in common.
pub(crate) struct Settings {
    transport: Arc<dyn Transport>,
    base_url: Option<String>,
    hosts: HostPolicy,
    version: ClientVersion,
    agent: BotAgent,
    roots: Vec<Vec<u8>>,
    clock: Clock,
    pub(crate) sends: SendPolicy,
    pub(crate) inbound: InboundPolicy,
}

impl Default for ChannelBuilder {
    fn default() -> Self {
        Self {
            state: None,
            backend: None,
            #[cfg(feature = "sqlite")]
            durability: Durability::default(),
            roots: Vec::new(),
            transport: None,
            base_url: None,
            hosts: HostPolicy::default(),
            version: None,
            agent: None,
            sends: SendPolicy::default(),
            inbound: InboundPolicy::default(),
            quotes: Some(QuoteLimits::default()),
            pairing: PairingPolicy::default(),
            clock: None,
        }
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

    /// Another server than Tencent's: https, or plain http on this machine.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Where tokens may go beside the base URLs that are given here.
    pub fn hosts(mut self, hosts: HostPolicy) -> Self {
        self.hosts = hosts;
        self
    }

    /// The version to announce instead of ilink-client's own.
    pub fn client_version(mut self, version: ClientVersion) -> Self {
        self.version = Some(version);
        self
    }

    /// Who is talking: your program's name and version.
    pub fn bot_agent(mut self, agent: BotAgent) -> Self {
        self.agent = Some(agent);
        self
    }

    /// Root certificates in PEM instead of the system's; may be called again.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// Sends through something else than reqwest; or through a proxy of your own, instead of the environment's:
    ///
    /// ```no_run
    /// # fn run(proxy: ilink_client::reqwest::Proxy) -> Result<(), weixin_channel::Error> {
    /// # use weixin_channel::{Channel, ilink_client};
    /// let client = ilink_client::Client::builder().proxy(proxy).build()?;
    /// let channel = Channel::builder().transport(client.transport().clone());
    /// # Ok(())
    /// # }
    /// ```
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
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

    /// Where the wall clock comes from: for tests. With one, tokio's clock, where it is paused, stands still while the
    /// state folder's database is waited for.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Some(Clock(Arc::new(clock)));
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
        let transport = match self.transport {
            Some(transport) => transport,
            None => {
                let roots = self.roots.iter().cloned();
                let builder = roots.fold(Client::builder(), ilink_client::ClientBuilder::root_certificates);
                builder.build()?.transport().clone()
            }
        };
        #[cfg(feature = "sqlite")]
        let options = FolderOptions {
            durability: self.durability,
            quotes: self.quotes,
            paused_clock: self.clock.is_some(),
        };
        #[cfg(not(feature = "sqlite"))]
        let options = self.quotes;
        let settings = Settings {
            transport,
            base_url: self.base_url,
            hosts: self.hosts,
            version: self.version.unwrap_or_else(ClientVersion::own),
            agent: self.agent.unwrap_or_default(),
            roots: self.roots,
            clock: self.clock.unwrap_or_default(),
            sends: self.sends,
            inbound: self.inbound,
        };
        // An unusable base URL is better known now than at the first login.
        settings.client(&AccountConfig::default())?;
        let backend = match self.backend {
            Some(backend) => backend,
            None => open_folder(&state, options).await?,
        };
        let (lanes, deliveries) = lanes();
        let channel = Channel::from_inner(Inner {
            state,
            quotes: Quotes::new(backend.clone()),
            backend,
            settings,
            lanes,
            pairing: self.pairing,
            slots: Slots::new(broadcast::channel(EVENTS).0),
            remote: OnceLock::new(),
            tickets: Tickets::default(),
            starts: Arc::new(Semaphore::new(STARTS)),
            decoders: Semaphore::new(DECODERS),
        });
        Ok((channel, deliveries))
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

impl Clock {
    pub(crate) fn now(&self) -> SystemTime {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self(Arc::new(SystemTime::now))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

impl Settings {
    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now()
    }

    pub(crate) fn roots(&self) -> &[Vec<u8>] {
        &self.roots
    }

    pub(crate) fn client(&self, config: &AccountConfig) -> Result<Client, Error> {
        let agent = config.bot_agent.as_deref().map_or_else(|| self.agent.clone(), BotAgent::new);
        let mut builder = Client::builder()
            .transport(self.transport.clone())
            .hosts(self.hosts.clone())
            .client_version(self.version)
            .clock({
                let clock = self.clock.clone();
                move || clock.now()
            })
            .bot_agent(agent);
        if let Some(url) = config.base_url.as_ref().or(self.base_url.as_ref()) {
            builder = builder.base_url(url);
        }
        if let Some(tag) = &config.route_tag {
            builder = builder.route_tag(tag);
        }
        Ok(builder.build()?)
    }
}
