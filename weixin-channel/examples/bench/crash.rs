//! A process that handles messages is killed at random moments, over and over.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ilink_fixtures::Simulator;
use weixin_channel::backend::Journal as _;
use weixin_channel::folder::{FolderBackend, FolderOptions};
use weixin_channel::ilink_client::Client;
use weixin_channel::{Channel, StateDir};

use crate::disk::Disk;
use crate::{Outcome, lab, option};

/// Users who write at the same time.
const USERS: usize = 8;

/// How long the last process may take for what the killed ones left.
const DRAIN: Duration = Duration::from_secs(60);

/// One call of so many fails, where the disk is to fail.
const ONE_IN: u32 = 200;

pub(crate) fn run(args: &[&str]) -> Outcome {
    let (kills, seed) = (option(args, "--kills", 1_000)?, option(args, "--seed", 1)?);
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(parent(kills, seed, args.contains(&"--disk-faults")))
}

/// Kills, and counts.
async fn parent(kills: u64, seed: u64, disk_faults: bool) -> Outcome {
    let simulator = Simulator::start().await?;
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("log");
    File::create(&log)?;
    let bot = simulator.add_bot(lab::USER);
    let account = lab::log_in(folder.path(), &bot)?;
    let users: Vec<String> = (0..USERS).map(|n| format!("o9cq8bench{n:04}@im.wechat")).collect();

    let mut random = fastrand::Rng::with_seed(seed);
    let (mut sent, begin) = (0_u64, Instant::now());
    let write = |sent: &mut u64| {
        let user = &users[usize::try_from(*sent).unwrap_or(0) % USERS];
        simulator.phone(user).writing_to(&bot.bot_id).send_text(&format!("m{sent}"));
        *sent += 1;
    };
    for _ in 0..kills {
        let faults = disk_faults.then(|| random.u64(..));
        let mut child = spawn(&simulator.url(), folder.path(), &log, faults)?;
        // From before it is up to well into its work.
        let alive = Duration::from_micros(random.u64(1_000..60_000));
        let until = Instant::now() + alive;
        while Instant::now() < until {
            write(&mut sent);
            tokio::time::sleep(Duration::from_micros(random.u64(500..4_000))).await;
        }
        child.kill()?;
        child.wait()?;
    }
    let mut child = spawn(&simulator.url(), folder.path(), &log, None)?;
    let deadline = Instant::now() + DRAIN;
    let journal = FolderBackend::open(StateDir::new(folder.path()), FolderOptions::default()).await?;
    let (report, pending) = loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let (report, pending) = (Report::read(&log)?, journal.counts(&account).await?.pending);
        if (report.handled.len() as u64 >= sent && pending == 0) || Instant::now() > deadline {
            break (report, pending);
        }
    };
    child.kill()?;
    child.wait()?;

    println!("{kills} kills in {} s, {sent} messages from {USERS} users", begin.elapsed().as_secs());
    if disk_faults {
        println!("the disk failed at one call in {ONE_IN}: {} errors were told", report.errors);
    }
    println!("handled          {}", report.handled.len());
    println!("not acknowledged {pending}");
    println!("handled again    {} (killed before they were acknowledged)", report.again);
    println!("lost             {}", sent - report.handled.len() as u64);
    println!("after their acknowledgement {}", report.after);
    println!("out of order     {}", report.disorder);
    let lost = sent != report.handled.len() as u64;
    if disk_faults && report.errors == 0 {
        return Err("the disk was to fail, and nobody noticed".into());
    }
    if lost || pending > 0 || report.after > 0 || report.disorder > 0 {
        return Err("messages were lost, or handled after their acknowledgement, or out of order".into());
    }
    Ok(())
}

/// `faults` is the seed by which its disk fails.
fn spawn(url: &str, folder: &Path, log: &Path, faults: Option<u64>) -> std::io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .arg("crash-child")
        .args([url.as_ref(), folder.as_os_str(), log.as_os_str()])
        .args(faults.map(|seed| seed.to_string()))
        .stdin(Stdio::null())
        .spawn()
}

/// What the children wrote down.
#[derive(Default)]
struct Report {
    handled: HashSet<u64>,
    acknowledged: HashSet<u64>,
    /// Handled more than once, before an acknowledgement was known.
    again: u64,
    /// Handled after the acknowledgement was known.
    after: u64,
    /// Begun before an earlier message of the same user.
    disorder: u64,
    /// Calls of the channel that failed.
    errors: u64,
}

impl Report {
    fn read(log: &Path) -> std::io::Result<Self> {
        let mut report = Self::default();
        let mut last: HashMap<u64, u64> = HashMap::new();
        for line in fs::read_to_string(log)?.lines() {
            let Some((what, number)) = line.split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            if what == "error" {
                report.errors += 1;
                continue;
            }
            if what == "acknowledged" {
                report.acknowledged.insert(number);
                continue;
            }
            report.after += u64::from(report.acknowledged.contains(&number));
            let new = report.handled.insert(number);
            report.again += u64::from(!new);
            let last = last.entry(number % USERS as u64).or_default();
            report.disorder += u64::from(new && number < *last);
            *last = number.max(*last);
        }
        Ok(report)
    }
}

/// Handles messages until it is killed, on a disk that fails at random if there is a seed for it. Each line of the log is
/// one write at its end.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn child(url: &str, folder: &str, log: &str, faults: &[&str]) -> Outcome {
    let log = OpenOptions::new().append(true).open(log)?;
    let disk = Disk::new();
    let mut options = FolderOptions::default();
    if let [seed] = faults {
        disk.fail_at_random(seed.parse()?, ONE_IN);
        options.vfs = Some(disk.name());
    }
    // What fails is tried again, as a program that is started again would.
    let failed = |error: weixin_channel::Error| -> Outcome {
        if faults.is_empty() {
            return Err(error.into());
        }
        Ok((&log).write_all(b"error 0\n")?)
    };
    let backend = loop {
        match FolderBackend::open(StateDir::new(folder), options.clone()).await {
            Ok(backend) => break backend,
            Err(error) => failed(error)?,
        }
    };
    let client = Client::builder().base_url(url);
    let builder =
        Channel::builder().state_dir(folder).backend(backend).client(client).sends(lab::unlimited());
    let (channel, mut deliveries) = builder.build().await?;
    for account in channel.accounts().await? {
        while let Err(error) = channel.start(&account.id, lab::open()).await {
            failed(error)?;
        }
    }
    while let Some(delivery) = deliveries.next().await {
        let number = delivery.inbound.text.trim_start_matches('m').to_owned();
        (&log).write_all(format!("handled {number}\n").as_bytes())?;
        // A turn takes its time.
        tokio::time::sleep(Duration::from_micros(fastrand::u64(..1_500))).await;
        match delivery.ack().await {
            Ok(()) => (&log).write_all(format!("acknowledged {number}\n").as_bytes())?,
            Err(error) => failed(error)?,
        }
    }
    Ok(())
}
