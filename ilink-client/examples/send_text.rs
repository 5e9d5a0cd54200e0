//! Sends one text to somebody who has written to the bot.
//!
//!     cargo run -p ilink-client --example send_text -- credentials.json USER@im.wechat CONTEXT_TOKEN "你好"
//!
//! The context token is the one of their newest message; WeChat delivers answers only.

use std::error::Error;

use ilink_client::{Bot, Client, Credentials, Sent};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [path, user, token, text] = &args[..] else {
        return Err("usage: send_text credentials.json USER CONTEXT_TOKEN TEXT".into());
    };
    let credentials: Credentials = serde_json::from_reader(std::fs::File::open(path)?)?;
    let bot = Client::new()?.bot(credentials)?;
    println!("{}", describe(&run(&bot, user, token, text).await?));
    Ok(())
}

/// One send. An error says what to do; the token and the text are not in it.
pub async fn run(bot: &Bot, user: &str, token: &str, text: &str) -> Result<Sent, ilink_client::Error> {
    bot.send_text(user, text).context_token(token).await
}

/// The two kinds of "accepted".
#[must_use]
pub fn describe(sent: &Sent) -> String {
    match sent.message_id {
        Some(id) => format!("accepted as message {id}"),
        None => "accepted without an id: it may never be shown".to_owned(),
    }
}
