use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ilink_client::wire::{CdnMedia, ImageItem, MessageItem, PartialText, RefMessage};
use ilink_client::{MessageId, UserId};
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::account::AccountId;
use crate::backend::{Answer, Quotes};
use crate::error::Error;
use crate::folder::state_dir::StateDir;

const DAY: i64 = 24 * 60 * 60 * 1_000;
/// When the official plugin wrote its file.
const THEN: i64 = 1_795_381_771_670;

struct Lab {
    folder: TempDir,
    store: QuoteStore,
    account: AccountId,
    user: UserId,
}

fn lab(limits: QuoteLimits) -> Lab {
    let folder = tempfile::tempdir().unwrap();
    let store = QuoteStore::open(&StateDir::new(folder.path()), limits).unwrap();
    Lab { folder, store, account: AccountId::new("b0f5860fdecb@im.bot"), user: "o9cq8user@im.wechat".into() }
}

fn text(id: u64, body: &str, created_at_ms: i64) -> StoredMessage {
    let direction = Direction::Inbound;
    StoredMessage { message_id: MessageId(id), direction, body: body.to_owned(), media: None, created_at_ms }
}

impl Lab {
    fn image(&self, id: u64, bytes: usize, created_at_ms: i64) -> StoredMessage {
        let path = self.folder.path().join(format!("download-{id}.png"));
        std::fs::write(&path, vec![0; bytes]).unwrap();
        let mime = Some("image/png".to_owned());
        let media = StoredMedia { path: Some(path), mime, name: Some("a.png".to_owned()), size: None };
        StoredMessage { media: Some(media), ..text(id, "[图片]", created_at_ms) }
    }

    fn record(&self, message: &StoredMessage) {
        self.store.record(&self.account, &self.user, message).unwrap();
    }

    fn by_id(&self, id: u64, now_ms: i64) -> Option<StoredMessage> {
        self.store.by_id(&self.account, &self.user, MessageId(id), now_ms).unwrap()
    }

    fn file(&self, id: u64) -> Option<PathBuf> {
        self.by_id(id, THEN).and_then(|message| message.media).and_then(|media| media.path)
    }

    fn resolve(&self, quoted: &RefMessage) -> Quote {
        run(resolve(quoted, &Direct(&self.store), &self.account, &self.user, THEN))
    }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// A backend that keeps no quotes.
struct Nothing;

impl Quotes for Nothing {}

/// The store on the calling thread.
struct Direct<'a>(&'a QuoteStore);

impl Quotes for Direct<'_> {
    fn quote_by_id<'a>(
        &'a self,
        account: &'a AccountId,
        conversation: &'a UserId,
        id: MessageId,
        now_ms: i64,
    ) -> Answer<'a, Option<StoredMessage>> {
        let found = self.0.by_id(account, conversation, id, now_ms);
        Box::pin(async move { Ok(found?.map(StoredMessage::with_what_is_there)) })
    }

    fn quotes_near<'a>(
        &'a self,
        account: &'a AccountId,
        conversation: &'a UserId,
        time_ms: i64,
        now_ms: i64,
    ) -> Answer<'a, Vec<StoredMessage>> {
        let found = self.0.near(account, conversation, time_ms, now_ms);
        Box::pin(async move { Ok(found?.into_iter().map(StoredMessage::with_what_is_there).collect()) })
    }
}

fn by_svr_id(id: u64) -> RefMessage {
    RefMessage { svr_id: Some(MessageId(id)), ..RefMessage::default() }
}

fn official(folder: &Path) -> Connection {
    std::fs::create_dir_all(folder.join("openclaw-weixin")).unwrap();
    let connection = Connection::open(folder.join("openclaw-weixin/ref-messages.sqlite")).unwrap();
    let sql = include_str!("../../tests/golden/ref-messages.sql");
    connection.execute_batch(&sql.replace("{state}", folder.to_str().unwrap())).unwrap();
    connection
}

#[test]
fn the_official_plugins_file_is_used_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    drop(official(folder.path()));
    let store = QuoteStore::open(&StateDir::new(folder.path()), QuoteLimits::default()).unwrap();
    let lab = Lab {
        folder,
        store,
        account: AccountId::new("b0f5860fdecb@im.bot"),
        user: "o9cq8user@im.wechat".into(),
    };
    assert_eq!(
        lab.by_id(7_441_535_359_615_655_688, THEN).unwrap(),
        text(7_441_535_359_615_655_688, "你好", THEN)
    );
    let sent = lab.by_id(7_497_484_083_968_569_736, THEN).unwrap();
    assert_eq!(sent.direction, Direction::Outbound);
    let media = sent.media.unwrap();
    assert!(media.path.unwrap().ends_with("b0f5860fdecb-im-bot-00e09f9dda7c64d6/pic.png"));
    assert_eq!((media.mime.as_deref(), media.size), (Some("image/png"), Some(4)));
}

