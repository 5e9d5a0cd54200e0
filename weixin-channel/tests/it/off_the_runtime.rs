//! Nothing waits on the runtime: not for a lock that another program holds, not for a slow disk, not for a codec. And
//! several programs over one backend get along.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use weixin_channel::backend::{Accounts as _, Journal as _, Leases as _, NewEntry, Settlement};
use weixin_channel::folder::{FolderBackend, FolderOptions};
use weixin_channel::ilink_client::{Client, Cursor};
use weixin_channel::{AccountId, AccountState, Channel, Reply, StateDir};

use crate::hooked::{Hook, Hooked};
use crate::{Lab, USER, config, next, until};

/// How late a task of the runtime may be, in real time.
const LATE: Duration = Duration::from_millis(250);

/// The longest time for which the runtime did nothing else while `work` was done.
async fn stall<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let ended = Arc::new(AtomicBool::new(false));
    let (told, watch) = (ended.clone(), async move |told: Arc<AtomicBool>| {
        let (mut longest, mut last) = (Duration::ZERO, Instant::now());
        while !told.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(1)).await;
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
        longest
    });
    let watch = tokio::spawn(watch(told));
    let result = work.await;
    ended.store(true, Ordering::Relaxed);
    (result, watch.await.unwrap())
}

fn journal(lab: &Lab) -> Connection {
    Connection::open(lab.folder.path().join("openclaw-weixin/channel.sqlite")).unwrap()
}

/// Holds the write lock, as a backup does, until it is told to let go or dropped.
fn hold_lock(lab: &Lab) -> Connection {
    let held = journal(lab);
    held.execute_batch("BEGIN IMMEDIATE").unwrap();
    held
}

#[tokio::test]
async fn a_lock_that_another_program_holds_stalls_nothing() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.builder().build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    until(&channel, &lab.account, AccountState::Online).await;
    lab.phone().send_text("before");
    let delivery = next(&mut deliveries).await;
    let held = hold_lock(&lab);
    let (account, id) = (lab.account.clone(), lab.account.clone());
    let busy = async {
        lab.phone().send_text("meanwhile");
        let ack = tokio::spawn(delivery.ack());
        // What only reads goes on.
        channel.backend().counts(&account).await.unwrap();
        channel.accounts().await.unwrap();
        channel.outbox(&account).await.unwrap();
        channel.dead_letters(&account).await.unwrap();
        let begin = Instant::now();
        channel.stop(&id).await;
        assert!(begin.elapsed() < Duration::from_secs(1), "a stop took {:?}", begin.elapsed());
        Some(ack)
    };
    let (ack, stalled) = stall(busy).await;
    let ack = ack.unwrap();
    assert!(stalled < LATE, "the runtime stood still for {stalled:?}");
    assert!(!ack.is_finished(), "it waits for the lock");
    drop(held);
    ack.await.unwrap().expect("and is written once the lock is free");
    assert_eq!(channel.backend().counts(&lab.account).await.unwrap().pending, 0);
}

#[tokio::test]
async fn a_lock_that_is_held_too_long_has_its_own_sentence() {
    let lab = Lab::new();
    let backend =
        FolderBackend::open(StateDir::new(lab.folder.path()), FolderOptions::default()).await.unwrap();
    let lease = backend.acquire(&lab.account, "this test").await.unwrap();
    let held = hold_lock(&lab);
    let what = [Settlement::Acked(1)];
    let (settled, stalled) = stall(backend.settle(&lease, &what)).await;
    let error = settled.unwrap_err().to_string();
    assert!(error.contains("channel.sqlite is locked by another program (a backup?)"), "{error}");
    assert!(stalled < LATE, "the runtime stood still for {stalled:?}");
    drop(held);
    backend.settle(&lease, &what).await.unwrap();
}

