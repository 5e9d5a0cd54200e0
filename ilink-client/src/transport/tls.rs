//! One TLS configuration for all clients of a process that trust the same roots.
//!
//! The system's store holds some 150 certificates: to parse them for every client, and again at every reset, costs
//! milliseconds and memory, and sessions could not be resumed from one client to the next.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::UNIX_EPOCH;

use rustls::client::{ClientSessionMemoryCache, ClientSessionStore, Resumption, WebPkiServerVerifier};
use rustls::client::{Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::{DefaultTimeProvider, TimeProvider};
use rustls::{ClientConfig, NamedGroup, RootCertStore};

use super::addresses;
use super::roots::certificates;
use crate::client::Clock;
use crate::error::Error;

/// Sessions that are remembered, for resuming: of four servers, since rustls counts eight for each.
const SESSIONS: usize = 32;

/// What connections with the same roots share: the roots and the sessions.
struct Shared {
    provider: Arc<CryptoProvider>,
    verifier: Arc<WebPkiServerVerifier>,
    sessions: ClientSessionMemoryCache,
}

/// The roots in PEM, and what was made of them for as long as a client uses it.
type Known = Vec<(Vec<Vec<u8>>, Weak<Shared>)>;

static KNOWN: Mutex<Known> = Mutex::new(Vec::new());

/// The configuration for these roots in PEM (none: the system's, else the bundled ones).
pub(super) fn config(roots: &[Vec<u8>], clock: Option<Clock>) -> Result<ClientConfig, Error> {
    let shared = Shared::of(roots)?;
    let time: Arc<dyn TimeProvider> = match clock {
        Some(clock) => Arc::new(Time(clock)),
        None => Arc::new(DefaultTimeProvider),
    };
    let mut config = ClientConfig::builder_with_details(shared.provider.clone(), time)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::invalid("TLS cannot be set up").with_source(error))?
        .with_webpki_verifier(shared.verifier.clone())
        .with_no_client_auth();
    config.resumption = Resumption::store(shared);
    Ok(config)
}

impl Shared {
    fn of(roots: &[Vec<u8>]) -> Result<Arc<Self>, Error> {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().find(|(pem, _)| pem == roots).and_then(|(_, shared)| shared.upgrade());
        if let Some(shared) = found {
            return Ok(shared);
        }
        let shared = Arc::new(Self::new(roots)?);
        known.retain(|(pem, shared)| pem != roots && shared.strong_count() > 0);
        known.push((roots.to_vec(), Arc::downgrade(&shared)));
        Ok(shared)
    }

    fn new(roots: &[Vec<u8>]) -> Result<Self, Error> {
        #[cfg(feature = "rustls-ring")]
        let provider = rustls::crypto::ring::default_provider();
        #[cfg(not(feature = "rustls-ring"))]
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let provider = Arc::new(provider);
        let store = root_store(roots)?;
        let verifier = WebPkiServerVerifier::builder_with_provider(store.into(), provider.clone())
            .build()
            .map_err(|error| Error::invalid("TLS cannot be set up").with_source(error))?;
        Ok(Self { provider, verifier, sessions: ClientSessionMemoryCache::new(SESSIONS) })
    }
}

/// The given roots; else the system's; else, as in a container without a CA store, the bundled ones.
fn root_store(roots: &[Vec<u8>]) -> Result<RootCertStore, Error> {
    let mut store = RootCertStore::empty();
    if roots.is_empty() {
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if store.is_empty() {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        return Ok(store);
    }
    for pem in roots {
        // A root that rustls cannot use (an old algorithm) must not cost all the others.
        store.add_parsable_certificates(certificates(pem)?.into_iter().map(CertificateDer::from));
    }
    if store.is_empty() {
        return Err(Error::invalid(
            "root certificates: none of those given can be used: give the X.509 certificate of the authority in PEM",
        ));
    }
    Ok(store)
}

/// The clock of a client, for the validity of certificates.
struct Time(Clock);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        (self.0)().duration_since(UNIX_EPOCH).ok().map(UnixTime::since_unix_epoch)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Time")
    }
}

/// Sessions in memory; and the one place where rustls says that a handshake begins, which tells a server that hangs in
/// TLS from one that cannot be reached.
impl ClientSessionStore for Shared {
    fn set_kx_hint(&self, server: ServerName<'static>, group: NamedGroup) {
        self.sessions.set_kx_hint(server, group);
    }

    fn kx_hint(&self, server: &ServerName<'_>) -> Option<NamedGroup> {
        addresses::handshake_begins();
        self.sessions.kx_hint(server)
    }

    fn set_tls12_session(&self, server: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.sessions.set_tls12_session(server, value);
    }

    fn tls12_session(&self, server: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.sessions.tls12_session(server)
    }

    fn remove_tls12_session(&self, server: &ServerName<'static>) {
        self.sessions.remove_tls12_session(server);
    }

    fn insert_tls13_ticket(&self, server: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.sessions.insert_tls13_ticket(server, value);
    }

    fn take_tls13_ticket(&self, server: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.sessions.take_tls13_ticket(server)
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_parsed_once_for_all_clients_and_forgotten_with_the_last() {
        let pem = crate::transport::roots::tests::some_root();
        let roots = [pem.into_bytes()];
        let first = config(&roots, None).unwrap();
        let kept = Shared::of(&roots).unwrap();
        // This function's, and that of the first configuration; a clock of its own changes nothing.
        assert_eq!(Arc::strong_count(&kept), 2);
        let second = config(&roots, Some(Arc::new(std::time::SystemTime::now))).unwrap();
        assert_eq!(Arc::strong_count(&kept), 3);
        let weak = Arc::downgrade(&kept);
        drop((first, second, kept));
        assert!(weak.upgrade().is_none());
        assert_eq!(config(&[], None).unwrap().alpn_protocols.len(), 0);
        assert!(KNOWN.lock().unwrap().iter().all(|(pem, _)| pem != &roots), "forgotten");
    }
}
