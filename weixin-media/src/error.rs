//! One error type: what happened to which transfer, and how often it was tried.

use std::error::Error as StdError;
use std::fmt;

use ilink_client::{Printable, RetryClass, TransportError};
use url::Url;

/// Why media could not be moved.
///
/// `Display` is one sentence that says what to do. Neither `Display` nor `Debug` shows a key, a URL query or content; what
/// others said is escaped and shortened there ([`Printable`]).
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    detail: String,
    status: Option<u16>,
    attempts: u32,
    source: Option<Box<dyn StdError + Send + Sync>>,
    /// The detail says what the source says.
    said: bool,
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument or a setting is not usable; nothing was sent.
    InvalidInput,
    /// A URL leads to a host that is not allowed, by itself or by a redirect ([field note 28]); nothing was sent there.
    ///
    /// [field note 28]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-28
    HostNotAllowed,
    /// The file or reader to upload cannot be read, or changed while it was sent.
    Source,
    /// The file or writer to download into cannot be written.
    Sink,
    /// The message has no key, or one in no known encoding.
    Key,
    /// getuploadurl failed: [`Error::client_error`] says how.
    Api,
    /// No connection: DNS, TCP, TLS or proxy. [`Error::client_error`] knows which.
    Connect,
    /// Nothing moved for too long.
    Idle,
    /// The transfer was slower than [`TransferPolicy`](crate::TransferPolicy) allows.
    Timeout,
    /// The connection broke.
    Interrupted,
    /// An HTTP status that is no success. 4xx is final.
    Status,
    /// The answer says success and is not one: no download parameter, an HTML page, another length than announced.
    Answer,
    /// More bytes than allowed.
    TooLarge,
    /// Fewer bytes than announced, or not a whole number of cipher blocks.
    Truncated,
    /// The padding is not valid: the key does not fit, or the bytes are no ciphertext.
    Padding,
    /// The MD5 is not the one that the message carries, or the server has other bytes than an attempt before.
    Digest,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            detail: detail.into(),
            status: None,
            attempts: 0,
            source: None,
            said: false,
        }))
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, detail)
    }

    pub(crate) fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// A source whose text is the detail.
    fn with_said_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.said = true;
        self.with_source(source)
    }

    /// The same failure, said better by one who knows more.
    pub(crate) fn with_detail(mut self, detail: String) -> Self {
        self.0.detail = detail;
        self
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn after(mut self, attempts: u32) -> Self {
        self.0.attempts = attempts;
        self
    }

    pub(crate) fn of_host(error: ilink_client::Error) -> Self {
        Self::new(ErrorKind::HostNotAllowed, error.to_string()).with_said_source(error)
    }

    pub(crate) fn of_transport(error: TransportError, host: &str) -> Self {
        if error.is_connect {
            // It says which step failed and what to do.
            let error = error.into_error(host);
            return Self::new(ErrorKind::Connect, error.to_string()).with_said_source(error);
        }
        if is_early_end(&error) {
            let detail = format!("{host} closed the connection before all announced bytes had come");
            return Self::new(ErrorKind::Truncated, detail).with_said_source(error);
        }
        let (kind, detail) = if error.is_timeout {
            (ErrorKind::Timeout, format!("no answer from {host} in time: try again"))
        } else {
            (ErrorKind::Interrupted, format!("the connection to {host} broke: try again"))
        };
        Self::new(kind, detail).with_source(error)
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The HTTP status, where an answer came.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// How many times it was tried; 0 if nothing was sent.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// The failure below, where the client had it: of getuploadurl, or of a connection, whose
    /// [`connect_cause`](ilink_client::Error::connect_cause) it knows.
    #[must_use]
    pub fn client_error(&self) -> Option<&ilink_client::Error> {
        self.0.source.as_deref()?.downcast_ref()
    }

    /// True if the CDN says that this media does not exist, or no longer.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self.0.status, Some(403 | 404 | 410))
    }

    /// Whether and how to try again. Transfers are idempotent: an upload that broke leaves nothing behind.
    #[must_use]
    pub fn retry_class(&self) -> RetryClass {
        match self.0.kind {
            ErrorKind::Api => self.client_error().map_or(RetryClass::Never, ilink_client::Error::retry_class),
            ErrorKind::Connect => RetryClass::Safe,
            ErrorKind::Idle
            | ErrorKind::Timeout
            | ErrorKind::Interrupted
            | ErrorKind::Answer
            | ErrorKind::Truncated => RetryClass::Idempotent,
            ErrorKind::Status if self.0.status.is_some_and(|status| !(400..500).contains(&status)) => {
                RetryClass::Idempotent
            }
            _ => RetryClass::Never,
        }
    }

    /// A short name that stays the same over versions ([the list]).
    ///
    /// [the list]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/errors.md
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.0.kind {
            ErrorKind::InvalidInput => "invalid-input",
            ErrorKind::HostNotAllowed => "host-not-allowed",
            ErrorKind::Source => "source-unreadable",
            ErrorKind::Sink => "sink-unwritable",
            ErrorKind::Key => "bad-key",
            ErrorKind::Api => self.client_error().map_or("rejected", ilink_client::Error::code),
            ErrorKind::Connect => "unreachable",
            ErrorKind::Idle => "stalled",
            ErrorKind::Timeout => "timed-out",
            ErrorKind::Interrupted => "interrupted",
            ErrorKind::Status => "http-status",
            ErrorKind::Answer => "bad-answer",
            ErrorKind::TooLarge => "too-large",
            ErrorKind::Truncated => "truncated",
            ErrorKind::Padding => "bad-padding",
            ErrorKind::Digest => "bad-digest",
        }
    }

    /// Worth another attempt of the same transfer. The client has repeated its own requests already.
    pub(crate) fn is_transient(&self) -> bool {
        self.0.kind != ErrorKind::Api && self.retry_class() != RetryClass::Never
    }
}

/// True if the peer closed in the middle of a body, rather than reset the connection.
fn is_early_end(error: &(dyn StdError + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.kind() == std::io::ErrorKind::UnexpectedEof
        {
            return true;
        }
        next = error.source();
    }
    false
}

/// The last error of a chain says more than `error sending request`.
fn root_cause(mut error: &(dyn StdError + 'static)) -> String {
    while let Some(source) = error.source() {
        error = source;
    }
    Printable::new(error).to_string()
}

/// The longest sentence, in characters. Ours are far shorter.
const MAX_SENTENCE: usize = 1500;

struct Sentence<'a>(&'a Error);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whatever has got into the sentence.
        Printable::new(Sentence(self)).max_chars(MAX_SENTENCE).fmt(f)
    }
}

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0.0;
        f.write_str(&inner.detail)?;
        if let Some(source) = self.0.source().filter(|_| !inner.said) {
            let root = root_cause(source);
            if !inner.detail.ends_with(&root) {
                write!(f, " ({root})")?;
            }
        }
        if inner.attempts > 1 {
            write!(f, " [after {} attempts]", inner.attempts)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("status", &self.0.status)
            .field("attempts", &self.0.attempts)
            .field("detail", &Printable::new(&self.0.detail).max_chars(MAX_SENTENCE))
            .field("source", &format_args!("{}", Printable::new(format_args!("{:?}", self.0.source))))
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Host and port: what of a URL may be shown.
pub(crate) fn host(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", Printable::new(url.host_str().unwrap_or_default()))
}
