//! The thread behind the message port: one current-thread runtime, calls in, answers out.
//!
//! Nothing here knows of Node.js or of WeChat, so that the promises it makes (every call is answered exactly
//! once, a panic fails only its own call, closing ends in time) are tested without either.

use std::future::Future;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::failure::Failure;
use crate::sync::{Builder, JoinSet, Runtime, thread, timeout};

/// What `close` leaves to a service that says good-bye to a server; with the runtime's own shutdown below,
/// the whole stop stays within a second.
const FAREWELL: Duration = Duration::from_millis(800);
const SHUTDOWN: Duration = Duration::from_millis(150);

/// What answers the calls.
pub(crate) trait Service: Send + Sync + 'static {
    /// What is bound to the port's thread as long as it runs, such as its log.
    type Guard;

    /// Called once, on the thread, before anything else.
    fn enter(&self) -> Self::Guard;

    /// Answers one call with JSON.
    fn call(&self, method: &str, params: &str) -> impl Future<Output = Result<String, Failure>> + Send;

    /// Lets go of everything; cut off after [`FAREWELL`].
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// The handle that JavaScript holds. Dropping it closes the port without waiting.
#[derive(Debug)]
pub(crate) struct Port {
    commands: UnboundedSender<Command>,
}

impl Port {
    /// Starts the thread; `build` runs on it, inside the runtime.
    pub(crate) fn open<S: Service>(build: impl FnOnce() -> S + Send + 'static) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (commands, inbox) = unbounded_channel();
        thread::Builder::new().name("openclaw-weixin".into()).spawn(move || serve(runtime, inbox, build))?;
        Ok(Self { commands })
    }

    /// Hands a call to the thread; `answer` is called exactly once, from there.
    pub(crate) fn call(
        &self,
        method: String,
        params: String,
        answer: impl FnOnce(Result<String, Failure>) + Send + 'static,
    ) {
        let answer = Answer(Some(Box::new(answer)));
        // A thread that is gone drops the command, and a dropped answer says "closed".
        let _ = self.commands.send(Command::Call { method, params, answer });
    }

    /// Ends the thread; `done` is called when the runtime is gone (at once if it already is).
    pub(crate) fn close(&self, done: impl FnOnce() + Send + 'static) {
        let _ = self.commands.send(Command::Close(Done(Some(Box::new(done)))));
    }
}

enum Command {
    Call { method: String, params: String, answer: Answer },
    Close(Done),
}

type AnswerFn = Box<dyn FnOnce(Result<String, Failure>) + Send>;

/// Answers when dropped unanswered: a promise that never settles would keep the Node process alive.
struct Answer(Option<AnswerFn>);

impl Answer {
    fn give(mut self, result: Result<String, Failure>) {
        if let Some(answer) = self.0.take() {
            answer(result);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(answer) = self.0.take() {
            answer(Err(Failure::closed()));
        }
    }
}

struct Done(Option<Box<dyn FnOnce() + Send>>);

impl Drop for Done {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            done();
        }
    }
}

fn serve<S: Service>(runtime: Runtime, mut inbox: UnboundedReceiver<Command>, build: impl FnOnce() -> S) {
    let done = runtime.block_on(async {
        let service = Arc::new(build());
        let _guard = service.enter();
        let mut calls = JoinSet::new();
        let done = loop {
            tokio::select! {
                biased;
                Some(_) = calls.join_next() => {}
                command = inbox.recv() => match command {
                    Some(Command::Call { method, params, answer }) => {
                        let service = Arc::clone(&service);
                        calls.spawn(async move {
                            let result = guard(&method, service.call(&method, &params)).await;
                            answer.give(result);
                        });
                    }
                    Some(Command::Close(done)) => break Some(done),
                    None => break None,
                },
            }
        };
        // Calls in flight go first: nothing may start new work on a service that is closing.
        calls.shutdown().await;
        let _ = timeout(FAREWELL, service.close()).await;
        done
    });
    runtime.shutdown_timeout(SHUTDOWN);
    // Queued calls are answered "closed" before the closing itself is reported.
    drop(inbox);
    drop(done);
}

/// Runs a call; a panic becomes its error. The future is not polled again after a panic, and what it shares
/// with others is behind the service's own locks, so unwind safety is asserted here once for all.
async fn guard(method: &str, call: impl Future<Output = Result<String, Failure>>) -> Result<String, Failure> {
    let mut call = pin!(call);
    std::future::poll_fn(|context| {
        catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(context)))
            .unwrap_or_else(|panic| Poll::Ready(Err(Failure::panicked(method, &*panic))))
    })
    .await
}
