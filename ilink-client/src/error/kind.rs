//! What kinds of failure there are, and whether trying again helps.

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument or a setting is not usable; nothing was sent.
    InvalidInput,
    /// The token, or a connection, would have gone to a host that is not allowed; nothing was sent. Allow it with
    /// [`HostPolicy::allow_host`](crate::HostPolicy::allow_host) or
    /// [`allow_suffix`](crate::HostPolicy::allow_suffix), this machine with
    /// [`allow_loopback`](crate::HostPolicy::allow_loopback), or make it the
    /// [base URL](crate::ClientBuilder::base_url). A login ends with this if the server leads it, or its bot, to such a
    /// host.
    HostNotAllowed,
    /// No connection: DNS, TCP, TLS or proxy; [`Error::connect_cause`](crate::Error::connect_cause) says which.
    Connect,
    /// No complete answer in time.
    Timeout,
    /// The connection broke before the answer was complete.
    Interrupted,
    /// An HTTP status other than 2xx.
    Status,
    /// An HTTP success whose body is not the JSON object it has to be.
    Body,
    /// The answer is larger than is taken: in bytes ([`Endpoint::max_answer`](crate::endpoint::Endpoint::max_answer)), in
    /// messages or in what they hold ([`GetUpdates`](crate::GetUpdates)). Nothing of it was used.
    TooLarge,
    /// The server answered with `ret` or `errcode` other than 0.
    Api,
    /// A login ended without success: nobody scanned, or all codes expired.
    Login,
}

/// Whether and how to try again: in all crates of this family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RetryClass {
    /// The same call will fail again.
    Never,
    /// The same call may succeed later; nothing has reached the server.
    Safe,
    /// The same call may succeed later, but the server may have acted already: repeat only what is idempotent.
    Idempotent,
    /// A new login is needed first.
    AfterLogin,
    /// Refused for now, and repeating at once makes it worse: the server said `ret:-2` (budget, window or pace,
    /// [field note 2]), or nothing can be sent before the user writes again.
    ///
    /// [field note 2]: https://github.com/openclaw-weixin/openclaw-weixin-rs/blob/main/docs/field-notes.md#note-2
    Later,
}

impl ErrorKind {
    /// The code of an error of this kind of which no more is known.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid-input",
            Self::HostNotAllowed => "host-not-allowed",
            Self::Connect => "unreachable",
            Self::Timeout => "timed-out",
            Self::Interrupted => "interrupted",
            Self::Status => "http-status",
            Self::Body => "bad-answer",
            Self::TooLarge => "too-large",
            Self::Api => "rejected",
            Self::Login => "login-failed",
        }
    }
}
