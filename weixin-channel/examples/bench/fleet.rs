//! Several processes share accounts over PostgreSQL while everything that can happen to them does: killed, stopped for
//! longer than a lease, the database restarted, the network to it cut.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use ilink_fixtures::postgres::{Durability, Server};
use ilink_fixtures::{Poll, Simulator};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use weixin_channel::backend::{Accounts as _, Journal as _};
use weixin_channel::fleet::{Fleet, FleetOptions};
use weixin_channel::ilink_client::{BotAgent, Credentials};
use weixin_channel::postgres::{PostgresBackend, PostgresOptions};
use weixin_channel::{AccountId, Channel};

use crate::{Outcome, lab, option};

const PROCESSES: usize = 3;

/// Shorter than a process lives without a sign of life: a poll of one that was stopped has ended at the server before
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
    let mut plan: Vec<Fault> =
        faults.iter().flat_map(|(fault, times)| (0..*times).map(|_| *fault)).collect();
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
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    File::create(&log)?;
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
        let child = spawn(&simulator.url(), &url, &name, &log)?;
        processes.push(Process { name, url, cut, child });
    }
    let all: HashSet<String> = bots.iter().map(|(_, bot)| bot.bot_id.to_string()).collect();
    polled_since(&watched, &all, Instant::now(), None).await;
    println!("{accounts} accounts run in {PROCESSES} processes after {} s", begin.elapsed().as_secs());

    let (stop, mut stopped) = watch::channel(false);
    let phones: Vec<_> = bots.iter().map(|(user, bot)| simulator.phone(user).writing_to(&bot.bot_id)).collect();
    let writing = tokio::spawn(async move {
        let mut pace = tokio::time::interval(Duration::from_secs(1) / u32::try_from(rate).unwrap_or(1).max(1));
        let mut sent = 0_usize;
        loop {
            tokio::select! {
                _ = stopped.changed() => return sent,
                _ = pace.tick() => {}
            }
            phones[sent % phones.len()].send_text(&format!("m{sent}"));
            sent += 1;
        }
    });
    let mut server = Some(server);
    let (mut taken, mut restarts, mut missed) = (Vec::new(), Vec::new(), 0);
    for (n, fault) in plan.iter().enumerate() {
        tokio::time::sleep(Duration::from_millis(random.u64(500..1_500))).await;
        let process = &mut processes[random.usize(..PROCESSES)];
        let owned: HashSet<String> = {
            let seen = lock(&watched);
            seen.last.iter().filter(|(_, (who, _))| who.contains(&process.name)).map(|(id, _)| id.clone()).collect()
        };
        let at = Instant::now();
        let mut times = match fault {
            Fault::Kill => {
                process.child.kill()?;
                process.child.wait()?;
                let times = polled_since(&watched, &owned, at, Some(&process.name)).await;
                process.child = spawn(&simulator.url(), &process.url, &process.name, &log)?;
                times
            }
            Fault::Stop => {
                signal(&process.child, "STOP")?;
                let times = polled_since(&watched, &owned, at, Some(&process.name)).await;
                signal(&process.child, "CONT")?;
                times
            }
            Fault::Cut => {
                process.cut.send_replace(true);
                let times = polled_since(&watched, &owned, at, Some(&process.name)).await;
                process.cut.send_replace(false);
                times
            }
            Fault::Restart => {
                if let Some(mut running) = server.take() {
                    let restarted = tokio::task::spawn_blocking(move || running.restart().map(|()| running)).await?;
                    server = Some(restarted?);
                }
                restarts.extend(polled_since(&watched, &all, Instant::now(), None).await);
                Vec::new()
            }
        };
        missed += owned.len() - if times.is_empty() { owned.len() } else { times.len() };
        times.sort_unstable();
        println!("{:>3} {fault:?} of {}: {} accounts, {}", n + 1, process.name, owned.len(), figures(&times));
        taken.append(&mut times);
        // Until the one that is back has its share again.
        let name = process.name.clone();
        until(PATIENCE, || lock(&watched).last.values().filter(|(who, _)| who.contains(&name)).count() * PROCESSES * 2 > accounts)
            .await;
    }
    let _ = stop.send(true);
    let sent = writing.await?;
    let (mut report, mut pending) = (Report::read(&log, accounts)?, usize::MAX);
    let deadline = Instant::now() + PATIENCE * 2;
    while (report.handled.len() < sent || pending > 0) && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(500)).await;
        report = Report::read(&log, accounts)?;
        pending = 0;
        for (_, bot) in &bots {
            pending += backend.counts(&AccountId::new(bot.bot_id.as_str())).await?.pending;
        }
    }
    // By themselves: a clean stop.
    for process in &mut processes {
        drop(process.child.stdin.take());
    }
    for process in &mut processes {
        process.child.wait()?;
    }
    taken.sort_unstable();
    restarts.sort_unstable();
    let seen = lock(&watched);
    println!("{} faults in {} s, {sent} messages, {} polls", plan.len(), begin.elapsed().as_secs(), seen.polls);
    println!("take-over of an account        {}", figures(&taken));
    println!("polled after a restart of the database {}", figures(&restarts));
    println!("not taken over within {} s     {missed}", PATIENCE.as_secs());
    println!("handled                        {}", report.handled.len());
    println!("not acknowledged               {pending}");
    println!("handled again                  {} (before an acknowledgement was known)", report.again);
    println!("lost                           {}", sent - report.handled.len());
    println!("after their acknowledgement    {}", report.after);
    println!("out of order                   {}", report.disorder);
    println!("two pollers at once            {}", seen.overlaps.len());
    for overlap in seen.overlaps.iter().take(5) {
        println!("    {overlap}");
    }
    simulator.assert_conformant();
    let wrong = sent - report.handled.len() + report.after + report.disorder + seen.overlaps.len() + missed + pending;
    if wrong > 0 {
        return Err("the fleet did not keep what it promises".into());
    }
    Ok(())
}

