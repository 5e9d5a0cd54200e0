//! Of `port.rs`, by itself: `tests/models` compiles that file with threads that these know nothing of.

use std::sync::mpsc::{Receiver, channel};

use crate::failure::Failure;
use crate::port::{Port, Service};

struct Probe;

impl Service for Probe {
    type Guard = ();

    fn enter(&self) {}

    async fn call(&self, method: &str, params: &str) -> Result<String, Failure> {
        match method {
            "echo" => Ok(params.into()),
            "hang" => std::future::pending().await,
            "panic" => panic!("on purpose"),
            _ => Err(Failure::new("unknown-method", "no such method")),
        }
    }

    async fn close(&self) {
        std::future::pending::<()>().await;
    }
}

fn call(port: &Port, method: &str) -> Receiver<Result<String, Failure>> {
    let (sender, receiver) = channel();
    port.call(method.into(), "{}".into(), move |result| sender.send(result).unwrap());
    receiver
}

#[test]
fn a_panic_fails_its_own_call_only() {
    let port = Port::open(|| Probe).unwrap();
    let failure = call(&port, "panic").recv().unwrap().unwrap_err();
    assert_eq!(failure.code, "internal");
    assert!(failure.message.contains("on purpose"), "{}", failure.message);
    assert_eq!(call(&port, "echo").recv().unwrap(), Ok("{}".into()));
}

#[test]
fn closing_ends_although_service_and_calls_hang() {
    let port = Port::open(|| Probe).unwrap();
    let hanging = call(&port, "hang");
    let (sender, closed) = channel();
    port.close(move || sender.send(()).unwrap());
    closed.recv().unwrap();
    assert_eq!(hanging.recv().unwrap(), Err(Failure::closed()));
    assert_eq!(call(&port, "echo").recv().unwrap(), Err(Failure::closed()));
    let (sender, again) = channel();
    port.close(move || sender.send(()).unwrap());
    again.recv().unwrap();
}

#[test]
fn a_dropped_port_ends_its_thread() {
    let port = Port::open(|| Probe).unwrap();
    let hanging = call(&port, "hang");
    drop(port);
    assert_eq!(hanging.recv().unwrap(), Err(Failure::closed()));
}