/// Written in one go, each seen by the next.
#[tokio::test]
async fn a_write_that_fails_costs_the_others_of_its_group_nothing() {
    let lab = Lab::new();
    let backend = lab.backend().await;
    let lease = backend.acquire(&lab.account, "this test").await.unwrap();
    // While the lock is held they gather.
    let held = hold_lock(&lab);
    let name = AccountId::new("other");
    let other = backend.acquire(&name, "this test");
    let late = weixin_channel::backend::Lease::new(lab.account.clone(), lease.generation - 1);
    let entries = [NewEntry::new("1", "u", "{}")];
    let (cursor, now) = (Cursor::from("c"), std::time::UNIX_EPOCH);
    let written = async {
        tokio::join!(
            backend.ingest(&lease, &cursor, &entries, now),
            backend.ingest(&late, &cursor, &entries, now),
            other,
        )
    };
    let free = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        drop(held);
    };
    let ((good, bad, other), ()) = tokio::join!(written, free);
    assert_eq!(good.unwrap().len(), 1);
    assert_eq!(bad.unwrap_err().code(), "account-lost");
    other.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn eight_programs_start_on_a_new_folder_at_once() {
    for _ in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let open = |_| FolderBackend::open(StateDir::new(folder.path()), FolderOptions::default());
        let mut opening = tokio::task::JoinSet::new();
        (0..8).map(open).for_each(|open| drop(opening.spawn(open)));
        for opened in opening.join_all().await {
            opened.expect("each of them starts");
        }
    }
}

/// Two state folders and one backend: whoever comes second is told so, and moves no cursor.
#[tokio::test(start_paused = true)]
async fn two_channels_over_one_backend_do_not_run_one_account_twice() {
    let lab = Lab::new();
    let backend = lab.backend().await;
    let (first, mut deliveries) = lab.builder().backend(backend.clone()).build().await.unwrap();
    first.start(&lab.account, config()).await.unwrap();
    lab.phone().send_text("hi");
    next(&mut deliveries).await.ack().await.unwrap();
    let cursor = backend.cursor(&lab.account).await.unwrap().unwrap();

    let elsewhere = tempfile::tempdir().unwrap();
    let accounts = elsewhere.path().join("openclaw-weixin/accounts");
    std::fs::create_dir_all(&accounts).unwrap();
    let file = accounts.join(format!("{}.sync.json", lab.account));
    std::fs::write(file, r#"{"get_updates_buf":"an old one"}"#).unwrap();
    let second = || lab.builder().state_dir(elsewhere.path()).backend(backend.clone());
    let (second, _more) = second().build().await.unwrap();
    assert_eq!(second.start(&lab.account, config()).await.unwrap_err().code(), "account-locked");
    assert_eq!(backend.cursor(&lab.account).await.unwrap(), Some(cursor.clone()));
    assert_eq!(second.status(&lab.account).state, AccountState::Stopped);
    // Once the first has let go, it goes on where that was.
    first.stop(&lab.account).await;
    second.start(&lab.account, config()).await.unwrap();
    assert_eq!(backend.cursor(&lab.account).await.unwrap(), Some(cursor));
    // What the first still has in hand is not written by it any more.
    until(&second, &lab.account, AccountState::Online).await;
}

/// A process that was stopped for long, and whose account another one has got meanwhile.
#[tokio::test(start_paused = true)]
async fn a_process_that_lost_its_account_stops_and_writes_nothing() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    lab.phone().send_text("one");
    let one = next(&mut deliveries).await;
    // Another process has a later lease.
    journal(&lab).execute("UPDATE leases SET generation = generation + 1", []).unwrap();
    let refused = one.reply("late").await.unwrap_err();
    assert_eq!(refused.code(), "account-lost");
    assert_eq!(one.ack().await.unwrap_err().code(), "account-lost");
    lab.phone().send_text("two");
    until(&channel, &lab.account, AccountState::Stopped).await;
    assert!(channel.status(&lab.account).last_error.unwrap().contains("another process"));
    assert!(crate::quiet(&mut deliveries).await, "nothing more is given out here");
    assert_eq!(channel.backend().counts(&lab.account).await.unwrap().pending, 1, "the other one has it");
}

