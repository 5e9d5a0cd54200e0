//! A transport that answers from the simulator in this process: no socket, so a paused clock makes every test exact.
//! Shared with the tests of `weixin-channel`.

use http::{Request, Response};
use http_body_util::BodyExt as _;
use ilink_client::{Body, BoxFuture, Transport, TransportError};
use ilink_fixtures::Simulator;

/// Where the simulator is said to be; no request leaves the process.
pub(crate) const BASE_URL: &str = "http://127.0.0.1";

/// The simulator without a socket.
#[derive(Clone, Debug)]
pub(crate) struct InProcess(pub(crate) Simulator);

impl Transport for InProcess {
    fn send(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TransportError>> {
        let (head, body) = request.into_parts();
        Box::pin(async move {
            let body = body.collect().await.map_err(TransportError::interrupted)?;
            let answer = self.0.handle(Request::from_parts(head, body.to_bytes())).await;
            let (head, body) = answer.map_err(TransportError::interrupted)?.into_parts();
            let body = body.collect().await.map_err(TransportError::interrupted)?;
            Ok(Response::from_parts(head, Body::from(body.to_bytes())))
        })
    }
}
