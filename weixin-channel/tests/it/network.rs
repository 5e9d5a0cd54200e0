//! A network that is cut, slow, held up and out of order, with a server and a program that crash, in a simulation of which each
//! minute takes milliseconds (turmoil). Whatever comes to pass: no message is lost or acknowledged twice, those of a user stay in
//! order, one token is never polled twice at once, a stop or a crash is no failure of a message, and once the network is
//! well again, so is the account, by itself.
//!
//! `NETWORK_SEED` takes other fates, `NETWORK_RUNS` more of them.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as StdError;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use ilink_fixtures::{BotInfo, IN_PROCESS_EPOCH_MS, Simulator};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio::time::sleep;
use turmoil::net::{TcpListener, TcpStream};
use weixin_channel::folder::{FolderBackend, FolderOptions};
use weixin_channel::ilink_client::{Body, BoxFuture, Client, Transport, TransportError};
use weixin_channel::{AccountId, AccountState, Channel, Deliveries, Delivery, InboundPolicy, StateDir};

use crate::config;
use crate::hooked::{Hook, Hooked};
use crate::in_process::BASE_URL;

const SERVER: &str = "server";
const PROGRAM: &str = "program";
const PORT: u16 = 80;

/// How long things happen, and how long the account may take from then on; virtual time.
const TROUBLE: Duration = Duration::from_secs(10 * 60);
const RECOVERY: Duration = Duration::from_secs(20 * 60);

const USERS: [&str; 3] = ["o9cq8Owner0001@im.wechat", "o9cq8Other0002@im.wechat", "o9cq8Third0003@im.wechat"];

type BoxError = Box<dyn StdError + Send + Sync>;

/// HTTP/1.1 over the simulated network, a connection per request.
#[derive(Clone, Debug, Default)]
struct Simulated {
    /// Polls that are under way in all processes there have been, and the most there were at once.
    polls: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

/// One poll, however it ends.
struct Polling(Arc<AtomicUsize>);

impl Drop for Polling {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Transport for Simulated {
    fn send(&self, mut request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TransportError>> {
        Box::pin(async move {
            let is_poll = request.uri().path().ends_with("getupdates");
            let _polling = is_poll.then(|| {
                self.most.fetch_max(self.polls.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                Polling(self.polls.clone())
            });
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            *request.uri_mut() = path.parse::<Uri>().map_err(TransportError::interrupted)?;
            request.headers_mut().insert(header::HOST, HeaderValue::from_static("127.0.0.1"));
            let stream = TcpStream::connect((SERVER, PORT)).await.map_err(TransportError::connect)?;
            let connected = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
            let (mut sender, connection) = connected.map_err(TransportError::interrupted)?;
            // Closed with this future.
            let mut connections = JoinSet::new();
            connections.spawn(connection);
            let answer = sender.send_request(request).await.map_err(TransportError::interrupted)?;
            let (head, body) = answer.into_parts();
            let body = body.collect().await.map_err(TransportError::interrupted)?;
            Ok(Response::from_parts(head, Body::from(body.to_bytes())))
        })
    }
}

/// What outlives a crash: the server's memory, the program's disk, and what was seen.
#[derive(Clone)]
struct World {
    simulator: Simulator,
    folder: Arc<TempDir>,
    account: AccountId,
    transport: Simulated,
    seen: Arc<Mutex<Seen>>,
    seed: u64,
}

#[derive(Default)]
struct Seen {
    /// By user: what was acknowledged without an error, in order.
    handled: BTreeMap<String, Vec<String>>,
    /// The same as what is to come.
    sent: BTreeMap<String, Vec<String>>,
    /// What a handler has begun to acknowledge: one that a crash ended does not know whether it has.
    begun: BTreeSet<String>,
    starts: u64,
    /// How the account is doing, and how many messages wait.
    status: Option<(AccountState, usize)>,
    dead: usize,
}

impl World {
    fn new(seed: u64) -> Self {
        let simulator = Simulator::builder().seed(seed).in_process();
        let BotInfo { bot_id, token, user_id, .. } = simulator.add_bot(USERS[0]);
        let folder = tempfile::tempdir().unwrap();
        let account = AccountId::new(&bot_id);
        let accounts = folder.path().join("openclaw-weixin/accounts");
        std::fs::create_dir_all(&accounts).unwrap();
        let json = serde_json::json!({ "token": token, "baseUrl": BASE_URL, "userId": user_id });
        std::fs::write(accounts.join(format!("{account}.json")), json.to_string()).unwrap();
        let transport = Simulated::default();
        Self { simulator, folder: Arc::new(folder), account, transport, seen: Arc::default(), seed }
    }

    async fn serve(self) -> Result<(), Box<dyn StdError>> {
        let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            let simulator = self.simulator.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let simulator = simulator.clone();
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await?.to_bytes();
                    Ok::<_, BoxError>(simulator.handle(Request::from_parts(head, body)).await?)
                }
            });
            // An error is a connection that broke.
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    }

