//! What can go wrong between a client and the server: what the user is told, and that all is well again by itself.
//! `docs/path-faults.md` is this table.

use std::fmt::Write as _;
use std::time::Duration;

use ilink_client::{Bot, ConnectCause, Error, RetryPolicy, reqwest};
use ilink_fixtures::net::{self, NetFault, Network};
use ilink_fixtures::{Endpoint, Fault};

use crate::network::{World, now};

/// For faults that hang: long enough for what works on this machine.
const SHORT: Duration = Duration::from_millis(400);

const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// The rows, as Markdown.
struct Table(String);

impl Table {
    fn told(&mut self, fault: &str, error: &Error) {
        assert!(!error.to_string().contains('|'), "{error}");
        self.row(fault, &error.to_string(), "yes");
    }

    fn silent(&mut self, fault: &str) {
        self.row(fault, "nothing: the request goes through", "yes");
    }

    fn row(&mut self, fault: &str, told: &str, recovers: &str) {
        writeln!(self.0, "| {fault} | {told} | {recovers} | ilink-client |").unwrap();
    }
}

async fn fails(bot: &Bot) -> Error {
    bot.notify_start().await.unwrap_err()
}

/// A fault of the TLS server or of what stands before it.
async fn direct(table: &mut Table) {
    use ConnectCause::{
        CertificateExpired, CertificateNotYetValid, HandshakeCut, HandshakeTimedOut, OldTls, UnknownIssuer,
        WrongName,
    };
    for (fault, name, cause) in [
        (NetFault::UnknownIssuer, "certificate of an unknown issuer", UnknownIssuer),
        (NetFault::Expired, "expired certificate", CertificateExpired),
        (NetFault::NotYetValid, "certificate that is not valid yet", CertificateNotYetValid),
        (NetFault::WrongName, "certificate for another name", WrongName),
        (NetFault::OldTls, "TLS 1.0 only", OldTls),
        (NetFault::ResetInHandshake, "TCP reset in the handshake", HandshakeCut),
        (NetFault::HangInHandshake, "handshake that hangs", HandshakeTimedOut),
    ] {
        let hangs = fault == NetFault::HangInHandshake;
        let world = World::new(Network::builder()).await;
        let client = world.client();
        let bot = world.bot(if hangs { client.connect_timeout(SHORT) } else { client });
        world.network.set_fault(Some(fault));
        let error = fails(&bot).await;
        assert_eq!(error.connect_cause(), Some(cause), "{name}: {error}");
        table.told(name, &error);
        world.network.set_fault(None);
        bot.notify_start().await.unwrap_or_else(|error| panic!("after {name}: {error}"));
    }
}

async fn clocks(table: &mut Table) {
    for (name, wrong, cause) in [
        ("clock a year behind", now() - YEAR, ConnectCause::CertificateNotYetValid),
        ("clock a year ahead", now() + YEAR, ConnectCause::CertificateExpired),
    ] {
        let world = World::new(Network::builder()).await;
        let bot = world.bot(world.client());
        *world.clock.lock().unwrap() = wrong;
        let error = fails(&bot).await;
        assert_eq!(error.connect_cause(), Some(cause), "{name}: {error}");
        table.told(name, &error);
        *world.clock.lock().unwrap() = now();
        bot.notify_start().await.unwrap_or_else(|error| panic!("after {name}: {error}"));
    }
}

async fn addresses(table: &mut Table) {
    let refusing = net::refusing_address().unwrap();
    let hanging = net::hanging_address("127.0.0.1:0".parse().unwrap()).await.unwrap();
    for (name, found, cause) in [
        ("name not found", vec![], ConnectCause::NameNotFound),
        ("connection refused", vec![refusing.addr()], ConnectCause::Refused),
        ("connection that hangs", vec![hanging.addr()], ConnectCause::TimedOut),
    ] {
        let world = World::new(Network::builder()).await;
        let bot = world.bot(world.client().connect_timeout(SHORT));
        *world.addresses.lock().unwrap() = found;
        let error = fails(&bot).await;
        assert_eq!(error.connect_cause(), Some(cause), "{name}: {error}");
        table.told(name, &error);
        *world.addresses.lock().unwrap() = vec![world.network.tls_addr()];
        bot.notify_start().await.unwrap_or_else(|error| panic!("after {name}: {error}"));
    }

    // Nobody listens on that port of the other family.
    let ipv6 = format!("[::1]:{}", refusing.addr().port()).parse().unwrap();
    for (name, dead) in [
        ("several addresses, the first refuses", refusing.addr()),
        ("several addresses, the first hangs in TCP", hanging.addr()),
        ("IPv6 first, but dead", ipv6),
    ] {
        let world = World::new(Network::builder()).await;
        let bot = world.bot(world.client());
        world.addresses.lock().unwrap().insert(0, dead);
        bot.notify_start().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        table.silent(name);
    }

    let world = World::new(Network::builder()).await;
    let other = Network::builder().now(now()).start(&world.simulator).await.unwrap();
    other.set_fault(Some(NetFault::HangInHandshake));
    world.addresses.lock().unwrap().insert(0, other.tls_addr());
    let bot = world.bot(world.client().connect_timeout(SHORT * 2));
    bot.notify_start().await.unwrap();
    assert_eq!(other.connections(), 1);
    table.silent("several addresses, the first hangs in TLS");
}