#[tokio::test(start_paused = true)]
async fn a_text_and_a_block_cost_two_calls_of_the_backend_at_most() {
    let lab = Lab::new();
    let calls: Arc<Mutex<Vec<&str>>> = Arc::default();
    let seen = calls.clone();
    let hook: Hook = Arc::new(move |method, _| {
        seen.lock().unwrap().push(method);
        Box::pin(async { Ok(()) })
    });
    let backend = Hooked { below: lab.backend().await, hook, dead: Arc::default() };
    let (channel, mut deliveries) = lab.builder().backend(backend).build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    lab.phone().send_text("hi");
    let delivery = next(&mut deliveries).await;
    // What is remembered for quotes is handed over, and not waited for.
    let taken = || -> Vec<&str> {
        let all: Vec<&str> = calls.lock().unwrap().drain(..).collect();
        all.into_iter().filter(|call| *call != "record_quote").collect()
    };
    taken();
    delivery.reply("the first one").await.unwrap();
    assert_eq!(taken(), ["reserve", "record_send"], "the server names messages: that is noted once");
    delivery.reply("another").await.unwrap();
    assert_eq!(taken(), ["reserve"]);
    let mut turn = delivery.conversation().turn("0b7a5f0e-5f0c-4c58-9d0e-0c6a3f1f2d01");
    turn.block("a block").await.unwrap().expect("sent");
    assert_eq!(taken(), ["reserve"]);
    turn.finish("the end").await.unwrap();
    assert_eq!(taken(), ["reserve"]);
    channel.conversation(&lab.account, USER).send("by schedule").await.unwrap();
    assert_eq!(taken(), ["reserve"]);
    delivery.ack().await.unwrap();
    assert_eq!(taken(), ["settle"]);
}

/// Every public call, while each of the backend's takes as long as a disk that hangs.
#[tokio::test]
async fn a_slow_disk_stalls_nothing() {
    let lab = Lab::new();
    let slow: Hook = Arc::new(|_, _| {
        Box::pin(async {
            let disk = || std::thread::sleep(Duration::from_millis(400));
            tokio::task::spawn_blocking(disk).await.unwrap();
            Ok(())
        })
    });
    let backend = Hooked { below: lab.backend().await, hook: slow, dead: Arc::default() };
    let (channel, mut deliveries) = lab.builder().backend(backend).build().await.unwrap();
    let calls = async {
        let id = &lab.account;
        channel.start(id, config()).await.unwrap();
        lab.phone().send_text("hi");
        let delivery = next(&mut deliveries).await;
        delivery.reply("hello").await.unwrap();
        delivery.ack().await.unwrap();
        channel.accounts().await.unwrap();
        channel.conversation(id, USER).ledger().await.unwrap();
        channel.dead_letters(id).await.unwrap();
        channel.outbox(id).await.unwrap();
        channel.allow_list(id).users().await.unwrap();
        channel.pairing_requests().await.unwrap();
        drop(channel.conversation(id, USER).typing().await.unwrap());
        let begin = Instant::now();
        channel.stop(id).await;
        assert!(begin.elapsed() < Duration::from_secs(1), "a stop took {:?}", begin.elapsed());
        channel.logout(id).await.unwrap();
    };
    let ((), stalled) = stall(calls).await;
    assert!(stalled < LATE, "the runtime stood still for {stalled:?}");
}

/// A minute of it takes this machine seconds.
#[tokio::test]
async fn a_long_voice_message_stalls_nothing() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.builder().build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    let clip: &[u8] = include_bytes!("../../../weixin-media/tests/silk/000.silk");
    let header = clip.iter().position(|byte| *byte == b'3').unwrap() + 1;
    let mut voice = clip[..header].to_vec();
    while voice.len() < 60_000 {
        voice.extend(&clip[header..]);
    }
    lab.phone().send_voice(voice, None);
    let mut delivery = next(&mut deliveries).await;
    let ((), stalled) = stall(delivery.fetch_media(1 << 20)).await;
    assert!(stalled < LATE, "the runtime stood still for {stalled:?}");
    let saved = delivery.inbound.attachments[0].saved.clone().unwrap().unwrap();
    assert_eq!(saved.mime.essence_str(), "audio/wav");
}