    async fn build(&self) -> Result<(Channel, Deliveries), weixin_channel::Error> {
        let now = || {
            UNIX_EPOCH
                + Duration::from_millis(IN_PROCESS_EPOCH_MS)
                + turmoil::sim_elapsed().unwrap_or_default()
        };
        let client = Client::builder().base_url(BASE_URL).transport(self.transport.clone()).clock(now);
        let mut policy = InboundPolicy::default();
        // No handler ever fails: whoever thinks that one did is wrong, and gives its message up.
        policy.max_attempts = 1;
        (policy.max_held, policy.max_held_per_peer) = (12, 4);
        let mut options = FolderOptions::default();
        options.paused_clock = true;
        let below = FolderBackend::open(StateDir::new(self.folder.path()), options).await?;
        // A disk that takes its time, so that whatever may happen does so in between.
        let pauses = Mutex::new(fastrand::Rng::with_seed(self.seed));
        let hook: Hook = Arc::new(move |call, _| {
            let slow = if call == "ingest" { 3_000 } else { 100 };
            let pause = Duration::from_millis(pauses.lock().unwrap().u64(0..slow));
            Box::pin(async move {
                sleep(pause).await;
                Ok(())
            })
        });
        let backend = Hooked { below, hook, dead: Arc::default() };
        let builder = Channel::builder().state_dir(self.folder.path()).client(client).paused_clock();
        builder.backend(backend).inbound(policy).build().await
    }

    /// A program that answers everybody, and stops and starts its account now and then.
    async fn run(self) -> Result<(), Box<dyn StdError>> {
        let start = {
            let mut seen = self.seen.lock().unwrap();
            seen.starts += 1;
            seen.starts
        };
        let mut random = fastrand::Rng::with_seed(self.seed ^ (start << 32));
        // The thread of a program that has crashed lets go of its files a little later.
        let (channel, mut deliveries) = loop {
            match self.build().await {
                Ok(built) => break built,
                Err(_) => sleep(Duration::from_secs(1)).await,
            }
        };
        let mut handlers = JoinSet::new();
        let mut events = channel.status_events();
        loop {
            while channel.start(&self.account, config()).await.is_err() {
                sleep(Duration::from_secs(1)).await;
            }
            let stop = sleep(Duration::from_secs(random.u64(10..200)));
            tokio::pin!(stop);
            loop {
                tokio::select! {
                    () = &mut stop => break,
                    delivery = deliveries.next() => {
                        let pause = Duration::from_millis(random.u64(0..3_000));
                        handlers.spawn(self.clone().handle(delivery.unwrap(), pause));
                    }
                    Some(handled) = handlers.join_next() => handled?,
                    event = events.recv() => {
                        let Ok(status) = event else { continue };
                        let mut seen = self.seen.lock().unwrap();
                        (seen.status, seen.dead) = (Some((status.state, status.pending)), status.dead);
                    }
                }
            }
            channel.stop(&self.account).await;
        }
    }

    async fn handle(self, delivery: Delivery, pause: Duration) {
        sleep(pause).await;
        let (user, text) = (delivery.inbound.from.to_string(), delivery.inbound.text.clone());
        self.seen.lock().unwrap().begun.insert(text.clone());
        if delivery.ack().await.is_ok() {
            self.seen.lock().unwrap().handled.entry(user).or_default().push(text);
        }
    }

    fn send(&self, user: &str, text: &str) {
        self.simulator.phone(user).send_text(text);
        let mut seen = self.seen.lock().unwrap();
        seen.sent.entry(user.to_owned()).or_default().push(text.to_owned());
    }

    /// Everything is handled, and the account is well.
    fn is_well(&self) -> bool {
        let seen = self.seen.lock().unwrap();
        seen.status == Some((AccountState::Online, 0))
            && seen.sent.values().flatten().all(|text| seen.begun.contains(text))
    }

