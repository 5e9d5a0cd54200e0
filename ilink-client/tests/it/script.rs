//! A transport that answers from a script: no socket, so a paused clock makes every test exact.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use ilink_client::{Body, BoxFuture, Client, Credentials, Transport, TransportError};
use serde_json::Value;
use tokio::time::{Instant, sleep};

/// What happens to one request.
#[derive(Clone, Debug)]
pub(crate) enum Play {
    /// An answer with a status and a body.
    Answer(u16, String),
    /// The same with a header.
    AnswerWith(u16, &'static str, &'static str, String),
    /// An answer after a while.
    After(Duration, Box<Play>),
    /// No answer.
    Hang,
    /// No connection.
    Refuse,
    /// The connection breaks.
    Break,
    /// No connection (if true), or one that breaks, and what is said of it.
    Fail(bool, String),
}

impl Play {
    pub(crate) fn ok(body: impl Into<String>) -> Self {
        Self::Answer(200, body.into())
    }
}

/// A request that was made.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) at: Instant,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) json: Value,
}

/// Plays its script in order; behind its end every request hangs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    plays: Arc<Mutex<VecDeque<Play>>>,
    made: Arc<Mutex<Vec<Made>>>,
    resets: Arc<Mutex<u32>>,
}

impl Script {
    pub(crate) fn new(plays: impl IntoIterator<Item = Play>) -> Self {
        Self { plays: Arc::new(Mutex::new(plays.into_iter().collect())), ..Self::default() }
    }

    pub(crate) fn client(&self) -> Client {
        Client::builder().transport(self.clone()).seed(1).build().unwrap()
    }

    pub(crate) fn bot(&self) -> ilink_client::Bot {
        self.client().bot(Credentials::new("b0f5860fdecb@im.bot", "b0f5860fdecb@im.bot:CANARY")).unwrap()
    }

    pub(crate) fn made(&self) -> Vec<Made> {
        self.made.lock().unwrap().clone()
    }

    pub(crate) fn resets(&self) -> u32 {
        *self.resets.lock().unwrap()
    }
}

impl Transport for Script {
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TransportError>> {
        let body = request.body().as_bytes().unwrap_or_default();
        self.made.lock().unwrap().push(Made {
            at: Instant::now(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            json: serde_json::from_slice(body).unwrap_or_default(),
        });
        let play = self.plays.lock().unwrap().pop_front().unwrap_or(Play::Hang);
        Box::pin(perform(play))
    }

    fn reset(&self) {
        *self.resets.lock().unwrap() += 1;
    }
}

async fn perform(play: Play) -> Result<Response<Body>, TransportError> {
    match play {
        Play::Answer(status, body) => Ok(Response::builder().status(status).body(Body::from(body)).unwrap()),
        Play::AnswerWith(status, name, value, body) => {
            Ok(Response::builder().status(status).header(name, value).body(Body::from(body)).unwrap())
        }
        Play::After(delay, play) => {
            sleep(delay).await;
            Box::pin(perform(*play)).await
        }
        Play::Hang => std::future::pending().await,
        Play::Refuse => Err(TransportError::connect("Connection refused")),
        Play::Fail(true, said) => Err(TransportError::connect(said)),
        Play::Fail(false, said) => Err(TransportError::interrupted(said)),
        Play::Break => Err(TransportError::interrupted("Connection reset by peer")),
    }
}
