//! Proxies from the environment, which a process has but one of: each case is a child process of its own.

use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use ilink_client::{Client, Credentials, RetryPolicy};
use ilink_fixtures::net::Network;

use crate::network::{World, now};

const BOT: &str = "PROXIES_CHILD_BOT";
const CA: &str = "PROXIES_CHILD_CA";

/// What a child process with these variables prints.
async fn child(world: &World, variables: &[(&str, &str)]) -> Vec<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "proxies::the_child", "--nocapture"]);
    for name in ["HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command
        .env(BOT, format!("{} {}", world.info.bot_id, world.info.token))
        .env(CA, world.network.ca_pem())
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
            .clock(now)
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
async fn every_kind_from_the_environment() {
    let open = World::new(Network::builder()).await;
    let login = World::new(Network::builder().proxy_login("me", "secret")).await;
    let of = |world: &World, kind: &str| world.network.socks_proxy().replace("socks5h", kind);
    for (world, variable, url) in [
        (&open, "ALL_PROXY", of(&open, "socks5h")),
        (&open, "HTTPS_PROXY", of(&open, "socks5h")),
        (&open, "all_proxy", of(&open, "socks4a")),
        (&open, "https_proxy", open.network.https_proxy()),
        (&login, "ALL_PROXY", of(&login, "socks5h")),
        (&login, "ALL_PROXY", of(&login, "socks5h").replace("secret", "%73ecret")),
        (&login, "HTTPS_PROXY", login.network.https_proxy()),
    ] {
        let before = world.network.connections();
        assert_eq!(child(world, &[(variable, &url)]).await, ["works", "works"], "{variable}={url}");
        assert_eq!(world.network.connections(), before + 2, "{variable}={url}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_said_of_those_that_do_not_work() {
    let world = World::new(Network::builder().proxy_login("me", "secret")).await;
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