#[test]
fn a_new_file_is_as_the_official_plugin_makes_it() {
    let folder = tempfile::tempdir().unwrap();
    let theirs = official(folder.path());
    let lab = lab(QuoteLimits::default());
    lab.record(&text(7_441_535_359_615_655_688, "你好", THEN));
    let ours = Connection::open(lab.folder.path().join("openclaw-weixin/ref-messages.sqlite")).unwrap();
    let facts = |db: &Connection| -> Vec<String> {
        [
            "SELECT name || type || \"notnull\" || coalesce(dflt_value, '-') || pk FROM pragma_table_info('quote_messages')",
            "SELECT name || ':' || (SELECT group_concat(name) FROM pragma_index_info(list.name))
             FROM pragma_index_list('quote_messages') AS list ORDER BY name",
            "SELECT user_version FROM pragma_user_version",
            "SELECT account_id || conversation_id || message_id || direction || body || created_at || typeof(message_id)
             FROM quote_messages WHERE direction = 'inbound'",
        ]
        .iter()
        .flat_map(|sql| {
            let mut select = db.prepare(sql).unwrap();
            let rows = select.query_map([], |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
            rows.map(|value| format!("{:?}", value.unwrap())).collect::<Vec<_>>()
        })
        .collect()
    };
    assert_eq!(facts(&ours), facts(&theirs));
}

#[cfg(unix)]
#[test]
fn the_file_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let lab = lab(QuoteLimits::default());
    let data = std::fs::metadata(lab.folder.path().join("openclaw-weixin/ref-messages.sqlite")).unwrap();
    assert_eq!(data.permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_damaged_file_is_kept_aside() {
    let folder = tempfile::tempdir().unwrap();
    let state = StateDir::new(folder.path());
    std::fs::create_dir_all(state.channel_dir()).unwrap();
    std::fs::write(
        state.channel_dir().join("ref-messages.sqlite"),
        "no database, but long enough to be one".repeat(99),
    )
    .unwrap();
    let error = QuoteStore::open(&state, QuoteLimits::default()).unwrap_err();
    let Error::Corrupt { kept, .. } = error else { panic!("{error}") };
    assert!(kept.exists());
    QuoteStore::open(&state, QuoteLimits::default()).unwrap();
}

#[test]
fn found_by_id_in_their_conversation_only() {
    let lab = lab(QuoteLimits::default());
    lab.record(&text(5, "你好", THEN));
    assert_eq!(lab.by_id(5, THEN + 30 * DAY).unwrap().body, "你好");
    assert_eq!(lab.by_id(5, THEN + 30 * DAY + 1), None, "expired, though nobody has pruned");
    let other = UserId::from("other@im.wechat");
    assert_eq!(lab.store.by_id(&lab.account, &other, MessageId(5), THEN).unwrap(), None);
    lab.record(&text(0, "no id", THEN));
    lab.record(&text(6, "", THEN));
    assert_eq!((lab.by_id(0, THEN), lab.by_id(6, THEN)), (None, None), "nothing that could be quoted");
}

#[test]
fn found_by_time() {
    let lab = lab(QuoteLimits::default());
    for (id, at) in [(1, 60_000), (2, 60_400), (3, 59_600), (4, 62_999), (5, 58_999)] {
        lab.record(&text(id, "x", THEN - THEN % 60_000 + at));
    }
    let find = |at: i64| {
        let at = THEN - THEN % 60_000 + at;
        let found = lab.store.by_time(&lab.account, &lab.user, at, THEN + 60_000).unwrap();
        found.map(|message| message.message_id.0)
    };
    assert_eq!(find(60_000), Some(1), "the exact one");
    assert_eq!(find(60_400), Some(2));
    assert_eq!(find(60_401), None, "not a whole second, so not rounded");
    assert_eq!(find(62_000), Some(4), "rounded down");
    assert_eq!(find(59_000), Some(5), "rounded up");
    assert_eq!(find(61_000), None, "600 ms early is none of its roundings");

    let sent = |id, at: i64| {
        let at = THEN - THEN % 60_000 + at;
        lab.record(&StoredMessage { direction: Direction::Outbound, ..text(id, "x", at) });
    };
    sent(6, 35_000);
    assert_eq!(find(30_000), Some(6), "sent by a clock that is 5 s ahead");
    assert_eq!(find(29_000), None);
    sent(7, 27_500);
    assert_eq!(find(30_000), Some(7), "the nearest");
    sent(8, 60_001);
    assert_eq!(find(60_000), Some(1), "the exact one still");
}

#[test]
fn prune_keeps_to_days_and_numbers() {
    let lab = lab(QuoteLimits { max_messages: 2, ..QuoteLimits::default() });
    for id in 1..=3 {
        lab.record(&text(id, "x", THEN + i64::try_from(id).unwrap()));
    }
    lab.record(&text(9, "old", THEN - 31 * DAY));
    let other = AccountId::new("other");
    lab.store.record(&other, &lab.user, &text(1, "another account's", THEN)).unwrap();
    lab.store.prune(THEN).unwrap();
    let left = |id| lab.by_id(id, THEN - 31 * DAY).is_some();
    assert_eq!([1, 2, 3, 9].map(left), [false, true, true, false]);
    assert!(lab.store.by_id(&other, &lab.user, MessageId(1), THEN).unwrap().is_some());
}

#[test]
fn media_is_kept_for_its_time_and_size() {
    let lab =
        lab(QuoteLimits { max_media_bytes: 250, max_single_media_bytes: 200, ..QuoteLimits::default() });
    for (id, bytes, at) in [(1, 100, 0), (2, 100, 1), (3, 100, 2), (4, 201, 3), (5, 10, -8 * DAY)] {
        let image = lab.image(id, bytes, THEN + at);
        lab.record(&image);
        std::fs::remove_file(image.media.unwrap().path.unwrap()).unwrap();
    }
    let files: Vec<_> = (1..=5).map(|id| lab.file(id)).collect();
    assert_eq!(files[3], None, "too large by itself");
    assert!(files.iter().flatten().all(|file| file.is_file()), "kept though the download is gone");
    lab.store.prune(THEN + 3).unwrap();
    assert_eq!([1, 2, 3, 5].map(|id| lab.file(id).is_some()), [false, true, true, false]);
    let there: Vec<_> = files.iter().map(|file| file.as_ref().is_some_and(|file| file.is_file())).collect();
    assert_eq!(there, [false, true, true, false, false]);
    assert_eq!(lab.resolve(&by_svr_id(1)).body, "[引用的图片已过期: a.png]");
}

#[test]
fn nothing_outside_the_folder_is_removed() {
    let lab = lab(QuoteLimits::default());
    let outside = lab.folder.path().join("precious.png");
    std::fs::write(&outside, "x").unwrap();
    let db = Connection::open(lab.folder.path().join("openclaw-weixin/ref-messages.sqlite")).unwrap();
    let sql = "INSERT INTO quote_messages VALUES ('a', 'u', '1', 'inbound', '', ?1, NULL, NULL, 1, 0)";
    db.execute(sql, [outside.to_str()]).unwrap();
    lab.store.prune(THEN).unwrap();
    assert!(outside.exists());
}

#[test]
fn files_that_a_crash_left_are_swept() {
    let lab = lab(QuoteLimits::default());
    lab.record(&lab.image(1, 10, THEN));
    let left = lab.store.media_dir(&lab.account).join("left.png");
    std::fs::write(&left, "x").unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let ms = |time: Duration| i64::try_from(time.as_millis()).unwrap();
    lab.store.prune(ms(now)).unwrap();
    assert!(left.exists(), "its message may be about to be recorded");
    lab.store.prune(ms(now + Duration::from_secs(2 * 60 * 60))).unwrap();
    assert!(!left.exists());
    assert!(lab.file(1).unwrap().exists());
}

#[test]
fn an_account_is_forgotten_with_its_files() {
    let lab = lab(QuoteLimits::default());
    lab.record(&lab.image(1, 10, THEN));
    let file = lab.file(1).unwrap();
    lab.store.forget(&AccountId::new("other")).unwrap();
    assert!(file.exists());
    lab.store.forget(&lab.account).unwrap();
    assert!(!file.exists() && lab.by_id(1, THEN).is_none());
}

#[test]
fn what_the_quote_says_itself_comes_first() {
    let lab = lab(QuoteLimits::default());
    lab.record(&text(5, "stored", THEN));
    let mut quoted = by_svr_id(5);
    quoted.title = Some(" 标题 ".to_owned());
    quoted.message_item = Some(Box::new(MessageItem::from_text("内容")));
    let quote = lab.resolve(&quoted);
    assert_eq!(
        (quote.body.as_str(), quote.message_id, quote.is_partial()),
        ("标题 | 内容", Some(MessageId(5)), false)
    );

    let cdn =
        CdnMedia { full_url: Some("https://novac2c.cdn.weixin.qq.com/c2c/x".into()), ..CdnMedia::default() };
    let image = ImageItem { media: Some(cdn), ..ImageItem::default() };
    quoted.message_item =
        Some(Box::new(MessageItem { image_item: Some(Box::new(image)), ..MessageItem::default() }));
    let quote = lab.resolve(&quoted);
    assert_eq!(quote.body, "标题 | [图片]");
    assert!(matches!(quote.media, Some(QuoteMedia::Wire(_))));
}

#[test]
fn by_id_then_by_time_then_a_placeholder() {
    let lab = lab(QuoteLimits::default());
    lab.record(&text(5, "stored", THEN));
    assert_eq!(lab.resolve(&by_svr_id(5)).body, "stored");
    assert_eq!(lab.resolve(&by_svr_id(6)).body, NOT_CACHED);
    assert_eq!(lab.resolve(&RefMessage { title: Some("标题".to_owned()), ..by_svr_id(6) }).body, "标题");
    let quoted = by_svr_id(5);
    let forgetful = resolve(&quoted, &Nothing, &lab.account, &lab.user, THEN);
    assert_eq!(run(forgetful).body, NOT_CACHED);

    // A picture of which the phone knows the second only (field note 25); a text of the same second is nearer.
    let second = THEN - THEN % 1_000;
    lab.record(&text(7, "text", second + 10));
    lab.record(&lab.image(8, 10, second + 400));
    let image = |at: i64| RefMessage {
        message_item: Some(Box::new(MessageItem {
            image_item: Some(Box::default()),
            create_time_ms: Some(at),
            ..MessageItem::default()
        })),
        ..RefMessage::default()
    };
    let quote = lab.resolve(&image(second));
    assert_eq!((quote.message_id, quote.body.as_str()), (Some(MessageId(8)), "[图片]"));
    let Some(QuoteMedia::Stored(media)) = quote.media else { panic!("no media") };
    assert!(media.path.unwrap().is_file());
    lab.record(&text(9, "text", second - 30_000));
    assert_eq!(lab.resolve(&image(second - 30_000)).body, "[图片]", "a text is no image");
    assert_eq!(lab.resolve(&image(second - 60_000)).body, "[图片]", "unknown, but an image");
}

#[test]
fn media_that_is_gone_is_said_to_be() {
    let lab = lab(QuoteLimits::default());
    let media = |mime: &str, name: Option<&str>| {
        Some(StoredMedia {
            mime: Some(mime.to_owned()),
            name: name.map(str::to_owned),
            ..StoredMedia::default()
        })
    };
    for (body, media, said) in [
        ("", media("image/png", None), "[引用的图片已过期]"),
        ("[视频]", media("video/mp4", None), "[引用的视频已过期]"),
        ("[语音]", media("audio/wav", None), "[引用的语音已过期]"),
        ("[文件]", media("application/pdf", Some("a.pdf")), "[引用的附件已过期: a.pdf]"),
        ("看\n[图片]", media("image/png", None), "看\n[图片]\n[引用的图片已过期]"),
    ] {
        lab.record(&StoredMessage { media, ..text(5, body, THEN) });
        assert_eq!(lab.resolve(&by_svr_id(5)).body, said);
        lab.store.forget(&lab.account).unwrap();
    }
}

#[test]
fn a_part_of_a_stored_text() {
    let lab = lab(QuoteLimits::default());
    lab.record(&text(5, "第一句。第二句。", THEN));
    let part =
        PartialText {
            start: Some("第二".to_owned()), end: Some("。".to_owned()), ..PartialText::default()
        };
    let quote = lab.resolve(&RefMessage { partial_text: Some(part), ..by_svr_id(5) });
    assert_eq!((quote.body.as_str(), quote.selected.as_deref()), ("第一句。第二句。", Some("第二句。")));
    assert!(quote.is_partial());
}

#[test]
fn debug_shows_no_text() {
    let lab = lab(QuoteLimits::default());
    assert!(!format!("{:?} {:?}", text(5, "CANARY", THEN), lab.store).contains("CANARY"));
}