async fn proxies(table: &mut Table) {
    use ConnectCause::{ProxyLogin, ProxyRefused, ProxyUnreachable};
    for (fault, name, cause) in [
        (NetFault::ProxyDown, "proxy down", ProxyUnreachable),
        (NetFault::ProxyHang, "proxy that never answers", ProxyUnreachable),
        (NetFault::ProxyStatus { status: 407 }, "proxy that wants a password", ProxyLogin),
        (NetFault::ProxyStatus { status: 403 }, "proxy answering 403", ProxyRefused),
        (NetFault::ProxyPage, "captive portal: a page as answer to CONNECT", ConnectCause::HandshakeCut),
    ] {
        let world = World::new(Network::builder()).await;
        let proxy = reqwest::Proxy::https(world.network.https_proxy()).unwrap();
        let client = world.client().proxy(proxy);
        let bot =
            world.bot(if fault == NetFault::ProxyHang { client.connect_timeout(SHORT) } else { client });
        world.network.set_fault(Some(fault));
        // The proxy goes, and comes back, in a task of its own.
        let error = loop {
            match bot.notify_start().await {
                Ok(()) => bot.client().transport().reset(),
                Err(error) => break error,
            }
        };
        assert_eq!(error.connect_cause(), Some(cause), "{name}: {error}");
        table.told(name, &error);
        world.network.set_fault(None);
        while bot.notify_start().await.is_err() {}
    }
    let world = World::new(Network::builder().proxy_login("user", "secret")).await;
    let wrong = world.network.socks_proxy().replace("secret", "CANARY");
    let bot = world.bot(world.client().proxy(reqwest::Proxy::https(wrong).unwrap()));
    let error = fails(&bot).await;
    assert_eq!(error.connect_cause(), Some(ProxyLogin), "{error}");
    table.row("SOCKS proxy that takes another password", &error.to_string(), "once it is corrected");
}

/// The connection is there; what answers, or ends, is not what should.
async fn answers(table: &mut Table) {
    let moved = Fault::Status {
        status: 302,
        headers: [("location".to_owned(), "https://login.example/portal?CANARY=1".to_owned())].into(),
        body: String::new(),
    };
    for (fault, name) in [
        (Fault::Garbage, "captive portal: 200 with HTML"),
        (moved, "redirect to another host"),
        (Fault::status(524), "524, which a gateway gives a poll after 16 s"),
    ] {
        let world = World::new(Network::builder()).await;
        let bot = world.bot(world.client());
        world.simulator.fault(fault, Endpoint::NotifyStart, 1);
        let error = fails(&bot).await;
        assert!(!error.to_string().contains("CANARY"), "{error}");
        table.told(name, &error);
        bot.notify_start().await.unwrap_or_else(|error| panic!("after {name}: {error}"));
    }
    for (fault, name) in [
        (NetFault::CloseAfterAnswer, "connection closed between two requests"),
        (NetFault::CloseOnReuse, "connection closed in the moment in which it is used again"),
        (NetFault::HalfClose, "half-closed connection"),
    ] {
        let world = World::new(Network::builder()).await;
        // What is idempotent is repeated, as it is by default.
        let retry = RetryPolicy { base_delay: Duration::ZERO, ..RetryPolicy::default() };
        let bot = world.bot(world.client().retry(retry));
        world.network.set_fault(Some(fault));
        for _ in 0..5 {
            bot.notify_start().await.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        table.silent(name);
    }
    let world = World::new(Network::builder()).await;
    let bot = world.bot(world.client());
    bot.notify_start().await.unwrap();
    world.network.set_fault(Some(NetFault::Blackhole));
    let batch = bot.get_updates("").timeout(SHORT).await.unwrap();
    assert!(batch.timed_out && batch.messages.is_empty(), "{batch:?}");
    let told =
        "nothing: the poll ends without messages; after three such polls the connections are made anew";
    table.row("idle NAT drop during a poll", told, "yes");
    bot.client().transport().reset();
    bot.notify_start().await.unwrap();
}

#[tokio::test]
async fn what_the_user_is_told() {
    let mut table = Table(String::new());
    direct(&mut table).await;
    clocks(&mut table).await;
    addresses(&mut table).await;
    proxies(&mut table).await;
    answers(&mut table).await;
    insta::assert_snapshot!(table.0);
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/path-faults.md");
    let page = std::fs::read_to_string(page).unwrap_or_default();
    for row in table.0.lines() {
        assert!(page.contains(row), "docs/path-faults.md lacks this row: {row}");
    }
    let rows = page.lines().filter(|line| line.starts_with("| ")).count();
    assert_eq!(rows, table.0.lines().count() + 1, "docs/path-faults.md has a row that is not tested");
}
