//! Answers every text with itself, and goes on where it stopped.
//!
//!     cargo run -p ilink-client --example echo -- credentials.json cursor.txt

use std::error::Error;
use std::path::Path;

use ilink_client::{Bot, Client, Credentials, Cursor, LinkState, UpdatesEvent};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [credentials, cursor] = &args[..] else {
        return Err("usage: echo credentials.json cursor.txt".into());
    };
    let credentials: Credentials = serde_json::from_reader(std::fs::File::open(credentials)?)?;
    let bot = Client::new()?.bot(credentials)?;
    run(&bot, Path::new(cursor)).await
}

/// Runs until a file cannot be written.
pub async fn run(bot: &Bot, path: &Path) -> Result<(), Box<dyn Error>> {
    let cursor = std::fs::read_to_string(path).map(Cursor::from).unwrap_or_default();
    let mut updates = bot.updates(cursor);
    loop {
        match updates.next().await {
            UpdatesEvent::Batch(batch) => {
                for message in batch.messages.iter().filter_map(|update| update.message()) {
                    let (Some(user), Some(text)) = (&message.from_user_id, message.text()) else { continue };
                    let send = bot
                        .send_text(user, format!("echo: {text}"))
                        .reply_context(message.context_token.clone());
                    if let Err(error) = send.await {
                        eprintln!("not answered: {error}");
                    }
                }
                // The next poll acknowledges the batch; a crash before this line answers it again.
                std::fs::write(path, batch.cursor.as_str())?;
            }
            UpdatesEvent::State(LinkState::Online) => println!("online"),
            UpdatesEvent::State(LinkState::Backoff { error, delay, .. }) => {
                println!("{error}; again in {delay:?}");
            }
            UpdatesEvent::State(LinkState::NeedsLogin { error, .. }) => println!("{error}"),
            UpdatesEvent::State(state) => println!("{state:?}"),
            other => println!("{other:?}"),
        }
    }
}
