//! What goes wrong between an account that runs and its server: its status says so, and once the fault is gone a message
//! arrives by itself, exactly once. The sentences themselves are in ilink-client's `path_faults`.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use ilink_fixtures::net::{self, NetFault, Network};
use ilink_fixtures::{Endpoint, Fault, Simulator};
use tempfile::TempDir;
use weixin_channel::ilink_client::{Client, ClientBuilder, reqwest};
use weixin_channel::{AccountConfig, AccountId, Channel, Deliveries, LinkState};

use crate::{USER, until};

/// Far longer than anything takes here. The clock is the real one, since the sockets are.
const PATIENCE: Duration = Duration::from_secs(60);

/// For faults that hang.
const SHORT: Duration = Duration::from_millis(400);

const YEAR: Duration = Duration::from_secs(365 * 86_400);

struct World {
    simulator: Simulator,
    network: Network,
    addresses: Arc<Mutex<Vec<std::net::SocketAddr>>>,
    /// What the client's clock is wrong by: back, and forth.
    wrong: Arc<Mutex<(Duration, Duration)>>,
    folder: TempDir,
    account: AccountId,
}

impl World {
    async fn new() -> Self {
        let simulator = Simulator::builder().real_names(true).start().await.unwrap();
        let bot = simulator.add_bot(USER);
        let network = Network::start(&simulator).await.unwrap();
        let addresses = Arc::new(Mutex::new(vec![network.tls_addr()]));
        let folder = tempfile::tempdir().unwrap();
        let account = AccountId::new(&bot.bot_id);
        let accounts = folder.path().join("openclaw-weixin/accounts");
        std::fs::create_dir_all(&accounts).unwrap();
        let json = serde_json::json!({ "token": bot.token, "userId": bot.user_id });
        std::fs::write(accounts.join(format!("{account}.json")), json.to_string()).unwrap();
        Self { simulator, network, addresses, wrong: Arc::default(), folder, account }
    }

    fn client(&self) -> ClientBuilder {
        let (addresses, wrong) = (Arc::clone(&self.addresses), Arc::clone(&self.wrong));
        Client::builder()
            .root_certificates(self.network.ca_pem())
            .clock(move || {
                let (back, forth) = *wrong.lock().unwrap();
                SystemTime::now() - back + forth
            })
            .lookup(move |_| {
                let found = addresses.lock().unwrap().clone();
                Box::pin(async move {
                    if found.is_empty() { Err(std::io::ErrorKind::NotFound.into()) } else { Ok(found) }
                })
            })
    }

    async fn start(&self, client: ClientBuilder) -> (Channel, Deliveries) {
        let transport = client.build().unwrap().transport().clone();
        let (channel, deliveries) =
            Channel::builder().state_dir(self.folder.path()).transport(transport).build().unwrap();
        channel.start(&self.account, AccountConfig::default().open()).await.unwrap();
        (channel, deliveries)
    }

    /// The account says what is wrong.
    async fn says(&self, channel: &Channel, said: &str) {
        let found = tokio::time::timeout(PATIENCE, async {
            let mut events = channel.status_events();
            loop {
                let status = channel.status(&self.account);
                if status.last_error.as_ref().is_some_and(|error| error.contains(said)) {
                    return status;
                }
                events.recv().await.unwrap();
            }
        });
        let status =
            found.await.unwrap_or_else(|_| panic!("{said:?}, not {:?}", channel.status(&self.account)));
        assert!(matches!(status.state, LinkState::Backoff | LinkState::Starting), "{said}: {status:?}");
    }

    /// The fault is gone: a message arrives, once.
    async fn recovers(&self, channel: &Channel, deliveries: &mut Deliveries, text: &str) {
        let phone = self.simulator.phone(USER);
        phone.send_text(text);
        for expected in [text, "another"] {
            let delivery = tokio::time::timeout(PATIENCE, deliveries.next()).await;
            let delivery = delivery.unwrap_or_else(|_| panic!("after {text}: nothing came")).unwrap();
            assert_eq!(delivery.inbound.text, expected);
            delivery.ack().await.unwrap();
            if expected == text {
                phone.send_text("another");
            }
        }
        until(channel, &self.account, LinkState::Online).await;
        assert_eq!(channel.status(&self.account).last_error, None, "{text}");
    }
}

