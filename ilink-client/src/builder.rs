//! How a client is set up.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::agent::{BotAgent, ClientVersion};
use crate::client::{Client, Clock, DEFAULT_BASE_URL, Inner, header_value};
use crate::error::Error;
use crate::hosts::{HostPolicy, parse_base_url, shown_text};
use crate::retry::{Random, RetryPolicy};
use crate::transport::{BoxFuture, BuiltInTransport, Transport, TransportSettings};
use crate::wire::request::BaseInfo;

/// Settings of a [`Client`].
///
/// ```
/// use ilink_client::{BotAgent, Client};
///
/// let client = Client::builder()
///     .bot_agent(BotAgent::new("my-bot/1.2"))
///     .route_tag("42")
///     .build()?;
/// # Ok::<(), ilink_client::Error>(())
/// ```
#[derive(Clone, Default)]
#[must_use = "call build() to get the client"]
pub struct ClientBuilder {
    base_url: Option<String>,
    hosts: HostPolicy,
    version: Option<ClientVersion>,
    agent: BotAgent,
    route_tag: Option<String>,
    retry: RetryPolicy,
    seed: Option<u64>,
    clock: Option<Clock>,
    transport: Option<Arc<dyn Transport>>,
    settings: TransportSettings,
}

impl ClientBuilder {
    /// Another server than [`DEFAULT_BASE_URL`]: https, or plain http on this machine. The token may go to its host.
    /// Credentials from a login usually name a base URL of their own; for them that one is used.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Where the token may go beside the base URL.
    pub fn hosts(mut self, hosts: HostPolicy) -> Self {
        self.hosts = hosts;
        self
    }

    /// The version to announce instead of this crate's own.
    pub fn client_version(mut self, version: ClientVersion) -> Self {
        self.version = Some(version);
        self
    }

    /// Who is talking: your program's name and version.
    pub fn bot_agent(mut self, agent: BotAgent) -> Self {
        self.agent = agent;
        self
    }

    /// `SKRouteTag`, where an account was given one ([protocol §2]).
    ///
    /// [protocol §2]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#2-headers
    pub fn route_tag(mut self, tag: impl Into<String>) -> Self {
        self.route_tag = Some(tag.into());
        self
    }

    /// How requests are repeated.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Seeds all randomness (jitter, `client_id`), so that tests repeat exactly.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Where the wall clock comes from: for tests. Validity of certificates is checked against it.
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Sends through something else than the built-in client, with proxy, root certificates and name lookup of its own:
    /// those given here are the built-in client's.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// A proxy instead of the one in the environment: `HTTPS_PROXY`, else `ALL_PROXY`, in upper or lower case, but for
    /// the hosts in `NO_PROXY`. The kinds are `http`, `https`, `socks5`, `socks5h` (the proxy looks names up), `socks4`
    /// and `socks4a`; a user name and password stand before the host, percent-encoded. A variable that cannot be used
    /// is named in the log and ignored; a URL given here that cannot be used is an error of [`build`](Self::build).
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.settings.proxy = Some(url.into());
        self
    }

    /// Where the proxy's variables are read, instead of this process's environment.
    pub fn environment(mut self, variable: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        self.settings.environment = Some(Arc::new(variable));
        self
    }

    /// How long a connection may take, TLS and a proxy included, instead of 5 s. If a name has several addresses
    /// ([field note 16]), they share it, but each gets half of it for its TLS handshake.
    ///
    /// [field note 16]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-16
    pub fn connect_timeout(mut self, limit: Duration) -> Self {
        self.settings.connect_timeout = limit;
        self
    }

    /// Looks names up in another way than the system does. A port other than 0 comes before that of the URL.
    pub fn lookup(
        mut self,
        lookup: impl Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync + 'static,
    ) -> Self {
        self.settings.lookup = Some(Arc::new(lookup));
        self
    }

    /// Root certificates in PEM instead of the system's, one or several in a text; may be called again. A text without
    /// any is an error of [`build`](Self::build).
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.settings.roots.push(pem.into());
        self
    }

    /// The root certificates that were [given](Self::root_certificates), in PEM: for requests beside the API's own.
    #[must_use]
    pub fn given_root_certificates(&self) -> &[Vec<u8>] {
        &self.settings.roots
    }

    /// Makes the client.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if a setting is unusable; the text says which and why.
    pub fn build(mut self) -> Result<Client, Error> {
        let base_url = parse_base_url(self.base_url.as_deref().unwrap_or(DEFAULT_BASE_URL))?;
        if self.base_url.is_some() {
            self.hosts.trust_base(&base_url)?;
        }
        let version = self.version.unwrap_or_else(ClientVersion::own);
        let mut headers = HeaderMap::new();
        headers.insert("ilink-app-id", HeaderValue::from_static("bot"));
        headers.insert("ilink-app-clientversion", HeaderValue::from(version.to_header()));
        if let Some(tag) = &self.route_tag {
            headers.insert(HeaderName::from_static("skroutetag"), header_value("the route tag", tag)?);
        }
        let transport = match self.transport {
            Some(transport) => transport,
            None => {
                self.settings.clock.clone_from(&self.clock);
                Arc::new(BuiltInTransport::new(self.settings)?)
            }
        };
        let base_info =
            BaseInfo { channel_version: version.to_string(), bot_agent: self.agent.as_str().to_owned() };
        Ok(Client::from_inner(Inner {
            transport,
            base_url,
            hosts: self.hosts,
            headers,
            base_info,
            retry: self.retry,
            random: Random::new(self.seed),
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemTime::now)),
        }))
    }
}

impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base_url = self.base_url.as_deref().map(shown_text);
        f.debug_struct("ClientBuilder").field("base_url", &base_url).finish_non_exhaustive()
    }
}
