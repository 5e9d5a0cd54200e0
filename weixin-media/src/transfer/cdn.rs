//! What all requests to the CDN have in common.

use std::time::Duration;

use http::header::{CONTENT_RANGE, CONTENT_TYPE, LOCATION, RANGE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use ilink_client::{Body, BoxFuture, HostPolicy, Transport};
use url::Url;

use super::Media;
use super::fetch::Opener;
use crate::error::{Error, ErrorKind, host};

/// Redirects that are followed, on the same host only.
const MAX_HOPS: usize = 3;

pub(super) fn check_host(hosts: &HostPolicy, url: &Url) -> Result<(), Error> {
    hosts.check(url).map_err(Error::of_host)
}

pub(super) fn uri(url: &Url) -> Result<Uri, Error> {
    // A fragment is not sent.
    url[..url::Position::AfterQuery]
        .parse()
        .map_err(|_| Error::invalid(format!("the URL on {} cannot be used in a request", host(url))))
}

/// Where a redirect leads; `None` if the answer is none.
pub(super) fn location(url: &Url, status: StatusCode, headers: &HeaderMap) -> Option<Result<Url, Error>> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let target =
        headers.get(LOCATION).and_then(|value| value.to_str().ok()).and_then(|text| url.join(text).ok());
    Some(target.ok_or_else(|| {
        let detail = format!("{} redirects to nowhere", host(url));
        Error::new(ErrorKind::Answer, detail).with_status(status.as_u16())
    }))
}

pub(super) fn range(offset: u64) -> Option<HeaderValue> {
    (offset > 0).then(|| HeaderValue::from_str(&format!("bytes={offset}-")).ok()).flatten()
}

/// `Content-Range: bytes {first}-{last}/{total}`.
pub(super) fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?.trim().strip_prefix("bytes ")?;
    let (span, total) = text.split_once('/')?;
    let (first, _) = span.split_once('-')?;
    Some((first.trim().parse().ok()?, total.trim().parse().ok()))
}

/// A page where there should be media: a captive portal or a proxy.
pub(super) fn is_html(headers: &HeaderMap) -> bool {
    const HTML: &[u8] = b"text/html";
    let value = headers.get(CONTENT_TYPE).map(|value| value.as_bytes().trim_ascii_start());
    value.and_then(|value| value.get(..HTML.len())).is_some_and(|value| value.eq_ignore_ascii_case(HTML))
}

/// Opens media on the CDN, through the client's transport.
pub(super) struct CdnOpener<'a> {
    pub(super) media: &'a Media,
    pub(super) url: Url,
}

impl Opener for CdnOpener<'_> {
    fn url(&self) -> &Url {
        &self.url
    }

    fn open(&self, offset: u64) -> BoxFuture<'_, Result<Response<Body>, Error>> {
        Box::pin(async move {
            let transport: &dyn Transport = &**self.media.bot.client().transport();
            let mut url = self.url.clone();
            for _ in 0..=MAX_HOPS {
                check_host(&self.media.hosts, &url)?;
                let mut request = Request::new(Body::default());
                *request.method_mut() = Method::GET;
                *request.uri_mut() = uri(&url)?;
                if let Some(range) = range(offset) {
                    request.headers_mut().insert(RANGE, range);
                }
                let answer = transport.send(request).await;
                let answer = answer.map_err(|error| Error::of_transport(error, &host(&url)))?;
                let Some(target) = location(&url, answer.status(), answer.headers()) else {
                    if answer.status().is_success() && is_html(answer.headers()) {
                        let detail = format!(
                            "{} sent an HTML page instead of media: is there a login to this network?",
                            host(&url)
                        );
                        return Err(Error::new(ErrorKind::Answer, detail));
                    }
                    return Ok(answer);
                };
                let target = target?;
                check_host(&self.media.hosts, &target)?;
                if target.origin() != url.origin() {
                    let detail =
                        format!("{} redirects to another host ({}): not followed", host(&url), host(&target));
                    return Err(Error::new(ErrorKind::HostNotAllowed, detail));
                }
                url = target;
            }
            Err(too_many_redirects(&url))
        })
    }
}

pub(super) fn too_many_redirects(url: &Url) -> Error {
    Error::new(ErrorKind::Answer, format!("{} redirects over and over", host(url)))
}

/// For all openers: what a status says.
pub(super) fn check_status(url: &Url, answer: &Response<Body>) -> Result<(), Error> {
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    let hint = match status.as_u16() {
        403 | 404 | 410 => ": the media is gone; media expires",
        400..500 => ": it is not tried again",
        _ => "",
    };
    let detail = format!("{} answered HTTP {}{hint}", host(url), status.as_u16());
    Err(Error::new(ErrorKind::Status, detail).with_status(status.as_u16()))
}

/// A pause before the next attempt.
pub(super) async fn pause(error: &Error, attempt: u32, delay: Duration) {
    tracing::debug!(%error, attempt, ?delay, "trying again");
    tokio::time::sleep(delay).await;
}
