//! Logins under way: started by one call, followed by others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::sync::watch;
use weixin_channel::ilink_client::{LoginCode, LoginEvent, LoginInput};
use weixin_channel::{Channel, ChannelLogin, ChannelLoginEvent, Error};

use crate::failure::Failure;
use crate::messages::{Connection, LoginRef, LoginStarted, LoginStep, LoginVerify, Qr};

/// Pixels per module of the PNG: large enough for a phone's camera on a small screen.
const PNG_SCALE: u8 = 6;

/// All logins of a port.
#[derive(Default)]
pub(crate) struct Logins(Mutex<Table>);

#[derive(Default)]
struct Table {
    last: u64,
    entries: HashMap<String, Entry>,
}

#[derive(Clone)]
struct Entry {
    login: Arc<tokio::sync::Mutex<ChannelLogin>>,
    input: LoginInput,
    cancelled: Arc<watch::Sender<bool>>,
}

impl Logins {
    /// Gets the first code.
    pub(crate) async fn start(
        &self,
        channel: &Channel,
        connection: Connection,
    ) -> Result<LoginStarted, Failure> {
        let mut login = channel.login(&connection.into()).await.map_err(Failure::of_connection)?;
        let code = loop {
            match login.next().await {
                Some(Ok(ChannelLoginEvent::Progress(LoginEvent::Code(code)))) => break code,
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(Failure::of_connection(error)),
                None => {
                    return Err(Failure::new(
                        "login-failed",
                        "The server gave no login code; try again later.",
                    ));
                }
            }
        };
        let qr = draw(&code)?;
        let entry = Entry {
            input: login.input(),
            login: Arc::new(tokio::sync::Mutex::new(login)),
            cancelled: Arc::new(watch::channel(false).0),
        };
        let mut table = self.lock();
        table.last += 1;
        let login_id = format!("login-{}", table.last);
        table.entries.insert(login_id.clone(), entry);
        Ok(LoginStarted { login_id, qr })
    }

    /// Waits for what happens next; the last event ends the login.
    pub(crate) async fn next(&self, login: &LoginRef) -> Result<LoginStep, Failure> {
        let entry = self.entry(&login.login_id)?;
        let mut cancelled = entry.cancelled.subscribe();
        let step = tokio::select! {
            step = advance(&entry.login) => step?,
            _ = cancelled.wait_for(|cancelled| *cancelled) => return Err(no_login(&login.login_id)),
        };
        if matches!(step, LoginStep::AlreadyBound | LoginStep::Confirmed { .. } | LoginStep::Failed { .. }) {
            self.lock().entries.remove(&login.login_id);
        }
        Ok(step)
    }

    /// Passes on the digits that the phone shows.
    pub(crate) fn verify(&self, verify: &LoginVerify) -> Result<(), Failure> {
        let entry = self.entry(&verify.login_id)?;
        Ok(entry.input.verify_code(&verify.code).map_err(Error::from)?)
    }

    /// Ends a login; one that has ended by itself is fine too.
    #[allow(clippy::unnecessary_wraps, reason = "the shape of all methods")]
    pub(crate) fn cancel(&self, login: &LoginRef) -> Result<(), Failure> {
        if let Some(entry) = self.lock().entries.remove(&login.login_id) {
            entry.cancelled.send_replace(true);
        }
        Ok(())
    }

    fn entry(&self, id: &str) -> Result<Entry, Failure> {
        self.lock().entries.get(id).cloned().ok_or_else(|| no_login(id))
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn advance(login: &tokio::sync::Mutex<ChannelLogin>) -> Result<LoginStep, Failure> {
    let mut login = login.lock().await;
    loop {
        let event = match login.next().await {
            Some(Ok(event)) => event,
            Some(Err(error)) => {
                let Failure { code, message } = Failure::from(error);
                return Ok(LoginStep::Failed { code, message });
            }
            None => return Err(Failure::new("login-ended", "This login is over; start a new one.")),
        };
        return Ok(match event {
            ChannelLoginEvent::Progress(LoginEvent::Code(code)) => LoginStep::Refreshed { qr: draw(&code)? },
            ChannelLoginEvent::Progress(LoginEvent::Scanned) => LoginStep::Scanned,
            ChannelLoginEvent::Progress(LoginEvent::VerifyCodeNeeded { wrong }) => {
                LoginStep::VerifyCodeNeeded { retry: wrong }
            }
            ChannelLoginEvent::Progress(LoginEvent::Redirected { host }) => LoginStep::Redirected { host },
            ChannelLoginEvent::LoggedIn { account, retired, unhandled } => LoginStep::Confirmed {
                account_id: account.to_string(),
                replaced: retired.iter().map(ToString::to_string).collect(),
                unhandled,
            },
            ChannelLoginEvent::AlreadyBound => LoginStep::AlreadyBound,
            // Events of newer libraries have no meaning for this JavaScript.
            _ => continue,
        });
    }
}

fn draw(code: &LoginCode) -> Result<Qr, Error> {
    Ok(Qr {
        url: code.url.clone(),
        terminal: code.to_terminal()?,
        png_data_url: format!("data:image/png;base64,{}", BASE64_STANDARD.encode(code.to_png(PNG_SCALE)?)),
    })
}

fn no_login(id: &str) -> Failure {
    Failure::new("no-login", format!("There is no login {id} under way; start a new one."))
}
