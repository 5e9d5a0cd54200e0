//! The build opens https: with the features that are on, a login and a poll over TLS under the compiled-in names.

use ilink_client::{Client, LoginEvent};
use ilink_fixtures::Simulator;
use ilink_fixtures::net::Network;

#[tokio::test]
async fn a_login_and_a_poll_over_tls() {
    let simulator = Simulator::builder().real_names(true).auto_scan(true).start().await.unwrap();
    let network = Network::start(&simulator).await.unwrap();
    let here = network.tls_addr();
    let client = Client::builder()
        .root_certificates(network.ca_pem())
        .lookup(move |_| Box::pin(async move { Ok(vec![here]) }))
        .build()
        .unwrap();
    let mut login = client.login().start();
    let credentials = loop {
        if let LoginEvent::Confirmed(credentials) = login.next().await.unwrap().unwrap() {
            break credentials;
        }
    };
    assert_eq!(credentials.base_url.as_deref(), Some("https://ilinkai.weixin.qq.com"));
    simulator.phone(credentials.user_id.clone().unwrap().as_str()).send_text("hi");
    let batch = client.bot(credentials).unwrap().get_updates("").await.unwrap();
    assert_eq!(batch.messages.len(), 1);
    assert!(network.connections() > 0);
    simulator.assert_conformant();
}
