//! A state folder whose calls are seen, and held up or refused, before they are made.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use weixin_channel::access::{PairingCode, PairingLimits, PairingRequest};
use weixin_channel::backend::{
    Access, Accounts, Answer, Counts, DeadLetter, Entry, Health, Journal, Lease, Leases, NewEntry,
    NewOutboxItem, Outbound, OutboxItem, Quotes, Reservation, Reserve, Retention, SavedLogin, SendContext,
    SendRecord, Settlement,
};
use weixin_channel::folder::FolderBackend;
use weixin_channel::ilink_client::{BoxFuture, Credentials, Cursor, MessageId, UserId};
use weixin_channel::quote::StoredMessage;
use weixin_channel::{Account, AccountId, Error};

/// What is done before a call, by its method; what is settled comes along.
pub(crate) type Hook =
    Arc<dyn Fn(&'static str, Vec<Settlement>) -> BoxFuture<'static, Result<(), Error>> + Send + Sync>;

/// The backend below, behind a hook.
#[derive(Clone)]
pub(crate) struct Hooked {
    pub(crate) below: FolderBackend,
    pub(crate) hook: Hook,
    /// Its process was killed: nothing is written at its end.
    pub(crate) dead: Arc<AtomicBool>,
}

impl fmt::Debug for Hooked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.below.fmt(f)
    }
}

macro_rules! pass_on {
    ($life:lifetime: $($name:ident($($arg:ident: $type:ty),*) -> $answer:ty;)*) => {$(
        fn $name<$life>(&$life self, $($arg: $type),*) -> Answer<$life, $answer> {
            Box::pin(async move {
                (self.hook)(stringify!($name), Vec::new()).await?;
                self.below.$name($($arg),*).await
            })
        }
    )*};
}

impl Accounts for Hooked {
    pass_on! {'a:
        account(account: &'a AccountId) -> Option<Account>;
        save_login(credentials: &'a Credentials, now: SystemTime) -> SavedLogin;
        remove_account(account: &'a AccountId) -> ();
    }

    fn accounts(&self) -> Answer<'_, Vec<Account>> {
        self.below.accounts()
    }

    fn check_writable(&self) -> Answer<'_, ()> {
        self.below.check_writable()
    }
}

impl Leases for Hooked {
    pass_on! {'a:
        acquire(account: &'a AccountId, holder: &'a str) -> Lease;
        renew(lease: &'a Lease) -> ();
        release(lease: &'a Lease) -> ();
    }

    fn lease_time(&self) -> Option<Duration> {
        self.below.lease_time()
    }
}

impl Journal for Hooked {
    pass_on! {'a:
        cursor(account: &'a AccountId) -> Option<Cursor>;
        ingest(lease: &'a Lease, cursor: &'a Cursor, entries: &'a [NewEntry], now: SystemTime) -> Vec<Entry>;
        pending(account: &'a AccountId, after: i64, limit: u32) -> Vec<Entry>;
        pending_of(account: &'a AccountId, peer: &'a UserId, after: i64, limit: u32) -> Vec<Entry>;
        dead_letters(account: &'a AccountId, after: i64, limit: u32) -> Vec<DeadLetter>;
        requeue(account: &'a AccountId, id: i64) -> Option<Entry>;
        counts(account: &'a AccountId) -> Counts;
        prune(account: &'a AccountId, retention: &'a Retention, now: SystemTime) -> u64;
        forget(account: &'a AccountId) -> ();
    }

    fn settle<'a>(&'a self, lease: &'a Lease, what: &'a [Settlement]) -> Answer<'a, ()> {
        Box::pin(async move {
            (self.hook)("settle", what.to_vec()).await?;
            self.below.settle(lease, what).await
        })
    }

    fn settle_at_exit(&self, lease: &Lease, what: &[Settlement]) {
        if !self.dead.load(Ordering::Relaxed) {
            self.below.settle_at_exit(lease, what);
        }
    }
}

impl Outbound for Hooked {
    pass_on! {'a:
        send_context(account: &'a AccountId, user: &'a str) -> SendContext;
        reserve(account: &'a AccountId, lease: Option<&'a Lease>, wanted: &'a Reserve, now: SystemTime) -> Reservation;
        record_send(account: &'a AccountId, lease: Option<&'a Lease>, record: &'a SendRecord, now: SystemTime) -> Health;
        health(account: &'a AccountId) -> Health;
        enqueue(account: &'a AccountId, lease: Option<&'a Lease>, items: &'a [NewOutboxItem], cap: u32) -> bool;
        outbox(account: &'a AccountId, after: i64, limit: u32) -> Vec<OutboxItem>;
        dequeue(account: &'a AccountId, lease: Option<&'a Lease>, ids: &'a [i64]) -> ();
    }
}

impl Access for Hooked {
    pass_on! {'a:
        allowed(account: &'a AccountId) -> Vec<String>;
        allow(account: &'a AccountId, user: &'a UserId) -> bool;
        disallow(account: &'a AccountId, user: &'a UserId) -> bool;
        request_pairing(account: &'a AccountId, user: &'a UserId, number: u64, limits: &'a PairingLimits, now: SystemTime) -> Option<PairingCode>;
        pairing_requests(limits: &'a PairingLimits, now: SystemTime) -> Vec<PairingRequest>;
        approve(code: &'a str, limits: &'a PairingLimits, now: SystemTime) -> Option<PairingRequest>;
        remove_request(code: &'a str, limits: &'a PairingLimits, now: SystemTime) -> Option<PairingRequest>;
    }
}

impl Quotes for Hooked {
    pass_on! {'a:
        record_quote(account: &'a AccountId, conversation: &'a UserId, message: &'a StoredMessage) -> ();
        quote_by_id(account: &'a AccountId, conversation: &'a UserId, id: MessageId, now_ms: i64) -> Option<StoredMessage>;
        quotes_near(account: &'a AccountId, conversation: &'a UserId, time_ms: i64, now_ms: i64) -> Vec<StoredMessage>;
        forget_quotes(account: &'a AccountId) -> ();
    }

    fn prune_quotes(&self, now_ms: i64) -> Answer<'_, ()> {
        self.below.prune_quotes(now_ms)
    }

    fn media_dir(&self, account: &AccountId) -> Option<PathBuf> {
        self.below.media_dir(account)
    }
}
