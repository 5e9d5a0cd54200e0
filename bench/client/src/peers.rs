//! The same measurements by three clients, each through its public API.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, Request, Response, StatusCode};
use ilink_client::{Body, BoxFuture, Client, Credentials, Transport, TransportError};
use tokio_util::sync::CancellationToken;

use crate::Outcome;

/// Messages in a batch.
const BATCH: usize = 100;

/// How long decoding is timed.
const DECODING: Duration = Duration::from_secs(3);

/// How long idle accounts settle: every poll is on its way by then.
const SETTLING: Duration = Duration::from_secs(8);

/// How long polls run before they are measured.
const WARMING: Duration = Duration::from_secs(1);

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    Ours,
    IlinkSdk,
    WeixinAgent,
}

impl Peer {
    pub const ALL: [Self; 3] = [Self::Ours, Self::IlinkSdk, Self::WeixinAgent];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "ilink-client",
            Self::IlinkSdk => "ilink-sdk-2.4.11",
            Self::WeixinAgent => "weixin-agent-0.3.0",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|peer| peer.name() == name)
    }
}

/// An answer with a hundred messages: the recorded text and image, in turn.
fn batch() -> Outcome<String> {
    let message = |name: &str| -> Outcome<String> {
        let exchange = ilink_fixtures::wire::load(name);
        let answer: serde_json::Value = serde_json::from_str(exchange.answer())?;
        Ok(answer["msgs"][0].to_string())
    };
    let kinds = [message("getupdates/text")?, message("getupdates/image_hex_key")?];
    let messages: Vec<&str> = (0..BATCH).map(|n| kinds[n % 2].as_str()).collect();
    Ok(format!(r#"{{"ret":0,"msgs":[{}],"get_updates_buf":"c","longpolling_timeout_ms":35000}}"#, messages.join(",")))
}

/// Messages per second and allocations per message. Ours and ilink-sdk go through their client with a transport in this
/// process; weixin-agent has none, so its types are read straight from the text, which is less than its client does.
pub async fn decode(peer: Peer) -> Outcome<Vec<f64>> {
    let body = batch()?;
    match peer {
        Peer::Ours => {
            let client = Client::builder().transport(Canned(body.into())).build()?;
            let bot = client.bot(Credentials::new("b@im.bot", "token"))?;
            timed(async || Ok(bot.get_updates("c").await?.messages.len())).await
        }
        Peer::IlinkSdk => {
            use ilink_sdk::api::{GetUpdatesReq, WeixinApiClient, WeixinApiOptions};
            let options = WeixinApiOptions::new("http://127.0.0.1").with_token("token");
            let client = WeixinApiClient::with_transport(options, Arc::new(Canned(body.into())));
            let request = GetUpdatesReq { get_updates_buf: Some("c".to_owned()), ..GetUpdatesReq::default() };
            timed(async || {
                let answer = client.get_updates(&request, None, None).await?;
                Ok(answer.msgs.map_or(0, |messages| messages.len()))
            })
            .await
        }
        Peer::WeixinAgent => {
            timed(async || {
                let answer: weixin_agent::types::GetUpdatesResponse = serde_json::from_str(&body)?;
                Ok(answer.msgs.map_or(0, |messages| messages.len()))
            })
            .await
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
async fn timed(mut one: impl AsyncFnMut() -> Outcome<usize>) -> Outcome<Vec<f64>> {
    // Once for what is set up lazily.
    let decoded = one().await?;
    if decoded != BATCH {
        return Err(format!("{decoded} of {BATCH} messages were decoded").into());
    }
    let (before, _) = crate::alloc::read();
    // The processor's time, so that whatever else the machine does counts less.
    let (begun, started) = (Instant::now(), processor_ms()?);
    let mut messages = 0;
    while begun.elapsed() < DECODING {
        messages += one().await?;
    }
    let seconds = (processor_ms()? - started) / 1_000.0;
    let allocations = crate::alloc::read().0 - before;
    Ok(vec![messages as f64 / seconds, allocations as f64 / messages as f64])
}

/// Answers every request with the same body.
#[derive(Clone, Debug)]
struct Canned(bytes::Bytes);

impl Transport for Canned {
    fn send(&self, _: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TransportError>> {
        Box::pin(async { Ok(Response::new(Body::from(self.0.clone()))) })
    }
}

#[async_trait::async_trait]
impl ilink_sdk::api::client::HttpTransport for Canned {
    async fn request(
        &self,
        _: Method,
        _: String,
        _: HeaderMap,
        _: Option<Vec<u8>>,
        _: Option<Duration>,
        _: Option<CancellationToken>,
    ) -> ilink_sdk::Result<(StatusCode, HeaderMap, Vec<u8>)> {
        Ok((StatusCode::OK, HeaderMap::new(), self.0.to_vec()))
    }
}

/// Heap in KiB per account, all of them polling a server that has nothing to say.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
pub async fn idle(peer: Peer, bots: &[[String; 3]]) -> Outcome<Vec<f64>> {
    let (_, before) = crate::alloc::read();
    match peer {
        Peer::Ours => {
            let client = Client::builder().base_url(bots.first().map_or("", |[url, ..]| url)).build()?;
            for [_, id, token] in bots {
                let bot = client.bot(Credentials::new(id.as_str(), token.as_str()))?;
                tokio::spawn(async move {
                    let mut updates = bot.updates("");
                    loop {
                        updates.next().await;
                    }
                });
            }
        }
        Peer::IlinkSdk => {
            use ilink_sdk::api::{GetUpdatesReq, WeixinApiClient, WeixinApiOptions};
            for [url, _, token] in bots {
                let client = WeixinApiClient::new(WeixinApiOptions::new(url).with_token(token))?;
                tokio::spawn(async move {
                    let mut cursor = Some(String::new());
                    loop {
                        let request = GetUpdatesReq { get_updates_buf: cursor.clone(), ..GetUpdatesReq::default() };
                        if let Ok(answer) = client.get_updates(&request, None, None).await {
                            cursor = answer.get_updates_buf;
                        }
                    }
                });
            }
        }
        Peer::WeixinAgent => {
            for [url, _, token] in bots {
                let client = agent(url, token)?;
                tokio::spawn(async move { client.start(None).await });
            }
        }
    }
    tokio::time::sleep(SETTLING).await;
    let (_, after) = crate::alloc::read();
    Ok(vec![(after - before) as f64 / 1024.0 / bots.len() as f64])
}

/// Processor time in milliseconds for polling as fast as the server answers.
pub async fn poll(peer: Peer, [url, id, token]: &[String; 3], time: Duration) -> Outcome<Vec<f64>> {
    let work = async {
        match peer {
            Peer::Ours => {
                let client = Client::builder().base_url(url).build()?;
                let bot = client.bot(Credentials::new(id.as_str(), token.as_str()))?;
                loop {
                    bot.get_updates("").await?;
                }
            }
            Peer::IlinkSdk => {
                use ilink_sdk::api::{GetUpdatesReq, WeixinApiClient, WeixinApiOptions};
                let client = WeixinApiClient::new(WeixinApiOptions::new(url).with_token(token))?;
                let request = GetUpdatesReq { get_updates_buf: Some(String::new()), ..GetUpdatesReq::default() };
                loop {
                    client.get_updates(&request, None, None).await?;
                }
            }
            Peer::WeixinAgent => {
                agent(url, token)?.start(None).await?;
                Err("weixin-agent ended by itself".into())
            }
        }
    };
    let mut work = std::pin::pin!(work);
    // Connecting and loading certificates happens once; it is not what is measured.
    ended(tokio::time::timeout(WARMING, &mut work).await)?;
    let before = processor_ms()?;
    ended(tokio::time::timeout(time, work).await)?;
    // The parent counts the polls of the whole time.
    let share = (time + WARMING).as_secs_f64() / time.as_secs_f64();
    Ok(vec![(processor_ms()? - before) * share])
}

/// Polls go on until their time is over, unless something is wrong.
fn ended(polls: Result<Outcome<()>, tokio::time::error::Elapsed>) -> Outcome<()> {
    polls.unwrap_or(Ok(()))
}

fn agent(url: &str, token: &str) -> Outcome<weixin_agent::WeixinClient> {
    struct Nobody;
    #[async_trait::async_trait]
    impl weixin_agent::MessageHandler for Nobody {
        async fn on_message(&self, _: &weixin_agent::MessageContext) -> weixin_agent::Result<()> {
            Ok(())
        }
    }
    let config = weixin_agent::WeixinConfig::builder().base_url(url).token(token).bot_agent("weixin-agent/0.3.0").build()?;
    Ok(weixin_agent::WeixinClient::builder(config).on_message(Nobody).build()?)
}

/// User and system time of this process, from `/proc`, in ticks of 10 ms.
fn processor_ms() -> Outcome<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").map_err(|error| format!("this runs on Linux only: {error}"))?;
    let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11);
    let mut ticks = || fields.next().and_then(|text| text.parse::<f64>().ok()).ok_or("/proc/self/stat is not understood");
    Ok((ticks()? + ticks()?) * 10.0)
}
