//! reqwest, as this crate sets it up.

use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use http::{Request, Response, Uri};

use super::addresses::{Addresses, Attempt, HandshakeLimit, Lookup, Progress};
use super::cause::Facts;
use super::proxy::{EnvProxy, Environment};
use super::{Body, BoxFuture, Transport, TransportError};
use crate::client::Clock;
use crate::error::Error;
use crate::hosts::is_loopback_host;

/// The default transport.
pub(crate) struct ReqwestTransport {
    clients: RwLock<Clients>,
    /// How to make the clients anew; `None` for a client that the user brought.
    recipe: Option<Recipe>,
}

struct Clients {
    remote: reqwest::Client,
    /// For this machine, which no proxy can reach; made when it is first needed.
    local: Option<reqwest::Client>,
}

/// What the default transport is made of.
#[derive(Clone)]
pub(crate) struct TransportSettings {
    pub(crate) proxy: Option<reqwest::Proxy>,
    pub(crate) environment: Option<Environment>,
    pub(crate) roots: Vec<Vec<u8>>,
    pub(crate) clock: Option<Clock>,
    pub(crate) connect_timeout: Duration,
    pub(crate) lookup: Option<Lookup>,
}

/// The same with everything read and parsed, so that a reset costs little.
struct Recipe {
    proxy: Proxy,
    tls: Tls,
    connect_timeout: Duration,
    addresses: Addresses,
}

enum Proxy {
    Given(reqwest::Proxy),
    Env(Option<EnvProxy>),
}

/// reqwest as the default transport sets it up, for requests beside the API: TLS with these root certificates in PEM
/// (none: the system's, else the bundled ones), the time-out of a connection, no redirects.
///
/// # Errors
/// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) if TLS cannot be set up, or a text holds no certificate.
pub fn http_builder(root_certificates: &[Vec<u8>]) -> Result<reqwest::ClientBuilder, Error> {
    Ok(builder(&Tls::new(root_certificates, None)?, CONNECT_TIMEOUT))
}

/// Some of the host's addresses hang (docs/field-notes.md#note-16). hyper divides the limit among the addresses.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Default for TransportSettings {
    fn default() -> Self {
        Self {
            proxy: None,
            environment: None,
            roots: Vec::new(),
            clock: None,
            connect_timeout: CONNECT_TIMEOUT,
            lookup: None,
        }
    }
}

impl ReqwestTransport {
    pub(crate) fn new(settings: TransportSettings) -> Result<Self, Error> {
        let proxy = match settings.proxy {
            Some(proxy) => Proxy::Given(proxy),
            None => Proxy::Env(EnvProxy::from_env(settings.environment.as_ref())),
        };
        let only_v4 = matches!(&proxy, Proxy::Env(Some(proxy)) if proxy.is_socks4());
        let recipe = Recipe {
            tls: Tls::new(&settings.roots, settings.clock)?,
            proxy,
            connect_timeout: settings.connect_timeout,
            addresses: Addresses::new(settings.lookup, only_v4),
        };
        let clients = Clients { remote: recipe.client(true)?, local: None };
        Ok(Self { clients: RwLock::new(clients), recipe: Some(recipe) })
    }

    pub(crate) fn from_client(client: reqwest::Client) -> Self {
        Self { clients: RwLock::new(Clients { remote: client, local: None }), recipe: None }
    }

    fn client(&self, host: &str) -> Result<reqwest::Client, Error> {
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        let Some(recipe) = self.recipe.as_ref().filter(|_| is_loopback_host(host)) else {
            return Ok(clients.remote.clone());
        };
        if let Some(local) = &clients.local {
            return Ok(local.clone());
        }
        drop(clients);
        let local = recipe.client(false)?;
        self.clients.write().unwrap_or_else(PoisonError::into_inner).local = Some(local.clone());
        Ok(local)
    }
}

impl Transport for ReqwestTransport {
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TransportError>> {
        let client = self.client(request.uri().host().unwrap_or_default());
        Box::pin(async move {
            let client = client.map_err(TransportError::connect)?;
            let uri = request.uri().clone();
            let request = reqwest::Request::try_from(request)?;
            match &self.recipe {
                Some(recipe) => recipe.send(&client, request, &uri).await,
                None => Ok(client.execute(request).await?.into()),
            }
        })
    }

    fn reset(&self) {
        if let Some(Ok(remote)) = self.recipe.as_ref().map(|recipe| recipe.client(true)) {
            *self.clients.write().unwrap_or_else(PoisonError::into_inner) = Clients { remote, local: None };
        }
    }
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestTransport").field("own", &self.recipe.is_some()).finish_non_exhaustive()
    }
}

impl Recipe {
    fn client(&self, proxied: bool) -> Result<reqwest::Client, Error> {
        let mut builder = builder(&self.tls, self.connect_timeout)
            .dns_resolver(self.addresses.clone())
            .connector_layer(HandshakeLimit(self.connect_timeout / 2));
        builder = match &self.proxy {
            Proxy::Given(proxy) if proxied => builder.proxy(proxy.clone()),
            Proxy::Env(Some(proxy)) if proxied => builder.proxy(proxy.to_reqwest()?),
            _ => builder.no_proxy(),
        };
        builder.build().map_err(|error| Error::invalid("the HTTP client cannot be set up").with_source(error))
    }

