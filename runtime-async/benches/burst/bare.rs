//! A client of the API server that does nothing but send.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::ConfigExt;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

/// Requests at a time.
const CONCURRENT: usize = 64;

/// hyper's client and an address.
#[derive(Clone)]
pub(crate) struct Bare {
    pool: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    server: Uri,
}

impl Bare {
    pub(crate) fn new(config: &kube::Config) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        let connector = config.rustls_https_connector_with_connector(tcp).expect("certificates");
        Self {
            pool: Client::builder(TokioExecutor::new()).build(connector),
            server: config.cluster_url.clone(),
        }
    }

    /// Sends all of them, 64 at a time, and reads the answers.
    pub(crate) async fn send_all(&self, requests: Vec<Request<Vec<u8>>>) {
        let waiting = Arc::new(Mutex::new(requests.into_iter()));
        let mut senders = JoinSet::new();
        for _ in 0..CONCURRENT {
            let (bare, waiting) = (self.clone(), Arc::clone(&waiting));
            senders.spawn(async move {
                loop {
                    let Some(request) = waiting.lock().await.next() else {
                        return;
                    };
                    bare.send(request).await;
                }
            });
        }
        while let Some(ended) = senders.join_next().await {
            ended.expect("all are sent");
        }
    }

    /// Sends one request, which the server must like, and reads the answer.
    pub(crate) async fn send(&self, request: Request<Vec<u8>>) -> Bytes {
        let body = self.open(request).await;
        body.collect().await.expect("a whole answer").to_bytes()
    }

    /// The pods of a namespace from now on, one a line, as controllers watch
    /// them: what the server writes for one watch it need not write again for
    /// the next.
    pub(crate) async fn watch(&self, namespace: &str) -> Incoming {
        let request = Request::get(format!("/api/v1/namespaces/{namespace}/pods?watch=1")).body(Vec::new());
        self.open(request.expect("a request")).await
    }

    async fn open(&self, request: Request<Vec<u8>>) -> Incoming {
        let mut request = request.map(|body| Full::new(Bytes::from(body)));
        let mut parts = self.server.clone().into_parts();
        parts.path_and_query = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from_parts(parts).expect("an address");
        let response = self.pool.request(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        assert!(head.status.is_success(), "refused: {}", head.status);
        body
    }
}
