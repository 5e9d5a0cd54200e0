//! The first request of a login, as a program without a setting makes it. `cargo xtask tls` builds and runs it.
use ilink_client::Client;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let answer = runtime.block_on(async { Client::new().expect("a client").login().start().next().await });
    println!("{answer:?}");
}
