//! Every address of a name is tried (docs/field-notes.md#note-16).
//!
//! hyper goes on to the next address when TCP fails, but not when the TLS handshake does, and the next connection begins
//! with the same address again. So an address that brought no connection goes to the end of the list from then on, and
//! a handshake may take only a part of the time as long as there are other addresses to try.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::{Sleep, sleep};
use tower_layer::Layer;
use tower_service::Service;

use super::BoxFuture;
use crate::error::BoxError;

/// Looks a name up; a port other than 0 comes before that of the URL.
pub(crate) type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

tokio::task_local! {
    /// Set while a request is on its way, since a connection is made in the task of the request that needs it.
    static CURRENT: Attempt;
}

/// How far one attempt to connect has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Attempt(Arc<Mutex<Progress>>);

#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    /// What was looked up, and the addresses in the order in which they are tried: the server's, or its proxy's.
    name: String,
    addresses: Vec<SocketAddr>,
    /// TLS began: TCP, and a proxy if there is one, have done their part.
    pub(super) handshake: bool,
}

impl Attempt {
    /// Runs a request, and watches the connection it may make.
    pub(super) async fn watch<T>(&self, request: impl Future<Output = T>) -> T {
        CURRENT.scope(self.clone(), request).await
    }

    pub(super) fn progress(&self) -> Progress {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }
}

impl Progress {
    /// How many addresses there are to choose from; 0 or 1 if the URL names one.
    pub(super) fn count(&self) -> usize {
        self.addresses.len()
    }
}

/// The TLS configuration says so; that of the system's library has no place for it.
#[cfg(any(feature = "rustls-ring", feature = "rustls-aws-lc"))]
pub(super) fn handshake_begins() {
    if let Some(attempt) = Attempt::current() {
        attempt.lock().handshake = true;
    }
}

/// The resolver of a client.
#[derive(Clone)]
pub(super) struct Addresses {
    lookup: Lookup,
    /// SOCKS 4 knows no others.
    only_v4: bool,
    /// By name: the addresses that brought no connection, the latest last.
    failed: Arc<Mutex<HashMap<String, Vec<SocketAddr>>>>,
}

impl Addresses {
    pub(super) fn new(lookup: Option<Lookup>, only_v4: bool) -> Self {
        Self {
            lookup: lookup.unwrap_or_else(|| Arc::new(|name| Box::pin(system(name)))),
            only_v4,
            failed: Arc::default(),
        }
    }

    /// The attempt brought no connection: another address begins the next one.
    pub(super) fn failed(&self, attempt: &Progress) {
        if let (Some(&first), true) = (attempt.addresses.first(), attempt.addresses.len() > 1) {
            let mut failed = self.lock();
            let failed = failed.entry(attempt.name.clone()).or_default();
            failed.retain(|address| *address != first);
            failed.push(first);
        }
    }

    /// The attempt led to this address: it begins the next one, before those that came to nothing.
    pub(super) fn connected(&self, attempt: &Progress, to: SocketAddr) {
        let is = |address: &SocketAddr| {
            address.ip() == to.ip() && (address.port() == 0 || address.port() == to.port())
        };
        let Some(at) = attempt.addresses.iter().position(is) else { return };
        let mut failed = self.lock();
        if at == 0 && !failed.contains_key(&attempt.name) {
            return;
        }
        let failed = failed.entry(attempt.name.clone()).or_default();
        failed.retain(|address| !is(address));
        for address in &attempt.addresses[..at] {
            if !failed.contains(address) {
                failed.push(*address);
            }
        }
    }

