//! Media that an agent names by URL: from public addresses only (docs/field-notes.md#note-28).

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_DISPOSITION, RANGE};
use http::{HeaderValue, Request, Response};
use ilink_client::{Body, BoxFuture, Client, ClientBuilder, Printable, Transport, TransportError};
use tokio::sync::watch;
use url::{Host, Url};

use super::address::{AddressPolicy, AddressRefused};
use super::cdn::{location, range, too_many_redirects, uri};
use super::download::temporary;
use super::fetch::{Fetch, Opener, State};
use super::policy::TransferPolicy;
use super::sink::{Decoder, Sink, unwritable};
use crate::codec::{Sniffed, safe_file_name, sniff};
use crate::error::{Error, ErrorKind, host};

/// Redirects that are followed; each is checked like the first URL.
const MAX_HOPS: usize = 5;

/// Looks a name up.
type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Fetches what agents name by URL. Cheap to clone.
///
/// A name is resolved once per connection and the connection goes to the very addresses that were checked, so that
/// an answer that changes in between leads nowhere. Proxies of the environment are not used: they would resolve the
/// name again, unchecked.
#[derive(Clone, Debug)]
pub struct Remote {
    transport: Arc<dyn Transport>,
    addresses: AddressPolicy,
    policy: Arc<TransferPolicy>,
}

/// Settings of a [`Remote`].
#[derive(Default)]
#[must_use = "call build() to get it"]
pub struct RemoteBuilder {
    addresses: AddressPolicy,
    policy: TransferPolicy,
    roots: Vec<Vec<u8>>,
    lookup: Option<Lookup>,
}

impl RemoteBuilder {
    /// Which addresses are allowed beside public ones.
    pub fn addresses(mut self, addresses: AddressPolicy) -> Self {
        self.addresses = addresses;
        self
    }

    /// Other limits; [`TransferPolicy::max_download`] is the cap.
    pub fn policy(mut self, policy: TransferPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Root certificates in PEM instead of the system's, one or several in a text; may be called again.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// Looks names up in another way than the system does.
    pub fn lookup(
        mut self,
        lookup: impl Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync + 'static,
    ) -> Self {
        self.lookup = Some(Arc::new(lookup));
        self
    }

    /// Makes it.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn build(self) -> Result<Remote, Error> {
        let lookup = self.lookup.unwrap_or_else(|| Arc::new(|name| Box::pin(system_lookup(name))));
        let addresses = self.addresses;
        let public_only =
            move |name| -> BoxFuture<'static, _> { Box::pin(public_only(lookup(name), addresses)) };
        // No proxy, whatever the environment says.
        let builder = Client::builder().environment(|_| None).lookup(public_only);
        let client = self.roots.into_iter().fold(builder, ClientBuilder::root_certificates).build();
        let client = client.map_err(|error| Error::invalid(error.to_string()).with_source(error))?;
        let transport = client.transport().clone();
        Ok(Remote { transport, addresses, policy: Arc::new(self.policy) })
    }
}

impl fmt::Debug for RemoteBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteBuilder")
            .field("addresses", &self.addresses)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl Remote {
    /// With the default limits.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// With settings of your own.
    pub fn builder() -> RemoteBuilder {
        RemoteBuilder::default()
    }

    /// A download of this URL.
    pub fn download(&self, url: impl Into<String>) -> RemoteDownload<'_> {
        RemoteDownload { remote: self, url: url.into(), max_size: self.policy.max_download }
    }

    /// http or https, without a user name, and no address that is refused.
    fn check(&self, url: &Url) -> Result<(), Error> {
        if !matches!(url.scheme(), "http" | "https") {
            let scheme = Printable::new(url.scheme());
            return Err(Error::invalid(format!("media URL: {scheme:?} is neither http nor https")));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::invalid("media URL: it carries a user name or password"));
        }
        // The resolver is not asked for addresses.
        match url.host() {
            Some(Host::Ipv4(address)) => self.addresses.check(address.into()),
            Some(Host::Ipv6(address)) => self.addresses.check(address.into()),
            Some(Host::Domain(_)) => Ok(()),
            None => return Err(Error::invalid("media URL: it names no host")),
        }
        .map_err(|refused| of_refused(url, refused))
    }
}

