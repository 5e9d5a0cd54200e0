//! Memory of accounts that wait for messages. The simulator is a process of its own, and so is each measurement.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use ilink_fixtures::Simulator;
use ilink_fixtures::net::Network;
use weixin_channel::ilink_client::Client;
use weixin_channel::{AccountState, Channel};

use crate::{Outcome, lab};

/// How an account reaches the simulator.
#[derive(Clone, Copy)]
enum Way {
    /// Plain http.
    Http,
    /// The hosts that are compiled in, over TLS, through a proxy.
    Tls,
}

pub(crate) fn run() -> Outcome {
    for (way, name) in [(Way::Http, "plain http"), (Way::Tls, "TLS")] {
        println!("\nmemory of idle accounts on the simulator, over {name} (RSS of the process):");
        measure(way)?;
    }
    Ok(())
}

fn measure(way: Way) -> Outcome {
    let mut base = 0;
    for wanted in [1_u64, 100, 1_000, 10_000] {
        let accounts = wanted.min(affordable()?);
        let folder = tempfile::tempdir()?;
        let mut simulator = command(&["idle-simulator"]).spawn()?;
        let mut simulator_in = simulator.stdin.take().ok_or("no stdin")?;
        let mut lines = BufReader::new(simulator.stdout.take().ok_or("no stdout")?).lines();
        let address: serde_json::Value = serde_json::from_str(&lines.next().ok_or("no address")??)?;
        let address = |name: &str| address[name].as_str().unwrap_or_default().to_owned();
        for n in 0..accounts {
            writeln!(simulator_in, "o9cq8idle{n:06}@im.wechat")?;
            lab::write_account(folder.path(), &serde_json::from_str(&lines.next().ok_or("no bot")??)?)?;
        }
        let folder_name = folder.path().to_string_lossy();
        let child = match way {
            Way::Http => command(&["idle-child", &address("url"), &folder_name]).spawn()?,
            Way::Tls => {
                let ca = folder.path().join("ca.pem");
                std::fs::write(&ca, address("ca"))?;
                let args = ["idle-child", "", &folder_name];
                command(&args).env("HTTPS_PROXY", address("proxy")).env("SSL_CERT_FILE", ca).spawn()?
            }
        };
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
fn command(args: &[&str]) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n \"$(ulimit -Hn)\" && exec \"$0\" \"$@\""]);
    command.arg(std::env::current_exe().unwrap_or_else(|_| "bench".into())).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Says its addresses, then makes a bot for each user that is written to it.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn simulator() -> Outcome {
    let simulator = Simulator::start().await?;
    let network = Network::start(&simulator).await?;
    let (proxy, ca) = (network.https_proxy(), network.ca_pem());
    println!("{}", serde_json::json!({ "url": simulator.url(), "proxy": proxy, "ca": ca }));
    let mut lines = tokio::io::AsyncBufReadExt::lines(tokio::io::BufReader::new(tokio::io::stdin()));
    while let Some(user) = lines.next_line().await? {
        let bot = simulator.add_bot(&user);
        let json = serde_json::json!({ "bot_id": bot.bot_id, "token": bot.token, "user_id": bot.user_id });
        println!("{json}");
    }
    Ok(())
}

/// Starts all accounts, waits until they poll, and says how much memory it has. Without a URL they go to the hosts that
/// are compiled in.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn child(url: &str, folder: &str) -> Outcome {
    let mut builder = Channel::builder().state_dir(folder);
    if !url.is_empty() {
        builder = builder.client(Client::builder().base_url(url));
    }
    let (channel, _deliveries) = builder.build().await?;
    let ids: Vec<_> = channel.accounts().await?.into_iter().map(|account| account.id).collect();
    for id in &ids {
        channel.start(id, lab::open()).await?;
    }
    // An account is online once a poll was answered, which the simulator does after 35 s: then all of them wait in
    // their second.
    while !ids.iter().all(|id| channel.status(id).state == AccountState::Online) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let status = std::fs::read_to_string("/proc/self/status")?;
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    println!("{}", rss.trim().trim_end_matches("kB").trim());
    Ok(())
}
