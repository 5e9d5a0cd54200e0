//! The native half of the OpenClaw plugin: a message port for its JavaScript half (`npm/`).
//!
//! One class, [`Addon`]: methods go in as JSON and come back as promises, events go to one callback. All
//! protocol, disk and network work is done by `weixin-channel` on the port's own thread; see `port`.
// The napi macros generate the C entry points; no hand-written unsafe code.
#![allow(unsafe_code)]

mod debug;
mod events;
mod failure;
mod log;
mod login;
mod media;
mod messages;
mod outgoing_file;
mod port;
#[cfg(test)]
#[path = "port/tests.rs"]
mod port_tests;
mod received;
mod send;
mod service;
mod session;
mod sync;
#[cfg(test)]
mod types;

use napi::bindgen_prelude::{Function, Object};
use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use napi::{Env, JsValue};
use napi_derive::napi;

use crate::events::Events;
use crate::failure::Failure;
use crate::port::Port;
use crate::service::Plugin;

/// A message port to the plugin's own thread.
#[napi]
#[derive(Debug)]
pub struct Addon {
    port: Port,
}

#[napi]
impl Addon {
    /// Starts the thread. `on_event` is called with one JSON text per event; it does not keep Node running.
    #[napi(constructor, catch_unwind)]
    #[allow(clippy::needless_pass_by_value, reason = "napi hands the callback over by value")]
    pub fn new(on_event: Function<'_, String, ()>) -> napi::Result<Self> {
        let sink = on_event.build_threadsafe_function::<String>().weak::<true>().build()?;
        let events = Events::new(Box::new(move |json, permit| {
            // A closed function (Node is ending) drops the permit with the callback.
            sink.call_with_return_value(json, ThreadsafeFunctionCallMode::NonBlocking, move |_, _| {
                drop(permit);
                Ok(())
            });
        }));
        let port = Port::open(move || Plugin::new(events)).map_err(|error| {
            napi::Error::from_reason(format!(
                "openclaw-weixin could not start its thread ({error}); raise the process limits (ulimit -u, -n)."
            ))
        })?;
        Ok(Self { port })
    }

    /// Calls `method` with JSON; the promise holds JSON. A failure has a stable `code` and a message that says
    /// what to do.
    #[napi(catch_unwind, ts_return_type = "Promise<string>")]
    pub fn call<'env>(&self, env: &'env Env, method: String, params: String) -> napi::Result<Object<'env>> {
        let (deferred, promise) = env.create_deferred()?;
        self.port.call(method, params, move |result| {
            deferred.resolve(move |env: Env| result.map_err(|failure| to_js_error(env, &failure)));
        });
        Ok(promise)
    }

    /// Stops everything within a second; calls in flight fail with the code `closed`.
    #[napi(catch_unwind, ts_return_type = "Promise<void>")]
    pub fn close<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let (deferred, promise) = env.create_deferred()?;
        self.port.close(move || deferred.resolve(|_| Ok(())));
        Ok(promise)
    }
}

/// An `Error` object with our own `code`: napi's status codes are a closed set.
fn to_js_error(env: Env, failure: &Failure) -> napi::Error {
    let build = || {
        let mut error = env.create_error(napi::Error::from_reason(&failure.message))?;
        error.set("code", failure.code)?;
        Ok(napi::Error::from(error.to_unknown()))
    };
    build().unwrap_or_else(|error: napi::Error| error)
}
