//! Login by QR code, as a stream of events (docs/protocol.md §5).

mod builder;
mod confirmed;
mod event;
mod input;
mod link;
mod session;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use futures_core::Stream;
use tokio::time::{Sleep, sleep};
use url::Url;

use crate::bot::{Credentials, read_answer};
use crate::client::{Call, Client, to_json};
use crate::endpoint::{GET_BOT_QRCODE, GET_QRCODE_STATUS};
use crate::error::{Error, ErrorKind};
use crate::hosts::{MAX_HOST, is_loopback, parse_base_url};
use crate::printable::Printable;
use crate::retry::RetryPolicy;
use crate::transport::BoxFuture;
use crate::wire::LoginStatus;
use crate::wire::request::GetBotQrcode;
use crate::wire::response::{BotQrcode, QrcodeStatus};

pub use builder::LoginBuilder;
use confirmed::credentials;
pub use event::{LoginCode, LoginEvent, LoginPolicy};
pub use input::LoginInput;
pub use session::LoginSession;
use session::Outcome;

/// A login in progress: a stream of [`LoginEvent`]s that ends after [`Confirmed`](LoginEvent::Confirmed),
/// [`AlreadyBound`](LoginEvent::AlreadyBound) or an error: [`ErrorKind::HostNotAllowed`] if the server
/// leads the login, or the bot's requests, to a host that the client's [`HostPolicy`](crate::HostPolicy) does not allow.
///
/// # Cancel safety
///
/// [`next`](Self::next) may be dropped at any time: the request in flight lives in the login and goes on with the
/// next call, so a confirmed answer is not lost.
///
/// ```no_run
/// # async fn run() -> Result<(), ilink_client::Error> {
/// use ilink_client::{Client, LoginEvent};
///
/// let mut login = Client::new()?.login().start();
/// while let Some(event) = login.next().await {
///     match event? {
///         LoginEvent::Code(code) => println!("scan {}", code.url),
///         LoginEvent::Confirmed(credentials) => println!("bot {}", credentials.bot_id),
///         _ => {}
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a login does nothing unless it is asked for events"]
pub struct Login {
    client: Client,
    policy: LoginPolicy,
    session: LoginSession,
    step: Step,
    input: LoginInput,
    last_error: Option<Error>,
}

