//! The PostgreSQL backend on a real server of its own.

use std::cell::Cell;
use std::time::Duration;

use ilink_fixtures::Simulator;
use ilink_fixtures::postgres::{Durability, Server};
use weixin_channel::backend::{
    Accounts as _, Journal as _, Leases as _, NewEntry, StoreErrorKind, conformance,
};
use weixin_channel::fleet::{Fleet, FleetOptions};
use weixin_channel::ilink_client::{Client, Credentials, Cursor};
use weixin_channel::postgres::{PostgresBackend, PostgresOptions};
use weixin_channel::{AccountConfig, AccountId, AccountState, Channel, Error};

fn server() -> Option<Server> {
    Server::start(Durability::Processes).expect("PostgreSQL")
}

async fn execute(url: &str, sql: &str) {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.expect("connect");
    let connection = tokio::spawn(connection);
    client.batch_execute(sql).await.expect("statement");
    drop(client);
    connection.await.expect("task").expect("connection");
}

async fn open(url: &str) -> PostgresBackend {
    PostgresBackend::open(url, PostgresOptions::default()).await.expect("open")
}

fn kind(error: &Error) -> StoreErrorKind {
    let Error::Store(error) = error else { panic!("another error: {error}") };
    error.kind()
}

/// The whole suite, each check on a database of its own behind `url`.
async fn check(server: &Server, url: impl Fn(&str) -> String) {
    let count = Cell::new(0);
    conformance::check(async || {
        count.set(count.get() + 1);
        let name = format!("suite{}", count.get());
        execute(&server.url("postgres"), &format!("CREATE DATABASE {name}")).await;
        open(&url(&name)).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_to_what_backends_keep_to() {
    let Some(server) = server() else { return };
    check(&server, |name| server.url(name)).await;
}

/// Each transaction may have another connection: nothing is kept in one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_it_does_behind_pgbouncer_in_transaction_mode() {
    let Some(server) = server() else { return };
    let Some(pooled) = server.pooled().expect("PgBouncer") else { return };
    check(&server, |name| pooled.url(name)).await;
}

/// Of many that start on a new database at once none fails, and the tables are made once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_start_on_a_new_database() {
    let Some(server) = server() else { return };
    let url = server.url("postgres");
    let starts: Vec<_> = (0..8)
        .map(|_| {
            tokio::spawn({
                let url = url.clone();
                async move { open(&url).await }
            })
        })
        .collect();
    for start in starts {
        start.await.expect("it opens").accounts().await.expect("it has its tables");
    }
    execute(&url, "INSERT INTO weixin_schema VALUES (99)").await;
    let error = PostgresBackend::open(&url, PostgresOptions::default()).await.expect_err("a newer one");
    assert_eq!(error.code(), "store-newer");
}

/// What one process wrote, another finds; and a lease of one that went silent is another's after its lifetime, not
/// before, and the silent one knows itself that it has lost it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_process_loses_its_accounts() {
    let Some(server) = server() else { return };
    let url = server.url("postgres");
    let (one, two) = (open(&url).await, open(&url).await);
    let login = Credentials::new("aaaaaaaaaaaa@im.bot", "token");
    let account = one.save_login(&login, std::time::SystemTime::now()).await.expect("login").account;
    assert_eq!(two.account(&account).await.expect("account").map(|found| found.id), Some(account.clone()));
    let lease = one.acquire(&account, "one").await.expect("acquire");
    let taken = two.acquire(&account, "two").await.expect_err("one has it");
    assert!(matches!(&taken, Error::Locked { holder, .. } if holder == "one"), "{taken}");
    one.renew(&lease).await.expect("renew");
    // As if nothing had been heard of it for its lifetime: by the database's clock, not by ours.
    execute(&url, "UPDATE weixin_processes SET expires = clock_timestamp()").await;
    let second = two.acquire(&account, "two").await;
    let second = match second {
        // Its own row had expired too: it registers again.
        Err(Error::Store(error)) if error.kind() == StoreErrorKind::Transient => {
            until(async || two.acquire(&account, "two").await.ok()).await
        }
        other => other.expect("acquire"),
    };
    assert!(second.generation > lease.generation);
    let entries = [NewEntry::new("1", "u", "{}")];
    let now = std::time::SystemTime::now();
    let late = one.ingest(&lease, &Cursor::from("c"), &entries, now).await.expect_err("it lost the account");
    assert_eq!(kind(&late), StoreErrorKind::Fenced);
    let lost =
        until(async || one.renew(&lease).await.err().filter(|error| kind(error) == StoreErrorKind::Fenced))
            .await;
    assert_eq!(lost.code(), "account-lost");
    assert_eq!(two.cursor(&account).await.expect("cursor"), None, "nothing was written");
}

