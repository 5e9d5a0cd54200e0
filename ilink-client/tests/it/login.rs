//! Login: every status, digits, refreshes, redirects, resuming, and what a host must not do.

use std::time::Duration;

use ilink_client::{Client, ErrorKind, Login, LoginEvent, LoginSession};
use ilink_fixtures::Simulator;
use tokio::time::timeout;

use crate::in_process::{BASE_URL, InProcess};
use crate::script::{Play, Script};

const CODE: &str =
    r#"{"ret":0,"qrcode":"q1","qrcode_img_content":"https://liteapp.weixin.qq.com/q/1?CANARY"}"#;
const CONFIRMED: &str = r#"{"ret":0,"status":"confirmed","bot_token":"CANARY","ilink_bot_id":"b@im.bot","baseurl":"https://ilinkai.weixin.qq.com","ilink_user_id":"u@im.wechat"}"#;

fn status(status: &str) -> Play {
    Play::ok(format!(r#"{{"ret":0,"status":"{status}"}}"#))
}

async fn run(mut login: Login) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(event) = login.next().await {
        seen.push(match event {
            Ok(event) => format!("{event:?}"),
            Err(error) => format!("error: {error}"),
        });
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn errors_on_the_way_count_as_waiting() {
    let script = Script::new([
        Play::Refuse,
        Play::ok(CODE),
        status("wait"),
        Play::Answer(524, String::new()),
        Play::Break,
        Play::ok("<html>"),
        Play::Hang,
        status("a new one"),
        status("scaned"),
        status("scaned"),
        Play::ok(CONFIRMED),
    ]);
    insta::assert_snapshot!(run(script.client().login().start()).await.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn codes_that_expire_are_replaced_three_times_at_most() {
    let script = Script::new((0..3).flat_map(|_| [Play::ok(CODE), status("expired")]));
    insta::assert_snapshot!(run(script.client().login().start()).await.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_confirmation_that_lacks_something_is_a_failure() {
    let missing = r#"{"ret":0,"status":"confirmed","bot_token":"CANARY"}"#;
    let script = Script::new([Play::ok(CODE), Play::ok(missing)]);
    insta::assert_snapshot!(run(script.client().login().start()).await.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_redirect_is_followed_to_allowed_hosts_only() {
    let to = |host: &str| Play::ok(format!(r#"{{"status":"scaned_but_redirect","redirect_host":"{host}"}}"#));
    let script = Script::new([Play::ok(CODE), to("sh.weixin.qq.com"), Play::ok(CONFIRMED)]);
    insta::assert_snapshot!(run(script.client().login().start()).await.join("\n"));
    for host in [
        "evil.example",
        "weixin.qq.com.evil.example",
        "sh.weixin.qq.com/x",
        "u@sh.weixin.qq.com",
        "127.0.0.1",
        "10.0.0.1",
        "",
    ] {
        let script = Script::new([Play::ok(CODE), to(host)]);
        let mut login = script.client().login().start();
        login.next().await.unwrap().unwrap();
        let error = login.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HostNotAllowed, "{host}");
        assert!(login.next().await.is_none());
    }
}

/// Else the account would be there, and could never start.
#[tokio::test(start_paused = true)]
async fn a_bot_that_is_led_to_a_host_that_is_not_allowed_is_said_at_the_login() {
    let confirmed = |url: &str| CONFIRMED.replace("https://ilinkai.weixin.qq.com", url);
    let mut seen = Vec::new();
    for url in [
        "https://evil.example/?CANARY",
        "http://ilinkai.weixin.qq.com",
        "https://ilinkai.weixin.qq.com:8443",
        "http://127.0.0.1:8080",
        "nonsense",
    ] {
        let script = Script::new([Play::ok(CODE), Play::ok(confirmed(url))]);
        let mut login = script.client().login().start();
        login.next().await.unwrap().unwrap();
        let error = login.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::HostNotAllowed, "{url}");
        seen.push(error.to_string());
        assert!(login.next().await.is_none());
        let stored = serde_json::to_string(login.session()).unwrap();
        assert!(!stored.contains("b@im.bot"), "no credentials are there to resume with: {stored}");
    }
    insta::assert_snapshot!(seen.join("\n"));
    for url in ["https://ilinkai.wechat.com/", ""] {
        let script = Script::new([Play::ok(CODE), Play::ok(confirmed(url))]);
        assert!(run(script.client().login().start()).await[1].starts_with("Confirmed"), "{url}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bot_that_stays_where_it_is_may_be_led_anywhere() {
    for (url, kept) in
        [("https://evil.example", None), ("https://sh.weixin.qq.com", Some("https://sh.weixin.qq.com"))]
    {
        let confirmed = CONFIRMED.replace("https://ilinkai.weixin.qq.com", url);
        let script = Script::new([Play::ok(CODE), Play::ok(confirmed)]);
        let mut login = script.client().login().stay_at_base_url(true).start();
        login.next().await.unwrap().unwrap();
        let Some(Ok(LoginEvent::Confirmed(credentials))) = login.next().await else { panic!("{url}") };
        assert_eq!(credentials.base_url.as_deref(), kept);
    }
}

#[tokio::test(start_paused = true)]
async fn digits_given_while_a_poll_hangs_are_sent_at_once() {
    let script = Script::new([
        Play::ok(CODE),
        status("need_verifycode"),
        Play::Hang,
        status("scaned"),
        Play::ok(CONFIRMED),
    ]);
    let mut login = script.client().login().start();
    let input = login.input();
    login.next().await.unwrap().unwrap();
    assert!(matches!(login.next().await.unwrap().unwrap(), LoginEvent::VerifyCodeNeeded { wrong: false }));
    input.verify_code("12a4").unwrap_err();
    // The pause is over and the next poll hangs when the digits come.
    assert!(timeout(Duration::from_secs(5), login.next()).await.is_err());
    input.verify_code(" 1234 ").unwrap();
    assert!(matches!(login.next().await.unwrap().unwrap(), LoginEvent::Scanned));
    let made = script.made();
    assert_eq!(made[3].query, "qrcode=q1&verify_code=1234");
    assert!((made[3].at - made[2].at) < Duration::from_secs(6));
}

#[tokio::test(start_paused = true)]
async fn digits_whose_answer_was_lost_are_sent_again() {
    let script = Script::new([
        Play::ok(CODE),
        status("need_verifycode"),
        Play::Break,
        status("scaned"),
        Play::ok(CONFIRMED),
    ]);
    let mut login = script.client().login().start();
    login.next().await.unwrap().unwrap();
    login.next().await.unwrap().unwrap();
    login.verify_code("1234").unwrap();
    assert!(matches!(login.next().await.unwrap().unwrap(), LoginEvent::Scanned));
    assert_eq!(script.made()[3].query, "qrcode=q1&verify_code=1234");
}

#[tokio::test(start_paused = true)]
async fn a_login_is_resumed_in_another_process_with_its_confirmation() {
    let script = Script::new([Play::ok(CODE), status("scaned"), Play::ok(CONFIRMED)]);
    let client = script.client();
    let mut login = client.login().start();
    login.next().await.unwrap().unwrap();
    login.next().await.unwrap().unwrap();
    let stored = serde_json::to_string(login.session()).unwrap();
    drop(login);
    let session: LoginSession = serde_json::from_str(&stored).unwrap();
    let mut login = client.resume_login(session);
    assert!(matches!(login.next().await.unwrap().unwrap(), LoginEvent::Confirmed(_)));
    // Confirmed and stored, but not handled: it comes again.
    let mut again = client.resume_login(login.session().clone());
    assert!(matches!(again.next().await.unwrap().unwrap(), LoginEvent::Confirmed(_)));
}

#[tokio::test(start_paused = true)]
async fn nobody_scans_and_the_wall_clock_ends_it() {
    let simulator = Simulator::builder().in_process();
    let begun = tokio::time::Instant::now();
    let epoch = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let client = Client::builder()
        .transport(InProcess(simulator.clone()))
        .base_url(BASE_URL)
        .clock(move || epoch + begun.elapsed())
        .build()
        .unwrap();
    let seen = run(client.login().start()).await;
    insta::assert_snapshot!(seen.join("\n"));
    assert!(begun.elapsed() < Duration::from_secs(520), "{:?}", begun.elapsed());
    simulator.assert_conformant();
}

/// Somebody waits in front of the code: a little patience, and no more.
#[tokio::test(start_paused = true)]
async fn a_retry_after_is_waited_for_up_to_half_a_minute() {
    let code = Play::ok(r#"{"ret":0,"qrcode":"q","qrcode_img_content":"https://liteapp.weixin.qq.com/q/1"}"#);
    for (asked, waited) in [("7", 7), ("86400", 30), ("-1", 1), ("Fri, 31 Dec 9999 23:59:59 GMT", 30)] {
        let busy = Play::AnswerWith(429, "retry-after", asked, String::new());
        let script = Script::new([code.clone(), busy, Play::ok(r#"{"status":"scaned"}"#)]);
        let mut login = script.client().login().start();
        login.next().await.unwrap().unwrap();
        login.next().await.unwrap().unwrap();
        let made = script.made();
        assert_eq!((made[2].at - made[1].at).as_secs(), waited, "{asked}");
    }
}
