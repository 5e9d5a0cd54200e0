//! A server whose answers are the fuzzer's: the whole client is below the fuzzer, through its public API only.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use ilink_client::wire::WeixinMessage;
use ilink_client::{
    Body, Bot, BoxFuture, Client, Credentials, ErrorKind, RawJson, RetryPolicy, Transport, TransportError,
    Update,
};
use serde_json::Value;

/// Answers in order; behind the last one every connection is refused.
#[derive(Clone, Debug)]
pub struct Server(Arc<Mutex<VecDeque<(u16, Vec<u8>)>>>);

impl Server {
    pub fn new(answers: impl IntoIterator<Item = (u16, Vec<u8>)>) -> Self {
        Self(Arc::new(Mutex::new(answers.into_iter().collect())))
    }

    pub fn client(&self) -> Client {
        Client::builder().transport(self.clone()).retry(RetryPolicy::never()).seed(0).build().unwrap()
    }

    #[allow(dead_code, reason = "a login has no bot yet")]
    pub fn bot(&self) -> Bot {
        self.client().bot(Credentials::new("b@im.bot", "token")).unwrap()
    }
}

impl Transport for Server {
    fn send(&self, _: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TransportError>> {
        let answer = self.0.lock().unwrap().pop_front();
        Box::pin(async move {
            let (status, body) = answer.ok_or_else(|| TransportError::connect("the script is over"))?;
            Ok(Response::builder().status(status).body(Body::from(body)).unwrap())
        })
    }
}

/// Runs to the end, on a clock that jumps to the next timer.
pub fn run<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// Nothing that a terminal obeys, and not much.
#[allow(dead_code, reason = "not all targets print")]
pub fn check_shown(shown: &str) {
    assert!(!shown.chars().any(char::is_control), "{}", shown.escape_debug());
    assert!(!shown.contains(['\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}']), "{}", shown.escape_debug());
    assert!(shown.len() < 100_000, "{} bytes", shown.len());
}

/// An answer to a poll: no message is lost, and what was understood survives a round trip.
#[allow(dead_code, reason = "two targets poll")]
pub fn check_poll(body: &[u8]) {
    let server = Server::new([(200, body.to_vec())]);
    let bot = server.bot();
    let batch = match run(async { bot.get_updates("old").await }) {
        Ok(batch) => batch,
        Err(error) => {
            check_shown(&error.to_string());
            check_shown(&format!("{error:?}"));
            let limit =
                body.len() > 32 << 20 || body.iter().filter(|byte| b",[{".contains(byte)).count() > 20_000;
            assert!(error.kind() != ErrorKind::TooLarge || limit, "{error}");
            return;
        }
    };
    check_shown(&format!("{batch:?}"));
    // The typed reading has as many messages as the JSON has elements.
    if let Ok(Value::Object(answer)) = serde_json::from_slice::<Value>(body) {
        let expected = match answer.get("msgs") {
            Some(Value::Array(list)) => list.len(),
            None | Some(Value::Null) => 0,
            Some(_) => 1,
        };
        assert_eq!(batch.messages.len(), expected);
    }
    for update in &batch.messages {
        let raw: &RawJson = update.raw();
        // From the journal it is read the same way.
        let again = Update::from_json(raw.as_str());
        assert_eq!(update.message(), again.message());
        if let Some(message) = update.message() {
            let _ = (message.text(), message.items().iter().map(|item| item.kind()).count());
            let json = serde_json::to_string(message).unwrap();
            let back: WeixinMessage = serde_json::from_str(&json).unwrap();
            assert_eq!(&back, message);
        }
    }
}