    /// Sends a request. As long as it is certain that nothing was sent, another address of the server is tried where
    /// hyper would not: after a TLS handshake that failed.
    async fn send(
        &self,
        client: &reqwest::Client,
        mut request: reqwest::Request,
        uri: &Uri,
    ) -> Result<Response<Body>, TransportError> {
        let mut tries = 1;
        loop {
            // `None` for a body that is a stream: such a request is the caller's to repeat.
            let again = request.try_clone();
            let attempt = Attempt::default();
            let answer = attempt.watch(client.execute(request)).await;
            let progress = attempt.progress();
            let error = match answer {
                Ok(answer) => {
                    if let Some(address) = answer.remote_addr() {
                        self.addresses.connected(&progress, address);
                    }
                    return Ok(answer.into());
                }
                Err(error) if !error.is_connect() => return Err(error.into()),
                Err(error) => error,
            };
            self.addresses.failed(&progress);
            match again {
                Some(same) if progress.handshake && tries < progress.count() => {
                    tracing::debug!(host = uri.host(), tries, "TLS failed: trying another address");
                    request = same;
                    tries += 1;
                }
                _ => return Err(TransportError::of_reqwest(error, self.facts(&progress, uri))),
            }
        }
    }

    fn facts(&self, progress: &Progress, uri: &Uri) -> Facts {
        let host = uri.host().unwrap_or_default();
        let proxy = match &self.proxy {
            _ if is_loopback_host(host) => None,
            Proxy::Env(proxy) => {
                proxy.as_ref().filter(|proxy| proxy.stands_before(uri)).map(ToString::to_string)
            }
            // It does not say what it is for. Without it, the server's name would have been looked up.
            Proxy::Given(_) => (!progress.looked_up(host)).then(|| "the proxy".to_owned()),
        };
        Facts { proxy, handshake: progress.handshake, limit: Some(self.connect_timeout) }
    }
}

fn builder(tls: &Tls, connect_timeout: Duration) -> reqwest::ClientBuilder {
    let builder = reqwest::Client::builder()
        .connect_timeout(connect_timeout)
        // The token must not follow a redirect to another host (docs/field-notes.md#note-28); the API has none.
        .redirect(reqwest::redirect::Policy::none());
    tls.apply(builder)
}

#[cfg(any(feature = "rustls-ring", feature = "rustls-aws-lc"))]
struct Tls(rustls::ClientConfig);

#[cfg(any(feature = "rustls-ring", feature = "rustls-aws-lc"))]
impl Tls {
    fn new(roots: &[Vec<u8>], clock: Option<Clock>) -> Result<Self, Error> {
        super::tls::config(roots, clock).map(Self)
    }

    fn apply(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        builder.tls_backend_preconfigured(self.0.clone())
    }
}

/// The system's library, which keeps its own clock; or nothing that speaks TLS.
#[cfg(not(any(feature = "rustls-ring", feature = "rustls-aws-lc")))]
struct Tls {
    #[cfg(feature = "native-tls")]
    roots: Vec<reqwest::Certificate>,
}

#[cfg(not(any(feature = "rustls-ring", feature = "rustls-aws-lc")))]
impl Tls {
    fn new(roots: &[Vec<u8>], _clock: Option<Clock>) -> Result<Self, Error> {
        let found = roots.iter().map(|pem| super::roots::certificates(pem)).collect::<Result<Vec<_>, _>>()?;
        #[cfg(not(feature = "native-tls"))]
        let _ = found;
        Ok(Self {
            #[cfg(feature = "native-tls")]
            roots: found
                .iter()
                .flatten()
                .map(|der| reqwest::Certificate::from_der(der))
                .collect::<Result<_, _>>()
                .map_err(|error| {
                    Error::invalid("root certificates: one cannot be used").with_source(error)
                })?,
        })
    }

    #[cfg_attr(
        not(feature = "native-tls"),
        expect(clippy::unused_self, reason = "the shape of the variants")
    )]
    fn apply(&self, builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
        #[cfg(feature = "native-tls")]
        if !self.roots.is_empty() {
            return builder.tls_certs_only(self.roots.clone());
        }
        builder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_builder_for_requests_beside_the_api_follows_no_redirect() {
        let server = wiremock::MockServer::start().await;
        let redirect = wiremock::ResponseTemplate::new(302).insert_header("location", "/elsewhere");
        wiremock::Mock::given(wiremock::matchers::any())
            .respond_with(redirect)
            .expect(1)
            .mount(&server)
            .await;
        let client = http_builder(&[]).unwrap().no_proxy().build().unwrap();
        assert_eq!(client.get(server.uri()).send().await.unwrap().status(), 302);
    }
}