    fn check(&self) {
        let seen = self.seen.lock().unwrap();
        assert_eq!(seen.dead, 0, "no handler has failed");
        for (user, sent) in &seen.sent {
            let handled = seen.handled.get(user).map_or(&[][..], Vec::as_slice);
            // Once each, in order; but for those of which a handler that has crashed did not hear.
            let mut rest = handled.iter().peekable();
            for text in sent {
                let is_told = rest.next_if_eq(&text).is_some();
                assert!(is_told || seen.begun.contains(text) && seen.starts > 1, "{user}: {text} is missing");
            }
            assert_eq!(rest.next(), None, "{user}: out of order, or twice");
        }
        assert_eq!(self.transport.most.load(Ordering::Relaxed), 1, "one poll at a time");
        self.simulator.assert_conformant();
    }
}

/// What may happen to a network and to whoever is on it.
fn trouble(sim: &mut turmoil::Sim<'_>, random: &mut fastrand::Rng) {
    match random.u32(0..9) {
        0 => sim.partition(PROGRAM, SERVER),
        1 => sim.partition_oneway(PROGRAM, SERVER),
        2 => sim.partition_oneway(SERVER, PROGRAM),
        3 => sim.hold(PROGRAM, SERVER),
        4 => {
            sim.set_link_max_message_latency(PROGRAM, SERVER, Duration::from_millis(random.u64(1..20_000)));
        }
        5 => sim.set_link_fail_rate(PROGRAM, SERVER, 0.1),
        6 => {
            sim.crash(PROGRAM);
            sim.bounce(PROGRAM);
        }
        7 => {
            sim.crash(SERVER);
            sim.bounce(SERVER);
        }
        _ => calm(sim),
    }
}

fn calm(sim: &mut turmoil::Sim<'_>) {
    sim.set_link_fail_rate(PROGRAM, SERVER, 0.0);
    sim.set_link_max_message_latency(PROGRAM, SERVER, Duration::from_millis(100));
    sim.repair(PROGRAM, SERVER);
    sim.release(PROGRAM, SERVER);
}

fn live(seed: u64) -> String {
    let mut random = fastrand::Rng::with_seed(seed);
    let world = World::new(seed);
    let mut sim = turmoil::Builder::new()
        .rng_seed(seed)
        .tick_duration(Duration::from_millis(20))
        .simulation_duration(2 * (TROUBLE + RECOVERY))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(500))
        .enable_random_order()
        .build();
    let of = world.clone();
    sim.host(SERVER, move || of.clone().serve());
    let of = world.clone();
    sim.host(PROGRAM, move || of.clone().run());
    let (mut next_trouble, mut next_message, mut number) = (Duration::ZERO, Duration::ZERO, 0);
    while sim.elapsed() < TROUBLE {
        if sim.elapsed() >= next_message {
            // Now and then one of them writes a lot.
            let many = if random.u32(0..20) == 0 { 30 } else { 1 };
            let user = USERS[random.usize(0..USERS.len())];
            for _ in 0..many {
                number += 1;
                world.send(user, &format!("message {number}"));
            }
            next_message = sim.elapsed() + Duration::from_millis(random.u64(0..8_000));
        }
        if sim.elapsed() >= next_trouble {
            trouble(&mut sim, &mut random);
            next_trouble = sim.elapsed() + Duration::from_secs(random.u64(1..40));
        }
        sim.step().unwrap();
    }
    calm(&mut sim);
    let recovered_by = sim.elapsed() + RECOVERY;
    while !world.is_well() {
        let now = world.seen.lock().unwrap();
        assert!(sim.elapsed() < recovered_by, "seed {seed}: {:?}, {:?}", now.status, now.handled);
        drop(now);
        sim.step().unwrap();
    }
    // Nothing comes twice.
    let quiet = sim.elapsed() + Duration::from_secs(60);
    while sim.elapsed() < quiet {
        sim.step().unwrap();
    }
    world.check();
    let now = world.seen.lock().unwrap();
    let unsure = number - now.handled.values().map(Vec::len).sum::<usize>();
    format!("seed {seed}: {number} messages, {} starts of the program, {unsure} unsure", now.starts)
}

#[test]
fn nothing_is_lost_in_any_network() {
    let number = |name| std::env::var(name).ok().map(|number| number.parse::<u64>().unwrap());
    let (first, runs) = (number("NETWORK_SEED").unwrap_or(1), number("NETWORK_RUNS").unwrap_or(4));
    for seed in first..first + runs {
        println!("{}", live(seed));
    }
}
