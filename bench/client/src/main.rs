//! `cargo xtask bench client`: ilink-client beside two published clients, in one run, on the simulator.
//!
//! Each measurement is a fresh process of this program, so that no client warms anything up for the next; the simulator
//! is in the parent. Printed are figures and their ratio to ours.

mod alloc;
mod peers;

use std::error::Error;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use ilink_fixtures::Simulator;
use serde_json::{Value, json};

use crate::peers::Peer;

#[global_allocator]
static ALLOCATOR: alloc::Counting = alloc::Counting;

/// Accounts that idle side by side.
const ACCOUNTS: usize = 1_000;

/// How often decoding is timed.
const RUNS: usize = 5;

/// How long empty polls are counted.
const POLLING: Duration = Duration::from_secs(5);

/// A measurement: its name, its unit, and whether more is better.
const MEASURES: [(&str, &str, bool); 4] = [
    ("messages decoded per second", "msg/s", true),
    ("allocations per message", "alloc", false),
    ("heap per idle account at 1,000 accounts", "KiB", false),
    ("processor time per 1,000 empty polls", "ms", false),
];

/// What a step ends with; an error is one sentence.
pub type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Outcome<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [child, peer, rest @ ..] = &args[..]
        && child == "child"
    {
        let peer = Peer::from_name(peer).ok_or_else(|| format!("there is no peer {peer:?}"))?;
        let figures = match rest {
            [what] if what == "decode" => peers::decode(peer).await?,
            [what, bots] if what == "idle" => peers::idle(peer, &read_bots(bots)?).await?,
            [what, bots] if what == "poll" => {
                let bots = read_bots(bots)?;
                peers::poll(peer, bots.first().ok_or("there is no bot to poll for")?, POLLING).await?
            }
            other => return Err(format!("there is no measurement {other:?}").into()),
        };
        println!("{}", Value::from(figures));
        return Ok(());
    }
    let mut table = vec![Vec::new(); MEASURES.len()];
    for peer in Peer::ALL {
        eprintln!("measuring {} …", peer.name());
        // The best of a few runs: what else the machine does only ever makes it slower.
        let mut decoded = child(peer, &["decode"]).await?;
        for _ in 1..RUNS {
            decoded[0] = child(peer, &["decode"]).await?[0].max(decoded[0]);
        }
        table[0].push(decoded[0]);
        table[1].push(decoded[1]);
        table[2].push(idle(peer).await?);
        table[3].push(empty_polls(peer).await?);
    }
    print(&table);
    Ok(())
}

/// The bots of a simulator as the child reads them.
fn bots(simulator: &Simulator, count: usize) -> String {
    let bots: Vec<Value> = (0..count)
        .map(|n| {
            let bot = simulator.add_bot(&format!("o9cq8bench{n:06}@im.wechat"));
            json!([simulator.url(), bot.bot_id, bot.token])
        })
        .collect();
    Value::from(bots).to_string()
}

fn read_bots(file: &str) -> Outcome<Vec<[String; 3]>> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {file}: {error}"))?;
    Ok(serde_json::from_str(&text)?)
}

/// Measures in a child that is given bots of a simulator.
async fn with_bots(peer: Peer, what: &str, simulator: &Simulator, count: usize) -> Outcome<f64> {
    let file = std::env::temp_dir().join(format!("ilink-bench-{what}-{}-{}.json", peer.name(), std::process::id()));
    let file = file.to_str().ok_or("the path of the temporary folder is not Unicode: set TMPDIR")?;
    std::fs::write(file, bots(simulator, count)).map_err(|error| format!("cannot write {file}: {error}"))?;
    let figures = child(peer, &[what, file]).await;
    let _ = std::fs::remove_file(file);
    Ok(figures?[0])
}

async fn idle(peer: Peer) -> Outcome<f64> {
    let simulator = Simulator::start().await?;
    with_bots(peer, "idle", &simulator, ACCOUNTS).await
}

async fn empty_polls(peer: Peer) -> Outcome<f64> {
    let simulator = Simulator::builder().long_poll(Duration::from_millis(1)).start().await?;
    let time = with_bots(peer, "poll", &simulator, 1).await?;
    let polls = simulator.requests_to(ilink_fixtures::Endpoint::GetUpdates).len();
    if let Some(deviation) = simulator.deviations().first() {
        eprintln!("{}: {} of {polls} polls deviate from the protocol: {deviation:?}", peer.name(), simulator.deviations().len());
    }
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    let thousands = polls as f64 / 1_000.0;
    Ok(time / thousands)
}

/// Runs a measurement in a process of its own, while the simulator goes on in this one.
async fn child(peer: Peer, args: &[&str]) -> Outcome<Vec<f64>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("child").arg(peer.name()).args(args).stdout(Stdio::piped());
    let output = tokio::task::spawn_blocking(move || command.output()).await??;
    if !output.status.success() {
        return Err(format!("{} {args:?} failed, see above", peer.name()).into());
    }
    let figures: Vec<f64> = serde_json::from_slice(&output.stdout)?;
    if figures.is_empty() {
        return Err(format!("{} {args:?} brought no figures", peer.name()).into());
    }
    Ok(figures)
}

fn print(table: &[Vec<f64>]) {
    print!("{:<42}", "");
    for peer in Peer::ALL {
        print!("{:>26}", peer.name());
    }
    println!();
    for ((name, unit, more), row) in MEASURES.iter().zip(table) {
        print!("{name:<42}");
        for value in row {
            let ratio = if *more { value / row[0] } else { row[0] / value };
            print!("{:>26}", format!("{value:.1} {unit} ({ratio:.2}×)"));
        }
        println!();
    }
    println!("In brackets: how good it is beside ilink-client; more is better.");
}
