//! A CDN that answers as a test says, without a socket: on a paused clock every time-out is exact.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt as _;
use ilink_client::{Body, BoxFuture, Client, Credentials, Transport, TransportError};
use tokio::time::Sleep;
use weixin_media::{Media, TransferPolicy};

/// One answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    pieces: VecDeque<Piece>,
    /// Frames of the request that are read before the transport stalls for ever.
    stalls_after: Option<usize>,
}

#[derive(Clone, Debug)]
enum Piece {
    Bytes(Bytes),
    Pause(Duration),
    /// The same bytes for ever.
    Endless(Bytes),
    Break(io::ErrorKind),
}

impl Answer {
    pub(crate) fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), pieces: VecDeque::new(), stalls_after: None }
    }

    /// 200 with all bytes and their length.
    pub(crate) fn whole(bytes: &[u8]) -> Self {
        Self::new(200).announce(bytes.len()).bytes(bytes)
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl std::fmt::Display) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    pub(crate) fn announce(self, length: usize) -> Self {
        self.header("content-length", length)
    }

    pub(crate) fn bytes(mut self, bytes: &[u8]) -> Self {
        self.pieces.push_back(Piece::Bytes(Bytes::copy_from_slice(bytes)));
        self
    }

    pub(crate) fn endless(mut self, bytes: &[u8]) -> Self {
        self.pieces.push_back(Piece::Endless(Bytes::copy_from_slice(bytes)));
        self
    }

    pub(crate) fn pause(mut self, seconds: u64) -> Self {
        self.pieces.push_back(Piece::Pause(Duration::from_secs(seconds)));
        self
    }

    pub(crate) fn broken(mut self, kind: io::ErrorKind) -> Self {
        self.pieces.push_back(Piece::Break(kind));
        self
    }

    /// The request is read so far and no further.
    pub(crate) fn stalling_after(mut self, frames: usize) -> Self {
        self.stalls_after = Some(frames);
        self
    }
}

/// The answers still to come, and what was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    answers: VecDeque<Answer>,
    asked: Vec<String>,
}

impl Script {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Self {
        let answers = answers.into_iter().collect();
        Self(Arc::new(Mutex::new(State { answers, asked: Vec::new() })))
    }

    /// Each request: method, path, range, and what was sent.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.0.lock().unwrap().asked.clone()
    }

    /// Media for a bot of the real hosts, none of which is ever reached.
    pub(crate) fn media(&self, policy: TransferPolicy) -> Media {
        let client = Client::builder().transport(self.clone()).build().unwrap();
        let bot = client.bot(Credentials::new("b@im.bot", "token")).unwrap();
        Media::new(bot).unwrap().policy(policy)
    }
}

impl Transport for Script {
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TransportError>> {
        Box::pin(async move {
            let (head, mut body) = request.into_parts();
            let answer = self.0.lock().unwrap().answers.pop_front();
            let stalls_after = answer.as_ref().and_then(|answer| answer.stalls_after);
            let (mut length, mut frames) = (0, 0);
            while let Some(frame) = body.frame().await {
                length += frame.map_err(TransportError::interrupted)?.data_ref().map_or(0, Bytes::len);
                frames += 1;
                if stalls_after == Some(frames) {
                    std::future::pending::<()>().await;
                }
            }
            let range = head.headers.get("range").map(|range| format!(" {}", range.to_str().unwrap()));
            let length = (head.method == http::Method::POST).then(|| format!(" {length} bytes"));
            let (range, length) = (range.unwrap_or_default(), length.unwrap_or_default());
            let asked = format!("{} {}{range}{length}", head.method, head.uri.path());
            self.0.lock().unwrap().asked.push(asked);
            let Some(answer) = answer else {
                return Err(TransportError::connect(io::Error::from(io::ErrorKind::ConnectionRefused)));
            };
            let mut response = Response::builder().status(answer.status);
            for (name, value) in &answer.headers {
                response = response.header(*name, value);
            }
            let body = ScriptBody { pieces: answer.pieces, timer: None };
            Ok(response.body(Body::wrap(body)).unwrap())
        })
    }
}

struct ScriptBody {
    pieces: VecDeque<Piece>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl http_body::Body for ScriptBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        loop {
            if let Some(timer) = &mut self.timer {
                ready!(timer.as_mut().poll(cx));
                self.timer = None;
            }
            let Some(piece) = self.pieces.pop_front() else { return Poll::Ready(None) };
            return Poll::Ready(Some(match piece {
                Piece::Bytes(bytes) => Ok(Frame::data(bytes)),
                Piece::Endless(bytes) => {
                    self.pieces.push_front(Piece::Endless(bytes.clone()));
                    Ok(Frame::data(bytes))
                }
                Piece::Break(kind) => Err(kind.into()),
                Piece::Pause(time) => {
                    self.timer = Some(Box::pin(tokio::time::sleep(time)));
                    continue;
                }
            }));
        }
    }
}
