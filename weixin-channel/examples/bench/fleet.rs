//! Several processes share accounts over PostgreSQL while everything that can happen to them does: killed, stopped for
//! longer than a lease, the database restarted, the network to it cut.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use ilink_fixtures::postgres::{Durability, Server};
use ilink_fixtures::{BotInfo, Phone, Poll, Simulator};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use weixin_channel::AccountId;
use weixin_channel::backend::{Accounts as _, Journal as _};
use weixin_channel::ilink_client::Credentials;
use weixin_channel::postgres::{PostgresBackend, PostgresOptions};

use crate::fleet_child::Report;
use crate::{Outcome, option};

const PROCESSES: usize = 3;

/// Shorter than a process lives without a heartbeat: a poll of one that was stopped has ended at the server before
/// another may poll, so that two at once are two that mean to.
const LONG_POLL: Duration = Duration::from_secs(4);

/// How long a take-over may take here before it counts as none.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Kill,
    Stop,
    Restart,
    Cut,
}

pub(crate) fn run(args: &[&str]) -> Outcome {
    let short = args.contains(&"--short");
    let number = |name, full, short_form| option(args, name, if short { short_form } else { full });
    let accounts = usize::try_from(number("--accounts", 3_000, 150)?)?;
    let faults = [
        (Fault::Kill, number("--kills", 50, 2)?),
        (Fault::Stop, number("--stops", 20, 1)?),
        (Fault::Restart, number("--restarts", 10, 1)?),
        (Fault::Cut, number("--cuts", 10, 1)?),
    ];
    let (rate, seed) = (option(args, "--rate", 100)?, option(args, "--seed", 1)?);
    let mut random = fastrand::Rng::with_seed(seed);
    let mut plan: Vec<Fault> = faults.iter().flat_map(|(fault, times)| (0..*times).map(|_| *fault)).collect();
    random.shuffle(&mut plan);
    let Some(server) = Server::start(Durability::Power)? else { return Ok(()) };
    tokio::runtime::Runtime::new()?.block_on(parent(server, accounts, &plan, rate, random))
}

/// Who polled each account last, and what was seen of it.
#[derive(Default)]
struct Watched {
    last: HashMap<String, (String, Instant)>,
    polls: u64,
    /// Polls that began while another of the same token hung.
    overlaps: Vec<String>,
}

type Shared = Arc<Mutex<Watched>>;

fn lock(watched: &Shared) -> std::sync::MutexGuard<'_, Watched> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Process {
    name: String,
    url: String,
    cut: watch::Sender<bool>,
    child: Child,
}

async fn parent(
    server: Server,
    accounts: usize,
    plan: &[Fault],
    rate: u64,
    mut random: fastrand::Rng,
) -> Outcome {
    let begin = Instant::now();
    let mut bench = Bench::new(server, accounts).await?;
    println!("{accounts} accounts run in {PROCESSES} processes after {} s", begin.elapsed().as_secs());
    let (stop, stopped) = watch::channel(false);
    let writing = tokio::spawn(write(bench.phones(), rate, stopped));
    let mut seen = Seen::default();
    for (n, fault) in plan.iter().enumerate() {
        tokio::time::sleep(Duration::from_millis(random.u64(500..1_500))).await;
        let victim = random.usize(..PROCESSES);
        let told = bench.suffer(*fault, victim, &mut seen).await?;
        println!("{:>3} {fault:?} of {}: {told}", n + 1, bench.processes[victim].name);
    }
    let _ = stop.send(true);
    let sent = writing.await?;
    let (report, pending) = bench.drain(sent).await?;
    bench.stop()?;
    let Seen { mut taken, mut restarts, missed } = seen;
    taken.sort_unstable();
    restarts.sort_unstable();
    let watched = lock(&bench.watched);
    let lost = sent - report.handled.len();
    println!(
        "{} faults in {} s, {sent} messages, {} polls",
        plan.len(),
        begin.elapsed().as_secs(),
        watched.polls
    );
    println!("take-over of an account        {}", figures(&taken));
    println!("polled after a restart of the database {}", figures(&restarts));
    println!("not taken over within {} s     {missed}", PATIENCE.as_secs());
    println!("handled                        {}", report.handled.len());
    println!("not acknowledged               {pending}");
    println!("handled again                  {} (before an acknowledgement was known)", report.again);
    println!("lost                           {lost}");
    println!("after their acknowledgement    {}", report.after);
    println!("out of order                   {}", report.disorder);
    println!("two pollers at once            {}", watched.overlaps.len());
    for overlap in watched.overlaps.iter().take(5) {
        println!("    {overlap}");
    }
    bench.simulator.assert_conformant();
    let wrong = lost + report.after + report.disorder + watched.overlaps.len() + missed + pending;
    if wrong > 0 { Err("the fleet did not keep what it promises".into()) } else { Ok(()) }
}

