//! Two processes that write one journal at once, each for its own account. One of them is killed, over and over.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, UNIX_EPOCH};

use rusqlite::Connection;
use weixin_channel::backend::{
    Journal as _, Leases as _, NewEntry, NewOutboxItem, Outbound as _, Settlement,
};
use weixin_channel::folder::{FolderBackend, FolderOptions};
use weixin_channel::ilink_client::{ContextToken, Cursor};
use weixin_channel::{AccountId, StateDir};

use crate::life::journal;

const USER: &str = "o9cq8Owner0001@im.wechat";

/// Where a process of this test writes, and for which account.
const FOLDER: &str = "WEIXIN_TEST_FOLDER";
const ACCOUNT: &str = "WEIXIN_TEST_ACCOUNT";

/// Messages of one round.
const MESSAGES: i64 = 3;

/// What a process says that it has done, of which account.
type Line = (&'static str, String);

/// Messages in, two of three done, an answer into the outbox: until it is told to stop, or so many rounds. Each is said
/// once the journal has taken it. One that had to wait for longer than a write may would get an error.
async fn write(folder: &Path, account: &str, rounds: u64, stop: &AtomicBool) {
    let mut options = FolderOptions::default();
    options.quotes = None;
    let backend = FolderBackend::open(StateDir::new(folder), options).await.unwrap();
    let account = AccountId::new(account);
    let lease = backend.acquire(&account, "a test").await.unwrap();
    let cursor = backend.cursor(&account).await.unwrap();
    let first = cursor.map_or(0, |cursor| cursor.as_str().parse::<u64>().unwrap()) + 1;
    for round in first..first + rounds {
        let now = UNIX_EPOCH + Duration::from_secs(1_763_800_000 + round);
        let entry = |n| {
            let mut entry = NewEntry::new(format!("{round}-{n}"), USER, "some words ".repeat(40));
            entry.context_token = Some(ContextToken::from(format!("token {round}")));
            entry
        };
        let entries: Vec<_> = (0..MESSAGES).map(entry).collect();
        let fresh = backend.ingest(&lease, &Cursor::from(round.to_string()), &entries, now).await.unwrap();
        println!("\n@ in {round}");
        let done: Vec<_> = fresh[..2].iter().map(|entry| Settlement::Acked(entry.id)).collect();
        backend.settle(&lease, &done).await.unwrap();
        println!("\n@ done {round}");
        let later = now + Duration::from_secs(60);
        let item = NewOutboxItem::new(USER.into(), round.to_string().into(), "{}", now, later);
        assert!(backend.enqueue(&account, Some(&lease), &[item], u32::MAX).await.unwrap());
        println!("\n@ out {round}");
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
}

/// What is in the journal of what an account's processes have said, all of it, and of the rest nothing by half.
fn check(folder: &Path, account: &str, said: &[String]) {
    let db = Connection::open(journal(folder)).unwrap();
    let whole: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
    let count =
        |sql: &str, round: &str| -> i64 { db.query_row(sql, [account, round], |row| row.get(0)).unwrap() };
    let known = "SELECT count(*) FROM journal WHERE account = ?1 AND key LIKE ?2 || '-%'";
    let done = format!("{known} AND state = 1");
    let waits = "SELECT count(*) FROM outbox WHERE account = ?1 AND client_id = ?2";
    for line in said {
        let (what, round) = line.split_once(' ').unwrap();
        match what {
            "in" => assert_eq!(count(known, round), MESSAGES, "{account}: {line}"),
            "done" => assert_eq!(count(&done, round), 2, "{account}: {line}"),
            "out" => assert_eq!(count(waits, round), 1, "{account}: {line}"),
            _ => panic!("{line:?}"),
        }
    }
    let last: u64 = db
        .query_row("SELECT cursor FROM cursors WHERE account = ?1", [account], |row| row.get::<_, String>(0))
        .unwrap()
        .parse()
        .unwrap();
    for round in 1..=last {
        assert_eq!(count(known, &round.to_string()), MESSAGES, "{account}: {round}, below its cursor");
        assert!(matches!(count(&done, &round.to_string()), 0 | 2), "{account}: half of {round} is done");
    }
    assert_eq!(count(known, &(last + 1).to_string()), 0, "{account}: beyond its cursor");
}

/// By itself, or, where the environment says so, as one of the two processes of the test below.
#[tokio::test]
async fn what_a_process_says_is_in_the_journal() {
    let stop = Arc::new(AtomicBool::new(false));
    if let (Some(folder), Ok(account)) = (std::env::var_os(FOLDER), std::env::var(ACCOUNT)) {
        let told = stop.clone();
        std::thread::spawn(move || {
            // Nothing comes; it ends.
            let _ = std::io::stdin().read(&mut [0]);
            told.store(true, Ordering::Relaxed);
        });
        return write(Path::new(&folder), &account, u64::MAX / 2, &stop).await;
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "one", 3, &stop).await;
    write(folder.path(), "one", 3, &stop).await;
    let said = |round: u64| ["in", "done", "out"].map(|what| format!("{what} {round}"));
    check(folder.path(), "one", &(1..=6).flat_map(said).collect::<Vec<_>>());
}

fn spawn(folder: &Path, account: &'static str, lines: &Sender<Line>) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["processes::what_a_process_says_is_in_the_journal", "--exact", "--nocapture"])
        .env(FOLDER, folder)
        .env(ACCOUNT, account)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (out, lines) = (BufReader::new(child.stdout.take().unwrap()), lines.clone());
    std::thread::spawn(move || {
        for line in out.lines() {
            // Half a line was not said.
            let line = line.unwrap_or_default();
            if let Some(line) = line.strip_prefix("@ ")
                && lines.send((account, line.to_owned())).is_err()
            {
                break;
            }
        }
    });
    child
}

/// Waits until an account's process has said so many more things.
fn hear(from: &str, number: usize, lines: &Receiver<Line>, said: &mut HashMap<&'static str, Vec<String>>) {
    let mut heard = 0;
    while heard < number {
        let (account, line) = lines.recv_timeout(Duration::from_secs(30)).expect("it says nothing more");
        heard += usize::from(account == from);
        said.entry(account).or_default().push(line);
    }
}

#[test]
fn two_processes_write_one_journal_and_one_is_killed_over_and_over() {
    let folder = tempfile::tempdir().unwrap();
    let (sender, lines) = channel();
    let mut said = HashMap::new();
    let mut stays = spawn(folder.path(), "stays", &sender);
    // Both make the folder.
    for lives in [1, 2, 3, 4, 5, 8, 13, 21, 34, 55] {
        let mut killed = spawn(folder.path(), "killed", &sender);
        hear("killed", lives, &lines, &mut said);
        killed.kill().unwrap();
        killed.wait().unwrap();
        hear("stays", 9, &lines, &mut said);
    }
    let mut last = spawn(folder.path(), "killed", &sender);
    hear("killed", 9, &lines, &mut said);
    for process in [&mut stays, &mut last] {
        drop(process.stdin.take());
        assert!(process.wait().unwrap().success(), "it had to wait too long, or something was lost");
    }
    drop(sender);
    for (account, line) in lines {
        said.entry(account).or_default().push(line);
    }
    for (account, said) in &said {
        println!("{account}: {} things said", said.len());
        check(folder.path(), account, said);
    }
    assert_eq!(said.len(), 2);
}
