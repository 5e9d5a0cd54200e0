//! Settings: proxies, root certificates, clients of one's own, and mistakes in them.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;

use ilink_client::{Client, Credentials, ErrorKind, HostPolicy, RetryPolicy};
use ilink_fixtures::Simulator;

/// The first line that a proxy is asked, then the connection is closed.
fn proxy() -> (String, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || {
        let mut line = String::new();
        BufReader::new(listener.accept().unwrap().0).read_line(&mut line).unwrap();
        line
    });
    (url, asked)
}

#[tokio::test]
async fn a_proxy_is_asked_for_the_server() {
    let (url, asked) = proxy();
    let client = Client::builder().proxy(url).retry(RetryPolicy::never()).build().unwrap();
    let error = client.login().start().next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error}");
    assert_eq!(asked.join().unwrap().trim_end(), "CONNECT ilinkai.weixin.qq.com:443 HTTP/1.1");
}

#[tokio::test]
async fn this_machine_is_not_reached_through_a_proxy() {
    let simulator = Simulator::start().await.unwrap();
    let client = Client::builder().base_url(simulator.url()).proxy("http://127.0.0.1:1").build().unwrap();
    let bot = simulator.add_bot("o9cq8Owner0001@im.wechat");
    client.bot(Credentials::new(bot.bot_id, bot.token)).unwrap().notify_start().await.unwrap();
    // After a rebuild of the connections as before.
    client.transport().reset();
    client.login().start().next().await.unwrap().unwrap();
    simulator.assert_conformant();
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = wiremock::MockServer::start().await;
    let server = wiremock::MockServer::start().await;
    let answer = wiremock::ResponseTemplate::new(307).insert_header("location", elsewhere.uri());
    wiremock::Mock::given(wiremock::matchers::any()).respond_with(answer).mount(&server).await;
    let client = Client::builder().base_url(server.uri()).build().unwrap();
    let bot = client.bot(Credentials::new("b@im.bot", "token")).unwrap();
    assert_eq!(bot.notify_start().await.unwrap_err().status(), Some(307));
    assert!(elsewhere.received_requests().await.unwrap().is_empty(), "the token went to another host");
}

#[test]
fn mistakes_are_named() {
    let mut seen = Vec::new();
    let mut mistake =
        |result: Result<Client, ilink_client::Error>| seen.push(result.unwrap_err().to_string());
    mistake(Client::builder().base_url("http://example.com").build());
    mistake(Client::builder().base_url("https://user:CANARY@example.com").build());
    mistake(Client::builder().route_tag("two\nlines").build());
    let broken = "-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n";
    mistake(Client::builder().root_certificates(broken).build());
    mistake(Client::builder().proxy("ftp://user:CANARY@proxy.example").build());
    let client = Client::new().unwrap();
    let mut mistake = |credentials| seen.push(client.bot(credentials).unwrap_err().to_string());
    mistake(Credentials::new("b@im.bot", ""));
    mistake(Credentials::new("b@im.bot", "CANARY\nof two lines"));
    mistake(Credentials::new("b@im.bot", "token").base_url("https://evil.example/?CANARY"));
    mistake(Credentials::new("b@im.bot", "token").base_url("http://127.0.0.1:8080"));
    mistake(Credentials::new("b@im.bot", "token").base_url("nonsense"));
    insta::assert_snapshot!(seen.join("\n"));
}

#[test]
fn hosts_can_be_allowed_by_name() {
    let hosts = HostPolicy::default().allow_host("relay.example").allow_suffix("corp.example");
    let client = Client::builder().hosts(hosts).build().unwrap();
    for url in ["https://relay.example:8443", "https://a.corp.example", "https://ilinkai.weixin.qq.com"] {
        client.bot(Credentials::new("b@im.bot", "token").base_url(url)).unwrap();
    }
    client.bot(Credentials::new("b@im.bot", "token").base_url("https://corp.example.evil")).unwrap_err();
}

#[tokio::test]
async fn what_cannot_be_sent_is_said_before_it_leaves() {
    let simulator = ilink_fixtures::Simulator::builder().in_process();
    let info = simulator.add_bot(ilink_fixtures::DEFAULT_USER);
    let transport = crate::in_process::InProcess(simulator.clone());
    let client =
        Client::builder().base_url(crate::in_process::BASE_URL).transport(transport).build().unwrap();
    let bot = client.bot(Credentials::new(info.bot_id.as_str(), info.token.as_str())).unwrap();
    let user = ilink_fixtures::DEFAULT_USER;

    let mut seen = Vec::new();
    for send in
        [bot.send_text("", "hello"), bot.send_text(user, ""), bot.send_text(user, "hello").client_id("")]
    {
        seen.push(send.await.unwrap_err().to_string());
    }
    assert_eq!(simulator.requests().len(), 0, "nothing left");
    seen.push(bot.get_updates("a cursor of another server").await.unwrap_err().to_string());
    insta::assert_snapshot!(seen.join("\n"));

    // A message without a context token is answered without one.
    bot.send_text(user, "hello").context_token("").await.unwrap();
    bot.send_text(user, "hello").reply_context(Some("".into())).await.unwrap();
}
