//! What carries a request: reqwest by default, anything else by [`Transport`].

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::{Request, Response};
pub use reqwest::Body;

use crate::error::{BoxError, Error, ErrorKind};
use crate::hosts::is_loopback_host;

/// A future that owns what it needs or borrows from `'a`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Carries requests to the server and answers back.
///
/// Implement it to send through something other than reqwest: a middleware, a recorder, a server in the same
/// process (see `examples/custom_transport.rs`). It must not follow redirects and must not retry. Time-outs
/// are the caller's; dropping the future has to abort the request.
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends one request; resolves when the answer's headers are there.
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TransportError>>;

    /// Forgets all pooled connections: called when polls go deaf, as they do after a machine slept
    /// (field note 14). Does nothing unless implemented.
    fn reset(&self) {}
}

/// Why a [`Transport`] brought no answer.
#[derive(Debug)]
#[non_exhaustive]
pub struct TransportError {
    /// True if nothing can have reached the server: DNS, TCP, TLS or proxy.
    pub is_connect: bool,
    /// True if the transport itself gave up waiting.
    pub is_timeout: bool,
    source: BoxError,
}

impl TransportError {
    /// No connection came about.
    pub fn connect(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { is_connect: true, is_timeout: false, source: source.into() }
    }

    /// A connection was there and broke.
    pub fn interrupted(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { is_connect: false, is_timeout: false, source: source.into() }
    }

    pub(crate) fn into_error(self, host: &str) -> Error {
        let (kind, detail) = if self.is_connect {
            let advice = "check the base URL, the network and the proxy settings";
            (ErrorKind::Connect, format!("cannot connect to {host}: {advice}"))
        } else if self.is_timeout {
            (ErrorKind::Timeout, format!("no answer from {host} in time"))
        } else {
            (ErrorKind::Interrupted, format!("the connection to {host} broke before the answer was complete"))
        };
        Error::new(kind, detail).with_source(self.source)
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
    }
}

impl From<reqwest::Error> for TransportError {
    fn from(error: reqwest::Error) -> Self {
        // The URL goes: its query may hold a login handle or a download parameter.
        let error = error.without_url();
        // A connect time-out is both; nothing was sent, so it counts as a failed connection.
        Self { is_connect: error.is_connect(), is_timeout: error.is_timeout(), source: error.into() }
    }
}

/// One transport for many clients.
impl<T: Transport + ?Sized> Transport for Arc<T> {
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TransportError>> {
        (**self).send(request)
    }

    fn reset(&self) {
        (**self).reset();
    }
}

/// The default transport.
pub(crate) struct ReqwestTransport {
    clients: RwLock<Clients>,
    /// How to make the clients anew; `None` for a client that the user brought.
    settings: Option<TransportSettings>,
}

struct Clients {
    remote: reqwest::Client,
    /// For this machine, which no proxy can reach; made when it is first needed.
    local: Option<reqwest::Client>,
}

/// What the default transport is made of.
#[derive(Clone, Debug, Default)]
pub(crate) struct TransportSettings {
    pub(crate) proxy: Option<reqwest::Proxy>,
    pub(crate) roots: Vec<Vec<u8>>,
}

/// reqwest as the default transport sets it up, for requests beside the API: TLS with these root certificates in PEM
/// (none: the system's, else the bundled ones), the time-out of a connection, no redirects.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] if TLS cannot be set up or a certificate is not PEM.
pub fn http_builder(root_certificates: &[Vec<u8>]) -> Result<reqwest::ClientBuilder, Error> {
    TransportSettings { proxy: None, roots: root_certificates.to_vec() }.builder()
}

/// Field note 16: some of the host's addresses hang. The limit is shared out over the addresses by hyper.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl ReqwestTransport {
    pub(crate) fn new(settings: TransportSettings) -> Result<Self, Error> {
        let clients = Clients { remote: settings.build(true)?, local: None };
        Ok(Self { clients: RwLock::new(clients), settings: Some(settings) })
    }

    pub(crate) fn from_client(client: reqwest::Client) -> Self {
        Self { clients: RwLock::new(Clients { remote: client, local: None }), settings: None }
    }

    fn client(&self, host: &str) -> Result<reqwest::Client, Error> {
        let clients = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        let Some(settings) = self.settings.as_ref().filter(|_| is_loopback_host(host)) else {
            return Ok(clients.remote.clone());
        };
        if let Some(local) = &clients.local {
            return Ok(local.clone());
        }
        drop(clients);
        let local = settings.build(false)?;
        self.clients.write().unwrap_or_else(PoisonError::into_inner).local = Some(local.clone());
        Ok(local)
    }
}

