//! Uploads that fail: what is repeated, what is not, and what is said.

use std::time::Duration;

use ilink_fixtures::{DEFAULT_USER, Endpoint, Fault};
use weixin_media::{Error, ErrorKind, Source, TransferPolicy};

use crate::script::{Answer, Script};
use crate::{Lab, noise};

fn refused(status: u16, reason: &str) -> Fault {
    let headers = [("x-error-message".to_owned(), reason.to_owned())].into();
    Fault::Status { status, headers, body: String::new() }
}

fn said(status: u16, body: &str) -> Fault {
    Fault::Status { status, headers: std::collections::BTreeMap::new(), body: body.to_owned() }
}

/// The faults, the result, and how often the two endpoints were asked.
#[tokio::test]
async fn what_the_server_does_and_what_comes_of_it() {
    let mut table = Vec::new();
    let cases: [(&str, Endpoint, Fault, u32); 11] = [
        ("500 once", Endpoint::CdnUpload, Fault::status(500), 1),
        ("500 twice", Endpoint::CdnUpload, Fault::status(500), 2),
        ("500 each time", Endpoint::CdnUpload, Fault::status(500), 3),
        ("403", Endpoint::CdnUpload, refused(403, "invalid filekey"), 1),
        ("413 with a body", Endpoint::CdnUpload, said(413, "too\n large"), 1),
        ("reset once", Endpoint::CdnUpload, Fault::Reset, 1),
        ("the answer is lost", Endpoint::CdnUpload, Fault::LostAnswer, 1),
        ("200 without a parameter", Endpoint::CdnUpload, Fault::Empty, 1),
        ("a page instead of an answer", Endpoint::CdnUpload, Fault::Garbage, 3),
        ("redirect", Endpoint::CdnUpload, Fault::status(302), 3),
        ("getuploadurl refuses", Endpoint::GetUploadUrl, Fault::ret(-3), 1),
    ];
    for (name, endpoint, fault, times) in cases {
        let lab = Lab::new().await;
        lab.simulator.fault(fault, endpoint, times);
        let result = lab.media.upload(DEFAULT_USER, noise(300_000)).await;
        let result = match result {
            Ok(uploaded) => {
                lab.bot.send_item(DEFAULT_USER, uploaded.to_item()).await.unwrap();
                let shown = lab.phone().replies().pop().unwrap().media.unwrap();
                assert!(shown.bytes == noise(300_000), "{name}: other bytes");
                format!("the phone shows it after {} attempts", uploaded.attempts)
            }
            Err(error) => format!("{:?}: {error}", error.kind()),
        };
        let port = lab.simulator.url().rsplit(':').next().unwrap().to_owned();
        let asked = |endpoint| lab.simulator.requests_to(endpoint).len();
        table.push(format!(
            "{name}\n  {}\n  getuploadurl {}, upload {}",
            result.replace(&port, "PORT"),
            asked(Endpoint::GetUploadUrl),
            asked(Endpoint::CdnUpload),
        ));
        lab.simulator.assert_conformant();
    }
    insta::assert_snapshot!(table.join("\n"));
}

#[tokio::test]
async fn a_reader_is_rewound_for_each_attempt() {
    let lab = Lab::new().await;
    lab.simulator.fault(Fault::status(500), Endpoint::CdnUpload, 1);
    lab.simulator.fault(Fault::Reset, Endpoint::CdnUpload, 1);
    let bytes = noise(900_000);
    let source = Source::reader(std::io::Cursor::new(bytes.clone()));
    let uploaded = lab.media.upload(DEFAULT_USER, source).await.unwrap();
    lab.bot.send_item(DEFAULT_USER, uploaded.to_item()).await.unwrap();
    assert!(lab.phone().replies()[0].media.as_ref().unwrap().bytes == bytes);
    assert_eq!(uploaded.attempts, 3);
    lab.simulator.assert_conformant();
}

#[tokio::test]
async fn a_file_that_changes_meanwhile_is_not_sent() {
    let lab = Lab::new().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.bin");
    std::fs::write(&path, noise(900_000)).unwrap();
    // The attempt fails, and by the next one the file is another.
    lab.simulator.fault(Fault::status(500), Endpoint::CdnUpload, 1);
    let upload = lab.media.upload(DEFAULT_USER, &*path);
    let rewrite = {
        let path = path.clone();
        move |progress: weixin_media::Progress| {
            if Some(progress.done) == progress.total {
                std::fs::write(&path, noise(900_001)).unwrap();
            }
        }
    };
    let error = upload.on_progress(rewrite).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Source);
    insta::assert_snapshot!(error, @"what is to be uploaded cannot be read (it changed while it was sent) [after 2 attempts]");

    let error = lab.media.upload(DEFAULT_USER, Source::path("/nowhere/at/all")).await.unwrap_err();
    insta::assert_snapshot!(error, @"/nowhere/at/all cannot be read for the upload (No such file or directory (os error 2))");
    let error = lab.media.upload(DEFAULT_USER, folder.path()).await.unwrap_err();
    let error = error.to_string().replace(&folder.path().display().to_string(), "FOLDER");
    insta::assert_snapshot!(error, @"FOLDER cannot be read for the upload (not a regular file)");
}

