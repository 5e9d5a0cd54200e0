//! What carries a request: the built-in client by default, anything else by [`Transport`].

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use http::{Request, Response};

pub use self::body::Body;
pub(crate) use self::built_in::{BuiltInTransport, TransportSettings};
pub use self::cause::ConnectCause;
use self::cause::{Facts, Failure};
use crate::error::{BoxError, Error, ErrorKind, RetryClass};
use crate::printable::Printable;

mod addresses;
mod body;
mod built_in;
pub(crate) mod cause;
mod proxy;
mod roots;
#[cfg(any(feature = "rustls-ring", feature = "rustls-aws-lc"))]
mod tls;

/// A future that owns what it needs or borrows from `'a`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Carries requests to the server and answers back.
///
/// Implement it to send through something other than the built-in client: a middleware, an HTTP client of your own, a
/// recorder, a server in the same process (see `examples/custom_transport.rs`). It must not follow redirects and must not
/// retry. Time-outs are the caller's; dropping the future has to abort the request.
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Sends one request; resolves when the answer's headers are there.
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TransportError>>;

    /// Forgets all pooled connections: called when polls go deaf, as they do after a machine slept
    /// ([field note 14]). Does nothing unless implemented.
    ///
    /// [field note 14]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-14
    fn reset(&self) {}
}

/// Why a [`Transport`] brought no answer.
#[non_exhaustive]
pub struct TransportError {
    /// True if nothing can have reached the server: DNS, TCP, TLS or proxy.
    pub is_connect: bool,
    /// True if the transport itself gave up waiting.
    pub is_timeout: bool,
    source: BoxError,
    /// Why no connection came about.
    failure: Option<Box<Failure>>,
}

impl TransportError {
    /// No connection came about. The cause is found in the source: hyper's, rustls's and I/O errors are known.
    pub fn connect(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::of(source.into(), Facts::default())
    }

    /// A connection was there and broke.
    pub fn interrupted(source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self { is_connect: false, is_timeout: false, source: source.into(), failure: None }
    }

    /// What kind of failure it is: [`Connect`](ErrorKind::Connect), [`Timeout`](ErrorKind::Timeout) or
    /// [`Interrupted`](ErrorKind::Interrupted).
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self { is_connect: true, .. } => ErrorKind::Connect,
            Self { is_timeout: true, .. } => ErrorKind::Timeout,
            _ => ErrorKind::Interrupted,
        }
    }

    /// Whether and how to try again.
    #[must_use]
    pub fn retry_class(&self) -> RetryClass {
        if self.is_connect { RetryClass::Safe } else { RetryClass::Idempotent }
    }

    /// As [`Error::code`].
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.kind().code()
    }

    /// At which step the connection failed, if that is what failed.
    #[must_use]
    pub fn connect_cause(&self) -> Option<ConnectCause> {
        Some(self.failure.as_ref()?.cause)
    }

    /// The same as an error of this crate, whose text says what to do.
    #[must_use]
    pub fn into_error(self, host: &str) -> Error {
        let host = &*Printable::new(host).to_string();
        if let Some(failure) = self.failure {
            let error =
                Error::new(ErrorKind::Connect, failure.explain(host)).with_connect_cause(failure.cause);
            return if failure.is_complete() {
                error.with_silent_source(self.source)
            } else {
                error.with_source(self.source)
            };
        }
        if self.is_timeout {
            let detail = format!("no answer from {host} in time: try again");
            return Error::new(ErrorKind::Timeout, detail).with_source(self.source);
        }
        let (broke, said) = cause::how_it_broke(&*self.source);
        let advice = "try again; if it stays so, check the network";
        let detail = format!("the connection to {host} {broke} before the answer was complete: {advice}");
        let error = Error::new(ErrorKind::Interrupted, detail);
        if said { error.with_silent_source(self.source) } else { error.with_source(self.source) }
    }

    fn of(source: BoxError, facts: Facts) -> Self {
        let failure = Some(Box::new(Failure::of(&*source, facts)));
        Self { is_connect: true, is_timeout: false, source, failure }
    }

    /// An error of a body that this one may have gone through already.
    fn of_body(error: BoxError) -> Self {
        error.downcast::<Self>().map_or_else(Self::interrupted, |error| *error)
    }

    fn of_reqwest(error: reqwest::Error, facts: Facts) -> Self {
        // The URL goes: its query may hold a login handle or a download parameter.
        let error = error.without_url();
        // A connect time-out is both; nothing was sent, so it counts as a failed connection.
        let is_timeout = error.is_timeout();
        if error.is_connect() {
            Self { is_timeout, ..Self::of(error.into(), facts) }
        } else {
            Self { is_connect: false, is_timeout, source: error.into(), failure: None }
        }
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Printable::new(&self.source).fmt(f)
    }
}

impl fmt::Debug for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportError")
            .field("is_connect", &self.is_connect)
            .field("is_timeout", &self.is_timeout)
            .field("connect_cause", &self.connect_cause())
            .field("source", &format_args!("{}", Printable::new(format_args!("{:?}", self.source))))
            .finish_non_exhaustive()
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&*self.source)
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