/// A fault of the network, from the start of the account on.
async fn net_fault(fault: NetFault, said: &'static str) {
    let world = World::new().await;
    world.network.set_fault(Some(fault.clone()));
    let mut client = world.client();
    if matches!(
        fault,
        NetFault::ProxyDown | NetFault::ProxyStatus { .. } | NetFault::ProxyPage | NetFault::ProxyHang
    ) {
        client = client.proxy(reqwest::Proxy::https(world.network.https_proxy()).unwrap());
    }
    if matches!(fault, NetFault::HangInHandshake | NetFault::ProxyHang) {
        client = client.connect_timeout(SHORT);
    }
    let (channel, mut deliveries) = world.start(client).await;
    world.says(&channel, said).await;
    world.network.set_fault(None);
    world.recovers(&channel, &mut deliveries, said).await;
}

async fn address_fault(addresses: Vec<std::net::SocketAddr>, said: &'static str) {
    let world = World::new().await;
    let here = std::mem::replace(&mut *world.addresses.lock().unwrap(), addresses);
    let (channel, mut deliveries) = world.start(world.client().connect_timeout(SHORT)).await;
    world.says(&channel, said).await;
    *world.addresses.lock().unwrap() = here;
    world.recovers(&channel, &mut deliveries, said).await;
}

async fn clock_fault(wrong: (Duration, Duration), said: &'static str) {
    let world = World::new().await;
    *world.wrong.lock().unwrap() = wrong;
    let (channel, mut deliveries) = world.start(world.client()).await;
    world.says(&channel, said).await;
    *world.wrong.lock().unwrap() = (Duration::ZERO, Duration::ZERO);
    world.recovers(&channel, &mut deliveries, said).await;
}

async fn answer_fault(fault: Fault, said: &'static str) {
    let world = World::new().await;
    world.simulator.fault(fault.clone(), Endpoint::NotifyStart, 1000);
    world.simulator.fault(fault, Endpoint::GetUpdates, 1000);
    let (channel, mut deliveries) = world.start(world.client()).await;
    world.says(&channel, said).await;
    world.simulator.clear_faults();
    world.recovers(&channel, &mut deliveries, said).await;
}

/// Nothing is said, since nothing is lost.
async fn silent(fault: NetFault, name: &'static str) {
    let world = World::new().await;
    world.network.set_fault(Some(fault));
    let (channel, mut deliveries) = world.start(world.client()).await;
    world.recovers(&channel, &mut deliveries, name).await;
}

#[tokio::test]
async fn an_account_says_so_and_recovers() {
    let refusing = net::refusing_address().unwrap();
    let hanging = net::hanging_address("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let moved = Fault::Status {
        status: 302,
        headers: [("location".to_owned(), "https://login.example/portal".to_owned())].into(),
        body: String::new(),
    };
    // All at once: each waits a second or so for the next attempt.
    let mut rows = tokio::task::JoinSet::new();
    for (fault, said) in [
        (NetFault::UnknownIssuer, "is signed by nobody this machine trusts"),
        (NetFault::Expired, "was valid until"),
        (NetFault::NotYetValid, "is valid from"),
        (NetFault::WrongName, "something else answers in its place"),
        (NetFault::OldTls, "speaks no TLS 1.2 or 1.3"),
        (NetFault::ResetInHandshake, "was cut in the TLS handshake"),
        (NetFault::HangInHandshake, "came to no end within 0.4 s"),
        (NetFault::ProxyDown, "the proxy cannot be reached"),
        (NetFault::ProxyHang, "the proxy cannot be reached"),
        (NetFault::ProxyStatus { status: 407 }, "asks for a user name and password"),
        (NetFault::ProxyStatus { status: 403 }, "does not let this machine connect"),
        (NetFault::ProxyPage, "and it was cut in the TLS handshake"),
    ] {
        rows.spawn(net_fault(fault, said));
    }
    rows.spawn(clock_fault((YEAR, Duration::ZERO), "is valid from"));
    rows.spawn(clock_fault((Duration::ZERO, YEAR), "was valid until"));
    rows.spawn(address_fault(vec![], "was not found"));
    rows.spawn(address_fault(vec![refusing.addr()], "refuses the connection"));
    rows.spawn(address_fault(vec![hanging.addr()], "no connection to ilinkai.weixin.qq.com within 0.4 s"));
    rows.spawn(answer_fault(Fault::Garbage, "a captive portal may be answering"));
    rows.spawn(answer_fault(moved, "login.example"));
    for (fault, name) in [
        (NetFault::CloseAfterAnswer, "connection closed between two requests"),
        (NetFault::CloseOnReuse, "connection closed as it is used again"),
        (NetFault::HalfClose, "half-closed connection"),
    ] {
        rows.spawn(silent(fault, name));
    }
    while let Some(row) = rows.join_next().await {
        row.unwrap();
    }
}
