//! The client: cheap to clone, without credentials of its own.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION};
use http::{Method, Request, Response, StatusCode};
use serde::Serialize;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;
use url::Url;

use crate::bot::{Bot, Credentials};
use crate::builder::ClientBuilder;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, RetryClass};
use crate::hosts::HostPolicy;
use crate::login::{Login, LoginBuilder, LoginSession};
use crate::printable::Printable;
use crate::retry::{Random, RetryPolicy, retry_after};
use crate::secret::Secret;
use crate::transport::{Body, Transport};
use crate::wire::request::BaseInfo;

/// The API's address, and always the first one of a login ([protocol §1]).
///
/// [protocol §1]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/protocol.md#1-hosts
pub const DEFAULT_BASE_URL: &str = "https://ilinkai.weixin.qq.com";

/// Larger answers are decoded beside the runtime: up to here it takes a few milliseconds.
const DECODED_HERE: usize = 1 << 20;

/// Talks to the iLink Bot API. Clone it freely: clones share connections and settings.
///
/// ```no_run
/// # async fn run() -> Result<(), ilink_client::Error> {
/// use ilink_client::{Client, Credentials, Cursor};
///
/// let client = Client::new()?;
/// let bot = client.bot(Credentials::new("b0f5860fdecb@im.bot", "the token"))?;
/// let batch = bot.get_updates(Cursor::default()).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) base_url: Url,
    pub(crate) hosts: HostPolicy,
    pub(crate) headers: HeaderMap,
    pub(crate) base_info: BaseInfo,
    pub(crate) retry: RetryPolicy,
    pub(crate) random: Random,
    pub(crate) clock: Clock,
}

/// Where the wall clock comes from.
pub(crate) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

impl Client {
    /// A client with the defaults.
    ///
    /// # Errors
    /// If TLS cannot be set up.
    pub fn new() -> Result<Self, Error> {
        Self::builder().build()
    }

    /// A client with settings of your own.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    pub(crate) fn from_inner(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    /// Starts a login by QR code.
    pub fn login(&self) -> LoginBuilder {
        LoginBuilder::new(self.clone())
    }

    /// Continues a login that was started earlier, for example by another process.
    pub fn resume_login(&self, session: LoginSession) -> Login {
        Login::resume(self.clone(), session)
    }

    /// A client with credentials. The base URL that they name, from the login, comes before the client's own.
    ///
    /// # Errors
    /// If the credentials name a base URL whose host is not allowed ([field note 28]), or their token cannot be one.
    ///
    /// [field note 28]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-28
    pub fn bot(&self, credentials: Credentials) -> Result<Bot, Error> {
        Bot::new(self.clone(), credentials)
    }

    /// Where requests go when the credentials name no other place.
    #[must_use]
    pub fn base_url(&self) -> &Url {
        &self.inner.base_url
    }

    /// Where the token may go.
    #[must_use]
    pub fn hosts(&self) -> &HostPolicy {
        &self.inner.hosts
    }

    /// What carries the requests: for requests beside the API's own, such as media on the CDN.
    #[must_use]
    pub fn transport(&self) -> &Arc<dyn Transport> {
        &self.inner.transport
    }

    /// The policy by which requests are repeated.
    #[must_use]
    pub fn retry_policy(&self) -> &RetryPolicy {
        &self.inner.retry
    }

    pub(crate) fn base_info(&self) -> &BaseInfo {
        &self.inner.base_info
    }

    pub(crate) fn random(&self) -> &Random {
        &self.inner.random
    }

    /// The wall clock that was [set](crate::ClientBuilder::clock).
    #[must_use]
    pub fn now(&self) -> SystemTime {
        (self.inner.clock)()
    }

