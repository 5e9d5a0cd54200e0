//! One attempt to put ciphertext on the CDN (docs/protocol.md §6, docs/field-notes.md#note-20).

use std::pin::pin;
use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request};
use ilink_client::{Body, Printable};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::Media;
use super::body::{EncryptingBody, SourceFailed};
use super::cdn::{check_host, uri};
use crate::error::{Error, ErrorKind, host};

/// What of an error's body is looked at.
const MAX_REASON: usize = 200;

impl Media {
    /// Sends a body; the answer's download parameter.
    pub(super) async fn put(&self, url: &Url, body: EncryptingBody, size: u64) -> Result<String, Error> {
        check_host(&self.hosts, url)?;
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri(url)?;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        let sent = body.sent();
        let answer = self.bot.client().transport().send(request.map(|()| Body::wrap(body)));
        let (mut answer, idle) = (pin!(answer), self.policy.idle_timeout);
        let deadline = Instant::now() + self.policy.deadline(size);
        let answer = loop {
            let before = sent.get();
            match timeout_at(deadline.min(Instant::now() + idle), &mut answer).await {
                Ok(answer) => break answer.map_err(|error| of_send(error, &host(url)))?,
                Err(_) if Instant::now() >= deadline => {
                    return Err(too_slow(url, self.policy.deadline(size)));
                }
                // The last bytes may lie in the system's buffers for long: from there on only the deadline counts.
                Err(_) if sent.get() == before && before < size => return Err(stalled(url, idle)),
                Err(_) => {}
            }
        };
        let (head, body) = answer.into_parts();
        let status = head.status;
        if status.is_success() {
            return param(&head.headers).ok_or_else(|| {
                let detail = "the CDN took the upload but named no download parameter: try again";
                Error::new(ErrorKind::Answer, detail).with_status(status.as_u16())
            });
        }
        let reason =
            match text(head.headers.get("x-error-message").map(HeaderValue::as_bytes).unwrap_or_default()) {
                reason if !reason.is_empty() => reason,
                _ => timeout_at(deadline, read_reason(body)).await.unwrap_or_default(),
            };
        let reason = if reason.is_empty() { reason } else { format!(": {}", Printable::new(reason)) };
        let what = match status.as_u16() {
            300..400 => "the CDN redirects the upload, which is not followed",
            400..500 => "the CDN refuses the upload",
            _ => "the CDN failed to take the upload",
        };
        let detail = format!("{what} (HTTP {}{reason})", status.as_u16());
        Err(Error::new(ErrorKind::Status, detail).with_status(status.as_u16()))
    }
}

/// An error of the body is the source's, not the network's.
fn of_send(error: ilink_client::TransportError, host: &str) -> Error {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = next {
        if cause.is::<SourceFailed>() {
            return Error::new(ErrorKind::Source, "what is to be uploaded cannot be read").with_source(error);
        }
        next = cause.source();
    }
    Error::of_transport(error, host)
}

fn param(headers: &HeaderMap) -> Option<String> {
    let value = headers.get("x-encrypted-param")?.to_str().ok()?.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

async fn read_reason(mut body: Body) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < MAX_REASON
        && let Ok(Some(chunk)) = body.chunk().await
    {
        bytes.extend_from_slice(&chunk[..chunk.len().min(MAX_REASON - bytes.len())]);
    }
    text(&bytes)
}

/// One line of what the server says.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(MAX_REASON)]);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(super) fn too_slow(url: &Url, limit: Duration) -> Error {
    let detail = format!("{} was too slow: not done within {} s", host(url), limit.as_secs());
    Error::new(ErrorKind::Timeout, detail)
}

pub(super) fn stalled(url: &Url, idle: Duration) -> Error {
    let detail =
        format!("the transfer with {} stalled: nothing moved for {} s", host(url), idle.as_secs_f32());
    Error::new(ErrorKind::Idle, detail)
}