enum Step {
    Start,
    Fetching(BoxFuture<'static, Result<BotQrcode, Error>>),
    Ask,
    Polling { code: Option<String>, future: BoxFuture<'static, Result<QrcodeStatus, Error>> },
    Waiting(Pin<Box<Sleep>>),
    Done,
}

impl Login {
    pub(crate) fn resume(client: Client, session: LoginSession) -> Self {
        Self::new(client, LoginPolicy::default(), session)
    }

    pub(super) fn new(client: Client, policy: LoginPolicy, session: LoginSession) -> Self {
        let step =
            if session.handle.is_some() || session.outcome.is_some() { Step::Ask } else { Step::Start };
        Self { client, policy, session, step, input: LoginInput::default(), last_error: None }
    }

    /// Where the login stands, to be stored and resumed.
    #[must_use]
    pub fn session(&self) -> &LoginSession {
        &self.session
    }

    /// The code to show now.
    #[must_use]
    pub fn code(&self) -> Option<&LoginCode> {
        self.session.code.as_ref()
    }

    /// Gives the digits that the phone shows.
    ///
    /// # Errors
    /// If it is anything but digits.
    pub fn verify_code(&self, digits: &str) -> Result<(), Error> {
        self.input.verify_code(digits)
    }

    /// A handle that takes the digits from elsewhere.
    #[must_use]
    pub fn input(&self) -> LoginInput {
        self.input.clone()
    }

    /// The next event; `None` after the last one. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<LoginEvent, Error>> {
        poll_fn(|cx| self.poll_event(cx)).await
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<LoginEvent, Error>>> {
        loop {
            match &mut self.step {
                Step::Done => return Poll::Ready(None),
                Step::Start => match self.start_fetch() {
                    Ok(()) => {}
                    Err(error) => return self.end(error),
                },
                Step::Fetching(future) => {
                    let answer = ready!(future.as_mut().poll(cx)).and_then(|answer| self.on_code(answer));
                    return match answer {
                        Ok(event) => Poll::Ready(Some(Ok(event))),
                        Err(error) => self.end(error),
                    };
                }
                Step::Ask => {
                    if let Some(outcome) = self.session.outcome.clone() {
                        self.step = Step::Done;
                        return Poll::Ready(Some(Ok(outcome.into())));
                    }
                    if let Err(error) = self.start_poll() {
                        return self.end(error);
                    }
                }
                Step::Polling { code, future } => {
                    let answer = match future.as_mut().poll(cx) {
                        Poll::Ready(answer) => answer,
                        // Digits have come while a poll without any is on: ask anew, with them.
                        Poll::Pending if code.is_none() && self.input.has_code(cx) => {
                            self.step = Step::Ask;
                            continue;
                        }
                        Poll::Pending => return Poll::Pending,
                    };
                    let sent = code.take();
                    match self.on_status(answer, sent) {
                        Ok(Some(event)) => return Poll::Ready(Some(Ok(event))),
                        Ok(None) => {}
                        Err(error) => return self.end(error),
                    }
                }
                Step::Waiting(sleep) => {
                    if sleep.as_mut().poll(cx).is_pending() && !self.input.has_code(cx) {
                        return Poll::Pending;
                    }
                    self.step = Step::Ask;
                }
            }
        }
    }

    fn end(&mut self, error: Error) -> Poll<Option<Result<LoginEvent, Error>>> {
        self.step = Step::Done;
        Poll::Ready(Some(Err(error)))
    }

    fn start_fetch(&mut self) -> Result<(), Error> {
        self.check_deadline()?;
        let used = self.session.code.as_ref().map_or(0, |code| code.number);
        if used >= self.policy.max_codes {
            return Err(Error::new(
                ErrorKind::Login,
                format!(
                    "{used} login codes expired without being confirmed: start the login again when the phone is at hand"
                ),
            ));
        }
        // The first host of a login is always the client's own (docs/protocol.md §1).
        self.session.base_url = self.client.base_url().to_string();
        let body = to_json(&GetBotQrcode { local_token_list: &self.session.tokens })?;
        let client = self.client.clone();
        self.step = Step::Fetching(Box::pin(async move {
            let call = Call {
                endpoint: &GET_BOT_QRCODE,
                base: client.base_url(),
                token: None,
                query: &[("bot_type", "3".to_owned())],
                body,
                timeout: None,
                retry: None,
            };
            client.call(call, read_answer).await
        }));
        Ok(())
    }

    fn on_code(&mut self, answer: BotQrcode) -> Result<LoginEvent, Error> {
        let missing = |field| {
            Error::new(ErrorKind::Body, format!("the answer has no {field}: try again later"))
                .at(GET_BOT_QRCODE.name, 1)
        };
        let handle = answer.qrcode.filter(|q| !q.is_empty()).ok_or_else(|| missing("qrcode"))?;
        let url = answer.qrcode_img_content.as_deref().and_then(link::usable);
        let url = url.ok_or_else(|| missing("usable qrcode_img_content"))?;
        let number = self.session.code.as_ref().map_or(0, |code| code.number) + 1;
        let code = LoginCode { url, number };
        let session = &mut self.session;
        session.code = Some(code.clone());
        session.handle = Some(handle);
        session.issued_ms = unix_ms(&self.client);
        (session.scanned, session.asked) = (false, false);
        self.step = Step::Ask;
        Ok(LoginEvent::Code(code))
    }

    fn start_poll(&mut self) -> Result<(), Error> {
        self.check_deadline()?;
        let age = unix_ms(&self.client).saturating_sub(self.session.issued_ms);
        if !self.session.scanned
            && !self.session.asked
            && u128::from(age) >= self.policy.code_lifetime.as_millis()
        {
            self.step = Step::Start;
            return Ok(());
        }
        let base = Url::parse(&self.session.base_url)
            .map_err(|_| Error::invalid("the stored login is damaged: start a new one"))?;
        self.client.hosts().check(&base)?;
        let handle = self.session.handle.clone().unwrap_or_default();
        let mut query = vec![("qrcode", handle.as_str().to_owned())];
        let code = self.input.take();
        query.extend(code.clone().map(|code| ("verify_code", code)));
        let client = self.client.clone();
        let future = Box::pin(async move {
            let once = RetryPolicy::never();
            let call = Call {
                endpoint: &GET_QRCODE_STATUS,
                base: &base,
                token: None,
                query: &query,
                body: Bytes::new(),
                timeout: None,
                retry: Some(&once),
            };
            client.call(call, read_answer).await
        });
        self.step = Step::Polling { code, future };
        Ok(())
    }

    fn on_status(
        &mut self,
        answer: Result<QrcodeStatus, Error>,
        sent: Option<String>,
    ) -> Result<Option<LoginEvent>, Error> {
        self.step = Step::Waiting(Box::pin(sleep(self.policy.pause)));
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => {
                // A time-out, an HTTP error or a gateway's 524 counts as "wait"; digits are sent again.
                if !error.is_timeout() {
                    let asked = error.retry_after().unwrap_or_default();
                    let delay = self.policy.pause.max(asked.min(self.policy.max_retry_after));
                    tracing::debug!(%error, ?delay, "the login is asked for again");
                    self.step = Step::Waiting(Box::pin(sleep(delay)));
                    self.last_error = Some(error);
                }
                self.input.give_back(sent);
                return Ok(None);
            }
        };
        self.last_error = None;
        let event = match answer.status.clone().unwrap_or(LoginStatus::Wait) {
            LoginStatus::Scanned => {
                let first = !self.session.scanned || sent.is_some();
                self.session.scanned = true;
                first.then_some(LoginEvent::Scanned)
            }
            LoginStatus::NeedVerifyCode => {
                let wrong = sent.is_some();
                let first = !self.session.asked;
                self.session.asked = true;
                (first || wrong).then_some(LoginEvent::VerifyCodeNeeded { wrong })
            }
            LoginStatus::VerifyCodeBlocked | LoginStatus::Expired => {
                self.step = Step::Start;
                None
            }
            LoginStatus::ScannedButRedirect => Some(self.redirect(answer.redirect_host.as_deref())?),
            LoginStatus::AlreadyBound => {
                self.session.outcome = Some(Outcome::AlreadyBound);
                self.step = Step::Done;
                Some(LoginEvent::AlreadyBound)
            }
            LoginStatus::Confirmed => {
                let mut credentials = credentials(answer)?;
                if let Err(refused) = self.check_base(&credentials) {
                    if !self.session.stays {
                        return Err(refused);
                    }
                    tracing::warn!(%refused, "the bot stays at the base URL that was given");
                    credentials.base_url = None;
                }
                self.session.outcome = Some(Outcome::Confirmed(credentials.clone()));
                self.step = Step::Done;
                Some(LoginEvent::Confirmed(credentials))
            }
            // An unknown status is no error by itself (ARCHITECTURE.md, invariant 13).
            LoginStatus::Wait | LoginStatus::Unknown(_) => None,
        };
        Ok(event)
    }

    fn redirect(&mut self, host: Option<&str>) -> Result<LoginEvent, Error> {
        let host = host.unwrap_or_default().trim();
        let refused = |why: &str| {
            Error::new(ErrorKind::HostNotAllowed, format!("redirected to {:?}: {why}", Printable::new(host)))
        };
        if host.is_empty() || host.len() > MAX_HOST || host.contains(['/', '?', '#', '@', '\\']) {
            return Err(refused("that is no host name; start the login again later"));
        }
        let mut url = Url::parse(&format!("https://{host}/"))
            .map_err(|_| refused("that is no host name; start the login again later"))?;
        if is_loopback(&url) && self.client.base_url().scheme() == "http" {
            url = Url::parse(&format!("http://{host}/"))
                .map_err(|_| refused("that is no host name; start the login again later"))?;
        }
        self.client.hosts().check(&url).map_err(|error| led_away("this login", &error))?;
        let host = url.host_str().unwrap_or_default().to_owned();
        self.session.base_url = url.into();
        self.session.scanned = true;
        Ok(LoginEvent::Redirected { host })
    }

    /// Better known now than from an account that cannot start.
    fn check_base(&self, credentials: &Credentials) -> Result<(), Error> {
        let Some(url) = &credentials.base_url else { return Ok(()) };
        parse_base_url(url)
            .and_then(|url| self.client.hosts().check(&url))
            .map_err(|error| led_away("the bot", &error))
    }

    fn check_deadline(&mut self) -> Result<(), Error> {
        let age = unix_ms(&self.client).saturating_sub(self.session.started_ms);
        if u128::from(age) < self.policy.deadline.as_millis() {
            return Ok(());
        }
        let minutes = self.policy.deadline.as_secs() / 60;
        let detail = format!("nobody confirmed the login within {minutes} minutes: start it again");
        let error = Error::new(ErrorKind::Login, detail);
        Err(match self.last_error.take() {
            Some(last) => error.with_source(last),
            None => error,
        })
    }
}

impl Stream for Login {
    type Item = Result<LoginEvent, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll_event(cx)
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("session", &self.session).finish_non_exhaustive()
    }
}

/// The server leads to a place that may not be used.
fn led_away(what: &str, why: &Error) -> Error {
    let detail =
        format!("the server leads {what} to an address that is not used, so nobody is logged in: {why}");
    Error::new(ErrorKind::HostNotAllowed, detail).at(GET_QRCODE_STATUS.name, 1)
}

pub(super) fn unix_ms(client: &Client) -> u64 {
    let now = client.now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