/// Checked is what is sent: neither pass goes by the path again.
#[tokio::test]
async fn a_file_that_is_swapped_for_another_is_sent_as_it_was_opened() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    std::fs::create_dir(&root).unwrap();
    let (path, secret) = (root.join("a.bin"), folder.path().join("secret"));
    std::fs::write(&secret, noise(900_000).into_iter().rev().collect::<Vec<u8>>()).unwrap();
    for beneath in [true, false] {
        let lab = Lab::new().await;
        std::fs::write(&path, noise(900_000)).unwrap();
        // The second attempt reads it once more.
        lab.simulator.fault(Fault::status(500), Endpoint::CdnUpload, 1);
        let swap = {
            let (path, secret) = (path.clone(), secret.clone());
            move || {
                std::fs::remove_file(&path).unwrap();
                std::fs::rename(&secret, &path).or_else(|_| std::fs::write(&path, "another")).unwrap();
            }
        };
        let uploaded = if beneath {
            let source = Source::beneath(&root, "a.bin").await.unwrap();
            swap();
            lab.media.upload(DEFAULT_USER, source).await.unwrap()
        } else {
            let once = std::sync::Once::new();
            let upload = lab.media.upload(DEFAULT_USER, &*path);
            upload.on_progress(move |_| once.call_once(&swap)).await.unwrap()
        };
        assert_eq!(uploaded.attempts, 2);
        lab.bot.send_item(DEFAULT_USER, uploaded.to_item()).await.unwrap();
        let shown = lab.phone().replies().pop().unwrap().media.unwrap();
        assert!(shown.bytes == noise(900_000), "other bytes");
    }
}

/// On a paused clock: how long it took is exact.
async fn timed(answers: Vec<Answer>, size: usize) -> (Error, Duration, Vec<String>) {
    let script = Script::new(answers);
    let policy = TransferPolicy { max_attempts: 1, ..TransferPolicy::default() };
    let media = script.media(policy);
    let start = tokio::time::Instant::now();
    let error = media.upload(DEFAULT_USER, noise(size)).await.unwrap_err();
    (error, start.elapsed(), script.asked())
}

fn place(url: &str) -> Answer {
    Answer::new(200).bytes(format!(r#"{{"ret":0,"upload_full_url":"{url}"}}"#).as_bytes())
}

const PLACE: &str = "https://novac2c.cdn.weixin.qq.com/c2c/upload?encrypted_query_param=a&filekey=b&taskid=c";

#[tokio::test(start_paused = true)]
async fn a_network_that_takes_nothing_is_given_up_on() {
    let stalled = Answer::new(200).stalling_after(2);
    let (error, time, _) = timed(vec![place(PLACE), stalled], 1 << 20).await;
    assert_eq!((error.kind(), time.as_secs()), (ErrorKind::Idle, 60));
    insta::assert_snapshot!(error, @"the transfer with novac2c.cdn.weixin.qq.com stalled: nothing moved for 30 s");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_has_time_by_the_size() {
    let silent = Answer::new(200).stalling_after(4);
    let (error, time, _) = timed(vec![place(PLACE), silent], 1 << 20).await;
    // 60 s, and 16 for a mebibyte at 64 KiB/s.
    assert_eq!((error.kind(), time.as_secs()), (ErrorKind::Timeout, 76));
    insta::assert_snapshot!(error, @"novac2c.cdn.weixin.qq.com was too slow: not done within 76 s");
}

#[tokio::test(start_paused = true)]
async fn uploads_go_to_allowed_hosts_only() {
    for url in [
        "https://evil.example/?secret",
        "http://novac2c.cdn.weixin.qq.com/?secret",
        "https://127.0.0.1/?secret",
    ] {
        let (error, _, asked) = timed(vec![place(url)], 100).await;
        assert_eq!(error.kind(), ErrorKind::HostNotAllowed, "{error}");
        assert!(!format!("{error} {error:?}").contains("secret"));
        assert_eq!(asked.len(), 1, "nothing was sent there: {asked:?}");
    }
}
