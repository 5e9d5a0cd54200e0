//! One process of the fleet, and what all of them write down.

use std::collections::{HashMap, HashSet};
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use weixin_channel::Channel;
use weixin_channel::fleet::{Fleet, FleetOptions};
use weixin_channel::ilink_client::{BotAgent, Client};
use weixin_channel::postgres::{PostgresBackend, PostgresOptions};

use crate::{Outcome, lab};

/// What the processes wrote down.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) handled: HashSet<usize>,
    pub(crate) again: usize,
    pub(crate) after: usize,
    pub(crate) disorder: usize,
}

impl Report {
    pub(crate) fn read(log: &Path, accounts: usize) -> std::io::Result<Self> {
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
pub(crate) async fn run(simulator: &str, database: &str, name: &str, log: &str) -> Outcome {
    let log = Arc::new(OpenOptions::new().append(true).open(log)?);
    let mut options = PostgresOptions::default();
    options.name = Some(name.to_owned());
    let backend = PostgresBackend::open(database, options).await?;
    let folder = tempfile::tempdir()?;
    let client = Client::builder().base_url(simulator).bot_agent(BotAgent::new(&format!("bench-{name}/1")));
    let builder = Channel::builder().state_dir(folder.path()).backend(backend.clone());
    let builder = builder.sends(lab::unlimited()).client(client);
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