#[tokio::test]
async fn a_voice_message_beyond_the_limit_stays_as_it_came() {
    let lab = Lab::new();
    let mut policy = weixin_channel::InboundPolicy::default();
    policy.max_voice_bytes = 1_000;
    let (channel, mut deliveries) = lab.builder().inbound(policy).build().await.unwrap();
    channel.start(&lab.account, config()).await.unwrap();
    let clip: &[u8] = include_bytes!("../../../weixin-media/tests/silk/000.silk");
    assert!(clip.len() > 1_000);
    lab.phone().send_voice(clip, None);
    let mut delivery = next(&mut deliveries).await;
    delivery.fetch_media(1 << 20).await;
    let saved = delivery.inbound.attachments[0].saved.clone().unwrap().unwrap();
    assert_eq!(std::fs::read(&saved.path).unwrap(), clip, "{saved:?}");
}

/// 100 MB from the CDN to a file, and back.
#[tokio::test]
async fn large_media_stall_nothing() {
    // The simulator ciphers too: on a runtime of its own.
    let (told, simulator) = tokio::sync::oneshot::channel();
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let served = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            told.send(ilink_fixtures::Simulator::start().await.unwrap()).unwrap();
            ended.await.ok()
        })
    });
    let simulator = simulator.await.unwrap();
    let mut lab = Lab::empty();
    lab.log_in(&simulator.add_bot(USER));
    let account = std::fs::read_dir(lab.folder.path().join("openclaw-weixin/accounts")).unwrap().next();
    let json = serde_json::json!({ "token": simulator.bots()[0].token, "userId": USER });
    std::fs::write(account.unwrap().unwrap().path(), json.to_string()).unwrap();
    let builder =
        Channel::builder().state_dir(lab.folder.path()).client(Client::builder().base_url(simulator.url()));
    let (channel, mut deliveries) = builder.build().await.unwrap();
    let mut config = config();
    config.cdn_base_url = Some(format!("{}/c2c", simulator.url()));
    channel.start(&lab.account, config).await.unwrap();
    simulator.phone(USER).send_file("large.bin", vec![7; 100_000_000]);
    let mut delivery = next(&mut deliveries).await;
    let ((), stalled) = stall(delivery.fetch_media(200_000_000)).await;
    let saved = delivery.inbound.attachments[0].saved.clone().unwrap().unwrap();
    assert_eq!(saved.size, 100_000_000);
    assert!(stalled < LATE, "fetching: the runtime stood still for {stalled:?}");
    let (sent, stalled) = stall(delivery.reply(Reply::media(saved.path.clone()))).await;
    sent.unwrap();
    assert!(stalled < LATE, "sending: the runtime stood still for {stalled:?}");
    channel.stop_all().await;
    end.send(()).unwrap();
    served.join().unwrap();
}

#[tokio::test]
async fn a_start_beside_a_held_lock_stalls_nothing() {
    let lab = Lab::new();
    drop(lab.backend().await);
    let held = hold_lock(&lab);
    let free = async {
        tokio::time::sleep(Duration::from_millis(600)).await;
        drop(held);
    };
    let start = async {
        let (channel, _deliveries): (Channel, _) = lab.builder().build().await.unwrap();
        channel.start(&lab.account, config()).await.unwrap();
    };
    let (_, stalled) = stall(async { tokio::join!(start, free) }).await;
    assert!(stalled < LATE, "the runtime stood still for {stalled:?}");
    assert!(lab.backend().await.accounts().await.unwrap().len() == 1);
}
