//! A server without a network: what it answers is made by the benchmark.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use http::{Request, Response};
use tokio::sync::{Notify, watch};
use weixin_channel::ilink_client::{Body, BoxFuture, Client, Credentials, Transport, TransportError};
use weixin_channel::{AccountId, Channel, Deliveries};

use crate::{Outcome, lab};

const BOT: &str = "0afa4e1ab5c0@im.bot";
const TOKEN: &str = "0afa4e1ab5c0@im.bot:00";

/// A channel with one account, which has the feed's messages once it is started.
pub(crate) struct TestBed {
    pub(crate) channel: Channel,
    pub(crate) account: AccountId,
    _folder: tempfile::TempDir,
}

impl TestBed {
    pub(crate) async fn new(feed: &Feed) -> Outcome<(Self, Deliveries)> {
        let folder = tempfile::tempdir()?;
        let account = lab::write_account(
            folder.path(),
            &serde_json::json!({ "bot_id": BOT, "token": TOKEN, "user_id": lab::USER }),
        )?;
        let (channel, deliveries) = Channel::builder()
            .state_dir(folder.path())
            .client(Client::builder().transport(feed.clone()))
            .build()
            .await?;
        Ok((Self { channel, account, _folder: folder }, deliveries))
    }

    pub(crate) async fn start(&self) -> Outcome {
        Ok(self.channel.start(&self.account, lab::open()).await?)
    }
}

/// A text of one of many users.
pub(crate) fn message(n: usize, peer: usize) -> String {
    format!(
        r#"{{"seq":{n},"message_id":"{}","from_user_id":"o9cq8peer{peer:06}@im.wechat","to_user_id":"0afa4e1ab5c0@im.bot","create_time_ms":{},"message_type":1,"message_state":2,"context_token":"AARzJWAFAAABAAAAAAAp{peer:0116}","item_list":[{{"type":1,"text_item":{{"text":"message {n} 你好"}}}}]}}"#,
        n + 1,
        1_763_800_000_000_u64 + n as u64
    )
}

/// Answers polls from a queue, everything else with success.
#[derive(Clone, Default)]
pub(crate) struct Feed(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    more: Notify,
    /// How many polls were made.
    asked: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    answers: VecDeque<String>,
    pushed: usize,
    last: Option<Instant>,
}

impl Feed {
    /// An answer that waits for a poll.
    pub(crate) fn push(&self, messages: &[String]) {
        let mut state = self.lock();
        state.pushed += 1;
        let answer = format!(
            r#"{{"ret":0,"msgs":[{}],"get_updates_buf":"cursor-{}"}}"#,
            messages.join(","),
            state.pushed
        );
        state.answers.push_back(answer);
        self.0.more.notify_one();
    }

    /// When a request was last answered.
    pub(crate) fn last_answer(&self) -> Instant {
        self.lock().last.unwrap_or_else(Instant::now)
    }

    /// Sees each poll from now on.
    pub(crate) fn polls(&self) -> watch::Receiver<usize> {
        self.0.asked.subscribe()
    }

    /// A bot whose server this is.
    pub(crate) fn bot(&self) -> Outcome<weixin_channel::ilink_client::Bot> {
        let client = Client::builder().transport(self.clone()).build()?;
        Ok(client.bot(Credentials::new(BOT, TOKEN))?)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Transport for Feed {
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TransportError>> {
        Box::pin(async move {
            let poll = request.uri().path().ends_with("/getupdates");
            if poll {
                self.0.asked.send_modify(|polls| *polls += 1);
            }
            loop {
                let more = self.0.more.notified();
                let answer =
                    if poll { self.lock().answers.pop_front() } else { Some(r#"{"ret":0}"#.to_owned()) };
                if let Some(answer) = answer {
                    self.lock().last = Some(Instant::now());
                    return Ok(Response::new(Body::from(answer)));
                }
                more.await;
            }
        })
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Feed")
    }
}
