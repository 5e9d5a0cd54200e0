//! One error type: what happened, where, and whether trying again helps.

mod kind;

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

pub use self::kind::{ErrorKind, RetryClass};
use crate::endpoint::SEND_MESSAGE;
use crate::printable::Printable;
use crate::transport::cause::ConnectCause;

pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// How much of an `errmsg` is kept, in characters.
const MAX_ERRMSG: usize = 1000;

/// The longest sentence, in characters. Ours are far shorter, and what they quote is shortened by itself.
const MAX_SENTENCE: usize = 1500;

/// Why a call failed.
///
/// `Display` is one sentence that says what to do. Neither `Display` nor `Debug` shows a token, a URL query or
/// the text of a message; what the server said is escaped and shortened there ([`Printable`]).
///
/// Errors have one shape in all crates of this family (`ilink-client`, `weixin-media`, `weixin-channel`):
///
/// - `kind()`: what kind of failure it is, an enum of the crate that may grow;
/// - `retry_class()`: whether and how to try again, a [`RetryClass`] everywhere;
/// - `code()`: a short name in lower case with hyphens, for logs and for other languages. It is the same for the same
///   failure in whichever crate it began, and stays the same over versions; [the list].
///
/// [the list]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/errors.md
///
/// ```
/// use ilink_client::{Error, RetryClass};
///
/// /// What a program does with a failed send.
/// fn decide(error: &Error) -> &'static str {
///     match error.retry_class() {
///         RetryClass::AfterLogin => "show a login code",
///         RetryClass::Later => "keep it for the user's next message",
///         RetryClass::Safe | RetryClass::Idempotent => "try again, with the same client_id",
///         _ => "give up and say why",
///     }
/// }
/// # let error = ilink_client::Client::builder().base_url("nonsense").build().unwrap_err();
/// # assert_eq!(decide(&error), "give up and say why");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    detail: String,
    endpoint: Option<&'static str>,
    status: Option<u16>,
    ret: Option<i64>,
    errcode: Option<i64>,
    errmsg: Option<String>,
    attempts: u32,
    retry_after: Option<Duration>,
    connect_cause: Option<ConnectCause>,
    source: Option<BoxError>,
    /// The detail says what the source says.
    silent_source: bool,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            detail: detail.into(),
            endpoint: None,
            status: None,
            ret: None,
            errcode: None,
            errmsg: None,
            attempts: 0,
            retry_after: None,
            connect_cause: None,
            source: None,
            silent_source: false,
        }))
    }

    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, detail)
    }

    pub(crate) fn api(ret: Option<i64>, errcode: Option<i64>, errmsg: Option<String>) -> Self {
        Self::new(ErrorKind::Api, "").with_envelope(ret, errcode, errmsg)
    }

    /// What the server said in the body of a failed HTTP status.
    pub(crate) fn with_envelope(
        mut self,
        ret: Option<i64>,
        errcode: Option<i64>,
        errmsg: Option<String>,
    ) -> Self {
        self.0.ret = ret;
        self.0.errcode = errcode;
        self.0.errmsg = errmsg.map(|text| match text.char_indices().nth(MAX_ERRMSG) {
            Some((end, _)) => text[..end].to_owned(),
            None => text,
        });
        self
    }

    pub(crate) fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// A source whose text is not shown, since the detail says it better.
    pub(crate) fn with_silent_source(mut self, source: impl Into<BoxError>) -> Self {
        self.0.silent_source = true;
        self.with_source(source)
    }

    pub(crate) fn with_connect_cause(mut self, cause: ConnectCause) -> Self {
        self.0.connect_cause = Some(cause);
        self
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.0.status = Some(status);
        self
    }

    pub(crate) fn with_retry_after(mut self, after: Option<Duration>) -> Self {
        self.0.retry_after = after;
        self
    }

    pub(crate) fn at(mut self, endpoint: &'static str, attempts: u32) -> Self {
        self.0.endpoint = Some(endpoint);
        self.0.attempts = attempts;
        self
    }

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The endpoint's name, where a request was made.
    #[must_use]
    pub fn endpoint(&self) -> Option<&'static str> {
        self.0.endpoint
    }

    /// The HTTP status, where an answer came.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// The answer's `ret`.
    #[must_use]
    pub fn ret(&self) -> Option<i64> {
        self.0.ret
    }

    /// The answer's `errcode`.
    #[must_use]
    pub fn errcode(&self) -> Option<i64> {
        self.0.errcode
    }

    /// The answer's `errmsg`, as the server wrote it, up to 1,000 characters: show it through [`Printable`].
    #[must_use]
    pub fn errmsg(&self) -> Option<&str> {
        self.0.errmsg.as_deref()
    }

    /// How many times the request was sent; 0 if it never left.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    /// How long the server asked to wait (`Retry-After`, as seconds or as a date); a year at most. Whoever stands between
    /// can ask for anything: decide yourself how much of it to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// A short name that stays the same over versions ([the list]).
    ///
    /// [the list]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/errors.md
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.0.kind {
            ErrorKind::Api if self.is_stale_session() => "needs-login",
            ErrorKind::Api if self.is_bad_argument() => "bad-target",
            kind => kind.code(),
        }
    }

    /// Whether and how to try again.
    #[must_use]
    pub fn retry_class(&self) -> RetryClass {
        match self.0.kind {
            ErrorKind::Api if self.is_stale_session() => RetryClass::AfterLogin,
            ErrorKind::Api if self.is_refused_for_now() => RetryClass::Later,
            ErrorKind::Connect => RetryClass::Safe,
            ErrorKind::Timeout | ErrorKind::Interrupted | ErrorKind::Body => RetryClass::Idempotent,
            ErrorKind::Status => match self.0.status {
                Some(429 | 503) => RetryClass::Safe,
                Some(408 | 500..) => RetryClass::Idempotent,
                _ => RetryClass::Never,
            },
            ErrorKind::InvalidInput
            | ErrorKind::HostNotAllowed
            | ErrorKind::Login
            | ErrorKind::TooLarge
            | ErrorKind::Api => RetryClass::Never,
        }
    }

    /// The token is no longer good (`-14` in `ret` or `errcode`): another installation was bound, the token
    /// was rotated, or the session idled out ([field note 5]).
    ///
    /// [field note 5]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-5
    #[must_use]
    pub fn is_stale_session(&self) -> bool {
        self.has_code(-14)
    }

    /// The server understood the request and refused it: nothing was delivered.
    #[must_use]
    pub fn is_rejected(&self) -> bool {
        self.0.kind == ErrorKind::Api
    }

    /// `-2`: too many, too late, too fast, too long or suppressed; the answer does not say which
    /// ([field note 2]).
    ///
    /// [field note 2]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-2
    #[must_use]
    pub fn is_refused_for_now(&self) -> bool {
        self.has_code(-2)
    }

    /// `-3`: an argument is wrong, most often the spelling of a user id ([field note 10]).
    ///
    /// [field note 10]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-10
    #[must_use]
    pub fn is_bad_argument(&self) -> bool {
        self.has_code(-3)
    }

    /// No complete answer in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.0.kind == ErrorKind::Timeout
    }

    /// The server could not be reached at all.
    #[must_use]
    pub fn is_connect(&self) -> bool {
        self.0.kind == ErrorKind::Connect
    }

    /// At which step the connection failed; `None` if that is not what failed.
    ///
    /// ```
    /// use ilink_client::{ConnectCause, Error};
    ///
    /// fn is_the_networks_fault(error: &Error) -> bool {
    ///     !matches!(error.connect_cause(), None | Some(ConnectCause::UnknownIssuer | ConnectCause::ProxyLogin))
    /// }
    /// ```
    #[must_use]
    pub fn connect_cause(&self) -> Option<ConnectCause> {
        self.0.connect_cause
    }

    fn has_code(&self, code: i64) -> bool {
        self.0.ret == Some(code) || self.0.errcode == Some(code)
    }

    fn advice(&self) -> &'static str {
        match self.retry_class() {
            RetryClass::AfterLogin => "the token is no longer valid: log in again by QR code",
            RetryClass::Later if self.0.endpoint == Some(SEND_MESSAGE.name) => {
                "refused for now: wait for the user's next message (about 10 sends per inbound message, within 24 h), \
                 send more slowly, or shorten the text"
            }
            RetryClass::Later => "refused for now: try again later",
            _ if self.is_bad_argument() => {
                "an argument is wrong: check that the user id is spelled exactly as it came, upper and lower case \
                 included"
            }
            _ => "the server refused the request: it is not repeated",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whatever has got into the sentence.
        Printable::new(Sentence(self)).max_chars(MAX_SENTENCE).fmt(f)
    }
}

