//! Proxies from the environment. A process has but one, so each case that reads it is a child process of its own; which
//! kinds and variables there are is tested with environments that are given.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use ilink_client::{Client, ConnectCause, Credentials, Error, RetryPolicy};
use ilink_fixtures::net::Network;
use ilink_fixtures::{BotInfo, DEFAULT_USER, Simulator};

const BOT: &str = "PROXIES_CHILD_BOT";
const CA: &str = "PROXIES_CHILD_CA";

/// Where the name leads without a proxy.
#[derive(Clone, Copy)]
enum Direct {
    /// To nobody.
    Nowhere,
    /// To the server.
    Here,
}

struct Lab {
    simulator: Simulator,
    network: Network,
    bot: BotInfo,
}

impl Lab {
    /// A proxy with this login, if any, before a simulator with a bot.
    async fn new(login: Option<(&str, &str)>) -> Self {
        let simulator = Simulator::builder().real_names(true).start().await.unwrap();
        let mut network = Network::builder();
        if let Some((user, password)) = login {
            network = network.proxy_login(user, password);
        }
        let bot = simulator.add_bot(DEFAULT_USER);
        Self { network: network.start(&simulator).await.unwrap(), simulator, bot }
    }

    /// The proxy as `host:port`.
    fn proxy(&self) -> String {
        self.network.https_proxy().rsplit(['@', '/']).next().unwrap().to_owned()
    }

    async fn ask(&self, variables: &[(&str, String)], direct: Direct) -> Result<(), Error> {
        let variables: Vec<_> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let server = self.network.tls_addr();
        let client = Client::builder()
            .root_certificates(self.network.ca_pem())
            .retry(RetryPolicy::never())
            .environment(move |name| {
                variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
            })
            .lookup(move |name| {
                Box::pin(async move {
                    assert_eq!(name, "ilinkai.weixin.qq.com");
                    Ok(match direct {
                        // IPv6 first, which SOCKS 4 cannot; a proxy gets the address, and 443 with it.
                        Direct::Nowhere => {
                            ["[::1]:1", "127.0.0.1:1"].map(|text| text.parse::<SocketAddr>().unwrap()).into()
                        }
                        Direct::Here => vec![server],
                    })
                })
            })
            .build()?;
        let credentials = Credentials::new(self.bot.bot_id.as_str(), self.bot.token.as_str());
        client.bot(credentials)?.notify_start().await
    }
}

/// What a child process with these variables prints.
async fn child(lab: &Lab, variables: &[(&str, &str)]) -> Vec<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "proxies::the_child", "--nocapture"]);
    for name in ["HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command
        .env(BOT, format!("{} {}", lab.bot.bot_id, lab.bot.token))
        .env(CA, lab.network.ca_pem())
        .envs(variables.iter().copied());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    text.lines().filter_map(|line| line.split_once("SAID: ")).map(|(_, said)| said.to_owned()).collect()
}

