//! Memory of accounts that wait for messages. The simulator is a process of its own, and so is each measurement.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ilink_fixtures::Simulator;
use weixin_channel::{Channel, LinkState};

use crate::{Outcome, lab};

pub(crate) fn run() -> Outcome {
    println!("\nmemory of idle accounts on the simulator (RSS of the process):");
    let mut base = 0;
    for wanted in [1_u64, 100, 1_000, 10_000] {
        let accounts = wanted.min(affordable()?);
        let folder = tempfile::tempdir()?;
        let mut simulator = itself(&["idle-simulator"])?;
        let mut simulator_in = simulator.stdin.take().ok_or("no stdin")?;
        let mut lines = BufReader::new(simulator.stdout.take().ok_or("no stdout")?).lines();
        let url = lines.next().ok_or("no URL")??;
        for n in 0..accounts {
            writeln!(simulator_in, "o9cq8idle{n:06}@im.wechat")?;
            lab::write_account(folder.path(), &serde_json::from_str(&lines.next().ok_or("no bot")??)?)?;
        }
        let child = itself(&["idle-child", &url, &folder.path().to_string_lossy()])?;
        let output = child.wait_with_output()?;
        let kib: u64 = String::from_utf8_lossy(&output.stdout).trim().parse()?;
        if accounts == 1 {
            base = kib;
        }
        let each = kib.saturating_sub(base) as f64 / accounts as f64;
        println!(
            "{accounts:>7} accounts  {:>7.1} MiB   {each:>6.1} KiB more per account",
            kib as f64 / 1024.0
        );
        simulator.kill()?;
        simulator.wait()?;
    }
    Ok(())
}

/// How many accounts this machine allows a process: each has a lock and a connection.
fn affordable() -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
    let output = Command::new("sh").args(["-c", "ulimit -Hn"]).output()?;
    let files = String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(u64::MAX);
    Ok(files.saturating_sub(200) / 2)
}

/// This program with as many files open as the machine allows, which is more than shells do by default.
fn itself(args: &[&str]) -> std::io::Result<Child> {
    let program = std::env::current_exe()?;
    Command::new("sh")
        .args(["-c", "ulimit -n \"$(ulimit -Hn)\" && exec \"$0\" \"$@\""])
        .arg(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
}

/// Says its URL, then makes a bot for each user that is written to it.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn simulator() -> Outcome {
    let simulator = Simulator::start().await?;
    println!("{}", simulator.url());
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(tokio::io::stdin()));
    while let Some(user) = lines.next_line().await? {
        let bot = simulator.add_bot(&user);
        let json = serde_json::json!({ "bot_id": bot.bot_id, "token": bot.token, "user_id": bot.user_id });
        println!("{json}");
    }
    Ok(())
}

/// Starts all accounts, waits until they poll, and says how much memory it has.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn child(url: &str, folder: &str) -> Outcome {
    let (channel, _deliveries) = Channel::builder().state_dir(folder).base_url(url).build().await?;
    let ids: Vec<_> = channel.accounts().await?.into_iter().map(|account| account.id).collect();
    for id in &ids {
        channel.start(id, lab::open()).await?;
    }
    // An account is online once a poll was answered, which the simulator does after 35 s: then all of them wait in
    // their second.
    while !ids.iter().all(|id| channel.status(id).state == LinkState::Online) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    println!("{}", rss.trim().trim_end_matches("kB").trim());
    Ok(())
}
