//! Why no connection came about, and what to do: each cause its own sentence.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::{Duration, SystemTime};

use super::addresses::HandshakeTimedOut;
use crate::printable::Printable;

/// At which step a connection failed; from [`Error::connect_cause`](crate::Error::connect_cause).
///
/// The error's text says the same as a sentence, with what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ConnectCause {
    /// The name could not be looked up: there is no such name, or no answer from the DNS server.
    NameNotFound,
    /// TCP: the address refuses connections.
    Refused,
    /// TCP: no answer in time, from any address of the name.
    TimedOut,
    /// TCP: there is no route to the address, or something else.
    Unreachable,
    /// TLS: the certificate is not signed by an authority that is trusted here. Most often a company's proxy stands in between: its root certificate
    /// belongs into the system's store, into [`root_certificates`](crate::ClientBuilder::root_certificates), or for the
    /// plugin into `NODE_EXTRA_CA_CERTS`.
    UnknownIssuer,
    /// TLS: the certificate is no longer valid, or the clock is ahead.
    CertificateExpired,
    /// TLS: the certificate is not valid yet, or the clock is behind.
    CertificateNotYetValid,
    /// TLS: the certificate is for other names.
    WrongName,
    /// TLS: the certificate cannot be used for another reason.
    BadCertificate,
    /// TLS: the server speaks nothing newer than TLS 1.1, or shares no cipher with us.
    OldTls,
    /// What answers does not speak TLS at all, as a captive portal does.
    NotTls,
    /// TLS: the connection was cut in the handshake.
    HandshakeCut,
    /// TLS: the handshake did not end in time.
    HandshakeTimedOut,
    /// The proxy cannot be reached, or does not answer in time.
    ProxyUnreachable,
    /// The proxy wants a user name and password, or other ones.
    ProxyLogin,
    /// The proxy refuses to connect to this host.
    ProxyRefused,
    /// Something answers at the proxy's address, and it is not such a proxy.
    ProxyBroken,
    /// Another reason; the error's source has it.
    Other,
}

/// What the transport knows of an attempt beside its error.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// The proxy in the way, as it is shown.
    pub(super) proxy: Option<String>,
    /// TLS had begun.
    pub(super) handshake: bool,
    /// How long a connection may take.
    pub(super) limit: Option<Duration>,
}

/// A cause with what its sentence needs.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) cause: ConnectCause,
    facts: Facts,
    /// The end or beginning of a certificate's validity, and what the clock says.
    times: Option<(SystemTime, SystemTime)>,
    /// The names that a certificate is for.
    names: Vec<String>,
    /// Whether the sentence says all there is to say.
    complete: bool,
}