    /// Sends a request, repeated as the policy and the endpoint allow, and returns the answer's body, its
    /// envelope not yet looked at beyond what retrying needs.
    pub(crate) async fn call<T>(
        &self,
        call: Call<'_>,
        decode: impl Fn(StatusCode, &Bytes) -> Result<T, Error> + Clone + Send + 'static,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
    {
        let policy = call.retry.unwrap_or(&self.inner.retry);
        let deadline = Instant::now() + policy.deadline.max(call.timeout());
        let span = tracing::debug_span!("ilink", endpoint = call.endpoint.name, host = call.base.host_str());
        async {
            let mut attempt = 1;
            loop {
                let until = deadline.min(Instant::now() + call.timeout());
                let result = match timeout_at(until, self.attempt(&call)).await {
                    Ok(Ok((status, retry_after, body))) => {
                        let decoded = decoded(decode.clone(), status, body).await;
                        decoded.map_err(|error| error.with_retry_after(retry_after))
                    }
                    Ok(Err(error)) => Err(error),
                    Err(_) => Err(Error::new(
                        ErrorKind::Timeout,
                        format!(
                            "no complete answer from {} within {} s: the network or the server is slow; try again",
                            call.base.host_str().unwrap_or_default(),
                            call.timeout().as_secs_f32()
                        ),
                    )),
                };
                let error = match result {
                    Ok(value) => return Ok(value),
                    Err(error) => error.at(call.endpoint.name, attempt),
                };
                let again = match error.retry_class() {
                    RetryClass::Safe => true,
                    RetryClass::Idempotent => call.endpoint.idempotent,
                    _ => false,
                };
                let delay =
                    error.retry_after().unwrap_or_default().max(policy.delay(attempt, &self.inner.random));
                let in_time = Instant::now().checked_add(delay).is_some_and(|then| then < deadline);
                let fits = delay <= policy.max_delay && in_time;
                if !again || attempt >= policy.max_attempts || !fits {
                    tracing::debug!(%error, "failed");
                    return Err(error);
                }
                tracing::debug!(%error, attempt, ?delay, "trying again");
                tokio::time::sleep(delay).await;
                attempt += 1;
            }
        }
        .instrument(span)
        .await
    }

    /// One request and the whole of its answer.
    async fn attempt(&self, call: &Call<'_>) -> Result<(StatusCode, Option<Duration>, Bytes), Error> {
        let host = call.base.host_str().unwrap_or_default();
        let request = self.request(call)?;
        let transport = &self.inner.transport;
        let answer = transport.send(request).await.map_err(|error| error.into_error(host))?;
        if let Some(error) = redirected(&answer) {
            return Err(error);
        }
        let (status, retry_after) = (answer.status(), retry_after(answer.headers(), self.now()));
        Ok((status, retry_after, read_body(answer, host, call.endpoint.max_answer).await?))
    }

    fn request(&self, call: &Call<'_>) -> Result<Request<Body>, Error> {
        let mut url = call
            .base
            .join(call.endpoint.path)
            .map_err(|error| Error::invalid("the base URL takes no path").with_source(error))?;
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(call.query);
        }
        let mut request = Request::new(Body::from(call.body.clone()));
        *request.method_mut() = call.endpoint.method.clone();
        *request.uri_mut() = url.as_str().parse().map_err(|_| {
            Error::invalid("the base URL cannot be used in a request: give scheme, host and port only")
        })?;
        let headers = request.headers_mut();
        if call.endpoint.method == Method::POST {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert("authorizationtype", HeaderValue::from_static("ilink_bot_token"));
            let uin = STANDARD.encode(self.inner.random.next_u32().to_string());
            headers.insert("x-wechat-uin", header_value("X-WECHAT-UIN", &uin)?);
        }
        for (name, value) in &self.inner.headers {
            headers.insert(name, value.clone());
        }
        if let (Some(token), true) = (call.token, call.endpoint.auth) {
            let mut bearer = header_value("the token", &format!("Bearer {}", token.expose()))?;
            bearer.set_sensitive(true);
            headers.insert(AUTHORIZATION, bearer);
        }
        Ok(request)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base_url", &crate::hosts::shown(&self.inner.base_url))
            .field("channel_version", &self.inner.base_info.channel_version)
            .finish_non_exhaustive()
    }
}

/// One request, before it is made.
pub(crate) struct Call<'a> {
    pub(crate) endpoint: &'a Endpoint,
    pub(crate) base: &'a Url,
    pub(crate) token: Option<&'a Secret>,
    pub(crate) query: &'a [(&'static str, String)],
    pub(crate) body: Bytes,
    /// Instead of the endpoint's.
    pub(crate) timeout: Option<Duration>,
    /// Instead of the client's.
    pub(crate) retry: Option<&'a RetryPolicy>,
}

impl Call<'_> {
    fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(self.endpoint.timeout)
    }
}

/// The JSON of a body.
pub(crate) fn to_json(body: &impl Serialize) -> Result<Bytes, Error> {
    serde_json::to_vec(body)
        .map(Bytes::from)
        .map_err(|error| Error::invalid("the request is no JSON").with_source(error))
}

/// Decodes an answer: here, or beside the runtime if it is so large that others would have to wait.
async fn decoded<T: Send + 'static>(
    decode: impl Fn(StatusCode, &Bytes) -> Result<T, Error> + Send + 'static,
    status: StatusCode,
    body: Bytes,
) -> Result<T, Error> {
    if body.len() <= DECODED_HERE {
        return decode(status, &body);
    }
    tokio::task::spawn_blocking(move || decode(status, &body)).await.unwrap_or_else(|error| {
        Err(Error::new(ErrorKind::Body, "the answer was not read to its end: try again").with_source(error))
    })
}

async fn read_body(answer: Response<Body>, host: &str, max: usize) -> Result<Bytes, Error> {
    let mut body = answer.into_body();
    let mut first = Bytes::new();
    let mut whole = Vec::new();
    while let Some(chunk) = body.chunk().await.map_err(|error| error.into_error(host))? {
        if first.len().max(whole.len()) + chunk.len() > max {
            let detail = format!(
                "the answer of {} is larger than {} KiB, which no right one is: refused, and not read to its end",
                Printable::new(host),
                max >> 10
            );
            return Err(Error::new(ErrorKind::TooLarge, detail));
        }
        // Nearly every answer is one chunk, which is not copied.
        if first.is_empty() && whole.is_empty() {
            first = chunk;
            continue;
        }
        if whole.is_empty() {
            let announced =
                http_body::Body::size_hint(&body).upper().and_then(|left| usize::try_from(left).ok());
            whole.reserve((first.len() + chunk.len()).saturating_add(announced.unwrap_or(0)).min(max));
            whole.extend_from_slice(&std::mem::take(&mut first));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(if whole.is_empty() { first } else { whole.into() })
}

/// The API has no redirects: something in between has answered, and the token is not sent where it points
/// (docs/field-notes.md#note-28).
fn redirected(answer: &Response<Body>) -> Option<Error> {
    let status = answer.status();
    let location = answer.headers().get(LOCATION).filter(|_| status.is_redirection())?;
    let target = location.to_str().ok().and_then(|location| Url::parse(location).ok());
    let host = Printable::new(target.as_ref().and_then(Url::host_str).unwrap_or("another page"));
    let detail = format!(
        "HTTP {}: led to {host}, which is not followed: if this is a public network, open a web page and log in to it; \
         else check the base URL and the proxy",
        status.as_u16()
    );
    Some(Error::new(ErrorKind::Status, detail).with_status(status.as_u16()))
}

pub(crate) fn header_value(what: &str, text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text)
        .map_err(|_| Error::invalid(format!("{what} holds characters that no HTTP header can carry")))
}