impl Transport for ReqwestTransport {
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TransportError>> {
        let client = self.client(request.uri().host().unwrap_or_default());
        Box::pin(async move {
            let client = client.map_err(TransportError::connect)?;
            let request = reqwest::Request::try_from(request)?;
            Ok(client.execute(request).await?.into())
        })
    }

    fn reset(&self) {
        if let Some(Ok(remote)) = self.settings.as_ref().map(|settings| settings.build(true)) {
            *self.clients.write().unwrap_or_else(PoisonError::into_inner) = Clients { remote, local: None };
        }
    }
}

impl fmt::Debug for ReqwestTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestTransport").field("own", &self.settings.is_some()).finish_non_exhaustive()
    }
}

impl TransportSettings {
    fn build(&self, proxied: bool) -> Result<reqwest::Client, Error> {
        let mut builder = self.builder()?;
        match &self.proxy {
            _ if !proxied => builder = builder.no_proxy(),
            Some(proxy) => builder = builder.proxy(proxy.clone()),
            None => {}
        }
        builder.build().map_err(|error| Error::invalid("the HTTP client cannot be set up").with_source(error))
    }

    fn builder(&self) -> Result<reqwest::ClientBuilder, Error> {
        let builder = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            // The token must not follow a redirect to another host (field note 28); the API has none.
            .redirect(reqwest::redirect::Policy::none());
        self.tls(builder)
    }

    #[cfg(any(feature = "rustls-ring", feature = "rustls-aws-lc"))]
    fn tls(&self, builder: reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder, Error> {
        #[cfg(feature = "rustls-ring")]
        let provider = rustls::crypto::ring::default_provider();
        #[cfg(not(feature = "rustls-ring"))]
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::invalid("TLS cannot be set up").with_source(error))?
            .with_root_certificates(self.root_store()?)
            .with_no_client_auth();
        Ok(builder.tls_backend_preconfigured(config))
    }

    /// The given roots; else the system's; else, as in a container without a CA store, the bundled ones.
    #[cfg(any(feature = "rustls-ring", feature = "rustls-aws-lc"))]
    fn root_store(&self) -> Result<rustls::RootCertStore, Error> {
        use rustls::pki_types::{CertificateDer, pem::PemObject};

        let mut store = rustls::RootCertStore::empty();
        for pem in &self.roots {
            for certificate in CertificateDer::pem_slice_iter(pem) {
                let certificate = certificate
                    .map_err(|error| Error::invalid("a root certificate cannot be read: give PEM, with BEGIN CERTIFICATE and END CERTIFICATE lines").with_source(error))?;
                // A root that rustls cannot use (an old algorithm) must not cost all the others.
                store.add_parsable_certificates([certificate]);
            }
        }
        if store.is_empty() && self.roots.is_empty() {
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        if store.is_empty() {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        Ok(store)
    }

    #[cfg(all(feature = "native-tls", not(any(feature = "rustls-ring", feature = "rustls-aws-lc"))))]
    fn tls(&self, builder: reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder, Error> {
        let mut roots = Vec::new();
        for pem in &self.roots {
            let certificates = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|error| Error::invalid("a root certificate cannot be read: give PEM, with BEGIN CERTIFICATE and END CERTIFICATE lines").with_source(error))?;
            roots.extend(certificates);
        }
        Ok(if roots.is_empty() { builder } else { builder.tls_certs_merge(roots) })
    }

    #[cfg(not(any(feature = "rustls-ring", feature = "rustls-aws-lc", feature = "native-tls")))]
    #[expect(clippy::unnecessary_wraps, clippy::unused_self, reason = "the shape of the variants above")]
    fn tls(&self, builder: reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder, Error> {
        Ok(builder)
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
