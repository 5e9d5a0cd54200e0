//! The main job without an account: the simulator and an echo agent in one process.
//!
//! `cargo xtask demo` draws the login code and the link of the simulator's phone, where one scans, chats and sees the
//! answers. `cargo xtask demo --auto` plays all of that by itself and fails if the answer does not come.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use ilink_fixtures::{Simulator, VoiceCodec};
use weixin_channel::ilink_client::{Client, LoginEvent};
use weixin_channel::weixin_media::codec::convert_voice;
use weixin_channel::weixin_media::codec::silk::{self, EncoderSettings};
use weixin_channel::{AccountConfig, AccountId, Channel, ChannelLoginEvent, Deliveries};

/// The simulated user.
const USER: &str = "o9cq8demouser0001@im.wechat";

/// How long `--auto` waits for the answer.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let auto = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [flag] if flag == "--auto" => true,
        other => {
            eprintln!("demo: unknown argument {:?}; the only one is --auto", other.join(" "));
            return ExitCode::from(2);
        }
    };
    match run(auto).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Lets the phone in the browser record and play voice messages.
#[derive(Debug)]
struct Silk;

impl VoiceCodec for Silk {
    fn encode(&self, samples: &[i16]) -> Result<Vec<u8>, String> {
        silk::encode(samples, &EncoderSettings::default()).map_err(|error| error.to_string())
    }

    fn to_wav(&self, file: &[u8]) -> Result<Vec<u8>, String> {
        let voice = convert_voice(Bytes::copy_from_slice(file)).map_err(|error| error.to_string())?;
        Ok(voice.bytes.to_vec())
    }
}

async fn run(auto: bool) -> Result<(), Box<dyn Error>> {
    let simulator = Simulator::builder().voice(Silk).start().await?;
    let state = tempfile::tempdir()?;
    let (channel, deliveries) = Channel::builder()
        .state_dir(state.path())
        .client(Client::builder().base_url(simulator.url()))
        .build()
        .await?;
    let account = log_in(&channel, &simulator, auto).await?;
    channel.start(&account, AccountConfig::default()).await?;
    let echo = tokio::spawn(echo(deliveries));
    if auto {
        play(&simulator).await?;
    } else {
        println!("Online. Write something on the phone; the agent echoes it. Ctrl-C ends the demo.");
        tokio::signal::ctrl_c().await?;
    }
    channel.stop_all().await;
    echo.abort();
    println!("\nOn the phone:");
    // By hand, the code was scanned by whomever the page said.
    let users: Vec<String> = simulator.bots().into_iter().map(|bot| bot.user_id).collect();
    for entry in users.iter().flat_map(|user| simulator.phone(user).chat()) {
        let who = if entry.from_bot { "agent" } else { "  you" };
        println!("  {who}  {}", entry.text.unwrap_or_default());
    }
    simulator.assert_conformant();
    println!("Every request was as the protocol wants it.");
    Ok(())
}

/// Shows the code until somebody scans it, which `--auto` does itself.
async fn log_in(channel: &Channel, simulator: &Simulator, auto: bool) -> Result<AccountId, Box<dyn Error>> {
    let mut login = channel.login(&AccountConfig::default()).await?;
    while let Some(event) = login.next().await {
        match event? {
            ChannelLoginEvent::Progress(LoginEvent::Code(code)) => {
                println!(
                    "{}\nScan this code, or open the phone in a browser:\n  {}\n",
                    code.to_terminal()?,
                    simulator.phone_url()
                );
                if auto {
                    let phone = simulator.phone(USER);
                    let pending = simulator.wait_for_qrcode(PATIENCE).await?;
                    phone.scan(&pending.qrcode)?;
                    phone.confirm(&pending.qrcode)?;
                }
            }
            ChannelLoginEvent::Progress(LoginEvent::Scanned) => {
                println!("login   scanned: confirm on the phone");
            }
            ChannelLoginEvent::Progress(LoginEvent::VerifyCodeNeeded { .. }) => {
                println!("login   type the digits that the phone shows:");
                login.verify_code(&read_line().await?)?;
            }
            ChannelLoginEvent::LoggedIn { account, .. } => {
                println!("login   confirmed: account {account}");
                return Ok(account);
            }
            other => println!("login   {other:?}"),
        }
    }
    Err("the login ended without an account".into())
}

/// The whole agent.
async fn echo(mut deliveries: Deliveries) -> Result<(), weixin_channel::Error> {
    while let Some(delivery) = deliveries.next().await {
        delivery.reply(&format!("echo: {}", delivery.inbound.text)).await?;
        delivery.ack().await?;
    }
    Ok(())
}

/// Writes a text on the simulated phone and waits for its answer there.
async fn play(simulator: &Simulator) -> Result<(), Box<dyn Error>> {
    let phone = simulator.phone(USER);
    phone.send_text("你好, OpenClaw");
    phone.wait_for_text("echo: 你好, OpenClaw", PATIENCE).await?;
    Ok(())
}

async fn read_line() -> std::io::Result<String> {
    let read = || std::io::stdin().lines().next().unwrap_or_else(|| Ok(String::new()));
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
}
