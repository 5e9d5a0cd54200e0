//! The faults of the path between a client and the server, each with how it comes and goes. Shared by the tests of this
//! crate and of weixin-channel.

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use ilink_client::{Client, RetryPolicy};
use ilink_fixtures::net::{NetFault, Network, hanging_address, refusing_address};
use ilink_fixtures::{BotInfo, Endpoint, Fault, Simulator};
use tokio::net::{TcpListener, TcpStream};

/// Whoever writes to the bot.
pub(crate) const USER: &str = "o9cq8Owner0001@im.wechat";

/// What a connection may take in these tests; 5 s where nothing is set.
const LIMIT: Duration = Duration::from_secs(1);

/// A fault of the path.
#[derive(Clone, Copy)]
pub(crate) struct PathFault {
    /// For people.
    pub(crate) name: &'static str,
    proxy: Proxy,
    what: What,
}

#[derive(Clone, Copy)]
enum Proxy {
    None,
    Http,
    Socks,
}

#[derive(Clone, Copy)]
enum What {
    /// Something of the network's own.
    Net(fn() -> NetFault),
    /// The same, for connections that are there already.
    Later(fn() -> NetFault),
    /// The clock is off by this number of days.
    Clock(i64),
    /// The name leads here; no addresses: it is not found.
    Leads(&'static [To]),
    /// What the server answers to a poll, or what answers in its place.
    Answer(fn() -> Fault),
}

/// An address.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Server,
    Refusing,
    /// TCP comes to no end.
    Hanging,
    /// TCP works, and TLS comes to no end.
    Silent,
    /// IPv6, and nobody is there.
    DeadIpv6,
}

const fn fault(name: &'static str, what: What) -> PathFault {
    PathFault { name, proxy: Proxy::None, what }
}

const fn proxied(name: &'static str, proxy: Proxy, what: fn() -> NetFault) -> PathFault {
    PathFault { name, proxy, what: What::Net(what) }
}

/// All of them.
pub(crate) const FAULTS: [PathFault; 33] = [
    fault("the name is not found", What::Leads(&[])),
    fault("the server refuses connections", What::Leads(&[To::Refusing])),
    fault("the server does not answer", What::Leads(&[To::Hanging])),
    fault("several addresses, the first refuse", What::Leads(&[To::Refusing, To::Refusing, To::Server])),
    fault("several addresses, the first hang", What::Leads(&[To::Hanging, To::Hanging, To::Server])),
    fault("several addresses, the first hang in TLS", What::Leads(&[To::Silent, To::Silent, To::Server])),
    fault("IPv6 first, but dead", What::Leads(&[To::DeadIpv6, To::Server])),
    fault("unknown issuer", What::Net(|| NetFault::UnknownIssuer)),
    fault("expired certificate", What::Net(|| NetFault::Expired)),
    fault("certificate that is not valid yet", What::Net(|| NetFault::NotYetValid)),
    fault("clock a year ahead", What::Clock(365)),
    fault("clock a year behind", What::Clock(-365)),
    fault("certificate for another name", What::Net(|| NetFault::WrongName)),
    fault("TLS 1.0 only", What::Net(|| NetFault::OldTls)),
    fault("reset in the handshake", What::Net(|| NetFault::ResetInHandshake)),
    fault("handshake that hangs", What::Net(|| NetFault::HangInHandshake)),
    proxied("proxy down", Proxy::Http, || NetFault::ProxyDown),
    proxied("proxy that does not answer", Proxy::Http, || NetFault::ProxyHang),
    proxied("proxy that wants a password", Proxy::Http, || NetFault::ProxyStatus { status: 407 }),
    proxied("proxy answers 403", Proxy::Http, || NetFault::ProxyStatus { status: 403 }),
    proxied("captive portal answers CONNECT with HTML", Proxy::Http, || NetFault::ProxyPage),
    proxied("handshake that hangs, behind a proxy", Proxy::Http, || NetFault::HangInHandshake),
    proxied("SOCKS proxy down", Proxy::Socks, || NetFault::ProxyDown),
    proxied("SOCKS proxy that does not answer", Proxy::Socks, || NetFault::ProxyHang),
    proxied("SOCKS proxy refuses", Proxy::Socks, || NetFault::ProxyStatus { status: 403 }),
    fault("captive portal, 200 with HTML", What::Answer(|| Fault::Garbage)),
    fault("redirect to another host", What::Answer(redirect)),
    fault("HTTP 524, as at 16 s", What::Answer(|| Fault::status(524))),
    fault("reset in the middle of a poll", What::Answer(|| Fault::Hang { limit_ms: Some(1100) })),
    fault("closed between two requests", What::Net(|| NetFault::CloseAfterAnswer)),
    fault("closed as the next request arrives", What::Net(|| NetFault::CloseOnReuse)),
    fault("half-closed", What::Net(|| NetFault::HalfClose)),
    fault("idle NAT drop during a poll", What::Later(|| NetFault::Blackhole)),
];

fn redirect() -> Fault {
    let location = "https://portal.example/login?token=CANARY".to_owned();
    Fault::Status { status: 302, headers: [("location".to_owned(), location)].into(), body: String::new() }
}