fn of_refused(url: &Url, refused: AddressRefused) -> Error {
    let detail = format!("host {:?} refused: {refused}", host(url));
    Error::new(ErrorKind::HostNotAllowed, detail).with_source(refused)
}

/// A download from an agent-given URL. Made by [`Remote::download`].
#[must_use = "a download starts with to_bytes or to_file"]
pub struct RemoteDownload<'a> {
    remote: &'a Remote,
    url: String,
    max_size: u64,
}

/// Neither the URL's query, which may open what it leads to, nor a password in it.
impl fmt::Debug for RemoteDownload<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let from = Url::parse(self.url.trim()).ok();
        f.debug_struct("RemoteDownload")
            .field("host", &from.as_ref().map(host))
            .field("max_size", &self.max_size)
            .finish_non_exhaustive()
    }
}

/// A file from a URL.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RemoteFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// What it is, by its first bytes and its name.
    pub sniffed: Sniffed,
    /// A safe name: the server's, else the last part of the URL's path.
    pub name: String,
}

impl RemoteDownload<'_> {
    /// The most bytes, instead of [`TransferPolicy::max_download`].
    pub fn max_size(mut self, bytes: u64) -> Self {
        self.max_size = bytes;
        self
    }

    /// Into memory, with a safe name.
    pub async fn to_bytes(self) -> Result<(Bytes, String), Error> {
        let mut sink = Sink::memory(Decoder::new(None, false));
        let name = self.run(&mut sink).await?;
        let (decoded, bytes) = sink.finish(None).await?;
        let name = with_extension(name, &sniff(&decoded.head, None));
        Ok((bytes.into(), name))
    }

    /// Into a file: under a temporary name (mode 0600) in the same folder, renamed when all is well.
    pub async fn to_file(self, path: impl AsRef<Path>) -> Result<RemoteFile, Error> {
        let path = path.as_ref().to_owned();
        let target = temporary(&path)?;
        let mut sink = Sink::file(Decoder::new(None, false), target.reopen().map_err(unwritable)?);
        let name = self.run(&mut sink).await?;
        let (decoded, _) = sink.finish(None).await?;
        target.persist(&path).map_err(|error| unwritable(error.error))?;
        let sniffed = sniff(&decoded.head, Some(&name));
        Ok(RemoteFile { path, size: decoded.size, name: with_extension(name, &sniffed), sniffed })
    }

    async fn run(&self, sink: &mut Sink<'_>) -> Result<String, Error> {
        let url = Url::parse(self.url.trim()).map_err(|error| {
            let advice = "it has to begin with https:// and a host";
            Error::invalid(format!("the media URL is not valid ({error}): {advice}"))
        })?;
        let opener = RemoteOpener { remote: self.remote, url, name: watch::Sender::new(None) };
        let fetch = Fetch {
            opener: &opener,
            policy: &self.remote.policy,
            max: self.max_size,
            allowed: self.max_size,
            expected: None,
            encrypted: false,
            on_progress: None,
            state: State::default(),
        };
        fetch.run(sink).await?;
        let name = opener.name.borrow().clone();
        Ok(name.unwrap_or_else(|| safe_file_name(last_part(&opener.url))))
    }
}

struct RemoteOpener<'a> {
    remote: &'a Remote,
    url: Url,
    /// The name that an answer gave.
    name: watch::Sender<Option<String>>,
}

