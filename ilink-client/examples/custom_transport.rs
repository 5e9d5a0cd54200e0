//! A transport of one's own: every request is counted and timed, then sent as usual.
//!
//!     cargo run -p ilink-client --example custom_transport

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{Request, Response};
use ilink_client::{Body, BoxFuture, Client, Transport, TransportError};

/// Requests by path: how many, and how long they took together.
pub type Counts = Arc<Mutex<BTreeMap<String, (u32, Duration)>>>;

/// Counts what it passes on.
#[derive(Debug)]
pub struct Counting {
    /// Who does the work.
    pub below: Arc<dyn Transport>,
    /// What was counted.
    pub counts: Counts,
}

impl Transport for Counting {
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TransportError>> {
        // The path is harmless; the query may hold a secret.
        let path = request.uri().path().to_owned();
        Box::pin(async move {
            let begun = Instant::now();
            let answer = self.below.send(request).await;
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            let (count, time) = counts.entry(path).or_default();
            *count += 1;
            *time += begun.elapsed();
            answer
        })
    }

    fn reset(&self) {
        self.below.reset();
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let counts = Counts::default();
    let client = run(&Client::new()?, counts.clone())?;
    if let Some(event) = client.login().start().next().await {
        println!("{:?}", event?);
    }
    println!("{counts:#?}");
    Ok(())
}

/// The same client with counting in between.
pub fn run(client: &Client, counts: Counts) -> Result<Client, ilink_client::Error> {
    let below = client.transport().clone();
    Client::builder().base_url(client.base_url().as_str()).transport(Counting { below, counts }).build()
}
