//! Many bots in one process: one client, so one set of connections, and one task each.
//!
//!     cargo run -p ilink-client --example many_accounts -- one.json two.json …

use std::error::Error;

use ilink_client::{Bot, Client, Credentials, Cursor, UpdatesEvent};
use tokio::sync::mpsc;

/// What happened, and to which bot.
#[derive(Debug)]
pub struct Happened {
    /// The bot.
    pub bot: Bot,
    /// The event.
    pub event: UpdatesEvent,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut all = Vec::new();
    for path in std::env::args().skip(1) {
        all.push(serde_json::from_reader(std::fs::File::open(path)?)?);
    }
    let mut events = run(&Client::new()?, all)?;
    while let Some(Happened { bot, event }) = events.recv().await {
        match event {
            UpdatesEvent::Batch(batch) => {
                println!("{}: {} messages", bot.credentials().bot_id, batch.messages.len());
            }
            other => println!("{}: {other:?}", bot.credentials().bot_id),
        }
    }
    Ok(())
}

/// Starts all bots; each stops when the receiver is dropped.
pub fn run(client: &Client, all: Vec<Credentials>) -> Result<mpsc::Receiver<Happened>, ilink_client::Error> {
    // A full queue holds the polls back, so that a slow reader costs no memory.
    let (sender, receiver) = mpsc::channel(16);
    for credentials in all {
        let bot = client.bot(credentials)?;
        let sender = sender.clone();
        tokio::spawn(async move {
            let mut updates = bot.updates(Cursor::default());
            loop {
                tokio::select! {
                    event = updates.next() => {
                        if sender.send(Happened { bot: bot.clone(), event }).await.is_err() {
                            return;
                        }
                    }
                    () = sender.closed() => return,
                }
            }
        });
    }
    Ok(receiver)
}
