//! URLs that agents name: only public addresses, whatever the URL looks like.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use weixin_media::{AddressPolicy, Error, Remote, TransferPolicy};
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";

/// Names and addresses of a small internet, in which this machine is public where a test says so.
fn remote(allow_loopback: bool) -> Remote {
    let mut addresses = AddressPolicy::default();
    addresses.allow_loopback = allow_loopback;
    let calls = Arc::new(AtomicUsize::new(0));
    Remote::builder()
        .addresses(addresses)
        .policy(TransferPolicy { max_attempts: 1, max_download: 1000, ..TransferPolicy::default() })
        .lookup(move |name| {
            let changes = calls.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                let addresses: &[&str] = match name.as_str() {
                    "here.example" => &["127.0.0.1"],
                    "private.example" => &["10.0.0.1"],
                    "both.example" => &["192.168.1.1", "127.0.0.1"],
                    "rebinds.example" if changes == 0 => &["127.0.0.1"],
                    "rebinds.example" => &["169.254.169.254"],
                    "fake.example" => &["198.18.0.7"],
                    _ => return Err(io::Error::other("no such name")),
                };
                Ok(addresses.iter().map(|text| text.parse::<IpAddr>().unwrap()).collect())
            })
        })
        .build()
        .unwrap()
}

async fn server() -> MockServer {
    let server = MockServer::start().await;
    let answer = |at: &'static str, answer| Mock::given(path(at)).respond_with(answer).mount(&server);
    answer("/a/photo", ResponseTemplate::new(200).set_body_bytes(PNG)).await;
    let named =
        ResponseTemplate::new(200).insert_header("content-disposition", "inline; filename=\"../图.png\"");
    answer("/named", named.set_body_bytes(PNG)).await;
    answer("/big", ResponseTemplate::new(200).set_body_bytes(vec![0; 2000])).await;
    for (at, to) in [
        ("/to-metadata", "http://169.254.169.254/latest/meta-data/"),
        ("/to-private", "http://private.example/"),
        ("/to-file", "file:///etc/passwd"),
        ("/to-photo", "/a/photo"),
        ("/loop", "/loop"),
    ] {
        answer(at, ResponseTemplate::new(302).insert_header("location", to)).await;
    }
    server
}

fn shown(error: &Error, port: u16) -> String {
    format!("{:?}: {error}", error.kind()).replace(&port.to_string(), "PORT")
}

#[tokio::test]
async fn bad_urls_and_what_they_give() {
    let server = server().await;
    let port = server.address().port();
    let mut table = Vec::new();
    let urls = [
        "http://127.0.0.1:PORT/a/photo",
        "http://2130706433:PORT/a/photo",
        "http://0x7f.1:PORT/",
        "http://[::1]:PORT/",
        "http://[::ffff:10.0.0.1]/",
        "http://localhost:PORT/",
        "http://here.example:PORT/a/photo",
        "http://private.example/",
        "https://fake.example/",
        "http://169.254.169.254/latest/meta-data/",
        "http://192.168.0.1./",
        "file:///etc/passwd",
        "ftp://here.example/",
        "http://user:secret@here.example/",
        "http:///",
        "not a url",
    ];
    for url in urls {
        let error =
            remote(false).download(url.replace("PORT", &port.to_string())).to_bytes().await.unwrap_err();
        table.push(format!("{url}\n  {}", shown(&error, port)));
    }
    // This machine stands for the public internet from here on.
    for at in ["to-metadata", "to-private", "to-file", "loop", "big", "nothing"] {
        let url = format!("http://here.example:{port}/{at}?secret");
        let error = remote(true).download(url).to_bytes().await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error:?}");
        table.push(format!("http://here.example:PORT/{at}\n  {}", shown(&error, port)));
    }
    insta::assert_snapshot!(table.join("\n"));
}

#[tokio::test]
async fn good_urls_give_bytes_and_a_name() {
    let server = server().await;
    let url = |host: &str, at: &str| format!("http://{host}:{}/{at}", server.address().port());
    let remote = remote(true);
    for (at, expected) in [("a/photo", "photo.png"), ("named", "图.png"), ("to-photo", "photo.png")] {
        let (bytes, name) = remote.download(url("here.example", at)).to_bytes().await.unwrap();
        assert_eq!((&bytes[..], name.as_str()), (PNG, expected));
    }
    // Of several addresses, those that are allowed.
    remote.download(url("both.example", "a/photo")).to_bytes().await.unwrap();

    let folder = tempfile::tempdir().unwrap();
    let saved =
        remote.download(url("here.example", "a/photo")).to_file(folder.path().join("x")).await.unwrap();
    assert_eq!((saved.name.as_str(), saved.sniffed.mime.essence_str()), ("photo.png", "image/png"));
    remote.download(url("here.example", "big")).to_file(folder.path().join("y")).await.unwrap_err();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// A name that answers a public address first and a private one later: each connection is checked.
#[tokio::test]
async fn a_name_that_changes_its_mind_leads_nowhere() {
    let server = server().await;
    let remote = remote(true);
    let url = format!("http://rebinds.example:{}/a/photo", server.address().port());
    remote.download(&url).to_bytes().await.unwrap();
    // A second connection, since the first is to another port.
    let error = remote.download("http://rebinds.example/").to_bytes().await.unwrap_err();
    assert_eq!(error.kind(), weixin_media::ErrorKind::HostNotAllowed, "{error}");
}
