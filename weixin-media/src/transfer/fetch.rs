//! The loop of a download: caps, time-outs, and going on where an attempt broke off.

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::Body as _;
use ilink_client::{Body, BoxFuture};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::body::OnProgress;
use super::cdn::{check_status, content_range, pause};
use super::policy::{Progress, TransferPolicy};
use super::put::{stalled, too_slow};
use super::sink::Sink;
use crate::codec::BLOCK;
use crate::error::{Error, ErrorKind, host};

/// Brings the bytes from an offset on; or all of them, if the server does not know how.
pub(super) trait Opener: Sync {
    /// What is opened.
    fn url(&self) -> &Url;

    /// Opens it; redirects are followed, and no status is looked at.
    fn open(&self, offset: u64) -> BoxFuture<'_, Result<Response<Body>, Error>>;
}

/// One download.
pub(super) struct Fetch<'a> {
    pub(super) opener: &'a dyn Opener,
    pub(super) policy: &'a TransferPolicy,
    /// Most bytes on the wire.
    pub(super) max: u64,
    /// The same as the user gave it, in bytes of plaintext.
    pub(super) allowed: u64,
    /// Bytes on the wire by what the message says, for a server that does not announce any.
    pub(super) expected: Option<u64>,
    /// Encrypted: goes on at block boundaries, and is whole blocks.
    pub(super) encrypted: bool,
    pub(super) on_progress: Option<OnProgress>,
    pub(super) state: State,
}

/// How far it is, over all attempts.
#[derive(Default)]
pub(super) struct State {
    /// Bytes that the sink has taken.
    received: u64,
    /// All bytes, once a server has said so.
    total: Option<u64>,
}

impl Fetch<'_> {
    /// Fetches all bytes into the sink; what the sink makes of their end is the caller's.
    pub(super) async fn run(mut self, sink: &mut Sink<'_>) -> Result<(), Error> {
        let mut attempt = 1;
        loop {
            let error = match self.attempt(sink).await {
                Ok(()) => return Ok(()),
                Err(error) => error.after(attempt),
            };
            if attempt >= self.policy.max_attempts || !error.is_transient() {
                return Err(error);
            }
            pause(&error, attempt, self.policy.delay(attempt)).await;
            attempt += 1;
            if self.encrypted {
                sink.rewind().await?;
                self.state.received -= self.state.received % BLOCK as u64;
            }
        }
    }

    async fn attempt(&mut self, sink: &mut Sink<'_>) -> Result<(), Error> {
        let (url, idle) = (self.opener.url().clone(), self.policy.idle_timeout);
        let start = Instant::now();
        let offset = self.state.received;
        let opened = timeout_at(start + idle, self.opener.open(offset)).await;
        let mut answer = opened.map_err(|_| stalled(&url, idle))??;
        let mut skip = match answer.status() {
            StatusCode::RANGE_NOT_SATISFIABLE if offset > 0 && self.state.total == Some(offset) => {
                return Ok(());
            }
            StatusCode::PARTIAL_CONTENT => self.partial(&url, &answer)?,
            _ => {
                check_status(&url, &answer)?;
                self.announce(&url, content_length(&answer))?;
                // The server ignores the range: what is here already is read again and left out.
                offset
            }
        };
        let left = self.state.total.unwrap_or(self.max).saturating_sub(self.state.received);
        let limit = self.policy.deadline(left);
        let deadline = start + limit;
        loop {
            let chunk = timeout_at(deadline.min(Instant::now() + idle), answer.body_mut().chunk()).await;
            let chunk = match chunk {
                Ok(chunk) => chunk.map_err(|error| Error::of_transport(error, &host(&url)))?,
                Err(_) if Instant::now() >= deadline => return Err(too_slow(&url, limit)),
                Err(_) => return Err(stalled(&url, idle)),
            };
            let Some(mut chunk) = chunk else { return self.ended(&url, skip) };
            if skip > 0 {
                let known = usize::try_from(skip).unwrap_or(usize::MAX).min(chunk.len());
                let _ = chunk.split_to(known);
                skip -= known as u64;
            }
            self.take(&url, chunk, sink).await?;
        }
    }

    async fn take(&mut self, url: &Url, chunk: Bytes, sink: &mut Sink<'_>) -> Result<(), Error> {
        let received = self.state.received + chunk.len() as u64;
        if self.state.total.is_some_and(|total| received > total) {
            return Err(Error::new(
                ErrorKind::Answer,
                format!("{} sent more bytes than it announced", host(url)),
            ));
        }
        if received > self.max {
            return Err(too_large(url, self.allowed));
        }
        sink.push(chunk).await?;
        self.state.received = received;
        if let Some(on_progress) = &self.on_progress {
            on_progress(Progress { done: received, total: self.state.total });
        }
        Ok(())
    }

    fn ended(&self, url: &Url, skip: u64) -> Result<(), Error> {
        let received = self.state.received;
        let announced = self.state.total.or(self.expected);
        let short = skip > 0 || announced.is_some_and(|total| received < total);
        let uneven = self.encrypted && (received == 0 || !received.is_multiple_of(BLOCK as u64));
        match announced {
            Some(total) if short => {
                Err(truncated(format!("{} sent {received} of {total} announced bytes", host(url))))
            }
            _ if short || uneven => {
                let detail =
                    format!("{} sent {received} bytes, which is no whole number of cipher blocks", host(url));
                Err(truncated(detail))
            }
            _ => Ok(()),
        }
    }

    /// How much of a partial answer is known already: 0, unless the server starts earlier than asked.
    fn partial(&mut self, url: &Url, answer: &Response<Body>) -> Result<u64, Error> {
        let odd =
            || Error::new(ErrorKind::Answer, format!("{} sent another part than was asked for", host(url)));
        let (first, total) = content_range(answer.headers()).ok_or_else(odd)?;
        let skip = self.state.received.checked_sub(first).ok_or_else(odd)?;
        self.announce(url, total)?;
        Ok(skip)
    }

    /// Holds the announced length against the cap, and against what was announced before.
    fn announce(&mut self, url: &Url, total: Option<u64>) -> Result<(), Error> {
        let Some(total) = total else { return Ok(()) };
        if total > self.max {
            return Err(too_large(url, self.allowed));
        }
        // Without an announcement of before, at least what has come was there.
        let known = self.state.total.filter(|known| *known != total);
        if let Some(known) = known.or(Some(self.state.received).filter(|received| *received > total))
            && self.state.received > 0
        {
            let detail = format!("{} now offers {total} bytes, and {known} before: other media", host(url));
            return Err(Error::new(ErrorKind::Digest, detail));
        }
        self.state.total = Some(total);
        Ok(())
    }
}

/// The header rather than the body's hint, which a transport of one's own may not know.
fn content_length(answer: &Response<Body>) -> Option<u64> {
    let header = answer.headers().get(http::header::CONTENT_LENGTH);
    header
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .or_else(|| answer.body().size_hint().exact())
}

pub(super) fn too_large(url: &Url, allowed: u64) -> Error {
    let detail =
        format!("{} sends more than the allowed {allowed} bytes: raise the limit if you want it", host(url));
    Error::new(ErrorKind::TooLarge, detail)
}

pub(super) fn truncated(detail: String) -> Error {
    Error::new(ErrorKind::Truncated, detail)
}