impl Opener for RemoteOpener<'_> {
    fn url(&self) -> &Url {
        &self.url
    }

    fn open(&self, offset: u64) -> BoxFuture<'_, Result<Response<Body>, Error>> {
        Box::pin(async move {
            let mut url = self.url.clone();
            for _ in 0..=MAX_HOPS {
                self.remote.check(&url)?;
                // GET is what a request is by default.
                let mut request = Request::new(Body::empty());
                *request.uri_mut() = uri(&url)?;
                if let Some(range) = range(offset) {
                    request.headers_mut().insert(RANGE, range);
                }
                let answer = self.remote.transport.send(request).await;
                let answer = answer.map_err(|error| of_transport(error, &url))?;
                let Some(target) = location(&url, answer.status(), answer.headers()) else {
                    let given = answer.headers().get(CONTENT_DISPOSITION).map(HeaderValue::as_bytes);
                    let given = given.and_then(|bytes| std::str::from_utf8(bytes).ok());
                    let name = given.and_then(disposition_name).unwrap_or_else(|| last_part(&url).to_owned());
                    self.name.send_replace(Some(safe_file_name(&name)));
                    return Ok(answer);
                };
                url = target?;
            }
            Err(too_many_redirects(&url))
        })
    }
}

/// A refusal of the lookup comes wrapped as a connection that failed.
fn of_transport(error: TransportError, url: &Url) -> Error {
    let mut next: Option<&(dyn StdError + 'static)> = Some(&error);
    while let Some(cause) = next {
        let within = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(refused) = within.and_then(|within| within.downcast_ref::<AddressRefused>()) {
            return of_refused(url, *refused);
        }
        next = cause.source();
    }
    Error::of_transport(error, &host(url))
}

/// The public ones of the addresses that are found; the URL's port takes the place of 0.
async fn public_only(
    found: BoxFuture<'static, io::Result<Vec<IpAddr>>>,
    policy: AddressPolicy,
) -> io::Result<Vec<SocketAddr>> {
    let mut refused = None;
    let mut allowed = Vec::new();
    for address in found.await? {
        match policy.check(address) {
            Ok(()) => allowed.push(SocketAddr::new(address, 0)),
            Err(error) => refused = Some(error),
        }
    }
    match (allowed.is_empty(), refused) {
        (true, Some(refused)) => Err(io::Error::other(refused)),
        (true, None) => Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address")),
        _ => Ok(allowed),
    }
}

async fn system_lookup(name: String) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.map(|address| address.ip()).collect())
}

/// `filename*=UTF-8''…` or `filename="…"`.
fn disposition_name(value: &str) -> Option<String> {
    let mut plain = None;
    for part in value.split(';').skip(1) {
        let Some((key, text)) = part.split_once('=') else { continue };
        match key.trim().to_ascii_lowercase().as_str() {
            "filename*" => {
                let encoded = text.trim().trim_matches('"').splitn(3, '\'').nth(2)?;
                // As in a form, save that a plus is a plus.
                let form = format!("n={}", encoded.replace('+', "%2B").replace('&', "%26"));
                let decoded = url::form_urlencoded::parse(form.as_bytes()).next();
                return decoded.map(|(_, name)| name.into_owned());
            }
            "filename" => plain = Some(text.trim().trim_matches('"').to_owned()),
            _ => {}
        }
    }
    plain.filter(|name| !name.is_empty())
}

fn last_part(url: &Url) -> &str {
    url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default()
}

fn with_extension(name: String, sniffed: &Sniffed) -> String {
    match &sniffed.extension {
        Some(extension) if !name.contains('.') => safe_file_name(&format!("{name}.{extension}")),
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_servers_give() {
        let name = |text| disposition_name(text);
        assert_eq!(name("attachment; filename=\"a b.png\"").as_deref(), Some("a b.png"));
        let both = "attachment; filename=x.png; filename*=UTF-8''%E5%9B%BE+1.png";
        assert_eq!(name(both).as_deref(), Some("图+1.png"));
        assert_eq!(name("inline"), None);
    }
}
