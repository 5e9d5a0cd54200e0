//! reqwest, as this crate sets it up.

use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use http::{Request, Response, Uri};
use http_body_util::BodyExt as _;

use super::addresses::{Addresses, Attempt, HandshakeLimit, Lookup, Progress};
use super::cause::Facts;
use super::proxy::{Environment, Proxy};
use super::{Body, BoxFuture, Transport, TransportError};
use crate::client::Clock;
use crate::error::Error;
use crate::hosts::is_loopback_host;

/// The default transport.
pub(crate) struct BuiltInTransport {
    clients: RwLock<Clients>,
    /// How to make the clients anew.
    recipe: Recipe,
}

struct Clients {
    remote: reqwest::Client,
    /// For this machine, which no proxy can reach; made when it is first needed.
    local: Option<reqwest::Client>,
}

/// What the default transport is made of.
#[derive(Clone)]
pub(crate) struct TransportSettings {
    pub(crate) proxy: Option<String>,
    pub(crate) environment: Option<Environment>,
    pub(crate) roots: Vec<Vec<u8>>,
    pub(crate) clock: Option<Clock>,
    pub(crate) connect_timeout: Duration,
    pub(crate) lookup: Option<Lookup>,
}

/// The same with everything read and parsed, so that a reset costs little.
struct Recipe {
    proxy: Option<Proxy>,
    tls: Tls,
    connect_timeout: Duration,
    addresses: Addresses,
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

impl BuiltInTransport {
    pub(crate) fn new(settings: TransportSettings) -> Result<Self, Error> {
        let proxy = match settings.proxy {
            Some(url) => Some(Proxy::given(&url)?),
            None => Proxy::from_env(settings.environment.as_ref()),
        };
        let only_v4 = proxy.as_ref().is_some_and(Proxy::is_socks4);
        let recipe = Recipe {
            tls: Tls::new(&settings.roots, settings.clock)?,
            proxy,
            connect_timeout: settings.connect_timeout,
            addresses: Addresses::new(settings.lookup, only_v4),
        };
        let clients = Clients { remote: recipe.client(true)?, local: None };
        Ok(Self { clients: RwLock::new(clients), recipe })
    }

    fn client(&self, host: &str) -> Result<reqwest::Client, Error> {
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        if !is_loopback_host(host) {
            return Ok(clients.remote.clone());
        }
        if let Some(local) = &clients.local {
            return Ok(local.clone());
        }
        drop(clients);
        let local = self.recipe.client(false)?;
        self.clients.write().unwrap_or_else(PoisonError::into_inner).local = Some(local.clone());
        Ok(local)
    }
}

impl Transport for BuiltInTransport {
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TransportError>> {
        let client = self.client(request.uri().host().unwrap_or_default());
        Box::pin(async move {
            let client = client.map_err(TransportError::connect)?;
            let uri = request.uri().clone();
            let request = reqwest::Request::try_from(request.map(to_reqwest)).map_err(of_reqwest)?;
            let answer = self.recipe.send(&client, request, &uri).await?;
            Ok(Response::from(answer).map(|body| Body::wrap(body.map_err(of_reqwest))))
        })
    }

    fn reset(&self) {
        if let Ok(remote) = self.recipe.client(true) {
            *self.clients.write().unwrap_or_else(PoisonError::into_inner) = Clients { remote, local: None };
        }
    }
}

impl fmt::Debug for BuiltInTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuiltInTransport").finish_non_exhaustive()
    }
}

impl Recipe {
    fn client(&self, proxied: bool) -> Result<reqwest::Client, Error> {
        let mut builder = builder(&self.tls, self.connect_timeout)
            .dns_resolver(self.addresses.clone())
            .connector_layer(HandshakeLimit(self.connect_timeout / 2));
        builder = match &self.proxy {
            Some(proxy) if proxied => builder.proxy(proxy.to_reqwest()?),
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
    ) -> Result<reqwest::Response, TransportError> {
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
                    return Ok(answer);
                }
                Err(error) if !error.is_connect() => return Err(of_reqwest(error)),
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
        let proxy = self.proxy.as_ref().filter(|proxy| !is_loopback_host(host) && proxy.stands_before(uri));
        let proxy = proxy.map(ToString::to_string);
        Facts { proxy, handshake: progress.handshake, limit: Some(self.connect_timeout) }
    }
}

/// Bytes that are all here can be sent again.
fn to_reqwest(body: Body) -> reqwest::Body {
    match body.whole() {
        Some(bytes) => bytes.clone().into(),
        None => reqwest::Body::wrap(body),
    }
}

fn of_reqwest(error: reqwest::Error) -> TransportError {
    TransportError::of_reqwest(error, Facts::default())
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
    async fn no_redirect_is_followed() {
        let server = wiremock::MockServer::start().await;
        let redirect = wiremock::ResponseTemplate::new(302).insert_header("location", "/elsewhere");
        wiremock::Mock::given(wiremock::matchers::any())
            .respond_with(redirect)
            .expect(1)
            .mount(&server)
            .await;
        let transport = BuiltInTransport::new(TransportSettings::default()).unwrap();
        let request = Request::get(server.uri()).body(Body::empty()).unwrap();
        assert_eq!(transport.send(request).await.unwrap().status(), 302);
    }
}
