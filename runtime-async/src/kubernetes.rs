//! The connection to the Kubernetes API.
//!
//! Who to be and whom to trust comes from kube-rs; the pool of connections is
//! our own. kube's client retries every method, which would make creates of
//! unknown fate, and keeps idle connections that a vanished server never
//! closed: after an outage each of them would cost a failed request.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use buildscaler_wire::{Reply, SendError, SendErrorKind};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::ConfigExt;
use kube::client::middleware::{AuthLayer, BaseUriLayer, ExtraHeadersLayer};
use tokio::sync::Semaphore;
use tower::{BoxError, ServiceBuilder, ServiceExt};

use crate::transport::{self, BoundedBody, CONNECT_DEADLINE, USER_AGENT, WHOLE_DEADLINE};

type Pool = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

type Calling = Pin<Box<dyn Future<Output = Result<Response<Incoming>, BoxError>> + Send>>;

/// Most requests at a time, and so most connections: HTTP/1.1 carries one each.
const WIDEST: usize = 64;
/// How long a connection is kept for the next request.
const IDLE: Duration = Duration::from_secs(20);
/// A peer that answers none of three probes is gone, after some 25 seconds.
const PROBE_AFTER: Duration = Duration::from_secs(10);
const PROBE_EVERY: Duration = Duration::from_secs(5);
const PROBES: u32 = 3;

/// Sends requests to one API server.
pub(crate) struct Kubernetes {
    base: BaseUriLayer,
    auth: Option<AuthLayer>,
    headers: ExtraHeadersLayer,
    connector: HttpsConnector<HttpConnector>,
    pool: Mutex<Generation>,
    permits: Semaphore,
}

/// A pool and how many came before it.
struct Generation {
    number: u64,
    pool: Pool,
}

impl std::fmt::Debug for Kubernetes {
    /// Shows nothing: credentials are inside (Invariant 22).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kubernetes").finish_non_exhaustive()
    }
}

impl Kubernetes {
    /// Prepares to talk to the server of `config`; connects to nothing yet.
    pub(crate) fn new(config: &kube::Config) -> Result<Self, kube::Error> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_DEADLINE));
        tcp.set_keepalive(Some(PROBE_AFTER));
        tcp.set_keepalive_interval(Some(PROBE_EVERY));
        tcp.set_keepalive_retries(Some(PROBES));
        let connector = config.rustls_https_connector_with_connector(tcp)?;
        Ok(Self {
            base: config.base_uri_layer(),
            auth: config.auth_layer()?,
            headers: config.extra_headers_layer()?,
            pool: Mutex::new(Generation {
                number: 0,
                pool: pool(&connector),
            }),
            connector,
            permits: Semaphore::new(WIDEST),
        })
    }

    /// Sends a request and reads the whole answer. One that is worth waiting
    /// for only `within` some time does not queue behind others.
    pub(crate) async fn send(&self, request: Request<Vec<u8>>, body_limit: usize, within: Option<Duration>) -> Reply {
        let _permit = match within {
            Some(_) => None,
            None => self.permits.acquire().await.ok(),
        };
        let deadline = within.map_or(WHOLE_DEADLINE, |within| within.min(WHOLE_DEADLINE));
        match tokio::time::timeout(deadline, self.send_and_read(request, body_limit)).await {
            Ok(reply) => reply,
            Err(_) => Err(transport::timed_out("no whole answer", deadline)),
        }
    }

    /// Sends a request and returns when its answer begins. For watches, which
    /// take no part in the limit on concurrent requests.
    pub(crate) async fn open(&self, request: Request<Vec<u8>>) -> Result<Response<Incoming>, SendError> {
        let (number, pool) = self.current();
        let deadline = transport::deadline(request.method());
        let result = match tokio::time::timeout(deadline, self.call(pool, request)).await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(error)) => Err(send_error(&error)),
            Err(_) => Err(transport::timed_out("no answer", deadline)),
        };
        self.renew(number);
        result
    }

    async fn send_and_read(&self, request: Request<Vec<u8>>, body_limit: usize) -> Reply {
        let (head, mut incoming) = self.open(request).await?.into_parts();
        let mut body = BoundedBody::new(body_limit);
        while let Some(frame) = incoming.frame().await {
            let frame = frame.map_err(|error| cut(&error))?;
            if let Some(chunk) = frame.data_ref() {
                body.push(chunk)?;
            }
        }
        Ok(Response::from_parts(head, body.into_bytes()))
    }

    /// Boxed, because the layers' own futures are too general to be spawned.
    fn call(&self, pool: Pool, request: Request<Vec<u8>>) -> Calling {
        let mut request = request.map(|body| Full::new(Bytes::from(body)));
        request
            .headers_mut()
            .insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        let service = ServiceBuilder::new()
            .layer(&self.base)
            .option_layer(self.auth.as_ref())
            .layer(&self.headers)
            .map_err(|error: hyper_util::client::legacy::Error| -> BoxError { error.into() })
            .service(pool);
        Box::pin(service.oneshot(request))
    }

    fn current(&self) -> (u64, Pool) {
        let generation = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        (generation.number, generation.pool.clone())
    }

    /// Lets go of every idle connection of a pool in which a request failed.
    fn renew(&self, failed: u64) {
        let mut generation = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if generation.number == failed {
            *generation = Generation {
                number: failed + 1,
                pool: pool(&self.connector),
            };
        }
    }
}

fn pool(connector: &HttpsConnector<HttpConnector>) -> Pool {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .build(connector.clone())
}

/// The failure of an answer that broke off.
pub(crate) fn cut(error: &hyper::Error) -> SendError {
    SendError {
        kind: SendErrorKind::Cut,
        sent: true,
        message: format!("the answer broke off: {}", transport::chain(error)),
    }
}

/// Only what failed before a connection was there was surely not sent.
fn send_error(error: &BoxError) -> SendError {
    let message = transport::chain(error.as_ref());
    let (kind, sent) = match error.downcast_ref::<hyper_util::client::legacy::Error>() {
        Some(error) if error.is_connect() => (SendErrorKind::Unreachable, false),
        Some(_) => (SendErrorKind::Cut, true),
        // A layer above failed: there is no credential to send with.
        None => (SendErrorKind::Unreachable, false),
    };
    SendError { kind, sent, message }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr, TcpListener};
    use std::thread;

    use super::*;

    async fn write_to(address: SocketAddr) -> SendError {
        crate::install_tls();
        let config = kube::Config::new(format!("http://{address}").parse().expect("a URL"));
        let kubernetes = Kubernetes::new(&config).expect("a client");
        let before = kubernetes.current().0;
        let request = Request::post("/api/v1/namespaces/default/pods").body(Vec::new());
        let reply = kubernetes.send(request.expect("a request"), 1024, None).await;
        assert_eq!(kubernetes.current().0, before + 1, "the pool is renewed");
        reply.expect_err("no answer")
    }

    #[tokio::test]
    async fn a_write_that_found_no_server_was_not_sent() {
        let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = closed.local_addr().expect("an address");
        drop(closed);
        let error = write_to(address).await;
        assert_eq!((error.kind, error.sent), (SendErrorKind::Unreachable, false));
    }

    #[tokio::test]
    async fn a_write_whose_answer_is_lost_was_sent() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let address = listener.local_addr().expect("an address");
        let serving = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            std::io::Read::read(&mut stream, &mut [0; 1024]).expect("a request")
        });
        let error = write_to(address).await;
        assert_eq!((error.kind, error.sent), (SendErrorKind::Cut, true));
        assert!(serving.join().expect("served") > 0);
    }
}
