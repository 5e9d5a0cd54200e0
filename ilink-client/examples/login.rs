//! Logs in by QR code and stores the credentials.
//!
//!     cargo run -p ilink-client --features qr --example login -- credentials.json

use std::error::Error;

use ilink_client::{Client, Credentials, LoginEvent};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("say where to store the credentials: login credentials.json")?;
    let credentials = run(&Client::new()?, read_digits).await?;
    store(&path, &credentials)?;
    println!("bot {} is logged in; its credentials are in {path}", credentials.bot_id);
    Ok(())
}

/// The whole login; `digits` asks the user for what the phone shows.
pub async fn run(client: &Client, digits: impl Fn() -> String) -> Result<Credentials, Box<dyn Error>> {
    let mut login = client.login().start();
    while let Some(event) = login.next().await {
        match event? {
            LoginEvent::Code(code) => {
                println!("{}\nScan it with WeChat, or open {}", code.to_terminal()?, code.url);
            }
            LoginEvent::Scanned => println!("Scanned: confirm on the phone."),
            LoginEvent::VerifyCodeNeeded { wrong } => {
                println!("{}Type the digits that the phone shows:", if wrong { "Wrong. " } else { "" });
                login.verify_code(&digits())?;
            }
            LoginEvent::AlreadyBound => {
                return Err("this bot is logged in here already: keep its credentials".into());
            }
            LoginEvent::Confirmed(credentials) => return Ok(credentials),
            other => println!("{other:?}"),
        }
    }
    Err("the login ended early".into())
}

fn read_digits() -> String {
    let mut line = String::new();
    // Without input the answer is empty, which is refused with a word of explanation.
    let _ = std::io::stdin().read_line(&mut line);
    line
}

/// The token is a password: nobody else may read the file.
fn store(path: &str, credentials: &Credentials) -> Result<(), Box<dyn Error>> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    serde_json::to_writer(options.open(path)?, credentials)?;
    Ok(())
}