/// A lease that was let go of while the database could not be told is free once it can be.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_let_go_of_is_free_in_the_end() {
    let Some(server) = server() else { return };
    let url = server.url("postgres");
    let (one, two, account) = (open(&url).await, open(&url).await, AccountId::new("a"));
    let lease = one.acquire(&account, "one").await.expect("acquire");
    execute(&url, "ALTER TABLE weixin_leases RENAME TO elsewhere").await;
    one.release(&lease).await.expect_err("it cannot be told");
    execute(&url, "ALTER TABLE elsewhere RENAME TO weixin_leases").await;
    until(async || two.acquire(&account, "two").await.ok()).await;
}

/// An account that was forgotten by another process is noticed by the next heartbeat, not only by the next write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forgotten_account_is_lost_by_who_runs_it() {
    let Some(server) = server() else { return };
    let (one, two) = (open(&server.url("postgres")).await, open(&server.url("postgres")).await);
    let account = AccountId::new("a");
    let lease = one.acquire(&account, "one").await.expect("acquire");
    two.forget(&account).await.expect("forget");
    until(async || one.renew(&lease).await.err().filter(|error| kind(error) == StoreErrorKind::Fenced)).await;
}

/// A restart of the database is an error that passes, by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_of_the_database_passes() {
    let Some(mut server) = server() else { return };
    let backend = open(&server.url("postgres")).await;
    let login = Credentials::new("aaaaaaaaaaaa@im.bot", "token");
    backend.save_login(&login, std::time::SystemTime::now()).await.expect("login");
    server = tokio::task::spawn_blocking(move || server.restart().map(|()| server))
        .await
        .expect("task")
        .expect("restart");
    for _ in 0..20 {
        match backend.accounts().await {
            Ok(accounts) => return assert_eq!(accounts.len(), 1),
            Err(error) => assert_eq!(kind(&error), StoreErrorKind::Transient, "{error}"),
        }
    }
    drop(server);
    panic!("connections that broke are used again and again");
}

/// With TLS the server's certificate is checked, and without it `sslmode=require` does not connect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_used_and_its_certificate_checked() {
    let Some(mut server) = server() else { return };
    let url = format!("postgres://weixin@localhost:{}/postgres?sslmode=require", server.port());
    let plain =
        PostgresBackend::open(&url, PostgresOptions::default()).await.expect_err("the server has no TLS");
    assert_eq!(kind(&plain), StoreErrorKind::Transient);
    let pem = server.with_tls().expect("TLS");
    let stranger =
        PostgresBackend::open(&url, PostgresOptions::default()).await.expect_err("nobody vouches for it");
    assert!(stranger.to_string().contains("certificate"), "{stranger}");
    let mut options = PostgresOptions::default();
    options.roots = vec![pem.into_bytes()];
    let backend = PostgresBackend::open(&url, options).await.expect("open");
    backend.check_writable().await.expect("write");
}

