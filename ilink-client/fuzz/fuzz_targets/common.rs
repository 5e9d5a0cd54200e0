//! A server whose answers are the fuzzer's: the whole client is below the fuzzer, through its public API only.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use ilink_client::{Body, Bot, BoxFuture, Client, Credentials, RetryPolicy, Transport, TransportError};

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
