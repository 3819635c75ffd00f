//! HTTP/1.1 around a sans-IO fake, faults of the wire included.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use buildscaler_core::Timestamp;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::header::CONTENT_LENGTH;
use http::{HeaderValue, Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::fault::{Faulty, Reply, Service};

/// A fake that a server and its owner share.
pub type Shared<S> = Arc<Mutex<Faulty<S>>>;

/// The time on the wall.
pub fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

/// Serves until dropped, and cuts every connection then.
pub(super) async fn serve<S: Service + Send + 'static>(listener: TcpListener, fake: Shared<S>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, Arc::clone(&fake)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection<S: Service + Send + 'static>(stream: TcpStream, fake: Shared<S>) {
    // Small answers would otherwise wait for the client's delayed ACK.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(Arc::clone(&fake), request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    // A client that hangs up, or a fault that hangs up on it, is no news.
    let _ = served.await;
}

/// An error is what makes the connection end without an answer.
async fn answer<S: Service>(
    fake: Shared<S>,
    request: Request<Incoming>,
) -> Result<Response<BoxBody<Bytes, io::Error>>, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes().to_vec();
    let request = Request::from_parts(head, body);
    let reply = fake
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .handle(wall_clock(), request);
    match reply {
        Reply::Answer(response) => Ok(whole(response)),
        Reply::Delay(length, response) => {
            tokio::time::sleep(length).await;
            Ok(whole(response))
        }
        Reply::Cut { response, bytes } => Ok(cut(response, bytes)),
        Reply::NoAnswer => Err(io::Error::other("no answer")),
    }
}

fn whole(response: Response<Vec<u8>>) -> Response<BoxBody<Bytes, io::Error>> {
    response.map(|body| {
        Full::new(Bytes::from(body))
            .map_err(|never: Infallible| match never {})
            .boxed()
    })
}

/// Promises the whole length, so that the client can tell that it was cut.
fn cut(response: Response<Vec<u8>>, bytes: usize) -> Response<BoxBody<Bytes, io::Error>> {
    let length = HeaderValue::from(response.body().len());
    let mut response = response.map(|mut body| {
        body.truncate(bytes);
        let sent = stream::iter([Ok(Frame::data(Bytes::from(body)))]);
        // The pause lets the connection flush what it has before it ends.
        let end = stream::once(async {
            tokio::task::yield_now().await;
            Err(io::Error::other("cut"))
        });
        BodyExt::boxed(StreamBody::new(sent.chain(end)))
    });
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}