#[tokio::test]
async fn addresses_that_lead_nowhere() {
    let open =
        async |url: &str| PostgresBackend::open(url, PostgresOptions::default()).await.expect_err("nowhere");
    let error = open("mysql://x").await;
    assert!(error.to_string().contains("postgres://user:password@host:5432/database"), "{error}");
    // A port that nobody listens on: it was free a moment ago.
    let port =
        std::net::TcpListener::bind(("127.0.0.1", 0)).expect("bind").local_addr().expect("address").port();
    let error = open(&format!("postgres://u@127.0.0.1:{port}/x")).await;
    assert_eq!(kind(&error), StoreErrorKind::Transient);
    assert!(error.to_string().contains("see whether it runs"), "{error}");
}

/// What a background task brings about: asked again and again, as soon as others had their turn.
async fn until<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asked = async {
        let mut pause = tokio::time::interval(Duration::from_millis(10));
        loop {
            if let Some(found) = ask().await {
                return found;
            }
            pause.tick().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asked).await.expect("it never happens")
}

/// Two processes share the accounts, each polled once; the other has all of them after a clean stop, and sends for those
/// that run elsewhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_of_two_becomes_one_of_one() {
    let Some(server) = server() else { return };
    let simulator = Simulator::builder().long_poll(Duration::from_secs(2)).start().await.expect("simulator");
    let mut polls = simulator.watch_polls();
    let url = server.url("postgres");
    let first = open(&url).await;
    let mut bots = Vec::new();
    for n in 0..24 {
        let bot = simulator.add_bot(&format!("o9cq8user{n:04}@im.wechat"));
        let login = Credentials::new(bot.bot_id.as_str(), bot.token.as_str()).user_id(bot.user_id.as_str());
        first.save_login(&login, std::time::SystemTime::now()).await.expect("login");
        bots.push(bot);
    }
    let (folder, mut processes) = (tempfile::tempdir().expect("folder"), Vec::new());
    for name in ["one", "two"] {
        let mut options = PostgresOptions::default();
        options.name = Some(name.to_owned());
        let backend = PostgresBackend::open(&url, options).await.expect("open");
        let builder = Channel::builder().state_dir(folder.path().join(name)).backend(backend.clone());
        let (channel, deliveries) =
            builder.client(Client::builder().base_url(simulator.url())).build().await.expect("channel");
        let mut options = FleetOptions::default();
        options.config = std::sync::Arc::new(|_| AccountConfig::default().open());
        processes.push((channel.clone(), deliveries, Fleet::start(channel, backend, options)));
    }
    let running = |channel: &Channel| {
        let of = |id: &AccountId| channel.status(id).state == AccountState::Online;
        bots.iter().map(|bot| AccountId::new(bot.bot_id.as_str())).filter(of).collect::<Vec<_>>()
    };
    let (second, third) = (processes.pop().expect("two"), processes.pop().expect("one"));
    until(async || {
        let (here, there) = (running(&third.0), running(&second.0));
        (here.len() + there.len() == bots.len() && !here.is_empty() && !there.is_empty()).then_some(())
    })
    .await;
    let theirs = running(&second.0).remove(0);
    let bot = bots.iter().find(|bot| AccountId::new(bot.bot_id.as_str()) == theirs).expect("its bot");
    simulator.phone(&bot.user_id).writing_to(&bot.bot_id).send_text("hello");
    let mut deliveries = second.1;
    let delivery = deliveries.next().await.expect("a message where the account runs");
    let elsewhere = third.0.conversation(&theirs, &bot.user_id);
    elsewhere.send("from the other process").await.expect("any process sends");
    delivery.ack().await.expect("acknowledge");
    second.2.stop().await;
    until(async || (running(&third.0).len() == bots.len()).then_some(())).await;
    third.2.stop().await;
    while let Ok(poll) = polls.try_recv() {
        assert_eq!(poll.hanging, 0, "{poll:?}: two poll at once");
    }
    simulator.assert_conformant();
}
