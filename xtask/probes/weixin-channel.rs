//! The first request of a login, as a program without a setting makes it. `cargo xtask tls` builds and runs it.
use weixin_channel::{AccountConfig, Channel};

fn main() {
    let state = std::env::args_os().nth(1).expect("a state folder");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let answer = runtime.block_on(async {
        let (channel, _deliveries) =
            Channel::builder().state_dir(std::path::PathBuf::from(state)).build().await.expect("a channel");
        channel.login(&AccountConfig::default()).await.expect("a login").next().await
    });
    println!("{answer:?}");
}