impl Failure {
    /// Finds the cause in the chain of an error.
    pub(super) fn of(error: &(dyn StdError + 'static), facts: Facts) -> Self {
        let mut failure =
            Self { cause: ConnectCause::Other, facts, times: None, names: Vec::new(), complete: true };
        let chain: Vec<_> = std::iter::successors(Some(error), |error| cause_of(*error)).collect();
        failure.cause = failure.find(&chain);
        failure.complete = !matches!(
            failure.cause,
            ConnectCause::Other
                | ConnectCause::Unreachable
                | ConnectCause::BadCertificate
                | ConnectCause::ProxyBroken
        );
        failure
    }

    fn find(&mut self, chain: &[&(dyn StdError + 'static)]) -> ConnectCause {
        // What is looked for stands at the beginning; somebody else's error may be of any length.
        let text = |error: &&(dyn StdError + 'static)| Printable::new(error).max_chars(500).to_string();
        let texts: Vec<String> = chain.iter().map(text).collect();
        let says = |text: &str| texts.iter().any(|found| found.contains(text));
        #[cfg(any(feature = "rustls-ring", feature = "rustls-aws-lc"))]
        if let Some(tls) = chain.iter().find_map(|error| error.downcast_ref::<rustls::Error>()) {
            return self.of_tls(tls);
        }
        let io = chain.iter().rev().find_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind);
        let timed_out = io == Some(io::ErrorKind::TimedOut) || says("operation timed out");
        if chain.iter().any(|error| error.is::<HandshakeTimedOut>()) || (self.facts.handshake && timed_out) {
            return ConnectCause::HandshakeTimedOut;
        }
        if self.facts.handshake {
            return if io.is_some() { ConnectCause::HandshakeCut } else { ConnectCause::Other };
        }
        // hyper-util has no public types for these.
        if says("tunnel error: ") || says("SOCKS error: ") {
            return if says("proxy authorization required")
                || says("credentials not accepted")
                || says("does not support user/pass authentication")
            {
                ConnectCause::ProxyLogin
            } else if says("failed to create underlying connection") || timed_out {
                ConnectCause::ProxyUnreachable
            } else if says("unexpected end of file")
                || says("io error")
                || says("parsing")
                || says("too long")
            {
                ConnectCause::ProxyBroken
            } else {
                ConnectCause::ProxyRefused
            };
        }
        if self.facts.proxy.is_some() {
            return if timed_out || io.is_some() {
                ConnectCause::ProxyUnreachable
            } else {
                ConnectCause::Other
            };
        }
        if says("dns error") || says("error resolving for socks proxy") {
            return ConnectCause::NameNotFound;
        }
        match io {
            _ if timed_out => ConnectCause::TimedOut,
            Some(io::ErrorKind::ConnectionRefused) => ConnectCause::Refused,
            Some(_) => ConnectCause::Unreachable,
            None => ConnectCause::Other,
        }
    }

    #[cfg(any(feature = "rustls-ring", feature = "rustls-aws-lc"))]
    fn of_tls(&mut self, error: &rustls::Error) -> ConnectCause {
        use rustls::{AlertDescription, CertificateError};

        let time =
            |time: rustls::pki_types::UnixTime| SystemTime::UNIX_EPOCH + Duration::from_secs(time.as_secs());
        match error {
            rustls::Error::InvalidCertificate(error) => match error {
                CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                    ConnectCause::UnknownIssuer
                }
                CertificateError::Expired => ConnectCause::CertificateExpired,
                CertificateError::ExpiredContext { time: now, not_after } => {
                    self.times = Some((time(*not_after), time(*now)));
                    ConnectCause::CertificateExpired
                }
                CertificateError::NotValidYet => ConnectCause::CertificateNotYetValid,
                CertificateError::NotValidYetContext { time: now, not_before } => {
                    self.times = Some((time(*not_before), time(*now)));
                    ConnectCause::CertificateNotYetValid
                }
                CertificateError::NotValidForName => ConnectCause::WrongName,
                CertificateError::NotValidForNameContext { presented, .. } => {
                    self.names = presented.iter().map(|name| plain_name(name)).collect();
                    ConnectCause::WrongName
                }
                _ => ConnectCause::BadCertificate,
            },
            rustls::Error::PeerIncompatible(_)
            | rustls::Error::AlertReceived(
                AlertDescription::ProtocolVersion
                | AlertDescription::HandshakeFailure
                | AlertDescription::InsufficientSecurity,
            ) => ConnectCause::OldTls,
            rustls::Error::InvalidMessage(_) => ConnectCause::NotTls,
            rustls::Error::AlertReceived(_) => ConnectCause::HandshakeCut,
            _ => ConnectCause::Other,
        }
    }

    /// True if the error below adds nothing to the sentence.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// The sentence.
    pub(super) fn explain(&self, host: &str) -> String {
        let proxy = self.facts.proxy.as_deref().unwrap_or("the proxy");
        let within =
            self.facts.limit.map_or_else(String::new, |limit| format!(" within {} s", limit.as_secs_f32()));
        match self.cause {
            ConnectCause::NameNotFound => format!(
                "the name {} was not found: check this machine's network and its DNS server, and the spelling if you set the name",
                // A port does not matter here.
                host.split(':').next().unwrap_or(host)
            ),
            ConnectCause::Refused => {
                format!(
                    "{host} refuses the connection: nothing listens there, or a firewall refuses in its place"
                )
            }
            ConnectCause::TimedOut => format!(
                "no connection to {host}{within}: check this machine's network, and whether a firewall lets it through"
            ),
            ConnectCause::Unreachable => format!("{host} cannot be reached: check this machine's network"),
            ConnectCause::UnknownIssuer => format!(
                "the certificate of {host} is signed by nobody this machine trusts: if a proxy of your company stands in between, add its root certificate to the trusted ones (with Node.js, name its file in NODE_EXTRA_CA_CERTS); if this is a public network, log in to it first"
            ),
            ConnectCause::CertificateExpired => {
                format!("the certificate of {host} {}: {}", self.until(), Self::CLOCK)
            }
            ConnectCause::CertificateNotYetValid => {
                format!("the certificate of {host} {}: {}", self.since(), Self::CLOCK)
            }
            ConnectCause::WrongName => format!(
                "the certificate of {host} is for {}: something else answers in its place, as a captive portal or a wrong DNS entry does; check the network",
                self.names()
            ),
            ConnectCause::BadCertificate => format!(
                "the certificate of {host} cannot be used: something else may answer in its place; check the network"
            ),
            ConnectCause::OldTls => format!(
                "{host} speaks no TLS 1.2 or 1.3 that this program does: an old proxy or firewall may stand in between; have it updated, or let this host pass"
            ),
            ConnectCause::NotTls => format!(
                "what answers in place of {host} does not speak TLS: if this is a public network, open a web page and log in to it; else check the proxy settings"
            ),
            // Such as a captive portal that answers CONNECT with its page.
            ConnectCause::HandshakeCut if self.facts.proxy.is_some() => format!(
                "{proxy} let the connection to {host} begin, and it was cut in the TLS handshake: if this is a public network, open a web page and log in to it; else have the name allowed"
            ),
            ConnectCause::HandshakeCut => format!(
                "the connection to {host} was cut in the TLS handshake: a firewall may not let this name through; have it allowed"
            ),
            ConnectCause::HandshakeTimedOut => format!(
                "the TLS handshake with {host}{} came to no end{within}: a firewall may hold it up, or the server is overloaded; check the network",
                self.facts.proxy.as_ref().map_or_else(String::new, |proxy| format!(" through {proxy}"))
            ),
            ConnectCause::ProxyUnreachable => {
                format!(
                    "{proxy} does not answer, so that {host} cannot be reached: start it, or correct the proxy settings"
                )
            }
            ConnectCause::ProxyLogin => format!(
                "{proxy} asks for a user name and password, or takes others than those it was given: write them into its address, as in http://user:password@proxy.example:8080"
            ),
            ConnectCause::ProxyRefused => format!(
                "{proxy} does not let this machine connect to {host}: have the host allowed there, or except it by NO_PROXY"
            ),
            ConnectCause::ProxyBroken => format!(
                "{proxy} does not answer as a proxy of its kind does: check its address and its kind (http, socks5)"
            ),
            ConnectCause::Other => {
                format!("cannot connect to {host}: check the network and the proxy settings")
            }
        }
    }

    const CLOCK: &str =
        "if the clock is wrong, set it; else something with an old certificate stands in between";

    fn until(&self) -> String {
        self.times.map_or_else(
            || "is no longer valid".to_owned(),
            |(end, now)| format!("was valid until {}, and this machine's clock says {}", day(end), day(now)),
        )
    }

    fn since(&self) -> String {
        self.times.map_or_else(
            || "is not valid yet".to_owned(),
            |(begin, now)| {
                format!("is valid from {} on, and this machine's clock says {}", day(begin), day(now))
            },
        )
    }

    /// At most three, since some certificates are for hundreds.
    fn names(&self) -> String {
        match &self.names[..] {
            [] => "another name".to_owned(),
            [first, second, third, _, ..] => format!("{first}, {second}, {third} and others"),
            names => names.join(", "),
        }
    }
}

/// What became of a connection that was there, and whether that says it all.
pub(super) fn how_it_broke(error: &(dyn StdError + 'static)) -> (&'static str, bool) {
    let mut chain = std::iter::successors(Some(error), |error| cause_of(*error));
    let how = chain.find_map(|error| match error.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(io::ErrorKind::UnexpectedEof) => Some("was closed"),
        Some(
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe,
        ) => Some("was reset"),
        // hyper's, which has no type that we see.
        None if error.to_string().starts_with("connection closed before message completed") => {
            Some("was closed")
        }
        _ => None,
    });
    how.map_or(("broke", false), |how| (how, true))
}

/// The next error of a chain. What an I/O error wraps is its source's parent, so to say: `source` passes it by.
fn cause_of<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}

/// `DnsName("a.example")` is what rustls makes of a name.
#[cfg(any(feature = "rustls-ring", feature = "rustls-aws-lc"))]
fn plain_name(name: &str) -> String {
    Printable::new(name.split('"').nth(1).unwrap_or(name)).to_string()
}

/// `2027-01-31 12:00 UTC`
fn day(time: SystemTime) -> impl fmt::Display {
    // Beyond that year there is no such text.
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    let text = humantime::format_rfc3339_seconds(time.min(end)).to_string();
    let text = text.get(..16).unwrap_or(&text).replace('T', " ");
    format!("{text} UTC")
}
