//! The PostgreSQL backend on a real server of its own.

use std::cell::Cell;
use std::time::Duration;

use ilink_fixtures::postgres::{Durability, Server};
use weixin_channel::backend::{Accounts as _, Journal as _, Leases as _, NewEntry, StoreErrorKind, conformance};
use weixin_channel::ilink_client::{Credentials, Cursor};
use weixin_channel::postgres::{PostgresBackend, PostgresOptions};
use weixin_channel::{AccountId, Error};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_keeps_to_what_backends_keep_to() {
    let Some(server) = server() else { return };
    let count = Cell::new(0);
    conformance::check(async || {
        count.set(count.get() + 1);
        let name = format!("suite{}", count.get());
        execute(&server.url("postgres"), &format!("CREATE DATABASE {name}")).await;
        open(&server.url(&name)).await
    })
    .await;
}

/// Of many that start on a new database at once none fails, and the tables are made once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_start_on_a_new_database() {
    let Some(server) = server() else { return };
    let url = server.url("postgres");
    let starts: Vec<_> = (0..8).map(|_| tokio::spawn({ let url = url.clone(); async move { open(&url).await } })).collect();
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
    let lost = until(async || one.renew(&lease).await.err().filter(|error| kind(error) == StoreErrorKind::Fenced)).await;
    assert_eq!(lost.code(), "account-lost");
    assert_eq!(two.cursor(&account).await.expect("cursor"), None, "nothing was written");
}

/// An account that was forgotten by another process is noticed by the next sign of life, not only by the next write.
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
    server = tokio::task::spawn_blocking(move || server.restart().map(|()| server)).await.expect("task").expect("restart");
    for _ in 0..20 {
        match backend.accounts().await {
            Ok(accounts) => return assert_eq!(accounts.len(), 1),
            Err(error) => assert_eq!(kind(&error), StoreErrorKind::Transient, "{error}"),
        }
    }
    drop(server);
    panic!("connections that broke are used again and again");
}

#[tokio::test]
async fn addresses_that_lead_nowhere() {
    let open = async |url: &str| PostgresBackend::open(url, PostgresOptions::default()).await.expect_err("nowhere");
    let error = open("mysql://x").await;
    assert!(error.to_string().contains("postgres://user:password@host:5432/database"), "{error}");
    // A port that nobody listens on: it was free a moment ago.
    let port = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("bind").local_addr().expect("address").port();
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
