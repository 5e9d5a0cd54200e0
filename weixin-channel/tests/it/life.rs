//! The life of a journal, step by step, and what is in its file after each.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use weixin_channel::backend::{
    Journal as _, Lease, Leases as _, NewEntry, NewOutboxItem, Outbound as _, Reserve, Retention, SendRecord,
    Settlement,
};
use weixin_channel::folder::{Durability, FolderBackend, FolderOptions};
use weixin_channel::ilink_client::{ContextToken, Cursor};
use weixin_channel::{AccountId, Error, StateDir};

use crate::disk::Disk;

/// How many steps it has.
pub(crate) const STEPS: usize = 14;

const USER: &str = "o9cq8Owner0001@im.wechat";

/// A journal on a disk, from its beginning on.
pub(crate) struct Life {
    folder: tempfile::TempDir,
    disk: &'static Disk,
    durability: Durability,
    backend: Option<FolderBackend>,
    lease: Option<Lease>,
    other: Option<Lease>,
}

impl Life {
    pub(crate) fn new(disk: &'static Disk, durability: Durability) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { folder, disk, durability, backend: None, lease: None, other: None }
    }

    pub(crate) fn file(&self) -> PathBuf {
        journal(self.folder.path())
    }

    pub(crate) fn disk(&self) -> &'static Disk {
        self.disk
    }

    /// One of the steps. Each is one transaction, or none.
    pub(crate) async fn step(&mut self, step: usize) -> Result<(), Error> {
        let (account, other) = (AccountId::new("one"), AccountId::new("other"));
        let lease = self.lease.clone().unwrap_or_else(|| Lease::new(account.clone(), 0));
        if step == 0 {
            self.backend = Some(self.open().await?);
            return Ok(());
        }
        if step == STEPS - 1 {
            self.backend = None;
            let disk = self.disk;
            // Tasks that hold it need this thread to come to their end.
            tokio::task::spawn_blocking(move || disk.closed()).await.unwrap();
            return Ok(());
        }
        let backend = self.backend.clone().expect("it is open");
        let by = Some(&lease);
        match step {
            1 => self.lease = Some(backend.acquire(&account, "a test").await?),
            2 => drop(backend.ingest(&lease, &Cursor::from("c1"), &entries(1..4, 1), at(1)).await?),
            3 => {
                let died = "it was tried too often".to_owned();
                let what = [
                    Settlement::Dispatched { id: 1, attempt: 1 },
                    Settlement::Acked(1),
                    Settlement::Nacked { id: 2, attempt: 1, reason: died, dead: true },
                ];
                backend.settle(&lease, &what).await?;
            }
            4 => drop(backend.reserve(&account, by, &Reserve::new(USER), at(2)).await?),
            5 => {
                let mut record = SendRecord::new(USER.into(), Some(at(1)));
                record.accepted = Some(true);
                backend.record_send(&account, by, &record, at(3)).await?;
            }
            6 => assert!(backend.enqueue(&account, by, &outbox(), 9).await?),
            // Some are longer than a page.
            7 => drop(backend.ingest(&lease, &Cursor::from("c2"), &entries(4..10, 450), at(4)).await?),
            8 => {
                let what: Vec<_> = (4..7).map(Settlement::Acked).collect();
                backend.settle(&lease, &what).await?;
            }
            9 => backend.dequeue(&account, by, &[1]).await?,
            10 => {
                let mut retention = Retention::default();
                (retention.done, retention.done_rows) = (Duration::ZERO, 0);
                backend.prune(&account, &retention, at(5)).await?;
            }
            11 => {
                let lease = match &self.other {
                    Some(lease) => lease.clone(),
                    None => backend.acquire(&other, "a test").await?,
                };
                self.other = Some(lease.clone());
                backend.ingest(&lease, &Cursor::from("c"), &entries(1..4, 1), at(6)).await?;
            }
            // The log goes into the file.
            12 => backend.forget(&other).await?,
            _ => unreachable!("there is no step {step}"),
        }
        Ok(())
    }

    async fn open(&self) -> Result<FolderBackend, Error> {
        let mut options = FolderOptions::default();
        (options.durability, options.quotes) = (self.durability, None);
        options.vfs = Some(self.disk.name());
        FolderBackend::open(StateDir::new(self.folder.path()), options).await
    }
}

/// Steps that give the program something to go on with: after an error they are made again, whatever the file has.
pub(crate) fn is_for_the_program(step: usize) -> bool {
    matches!(step, 0 | 1 | 11)
}

fn at(second: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_763_800_000 + second)
}

fn entries(numbers: std::ops::Range<usize>, words: usize) -> Vec<NewEntry> {
    let entry = |n: usize| {
        let mut entry = NewEntry::new(format!("message:{n}"), USER, "a long word ".repeat(words));
        entry.context_token = Some(ContextToken::from(format!("token {n}")));
        entry
    };
    numbers.map(entry).collect()
}

fn outbox() -> Vec<NewOutboxItem> {
    let item =
        |n: u64| NewOutboxItem::new(USER.into(), format!("client-{n}").into(), "{}", at(n), at(90 + n));
    (1..4).map(item).collect()
}

pub(crate) fn journal(folder: &Path) -> PathBuf {
    folder.join("openclaw-weixin/channel.sqlite")
}

/// All that a journal's file has to say, read past the disk that fails; nothing, before there are tables. Panics if the
/// file is damaged.
///
/// Of leases and of what the official plugin was told it says nothing: a number may be left out, and what is told is told
/// after a while. Nor of where an account begins.
pub(crate) fn dump(file: &Path) -> String {
    let tables = ["cursors WHERE cursor <> ''", "context_tokens", "journal", "ledger", "health", "outbox"];
    let db = Connection::open(file).unwrap();
    db.busy_timeout(Duration::from_secs(5)).unwrap();
    let text = |sql: &str| -> String { db.query_row(sql, [], |row| row.get(0)).unwrap() };
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    if text("SELECT count(*) || '' FROM sqlite_schema") == "0" {
        return String::new();
    }
    let mut dump = text("SELECT 'version ' || user_version || char(10) FROM pragma_user_version");
    for table in tables {
        let mut select = db.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3")).unwrap();
        let columns = select.column_count();
        let mut rows = select.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            dump.push_str(table);
            for column in 0..columns {
                let value = match row.get_ref(column).unwrap() {
                    ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
                    ValueRef::Integer(number) => number.to_string(),
                    other => format!("{other:?}"),
                };
                dump.push('|');
                dump.push_str(&value);
            }
            dump.push('\n');
        }
    }
    dump
}

/// Whether the file has a write-ahead log.
pub(crate) fn has_log(file: &Path) -> bool {
    let db = Connection::open(file).unwrap();
    db.query_row("PRAGMA journal_mode", [], |row| row.get::<_, String>(0)).unwrap() == "wal"
}

/// What the file holds before the first step and after each, when nothing fails.
pub(crate) async fn states() -> Vec<String> {
    let mut life = Life::new(Disk::new(), Durability::default());
    let mut states = vec![String::new()];
    for step in 0..STEPS {
        life.step(step).await.unwrap();
        states.push(dump(&life.file()));
    }
    let changes = states.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert_eq!(changes, 12, "all steps but those of leases and the last are seen");
    states
}
