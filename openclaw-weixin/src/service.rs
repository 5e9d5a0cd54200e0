//! The methods of the message port, each a few lines over `weixin-channel`.

use std::sync::OnceLock;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::Level;
use tracing::subscriber::DefaultGuard;

use crate::events::Events;
use crate::failure::Failure;
use crate::log::{Log, LogLevel};
use crate::messages::{Init, Severity};
use crate::port::Service;
use crate::session::Session;

/// One plugin instance: what the port's thread owns.
pub(crate) struct Plugin {
    events: Events,
    level: LogLevel,
    session: OnceLock<Session>,
}

impl Plugin {
    pub(crate) fn new(events: Events) -> Self {
        Self { events, level: LogLevel::new(Level::INFO), session: OnceLock::new() }
    }

    async fn init(&self, init: &Init) -> Result<(), Failure> {
        self.level.set(match init.log_level {
            Severity::Error => Level::ERROR,
            Severity::Warn => Level::WARN,
            Severity::Info => Level::INFO,
            Severity::Debug => Level::DEBUG,
        });
        let session = Session::open(init, self.events.clone()).await?;
        self.session
            .set(session)
            .map_err(|_| Failure::new("already-initialised", "init was called twice on one port."))
    }
}

impl Service for Plugin {
    type Guard = DefaultGuard;

    fn enter(&self) -> DefaultGuard {
        tracing::subscriber::set_default(Log::new(self.events.clone(), self.level.clone()))
    }

    async fn call(&self, method: &str, params: &str) -> Result<String, Failure> {
        let call = Call { method, params };
        if method == "init" {
            return call.answer(self.init(&call.params()?).await);
        }
        let session = self
            .session
            .get()
            .ok_or_else(|| Failure::new("not-initialised", "The plugin's addon was used before it was opened; update the plugin as a whole, its JavaScript and its addon belong together."))?;
        match method {
            "login.start" => call.answer(session.logins.start(&session.channel, call.params()?).await),
            "login.next" => call.answer(session.logins.next(&call.params()?).await),
            "login.verify" => call.answer(session.logins.verify(&call.params()?)),
            "login.cancel" => call.answer(session.logins.cancel(&call.params()?)),
            "account.start" => call.answer(session.start_account(call.params()?).await),
            "account.stop" => call.answer(session.stop_account(&call.params()?).await),
            "account.status" => call.answer(session.account_status(&call.params()?)),
            "account.probe" => call.answer(session.probe(call.params()?).await),
            "account.logout" => call.answer(session.logout(&call.params()?).await),
            "account.infer" => call.answer(session.infer_account(call.params()?).await),
            "inbound.ack" => call.answer(session.ack(&call.params()?).await),
            "inbound.dismiss" => call.answer(session.dismiss(&call.params()?).await),
            "inbound.nack" => call.answer(session.nack(&call.params()?)),
            "inbound.media" => call.answer(session.fetch_media(call.params()?).await),
            "send" => call.answer(session.send(call.params()?).await),
            "turn.block" => call.answer(session.block(call.params()?).await),
            "turn.tool" => call.answer(session.tool(call.params()?).await),
            "turn.end" => call.answer(session.end_turn(call.params()?).await),
            "debug.status" => call.answer(session.debug_status(&call.params()?).await),
            "debug.toggle" => call.answer(session.toggle_debug(&call.params()?).await),
            "typing" => call.answer(session.typing(call.params()?).await),
            _ => Err(Failure::new(
                "unknown-method",
                format!("{method} is no method of this addon; update the plugin as a whole."),
            )),
        }
    }

    async fn close(&self) {
        if let Some(session) = self.session.get() {
            session.close().await;
        }
    }
}

/// One call, with JSON on both sides.
struct Call<'a> {
    method: &'a str,
    params: &'a str,
}

impl Call<'_> {
    fn params<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_str(self.params).map_err(|error| Failure::invalid(self.method, &error))
    }

    /// `()` becomes `null`.
    fn answer<T: Serialize>(&self, result: Result<T, Failure>) -> Result<String, Failure> {
        serde_json::to_string(&result?).map_err(|error| Failure::invalid(self.method, &error))
    }
}
