//! Thirty faults, each during a conversation of 200 messages: nothing lost, order kept, online again at the end.
//! Virtual time: an hour of it passes in moments.

#[path = "../../../ilink-client/tests/it/in_process.rs"]
mod in_process;

use std::time::Duration;

use ilink_fixtures::{ChatKind, Endpoint, Fault, Phone, Simulator};
use tokio::time::{Instant, sleep, timeout};
use weixin_channel::ilink_client::Client;
use weixin_channel::{AccountState, Channel, Deliveries};

use self::in_process::{BASE_URL, InProcess};
use crate::{Outcome, lab};

const MESSAGES: usize = 200;

/// Longer than any retry, probe or time-out.
const PATIENCE: Duration = Duration::from_secs(3_600);

pub(crate) fn run() -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    let faults = faults();
    println!("{} faults, each three times during a conversation of {MESSAGES} messages:", faults.len());
    let mut bad = 0;
    for (name, endpoint, fault) in faults {
        let verdict = runtime.block_on(conversation(endpoint, &fault))?;
        let endpoint = endpoint.to_string();
        println!("{endpoint:>12} {name:<12} {verdict}");
        bad += u32::from(!verdict.starts_with("ok"));
    }
    if bad > 0 { Err(format!("{bad} faults cost something").into()) } else { Ok(()) }
}

fn faults() -> Vec<(&'static str, Endpoint, Fault)> {
    let kinds = [
        ("500", Fault::status(500)),
        ("429", Fault::status(429)),
        ("524", Fault::status(524)),
        ("ret -2", Fault::ret(-2)),
        ("errcode -14", Fault::errcode(-14, "session timeout")),
        ("hang", Fault::hang()),
        ("reset", Fault::Reset),
        ("garbage", Fault::Garbage),
        ("half body", Fault::HalfBody),
        ("slow body", Fault::SlowBody { chunk: 8, pause_ms: 200 }),
        ("lost answer", Fault::LostAnswer),
        ("empty", Fault::Empty),
    ];
    let mut all = Vec::new();
    for endpoint in [Endpoint::GetUpdates, Endpoint::SendMessage] {
        // An empty answer to a send is a good one, as far as anybody can tell (field note 1).
        let kinds = kinds.iter().filter(|(name, _)| *name != "empty" || endpoint == Endpoint::GetUpdates);
        all.extend(kinds.map(|(name, fault)| (*name, endpoint, fault.clone())));
    }
    all.push(("-3", Endpoint::SendMessage, Fault::ret(-3)));
    for endpoint in [Endpoint::GetConfig, Endpoint::SendTyping, Endpoint::NotifyStart] {
        all.extend(kinds.iter().step_by(5).take(2).map(|(name, fault)| (*name, endpoint, fault.clone())));
    }
    all
}

async fn conversation(
    endpoint: Endpoint,
    fault: &Fault,
) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
    let simulator = Simulator::builder().in_process();
    let folder = tempfile::tempdir()?;
    let bot = simulator.add_bot(lab::USER);
    let id = lab::log_in(folder.path(), &bot)?;
    let start = Instant::now();
    let (channel, deliveries) = Channel::builder()
        .state_dir(folder.path())
        .client(Client::builder().base_url(BASE_URL).transport(InProcess(simulator.clone())))
        .sends(lab::unlimited())
        .build()
        .await?;
    if endpoint == Endpoint::NotifyStart {
        simulator.fault(fault.clone(), endpoint, 3);
    }
    channel.start(&id, lab::open()).await?;
    let agent = tokio::spawn(agent(deliveries));
    let phone = simulator.phone(lab::USER);
    for n in 0..MESSAGES {
        if n % 50 == 25 && n < 150 && endpoint != Endpoint::NotifyStart {
            simulator.fault(fault.clone(), endpoint, 1);
        }
        phone.send_text(&format!("m{n}"));
        sleep(Duration::from_secs(1)).await;
    }
    let last = format!("echo m{}", MESSAGES - 1);
    let _ = phone.wait_for_text(&last, PATIENCE).await;
    // Until everything is acknowledged, and the link is good again.
    let settled = timeout(PATIENCE, async {
        while channel.status(&id).pending > 0 || channel.status(&id).state != AccountState::Online {
            sleep(Duration::from_secs(1)).await;
        }
    });
    let settled = settled.await.is_ok();
    let took = start.elapsed().as_secs();
    let verdict = judge(&phone, settled, channel.status(&id).dead, took);
    channel.stop_all().await;
    agent.abort();
    Ok(verdict)
}

/// Answers everything, with typing.
async fn agent(mut deliveries: Deliveries) {
    while let Some(delivery) = deliveries.next().await {
        let typing = delivery.conversation().typing().await;
        sleep(Duration::from_millis(300)).await;
        match delivery.reply(format!("echo {}", delivery.inbound.text)).await {
            Ok(_) => drop(delivery.ack().await),
            Err(error) => delivery.nack(error.to_string()),
        }
        drop(typing);
    }
}

fn judge(phone: &Phone, settled: bool, dead: usize, took: u64) -> String {
    let replies: Vec<usize> = phone
        .replies()
        .into_iter()
        .filter(|entry| entry.kind == ChatKind::Text)
        .filter_map(|entry| entry.text?.strip_prefix("echo m")?.parse().ok())
        .collect();
    let missing = (0..MESSAGES).filter(|n| !replies.contains(n)).count();
    let ordered = replies.is_sorted();
    let twice = replies.len() - (MESSAGES - missing);
    if missing == 0 && ordered && settled && dead == 0 {
        format!("ok: all answered, in order, online again; {twice} shown twice; {took} virtual seconds")
    } else {
        format!("BAD: {missing} unanswered, ordered {ordered}, settled {settled}, {dead} dead letters")
    }
}
