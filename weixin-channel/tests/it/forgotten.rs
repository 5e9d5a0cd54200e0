//! What is said to be gone is gone from the files, too: read byte by byte.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Lab, PATIENCE, USER, next, until};
use weixin_channel::AccountState;

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files
}

/// The files that hold a text.
fn holding(folder: &Path, text: &str) -> Vec<PathBuf> {
    let holds = |file: &PathBuf| {
        let bytes = fs::read(file).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    files(folder).into_iter().filter(holds).collect()
}

#[tokio::test(start_paused = true)]
async fn a_logout_leaves_no_text_no_token_and_no_quote() {
    let lab = Lab::new();
    let (channel, mut deliveries) = lab.start().await;
    until(&channel, &lab.account, AccountState::Online).await;
    for n in 0..30 {
        lab.phone().send_text(&format!("secret words {n} {}", "and more of them ".repeat(n * 20)));
        let delivery = tokio::time::timeout(PATIENCE, next(&mut deliveries)).await.unwrap();
        if n < 8 {
            delivery.reply("secret answer").await.unwrap();
        }
        delivery.ack().await.unwrap();
    }
    let context = channel.backend().send_context(&lab.account, USER).await.unwrap();
    let token = context.recipient.unwrap().token.as_str().to_owned();
    let folder = lab.folder.path();
    assert!(
        !holding(folder, &token).is_empty() && !holding(folder, "secret words").is_empty(),
        "looked wrongly"
    );
    channel.logout(&lab.account).await.unwrap();
    for text in ["secret words", "secret answer", &*token, &*lab.token()] {
        let found = holding(folder, text);
        assert!(found.is_empty(), "{text:?} is still in {found:?}");
    }
}

/// The official plugin, umasks and copies leave files open.
#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn files_that_others_could_read_are_closed() {
    use std::os::unix::fs::PermissionsExt as _;

    let lab = Lab::new();
    let channel = lab.folder.path().join("openclaw-weixin");
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    fs::write(channel.join("pairing.json"), "{}").unwrap();
    fs::write(channel.join("channel.sqlite"), "").unwrap();
    let outside = lab.folder.path().join("outside");
    fs::write(&outside, "").unwrap();
    std::os::unix::fs::symlink(&outside, channel.join("link")).unwrap();
    let account = channel.join(format!("accounts/{}.json", lab.account));
    for file in [&account, &channel.join("pairing.json"), &channel.join("channel.sqlite"), &outside] {
        open(file, 0o666);
    }
    for folder in [&channel, &channel.join("accounts")] {
        open(folder, 0o777);
    }
    let (running, _deliveries) = lab.start().await;
    until(&running, &lab.account, AccountState::Online).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for folder in [&channel, &channel.join("accounts")] {
        assert_eq!(mode(folder), 0o700, "{}", folder.display());
    }
    for file in files(&channel).iter().filter(|file| !file.ends_with("link")) {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
    assert_eq!(mode(&outside), 0o666, "what a link leads to is not ours");
}