    fn ordered(&self, name: &str, mut addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
        if let Some(failed) = self.lock().get(name) {
            // Stable: what never failed keeps the system's order, which knows which family works here.
            addresses.sort_by_key(|address| {
                failed.iter().position(|failed| failed == address).map_or(0, |at| at + 1)
            });
        }
        addresses
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Vec<SocketAddr>>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Resolve for Addresses {
    fn resolve(&self, name: Name) -> Resolving {
        let (this, name) = (self.clone(), name.as_str().to_owned());
        Box::pin(async move {
            let attempt = Attempt::current();
            let mut addresses = (this.lookup)(name.clone()).await?;
            if this.only_v4 && addresses.iter().any(SocketAddr::is_ipv4) {
                addresses.retain(SocketAddr::is_ipv4);
            }
            let addresses = this.ordered(&name, addresses);
            if let Some(attempt) = attempt {
                let mut progress = attempt.lock();
                (progress.name, progress.addresses) = (name, addresses.clone());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// getaddrinfo, on a thread for that.
async fn system(name: String) -> io::Result<Vec<SocketAddr>> {
    Ok(tokio::net::lookup_host((name, 0)).await?.collect())
}

/// Ends a TLS handshake in this time if the name has other addresses.
#[derive(Clone, Copy, Debug)]
pub(super) struct HandshakeLimit(pub(super) Duration);

impl<S> Layer<S> for HandshakeLimit {
    type Service = Limited<S>;

    fn layer(&self, inner: S) -> Limited<S> {
        Limited { inner, limit: self.0 }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Limited<S> {
    inner: S,
    limit: Duration,
}

impl<S, R> Service<R> for Limited<S>
where
    S: Service<R, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Connecting<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        Connecting { inner: Box::pin(self.inner.call(request)), limit: self.limit, until: None }
    }
}

/// One connection on its way.
pub(super) struct Connecting<F> {
    inner: Pin<Box<F>>,
    limit: Duration,
    until: Option<Pin<Box<Sleep>>>,
}

impl<F, T> Future for Connecting<F>
where
    F: Future<Output = Result<T, BoxError>>,
{
    type Output = Result<T, BoxError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(connected) = self.inner.as_mut().poll(cx) {
            return Poll::Ready(connected);
        }
        if self.until.is_none() {
            let limited = Attempt::current().is_some_and(|attempt| {
                let progress = attempt.lock();
                progress.handshake && progress.count() > 1
            });
            if !limited {
                return Poll::Pending;
            }
            self.until = Some(Box::pin(sleep(self.limit)));
        }
        match self.until.as_mut().map(|until| until.as_mut().poll(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(Err(Box::new(HandshakeTimedOut))),
            _ => Poll::Pending,
        }
    }
}

/// The TLS handshake with one of several addresses took too long.
#[derive(Debug)]
pub(super) struct HandshakeTimedOut;

impl std::fmt::Display for HandshakeTimedOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the TLS handshake took too long")
    }
}

impl std::error::Error for HandshakeTimedOut {}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// Looks the name up as for a connection, and says in which order the addresses are tried.
    async fn attempt(known: &Addresses) -> Progress {
        let attempt = Attempt::default();
        let _ = attempt.watch(known.resolve("host.example".parse().unwrap())).await.unwrap();
        attempt.progress()
    }

    #[tokio::test]
    async fn an_address_that_brought_nothing_goes_to_the_end() {
        let all = ["[2001:db8::1]:0", "192.0.2.1:0", "192.0.2.2:0"];
        let found = addresses(&all);
        let known = Addresses::new(
            Some(Arc::new(move |_| {
                let found = found.clone();
                Box::pin(async { Ok(found) })
            })),
            false,
        );
        let first = attempt(&known).await;
        assert_eq!(first.addresses, addresses(&all));
        known.failed(&first);
        // Others that fail at the same time with the same order change nothing.
        known.failed(&first);
        let second = attempt(&known).await;
        assert_eq!(second.addresses, addresses(&[all[1], all[2], all[0]]));
        known.failed(&second);
        let third = attempt(&known).await;
        assert_eq!(third.addresses, addresses(&[all[2], all[0], all[1]]));
        // TCP went on to the second of these by itself.
        known.connected(&third, "[2001:db8::1]:443".parse().unwrap());
        assert_eq!(attempt(&known).await.addresses, addresses(&[all[0], all[1], all[2]]));
        // A proxy's address says nothing of the server's.
        known.connected(&third, "203.0.113.1:8080".parse().unwrap());
        assert_eq!(attempt(&known).await.addresses, addresses(&[all[0], all[1], all[2]]));
    }
}