fn watch_polls(simulator: &Simulator, watched: Shared) {
    let mut polls = simulator.watch_polls();
    tokio::spawn(async move {
        while let Some(Poll { bot_id, agent, hanging }) = polls.recv().await {
            let mut seen = lock(&watched);
            seen.polls += 1;
            if hanging > 0 {
                let before = seen.last.get(&bot_id).map(|(who, at)| format!("{who} {} ms before", at.elapsed().as_millis()));
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
        for account in accounts.iter().filter(|account| !times.contains_key(*account)).cloned().collect::<Vec<_>>() {
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

fn spawn(simulator: &str, database: &str, name: &str, log: &Path) -> std::io::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["fleet-child", simulator, database, name]).arg(log);
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

/// What the processes wrote down.
#[derive(Default)]
struct Report {
    handled: HashSet<usize>,
    again: usize,
    after: usize,
    disorder: usize,
}

impl Report {
    fn read(log: &Path, accounts: usize) -> std::io::Result<Self> {
        let (mut report, mut acknowledged) = (Self::default(), HashSet::new());
        let mut last: HashMap<usize, usize> = HashMap::new();
        for line in std::fs::read_to_string(log)?.lines() {
            let Some((what, number)) = line.split_once(' ') else { continue };
            let Ok(number) = number.parse::<usize>() else { continue };
            if what == "acknowledged" {
                acknowledged.insert(number);
                continue;
            }
            report.after += usize::from(acknowledged.contains(&number));
            let new = report.handled.insert(number);
            report.again += usize::from(!new);
            let last = last.entry(number % accounts).or_default();
            report.disorder += usize::from(new && number < *last);
            *last = number.max(*last);
        }
        Ok(report)
    }
}

/// One of the processes, until its standard input ends.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
pub(crate) async fn child(simulator: &str, database: &str, name: &str, log: &str) -> Outcome {
    let log = Arc::new(OpenOptions::new().append(true).open(log)?);
    let mut options = PostgresOptions::default();
    options.name = Some(name.to_owned());
    let backend = PostgresBackend::open(database, options).await?;
    let folder = tempfile::tempdir()?;
    let builder = Channel::builder().state_dir(folder.path()).backend(backend.clone()).base_url(simulator);
    let builder = builder.sends(lab::unlimited()).bot_agent(BotAgent::new(&format!("bench-{name}/1")));
    let (channel, mut deliveries) = builder.build().await?;
    let mut options = FleetOptions::default();
    options.config = Arc::new(|_| lab::open());
    let fleet = Fleet::start(channel.clone(), backend, options);
    let mut stdin = tokio::io::stdin();
    let mut byte = [0];
    loop {
        let delivery = tokio::select! {
            Some(delivery) = deliveries.next() => delivery,
            _ = stdin.read(&mut byte) => break,
        };
        let number = delivery.inbound.text.trim_start_matches('m').to_owned();
        (&*log).write_all(format!("handled {number}\n").as_bytes())?;
        let log = log.clone();
        tokio::spawn(async move {
            // A turn takes its time.
            tokio::time::sleep(Duration::from_micros(fastrand::u64(..5_000))).await;
            if delivery.ack().await.is_ok() {
                let _ = (&*log).write_all(format!("acknowledged {number}\n").as_bytes());
            }
        });
    }
    fleet.stop().await;
    Ok(())
}