/// Two clients, and what they and the log say.
#[tokio::test]
async fn the_child() {
    let (Ok(bot), Ok(ca)) = (std::env::var(BOT), std::env::var(CA)) else { return };
    tracing::subscriber::set_global_default(Warnings::default()).unwrap();
    let (id, token) = bot.split_once(' ').unwrap();
    for _ in 0..2 {
        // Only the proxy knows where the names lead.
        let client = Client::builder()
            .root_certificates(ca.clone())
            .lookup(|_| Box::pin(async { Err(std::io::Error::other("no name server")) }))
            .retry(RetryPolicy::never())
            .build()
            .unwrap();
        match client.bot(Credentials::new(id, token)).unwrap().notify_start().await {
            Ok(()) => println!("\nSAID: works"),
            Err(error) => println!("\nSAID: {error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environment_of_the_process_is_read() {
    let open = Lab::new(None).await;
    let login = Lab::new(Some(("me", "secret"))).await;
    for (lab, variable, url) in [
        (&open, "ALL_PROXY", open.network.socks_proxy()),
        (&open, "https_proxy", open.network.https_proxy()),
        (&login, "all_proxy", login.network.socks_proxy().replace("secret", "%73ecret")),
    ] {
        let before = lab.network.connections();
        assert_eq!(child(lab, &[(variable, &url)]).await, ["works", "works"], "{variable}={url}");
        assert_eq!(lab.network.connections(), before + 2, "{variable}={url}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_of_those_that_do_not_work() {
    let world = Lab::new(Some(("me", "secret"))).await;
    let wrong = world.network.socks_proxy().replace("secret", "CANARY");
    let down = "socks5h://user:CANARY@127.0.0.1:1";
    let mut seen = Vec::new();
    for variables in [
        // Named once, although there are two clients, and passed by.
        &[("HTTPS_PROXY", "socks9://user:CANARY@a:1"), ("ALL_PROXY", &world.network.socks_proxy())][..],
        &[("ALL_PROXY", &wrong)],
        &[("ALL_PROXY", down)],
        &[("ALL_PROXY", down), ("NO_PROXY", ".weixin.qq.com")],
    ] {
        seen.extend(child(&world, variables).await);
        seen.push("--".to_owned());
    }
    let port = world.network.tls_addr().port().to_string();
    let proxy = world.network.socks_proxy();
    let proxy_port = proxy.rsplit(':').next().unwrap();
    let text = seen.join("\n").replace(proxy_port, "PORT").replace(&port, "PORT");
    assert!(!text.contains("CANARY") && !text.contains("secret"), "{text}");
    insta::assert_snapshot!(text);
}

#[tokio::test]
async fn every_kind_and_variable_leads_to_the_server() {
    let lab = Lab::new(None).await;
    let proxy = lab.proxy();
    // socks5 looks the name up here; its first address is the one that the proxy is asked for.
    lab.network.set_addresses(["::1".parse().unwrap(), "127.0.0.1".parse().unwrap()]);
    for scheme in ["http", "socks5", "socks5h", "socks4", "socks4a", "SOCKS5H"] {
        for variable in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
            lab.ask(&[(variable, format!("{scheme}://{proxy}"))], Direct::Nowhere).await.unwrap();
        }
    }
    lab.ask(&[("HTTPS_PROXY", proxy)], Direct::Nowhere).await.unwrap();
    lab.simulator.assert_conformant();
}

#[tokio::test]
async fn some_want_a_user_name_and_password() {
    let lab = Lab::new(Some(("user@corp", "p@ss:w/rd"))).await;
    let proxy = lab.proxy();
    for scheme in ["http", "socks5h"] {
        let with = |login: &str| [("ALL_PROXY", format!("{scheme}://{login}{proxy}"))];
        lab.ask(&with("user%40corp:p%40ss%3Aw%2Frd@"), Direct::Nowhere).await.unwrap();
        for wrong in ["", "user%40corp:CANARY@", "user%40corp@"] {
            let error = lab.ask(&with(wrong), Direct::Nowhere).await.unwrap_err();
            assert_eq!(error.connect_cause(), Some(ConnectCause::ProxyLogin), "{error}");
            assert!(!format!("{error} {error:?}").contains("CANARY"), "{error:?}");
        }
    }
}

#[tokio::test]
async fn what_is_not_to_be_used_is_not() {
    let lab = Lab::new(None).await;
    let nobody = || "http://127.0.0.1:1".to_owned();
    for hosts in ["*", "weixin.qq.com", "example.com, .qq.com", "ilinkai.weixin.qq.com"] {
        for name in ["NO_PROXY", "no_proxy"] {
            lab.ask(&[("ALL_PROXY", nobody()), (name, hosts.to_owned())], Direct::Here).await.unwrap();
        }
    }
    lab.ask(&[("HTTP_PROXY", nobody())], Direct::Here).await.unwrap();
    // A kind that is not known is not tried, and the next variable counts.
    lab.ask(&[("HTTPS_PROXY", "socks9://127.0.0.1:1".to_owned())], Direct::Here).await.unwrap();
    let known = format!("socks5h://{}", lab.proxy());
    lab.ask(&[("HTTPS_PROXY", "foo://127.0.0.1:1".to_owned()), ("ALL_PROXY", known)], Direct::Nowhere)
        .await
        .unwrap();
}

/// Prints warnings.
#[derive(Default)]
struct Warnings(AtomicU64);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(self.0.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            if field.name() == "message" {
                println!("\nSAID: warning: {value:?}");
            }
        });
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}
