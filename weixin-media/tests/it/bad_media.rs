//! Everything that can be wrong with media: the error each gives, how often it was asked, and what lies on disk after.

use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
use std::path::Path;

use ilink_client::wire::CdnMedia;
use weixin_media::codec::{Encryptor, Fingerprint, MediaKey};
use weixin_media::{MediaRef, TransferPolicy};

use crate::noise;
use crate::script::{Answer, Script};

const KEY: MediaKey = MediaKey::new(*b"0123456789abcdef");

fn encrypted(plain: &[u8]) -> Vec<u8> {
    let (mut encryptor, mut cipher) = (Encryptor::new(&KEY), Vec::new());
    encryptor.update(plain, &mut cipher);
    cipher.extend(encryptor.finish());
    cipher
}

/// A message that carries the file, spoilt by one field.
fn message(plain: &[u8], spoil: impl FnOnce(&mut serde_json::Value)) -> MediaRef {
    let mut item = serde_json::json!({ "type": 4, "file_item": {
        "file_name": "a.bin",
        "md5": Fingerprint::of(plain).md5_hex(),
        "len": plain.len().to_string(),
        "media": CdnMedia {
            encrypt_query_param: Some("param".into()),
            aes_key: Some(KEY.to_base64_of_hex()),
            ..CdnMedia::default()
        },
    }});
    spoil(&mut item["file_item"]);
    MediaRef::of(&serde_json::from_value(item).unwrap()).unwrap()
}

struct Case {
    name: &'static str,
    message: MediaRef,
    answers: Vec<Answer>,
}

#[tokio::test(start_paused = true)]
async fn each_has_an_error_of_its_own_and_leaves_nothing_behind() {
    let mut table = Vec::new();
    for case in cases() {
        let folder = tempfile::tempdir().unwrap();
        let script = Script::new(case.answers);
        let media = script.media(TransferPolicy { max_download: 4096, ..TransferPolicy::default() });
        let result = media.download(&case.message).to_file(folder.path().join("a.bin")).await;
        let result = match result {
            Ok(saved) => {
                assert_eq!(std::fs::read(&saved.path).unwrap(), plain(), "{}", case.name);
                format!("{} bytes", saved.size)
            }
            Err(error) => format!("{:?}: {error}", error.kind()),
        };
        let short = |asked: &String| asked.replace("GET /c2c/download", "all").replace("all bytes=", "from ");
        let asked = script.asked().iter().map(short).collect::<Vec<_>>().join(", ");
        table.push(format!("{}\n  {result}\n  asked: {asked}; on disk: {}", case.name, names(folder.path())));
    }
    insta::assert_snapshot!(table.join("\n"));
}

fn plain() -> Vec<u8> {
    noise(1000)
}

fn names(folder: &Path) -> String {
    let names: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
    if names.is_empty() { "nothing".to_owned() } else { format!("{names:?}") }
}

#[allow(clippy::too_many_lines, reason = "a table")]
fn cases() -> Vec<Case> {
    let plain = plain();
    let cipher = encrypted(&plain);
    let good = || Answer::whole(&cipher);
    let same = |answer: Answer| vec![answer; 3];
    let message = |spoil: fn(&mut serde_json::Value)| message(&plain, spoil);
    let right = || message(|_| {});
    let unchecked = || message(|file| file["md5"] = "".into());
    let case = |name, message, answers| Case { name, message, answers };
    let broken = |kind| Answer::new(200).announce(cipher.len()).bytes(&cipher[..500]).broken(kind);
    let part = |first: usize| {
        let range = format!("bytes {first}-{}/{}", cipher.len() - 1, cipher.len());
        Answer::new(206).header("content-range", range).bytes(&cipher[first..])
    };
    let other_key = |file: &mut serde_json::Value| {
        file["media"]["aes_key"] = MediaKey::new([1; 16]).to_base64().into();
    };
    vec![
        case("all is well", right(), vec![good()]),
        case("wrong key", message(other_key), vec![good()]),
        case("key in no encoding", message(|file| file["media"]["aes_key"] = "c2hvcnQ=".into()), vec![]),
        case("no key", message(|file| file["media"]["aes_key"] = "".into()), vec![]),
        case("no place", message(|file| file["media"]["encrypt_query_param"] = "".into()), vec![]),
        case("another digest", message(|file| file["md5"] = "0".repeat(32).into()), vec![good()]),
        case("shorter than announced", right(), same(broken(UnexpectedEof))),
        case("not whole blocks", right(), same(Answer::new(200).bytes(&cipher[..500]))),
        case("cut between two blocks", unchecked(), vec![Answer::new(200).bytes(&cipher[..496])]),
        case("empty", right(), same(Answer::new(200))),
        case(
            "less than the message says",
            message(|file| {
                file["md5"] = "".into();
                file["len"] = "2000".into();
            }),
            vec![good()],
        ),
        case("404", right(), vec![Answer::new(404)]),
        case("500 each time", right(), same(Answer::new(500))),
        case("500, then good", right(), vec![Answer::new(500), good()]),
        case("reset each time", right(), same(broken(ConnectionReset))),
        case("reset halfway, then the rest", right(), vec![broken(ConnectionReset), part(496)]),
        case("reset halfway, then all of it", right(), vec![broken(ConnectionReset), good()]),
        case(
            "reset halfway, then another file",
            right(),
            vec![broken(ConnectionReset), Answer::whole(&[0; 64])],
        ),
        case(
            "reset halfway, then another part",
            right(),
            vec![broken(ConnectionReset), part(512), part(512)],
        ),
        case("endless", right(), vec![Answer::new(200).endless(&[7; 1000])]),
        case("announces too much", right(), vec![Answer::new(200).announce(1 << 40)]),
        case("the message announces too much", message(|file| file["len"] = "5000".into()), vec![]),
        case("announces too little", right(), same(Answer::new(200).announce(500).bytes(&cipher))),
        case("HTML", right(), same(Answer::whole(b"<html>").header("content-type", "text/html"))),
        case(
            "redirect to 127.0.0.1",
            right(),
            vec![Answer::new(302).header("location", "http://127.0.0.1/x")],
        ),
        case(
            "redirect to another host",
            right(),
            vec![Answer::new(302).header("location", "https://other.weixin.qq.com/x")],
        ),
        case("redirect on the same host", right(), vec![Answer::new(302).header("location", "/y"), good()]),
        case("redirect for ever", right(), vec![Answer::new(302).header("location", "/y"); 12]),
        case(
            "full_url elsewhere",
            message(|file| {
                file["media"]["full_url"] = "https://evil.example/?secret".into();
            }),
            vec![],
        ),
        case(
            "full_url without TLS",
            message(|file| {
                file["media"]["full_url"] = "http://novac2c.cdn.weixin.qq.com/?secret".into();
            }),
            vec![],
        ),
        case(
            "stalls",
            right(),
            same(Answer::new(200).announce(cipher.len()).bytes(&cipher[..500]).pause(3600)),
        ),
        case(
            "trickles",
            right(),
            same((0..100).fold(Answer::new(200), |answer, _| answer.bytes(b"1").pause(20))),
        ),
        case(
            "offers less than it has sent",
            right(),
            vec![
                Answer::new(200).bytes(&cipher[..512]).broken(ConnectionReset),
                Answer::whole(&cipher[..100]),
            ],
        ),
        case("nobody there", right(), vec![]),
    ]
}
