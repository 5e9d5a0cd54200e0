//! Requests as the official client makes them: each recorded one is made again by ours and compared, headers and
//! body, field order apart.

use std::collections::BTreeMap;

use ilink_client::wire::{MediaType, MessageItem, WeixinMessage};
use ilink_client::{Bot, BotAgent, Client, Credentials, Error, LoginEvent, Secret};
use ilink_fixtures::wire::{self, Exchange};
use serde_json::Value;
use wiremock::{MockServer, Request};

/// What the HTTP libraries add by themselves; the rest is the protocol's (§2).
const OF_THE_LIBRARY: [&str; 8] = [
    "accept",
    "accept-language",
    "sec-fetch-mode",
    "user-agent",
    "accept-encoding",
    "host",
    "connection",
    "content-length",
];

fn text(json: &Value, key: &str) -> String {
    json[key].as_str().unwrap_or_default().to_owned()
}

async fn bot(server: &MockServer, exchange: &Exchange) -> Bot {
    exchange.mount(server).await;
    let token =
        exchange.header("authorization").unwrap_or("Bearer none").trim_start_matches("Bearer ").to_owned();
    client(server).bot(Credentials::new("01fa4e1ab5c0@im.bot", token)).unwrap()
}

fn client(server: &MockServer) -> Client {
    Client::builder()
        .base_url(server.uri())
        .client_version("2.4.9".parse().unwrap())
        .bot_agent(BotAgent::new(""))
        .retry(ilink_client::RetryPolicy::never())
        .build()
        .unwrap()
}

/// Makes the request of an exchange once more. The answer does not matter here.
async fn make(endpoint: &str, server: &MockServer, exchange: &Exchange) -> Option<Result<(), Error>> {
    let json = exchange.request.json.clone().unwrap_or_default();
    let bot = bot(server, exchange).await;
    let user = text(&json, "ilink_user_id");
    Some(match endpoint {
        "getupdates" => {
            let poll = bot.get_updates(text(&json, "get_updates_buf"));
            poll.timeout(std::time::Duration::from_millis(500)).await.map(drop)
        }
        "sendmessage" => {
            let message: WeixinMessage = serde_json::from_value(json["msg"].clone()).unwrap();
            let item: MessageItem = message.items()[0].clone();
            let mut send = bot
                .send_item(message.to_user_id.unwrap(), item)
                .client_id(message.client_id.unwrap())
                .reply_context(message.context_token);
            if let Some(run) = message.run_id {
                send = send.run_id(run);
            }
            tokio::time::timeout(std::time::Duration::from_millis(500), send.into_future())
                .await
                .map_or(Ok(()), |r| r.map(drop))
        }
        "getconfig" => {
            let token = json["context_token"].as_str().map(Into::into);
            bot.get_config(user).context_token(token).await.map(drop)
        }
        "sendtyping" => bot.send_typing(user, text(&json, "typing_ticket").into(), json["status"] == 1).await,
        "notifystart" => bot.notify_start().await,
        "notifystop" => bot.notify_stop().await,
        "getuploadurl" => {
            let kind = MediaType::from(json["media_type"].as_i64().unwrap());
            bot.get_upload_url(text(&json, "to_user_id"), kind)
                .plain(json["rawsize"].as_u64().unwrap(), text(&json, "rawfilemd5"))
                .encrypted_size(json["filesize"].as_u64().unwrap())
                .key(text(&json, "filekey"), text(&json, "aeskey"))
                .await
                .map(drop)
        }
        "get_bot_qrcode" => {
            let tokens: Vec<Secret> = serde_json::from_value(json["local_token_list"].clone()).unwrap();
            client(server).login().local_tokens(tokens).start().next().await.unwrap().map(drop)
        }
        _ => return None,
    })
}

fn protocol_headers<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    headers
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .filter(|(name, _)| !OF_THE_LIBRARY.contains(&name.as_str()))
        .map(|(name, value)| if name == "x-wechat-uin" { (name, uin_shape(&value)) } else { (name, value) })
        .collect()
}

/// A fresh number each time: its shape is compared.
fn uin_shape(value: &str) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.decode(value).unwrap();
    let number: u32 = std::str::from_utf8(&text).unwrap().parse().unwrap();
    assert_eq!(number.to_string().as_bytes(), text);
    "base64 of a decimal uint32".to_owned()
}

fn of_ours(request: &Request) -> BTreeMap<String, String> {
    protocol_headers(request.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())))
}

#[tokio::test]
async fn every_recorded_request_is_made_the_same_way() {
    let mut compared = BTreeMap::<&str, u32>::new();
    for (name, exchange) in wire::all() {
        // What users published is answers; the requests beside them are not recordings.
        if name.contains("/published_") {
            continue;
        }
        let endpoint = name.split('/').next().unwrap();
        let server = MockServer::start().await;
        if make(endpoint, &server, &exchange).await.is_none() {
            continue;
        }
        let made = server.received_requests().await.unwrap();
        let ours = &made[0];
        assert_eq!(ours.method.as_str(), exchange.request.method, "{name}");
        assert_eq!(ours.url.path(), exchange.request.path, "{name}");
        let query: Vec<(String, String)> = ours.url.query_pairs().into_owned().collect();
        assert_eq!(query, exchange.request.query, "{name}");
        let recorded = exchange.request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        assert_eq!(of_ours(ours), protocol_headers(recorded), "{name}");
        let body: Value = serde_json::from_slice(&ours.body).unwrap();
        assert_eq!(Some(body), exchange.request.json, "{name}");
        *compared.entry(endpoint).or_default() += 1;
    }
    insta::assert_json_snapshot!(compared);
}

/// The requests of a login are GETs whose query says how it goes on.
#[tokio::test]
async fn the_recorded_login_with_a_verify_code_is_gone_through_the_same_way() {
    let scenario = wire::scenario("login_verifycode");
    let server = MockServer::start().await;
    for exchange in &scenario.exchanges {
        let recorded = exchange.mock().up_to_n_times(1);
        recorded.mount(&server).await;
    }
    let policy = ilink_client::LoginPolicy::default();
    let mut login = client(&server).login().policy(policy).start();
    let mut events = Vec::new();
    let mut digits = ["9999", "1234"].into_iter();
    while let Some(event) = login.next().await {
        let event = event.unwrap();
        if let LoginEvent::VerifyCodeNeeded { .. } = event {
            login.verify_code(digits.next().unwrap()).unwrap();
        }
        events.push(format!("{event:?}").split(['(', ' ']).next().unwrap().to_owned());
    }
    assert_eq!(events, ["Code", "VerifyCodeNeeded", "VerifyCodeNeeded", "Scanned", "Confirmed"]);
    let made = server.received_requests().await.unwrap();
    for (ours, exchange) in made.iter().zip(&scenario.exchanges) {
        let recorded = exchange.request.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        assert_eq!(of_ours(ours), protocol_headers(recorded), "{}", exchange.request.method);
    }
    let made: Vec<Vec<(String, String)>> =
        made.iter().map(|request| request.url.query_pairs().into_owned().collect()).collect();
    let recorded: Vec<_> = scenario.exchanges.iter().map(|exchange| exchange.request.query.clone()).collect();
    assert_eq!(made, recorded);
}