/// What faults came to.
#[derive(Default)]
struct Seen {
    /// How long accounts took to be polled by another process.
    taken: Vec<Duration>,
    /// How long they took to be polled after a restart of the database.
    restarts: Vec<Duration>,
    missed: usize,
}

struct Bench {
    simulator: Simulator,
    /// Users and bots.
    bots: Vec<(String, BotInfo)>,
    backend: PostgresBackend,
    watched: Shared,
    processes: Vec<Process>,
    folder: tempfile::TempDir,
    /// Behind those that use it: fields are dropped in this order.
    server: Option<Server>,
}

impl Bench {
    async fn new(server: Server, accounts: usize) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        File::create(folder.path().join("log"))?;
        let simulator = Simulator::builder().long_poll(LONG_POLL).start().await?;
        let backend = PostgresBackend::open(&server.url("postgres"), PostgresOptions::default()).await?;
        let mut bots = Vec::new();
        for n in 0..accounts {
            let user = format!("o9cq8bench{n:05}@im.wechat");
            let bot = simulator.add_bot(&user);
            let login = Credentials::new(bot.bot_id.as_str(), bot.token.as_str()).user_id(user.as_str());
            backend.save_login(&login, SystemTime::now()).await?;
            bots.push((user, bot));
        }
        let watched = Shared::default();
        watch_polls(&simulator, watched.clone());
        let mut processes = Vec::new();
        for n in 0..PROCESSES {
            let (name, (cut, cutting)) = (format!("p{n}"), watch::channel(false));
            let port = proxy(server.port(), cutting).await?;
            let url = format!("postgres://weixin@127.0.0.1:{port}/postgres?sslmode=disable");
            let child = spawn(&simulator.url(), &url, &name, folder.path())?;
            processes.push(Process { name, url, cut, child });
        }
        let bench = Self { simulator, bots, backend, watched, processes, folder, server: Some(server) };
        polled_since(&bench.watched, &bench.all(), Instant::now(), None).await;
        Ok(bench)
    }

    fn all(&self) -> HashSet<String> {
        self.bots.iter().map(|(_, bot)| bot.bot_id.clone()).collect()
    }

    /// Each user's, set to write to their bot.
    fn phones(&self) -> Vec<Phone> {
        let phone = |(user, bot): &(String, BotInfo)| self.simulator.phone(user).writing_to(&bot.bot_id);
        self.bots.iter().map(phone).collect()
    }

    /// Does it to a process, and waits until it is made up for.
    async fn suffer(&mut self, fault: Fault, victim: usize, seen: &mut Seen) -> Outcome<String> {
        let (watched, all) = (self.watched.clone(), self.all());
        let process = &mut self.processes[victim];
        let name = process.name.clone();
        let owned: HashSet<String> = {
            let watched = lock(&watched);
            let theirs = watched.last.iter().filter(|(_, (who, _))| who.contains(&name));
            theirs.map(|(id, _)| id.clone()).collect()
        };
        let taken_over = polled_since(&watched, &owned, Instant::now(), Some(&name));
        let mut times = match fault {
            Fault::Kill => {
                process.child.kill()?;
                process.child.wait()?;
                let times = taken_over.await;
                process.child = spawn(&self.simulator.url(), &process.url, &name, self.folder.path())?;
                times
            }
            Fault::Stop => {
                signal(&process.child, "STOP")?;
                let times = taken_over.await;
                signal(&process.child, "CONT")?;
                times
            }
            Fault::Cut => {
                process.cut.send_replace(true);
                let times = taken_over.await;
                process.cut.send_replace(false);
                times
            }
            Fault::Restart => {
                if let Some(mut running) = self.server.take() {
                    let restarted =
                        tokio::task::spawn_blocking(move || running.restart().map(|()| running)).await?;
                    self.server = Some(restarted?);
                }
                let mut times = polled_since(&watched, &all, Instant::now(), None).await;
                times.sort_unstable();
                seen.missed += all.len() - times.len();
                let told = format!("{} accounts, {}", all.len(), figures(&times));
                seen.restarts.append(&mut times);
                return Ok(told);
            }
        };
        seen.missed += owned.len() - times.len();
        times.sort_unstable();
        let told = format!("{} accounts, {}", owned.len(), figures(&times));
        seen.taken.append(&mut times);
        // Until the one that is back has its share again, or most of it.
        let share = all.len() / PROCESSES / 2;
        let count = || lock(&watched).last.values().filter(|(who, _)| who.contains(&name)).count();
        until(PATIENCE, || count() > share).await;
        Ok(told)
    }

    /// What was handled in the end, and how much is not acknowledged.
    async fn drain(&self, sent: usize) -> Outcome<(Report, usize)> {
        let deadline = Instant::now() + PATIENCE * 2;
        loop {
            let report = Report::read(&self.folder.path().join("log"), self.bots.len())?;
            let mut pending = 0;
            for (_, bot) in &self.bots {
                pending += self.backend.counts(&AccountId::new(bot.bot_id.as_str())).await?.pending;
            }
            if (report.handled.len() == sent && pending == 0) || Instant::now() > deadline {
                return Ok((report, pending));
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }

    /// All processes, cleanly.
    fn stop(&mut self) -> Outcome {
        for process in &mut self.processes {
            drop(process.child.stdin.take());
        }
        for process in &mut self.processes {
            process.child.wait()?;
        }
        Ok(())
    }
}

/// Sends messages at this rate a second, each user in turn, until stopped; returns how many.
async fn write(phones: Vec<Phone>, rate: u64, mut stopped: watch::Receiver<bool>) -> usize {
    let rate = u32::try_from(rate).unwrap_or(u32::MAX).max(1);
    let mut pace = tokio::time::interval(Duration::from_secs(1) / rate);
    for sent in 0.. {
        tokio::select! {
            _ = stopped.changed() => return sent,
            _ = pace.tick() => {}
        }
        phones[sent % phones.len()].send_text(&format!("m{sent}"));
    }
    0
}

fn watch_polls(simulator: &Simulator, watched: Shared) {
    let mut polls = simulator.watch_polls();
    tokio::spawn(async move {
        while let Some(Poll { bot_id, agent, hanging }) = polls.recv().await {
            let mut seen = lock(&watched);
            seen.polls += 1;
            if hanging > 0 {
                let before = seen
                    .last
                    .get(&bot_id)
                    .map(|(who, at)| format!("{who} {} ms before", at.elapsed().as_millis()));
                let overlap = format!("{bot_id}: {agent}, after {}", before.unwrap_or_default());
                seen.overlaps.push(overlap);
            }
            seen.last.insert(bot_id, (agent, Instant::now()));
        }
    });
}

/// How long each took until somebody else than `not` polled it.
async fn polled_since(
    watched: &Shared,
    accounts: &HashSet<String>,
    since: Instant,
    not: Option<&str>,
) -> Vec<Duration> {
    let mut times: HashMap<String, Duration> = HashMap::new();
    let all = |times: &mut HashMap<String, Duration>| {
        let seen = lock(watched);
        for account in
            accounts.iter().filter(|account| !times.contains_key(*account)).cloned().collect::<Vec<_>>()
        {
            if let Some((who, at)) = seen.last.get(&account)
                && *at >= since
                && not.is_none_or(|not| !who.contains(not))
            {
                times.insert(account, at.duration_since(since));
            }
        }
        times.len() == accounts.len()
    };
    until(PATIENCE, || all(&mut times)).await;
    times.into_values().collect()
}

async fn until(limit: Duration, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + limit;
    while !done() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn figures(times: &[Duration]) -> String {
    if times.is_empty() {
        return "none".to_owned();
    }
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64();
    format!("p50 {:.2} s, p99 {:.2} s, longest {:.2} s", at(50), at(99), at(100))
}

fn signal(child: &Child, name: &str) -> Outcome {
    let status = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status()?;
    if status.success() { Ok(()) } else { Err(format!("kill -{name} failed").into()) }
}

fn spawn(simulator: &str, database: &str, name: &str, folder: &Path) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["fleet-child", simulator, database, name]).arg(folder.join("log"));
    command.stdin(Stdio::piped()).spawn()
}

/// A way to the database that can be cut: nothing goes through then, and nobody is told.
async fn proxy(port: u16, cut: watch::Receiver<bool>) -> std::io::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let own = listener.local_addr()?.port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let mut cut = cut.clone();
            tokio::spawn(async move {
                let _ = cut.wait_for(|cut| !cut).await;
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
                let (client, server) = (client.into_split(), server.into_split());
                tokio::spawn(copy(client.0, server.1, cut.clone()));
                copy(server.0, client.1, cut).await;
            });
        }
    });
    Ok(own)
}

async fn copy(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut cut: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let _ = cut.wait_for(|cut| !cut).await;
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