struct Sentence<'a>(&'a Error);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0.0;
        if let Some(endpoint) = inner.endpoint {
            write!(f, "{endpoint}: ")?;
        }
        if inner.kind == ErrorKind::Api {
            let code = match (inner.ret, inner.errcode) {
                (Some(ret), Some(errcode)) if errcode != 0 && ret != 0 => {
                    format!("ret {ret}, errcode {errcode}")
                }
                (_, Some(errcode)) if errcode != 0 => format!("errcode {errcode}"),
                (ret, _) => format!("ret {}", ret.unwrap_or_default()),
            };
            write!(f, "{code}")?;
            if let Some(errmsg) = inner.errmsg.as_deref().filter(|text| !text.is_empty()) {
                write!(f, " ({})", Printable::new(errmsg))?;
            }
            write!(f, ": {}", self.0.advice())?;
        } else {
            f.write_str(&inner.detail)?;
            if let Some(root) = self.0.source().filter(|_| !inner.silent_source).map(root_cause) {
                write!(f, " ({})", Printable::new(root))?;
            }
        }
        if let Some(asked) = inner.retry_after {
            write!(f, " [the server asks to wait {} s]", asked.as_secs())?;
        }
        if inner.attempts > 1 {
            write!(f, " [after {} attempts]", inner.attempts)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("endpoint", &inner.endpoint)
            .field("status", &inner.status)
            .field("ret", &inner.ret)
            .field("errcode", &inner.errcode)
            .field("errmsg", &inner.errmsg.as_deref().map(Printable::new))
            .field("attempts", &inner.attempts)
            .field("retry_after", &inner.retry_after)
            .field("detail", &Printable::new(&inner.detail).max_chars(MAX_SENTENCE))
            .field("source", &format_args!("{}", Printable::new(format_args!("{:?}", inner.source))))
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// The last error of a chain: `Connection refused` says more than `error sending request`.
fn root_cause<'a>(mut error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    while let Some(source) = error.source() {
        error = source;
    }
    error
}

#[cfg(test)]
mod tests;
