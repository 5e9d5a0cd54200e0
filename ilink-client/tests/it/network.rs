//! The network before a simulator, and clients that go through it to the real names.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use ilink_client::{Bot, Client, ClientBuilder, Credentials, RetryPolicy};
use ilink_fixtures::net::{self, Network};
use ilink_fixtures::{BotInfo, DEFAULT_USER, Simulator};

pub(crate) struct World {
    pub(crate) simulator: Simulator,
    pub(crate) info: BotInfo,
    pub(crate) network: Network,
    /// What the client's clock says.
    pub(crate) clock: Arc<Mutex<SystemTime>>,
    /// Where the client finds the server.
    pub(crate) addresses: Arc<Mutex<Vec<SocketAddr>>>,
}

impl World {
    pub(crate) async fn new(builder: net::Builder) -> Self {
        let simulator = Simulator::builder().real_names(true).start().await.unwrap();
        let info = simulator.add_bot(DEFAULT_USER);
        let network = builder.now(now()).start(&simulator).await.unwrap();
        let addresses = Arc::new(Mutex::new(vec![network.tls_addr()]));
        Self { simulator, info, network, clock: Arc::new(Mutex::new(now())), addresses }
    }

    /// A client with the compiled-in hosts that asks once.
    pub(crate) fn client(&self) -> ClientBuilder {
        let (clock, addresses) = (Arc::clone(&self.clock), Arc::clone(&self.addresses));
        Client::builder()
            .root_certificates(self.network.ca_pem())
            .retry(RetryPolicy::never())
            .clock(move || *clock.lock().unwrap())
            .lookup(move |_| {
                let found = addresses.lock().unwrap().clone();
                let none = || io::Error::new(io::ErrorKind::NotFound, "no such name");
                Box::pin(async move { if found.is_empty() { Err(none()) } else { Ok(found) } })
            })
    }

    pub(crate) fn bot(&self, client: ClientBuilder) -> Bot {
        let credentials = Credentials::new(self.info.bot_id.as_str(), self.info.token.as_str());
        client.build().unwrap().bot(credentials).unwrap()
    }
}

/// 2027-01-15 08:00 UTC: what the clocks of these tests say.
pub(crate) fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}