/// A simulator behind its network, and a client with compiled-in hosts that is led there.
pub(crate) struct World {
    pub(crate) simulator: Simulator,
    pub(crate) client: Client,
    pub(crate) bot: BotInfo,
    network: Network,
    fault: PathFault,
    /// What names lead to; nothing: they are not found.
    leads: Arc<Mutex<Vec<SocketAddr>>>,
    days: Arc<AtomicI64>,
    /// Where the fault has the name lead to.
    faulty: Vec<SocketAddr>,
    /// What keeps those addresses as they are.
    guards: Vec<Box<dyn Any + Send + Sync>>,
}

impl World {
    pub(crate) async fn new(fault: PathFault) -> Self {
        let simulator =
            Simulator::builder().real_names(true).long_poll(Duration::from_secs(1)).start().await.unwrap();
        // Dates are the same in every run.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_803_859_200);
        let network = Network::builder().now(now).start(&simulator).await.unwrap();
        let leads = Arc::new(Mutex::new(vec![network.tls_addr()]));
        let days = Arc::new(AtomicI64::new(0));
        let proxy = match fault.proxy {
            Proxy::None => None,
            Proxy::Http => Some(("HTTPS_PROXY", network.https_proxy())),
            Proxy::Socks => Some(("ALL_PROXY", network.socks_proxy())),
        };
        let client = Client::builder()
            .root_certificates(network.ca_pem())
            .connect_timeout(LIMIT)
            .retry(RetryPolicy::never())
            .environment(move |name| {
                proxy.as_ref().filter(|(variable, _)| *variable == name).map(|(_, url)| url.clone())
            })
            .clock({
                let days = days.clone();
                move || {
                    let days = days.load(Ordering::Relaxed);
                    let off = Duration::from_secs(days.unsigned_abs() * 86_400);
                    if days < 0 { now - off } else { now + off }
                }
            })
            .lookup({
                let leads = leads.clone();
                move |name| {
                    let found = leads.lock().unwrap().clone();
                    Box::pin(async move {
                        let none = || io::Error::other(format!("no addresses for {name}"));
                        Some(found).filter(|found| !found.is_empty()).ok_or_else(none)
                    })
                }
            })
            .build()
            .unwrap();
        let mut world = Self {
            bot: simulator.add_bot(USER),
            simulator,
            client,
            leads,
            days,
            fault,
            faulty: Vec::new(),
            guards: Vec::new(),
            network,
        };
        if let What::Leads(places) = fault.what {
            for place in places {
                let address = world.address(*place).await;
                world.faulty.push(address);
            }
        }
        world
    }

    /// True if the fault is one of connections that are there already.
    pub(crate) fn comes_later(&self) -> bool {
        matches!(self.fault.what, What::Later(_))
    }

    pub(crate) async fn begin(&self) {
        match self.fault.what {
            What::Net(fault) | What::Later(fault) => self.network.set_fault(Some(fault())),
            What::Clock(days) => self.days.store(days, Ordering::Relaxed),
            What::Leads(_) => self.leads.lock().unwrap().clone_from(&self.faulty),
            What::Answer(fault) => self.simulator.fault(fault(), Endpoint::GetUpdates, 1),
        }
        // The port is let go of a moment after that was asked for.
        while matches!(self.fault.what, What::Net(fault) if fault() == NetFault::ProxyDown) {
            let proxy = self.network.https_proxy();
            if TcpStream::connect(proxy.trim_start_matches("http://")).await.is_err() {
                return;
            }
        }
    }

    pub(crate) fn end(&self) {
        self.network.set_fault(None);
        self.days.store(0, Ordering::Relaxed);
        *self.leads.lock().unwrap() = vec![self.network.tls_addr()];
        self.simulator.clear_faults();
    }

    /// A text without what differs from run to run.
    pub(crate) fn stable(text: &str) -> String {
        let mut parts = text.split("127.0.0.1:");
        let mut stable = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            stable += "127.0.0.1:PORT";
            stable += part.trim_start_matches(|c: char| c.is_ascii_digit());
        }
        stable
    }

    async fn address(&mut self, place: To) -> SocketAddr {
        match place {
            To::Server => self.network.tls_addr(),
            To::Refusing => {
                let refusing = refusing_address().unwrap();
                let address = refusing.addr();
                self.guards.push(Box::new(refusing));
                address
            }
            To::Hanging => self.hanging(([127, 0, 0, 1], 0).into()).await.unwrap(),
            To::Silent => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let address = listener.local_addr().unwrap();
                self.guards.push(Box::new(listener));
                address
            }
            // A machine without IPv6 has no better dead address.
            To::DeadIpv6 => {
                let local = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 0));
                self.hanging(local)
                    .await
                    .unwrap_or_else(|_| SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, 9)))
            }
        }
    }

    async fn hanging(&mut self, address: SocketAddr) -> io::Result<SocketAddr> {
        let hanging = hanging_address(address).await?;
        let address = hanging.addr();
        self.guards.push(Box::new(hanging));
        Ok(address)
    }
}
