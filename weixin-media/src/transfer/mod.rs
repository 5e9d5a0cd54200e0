//! Uploads and downloads as streams, in constant memory.

mod address;
mod beneath;
mod body;
mod cdn;
mod download;
mod feed;
mod fetch;
mod held;
mod incoming;
mod policy;
mod put;
mod remote;
mod sink;
mod source;
mod upload;
mod uploaded;

use std::fmt;
use std::sync::Arc;

use ilink_client::{Bot, HostPolicy, UserId};
use url::Url;

pub use address::{AddressPolicy, AddressRefused};
pub use download::{Download, Saved};
pub use incoming::MediaRef;
pub use policy::{Progress, TransferPolicy};
pub use remote::{Remote, RemoteBuilder, RemoteDownload, RemoteFile};
pub use source::{SeekableReader, Source};
pub use upload::{Upload, VoiceInfo};
pub use uploaded::{Thumbnail, Uploaded};

use crate::codec::{DEFAULT_CDN_URL, MediaKey};
use crate::error::Error;

/// Moves media for a bot. Cheap to clone.
#[derive(Clone)]
pub struct Media {
    bot: Bot,
    cdn: Url,
    hosts: HostPolicy,
    policy: Arc<TransferPolicy>,
    random: Random,
}

/// Fills keys; the system's source unless a test brings its own.
type Random = Arc<dyn Fn(&mut [u8; 16]) -> std::io::Result<()> + Send + Sync>;

impl Media {
    /// With the public CDN and the default limits.
    ///
    /// # Errors
    /// Only if the built-in URL were invalid, which tests rule out.
    pub fn new(bot: Bot) -> Result<Self, Error> {
        let cdn = parse(DEFAULT_CDN_URL)?;
        let hosts = bot.client().hosts().clone();
        let random: Random = Arc::new(|bytes| getrandom::fill(bytes).map_err(std::io::Error::other));
        Ok(Self { bot, cdn, hosts, policy: Arc::default(), random })
    }

    /// Another CDN than [`DEFAULT_CDN_URL`]. Its host is allowed, since you asked for it. URLs that
    /// messages and answers name are checked against the client's [`HostPolicy`] ([field note 28]).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if it is no URL, or plain http beyond this machine.
    ///
    /// [field note 28]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-28
    pub fn cdn_base_url(mut self, url: &str) -> Result<Self, Error> {
        let url = parse(url)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::invalid("the CDN's base URL carries a user name or password: leave it out"));
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        self.hosts = match url.scheme() {
            "https" => self.hosts.allow_host(host),
            "http" => self.hosts.allow_loopback(true),
            _ => self.hosts,
        };
        self.hosts.check(&url).map_err(|error| {
            Error::invalid(format!("the CDN's base URL cannot be used: {error}")).with_source(error)
        })?;
        self.cdn = url;
        Ok(self)
    }

    /// Other limits.
    #[must_use]
    pub fn policy(mut self, policy: TransferPolicy) -> Self {
        self.policy = Arc::new(policy);
        self
    }

    /// Where keys come from instead of the system: for tests.
    #[must_use]
    pub fn random(
        mut self,
        fill: impl Fn(&mut [u8; 16]) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.random = Arc::new(fill);
        self
    }

    /// Uploads media for a user. Awaiting it gives what a message needs.
    pub fn upload(&self, to: impl Into<UserId>, source: impl Into<Source>) -> Upload<'_> {
        Upload::new(self, to.into(), source.into())
    }

    /// Downloads what a message carries.
    pub fn download<'a>(&'a self, media: &'a MediaRef) -> Download<'a> {
        Download::new(self, media)
    }

    fn random_key(&self) -> Result<MediaKey, Error> {
        let mut bytes = [0; 16];
        (self.random)(&mut bytes).map_err(|error| {
            Error::invalid("the system gives no random bytes for a key").with_source(error)
        })?;
        Ok(MediaKey::new(bytes))
    }
}

impl fmt::Debug for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Media")
            .field("bot", &self.bot)
            .field("cdn", &crate::error::host(&self.cdn))
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

fn parse(url: &str) -> Result<Url, Error> {
    Url::parse(url.trim())
        .ok()
        .filter(|url| url.has_host() && !url.cannot_be_a_base())
        .ok_or_else(|| Error::invalid(format!("the CDN's base URL has to look like {DEFAULT_CDN_URL}")))
}
