//! Serves the fake Kubernetes API to real clients: kube-rs, kubectl, the controller.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use buildscaler_core::Timestamp;
use bytes::Bytes;
use futures::stream;
use http::{HeaderValue, StatusCode, header};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::kubernetes::{ADMIN_TOKEN, FakeKubernetes, Reply, Subscription};

/// How long the built-in controllers and the watches sleep at most.
const BEAT: Duration = Duration::from_millis(50);
const LARGEST_BODY: usize = 16 * 1024 * 1024;

/// A fake Kubernetes API on a free port of 127.0.0.1, with the wall clock.
///
/// It serves until it is stopped or dropped.
#[derive(Debug)]
pub struct KubernetesServer {
    url: String,
    shared: Arc<Shared>,
    serving: Option<JoinHandle<()>>,
    controlling: JoinHandle<()>,
}

/// The fake as the tasks of the server and the test share it.
#[derive(Debug)]
struct Shared {
    fake: Mutex<FakeKubernetes>,
    /// Time that was skipped.
    ahead: Mutex<Duration>,
    changed: watch::Sender<u64>,
    cuts: watch::Sender<u64>,
    stopping: watch::Sender<bool>,
}

impl Shared {
    fn fake(&self) -> MutexGuard<'_, FakeKubernetes> {
        // The fake is changed in small, complete steps: after a panic elsewhere it is still sound.
        self.fake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let ahead = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        Timestamp::from_millis(0).after(since_epoch).after(ahead)
    }

    fn with<T>(&self, action: impl FnOnce(&mut FakeKubernetes, Timestamp) -> T) -> T {
        let (result, version) = {
            let mut fake = self.fake();
            let result = action(&mut fake, self.now());
            (result, fake.version())
        };
        self.changed
            .send_if_modified(|known| std::mem::replace(known, version) != version);
        result
    }
}

impl KubernetesServer {
    /// Starts to serve `fake`.
    pub async fn start(fake: FakeKubernetes) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let shared = Arc::new(Shared {
            fake: Mutex::new(fake),
            ahead: Mutex::new(Duration::ZERO),
            changed: watch::Sender::new(0),
            cuts: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
        });
        let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        let mut stopping = shared.stopping.subscribe();
        let stopped = async move { drop(stopping.wait_for(|&stop| stop).await) };
        let serving = tokio::spawn(async move {
            // Serving ends when it is told to, and has nobody to report to.
            drop(axum::serve(listener, router).with_graceful_shutdown(stopped).await);
        });
        let controlling = tokio::spawn(control(Arc::clone(&shared)));
        Ok(Self {
            url,
            shared,
            serving: Some(serving),
            controlling,
        })
    }

    /// Where the API is served.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A kubeconfig of the administrator.
    pub fn kubeconfig(&self) -> String {
        self.kubeconfig_for(ADMIN_TOKEN)
    }

    /// A kubeconfig of the user with that token.
    pub fn kubeconfig_for(&self, token: &str) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: fake\n\
             clusters:\n- name: fake\n  cluster:\n    server: {}\n\
             users:\n- name: user\n  user:\n    token: {token}\n\
             contexts:\n- name: fake\n  context:\n    cluster: fake\n    user: user\n    namespace: default\n",
            self.url
        )
    }

    /// Looks at the fake or changes it, at the server's time; watches are told.
    pub fn with<T>(&self, action: impl FnOnce(&mut FakeKubernetes, Timestamp) -> T) -> T {
        self.shared.with(action)
    }

    /// The server's time.
    pub fn now(&self) -> Timestamp {
        self.shared.now()
    }

    /// Moves the server's clock forward.
    pub fn advance(&self, by: Duration) {
        *self.shared.ahead.lock().unwrap_or_else(PoisonError::into_inner) += by;
        self.shared.changed.send_modify(|_| {});
    }

    /// Breaks every open watch, as a lost connection would.
    pub fn cut_watches(&self) {
        self.shared.cuts.send_modify(|count| *count += 1);
    }

    /// Forgets all history, so that older watches and continue tokens expire.
    pub fn compact(&self) {
        self.with(|fake, _| fake.compact());
        self.shared.changed.send_modify(|_| {});
    }

    /// Stops to serve and waits until the port is free.
    pub async fn stop(mut self) {
        self.shared.stopping.send_replace(true);
        if let Some(serving) = self.serving.take() {
            drop(serving.await);
        }
    }
}

impl Drop for KubernetesServer {
    fn drop(&mut self) {
        self.shared.stopping.send_replace(true);
        self.controlling.abort();
        if let Some(serving) = &self.serving {
            serving.abort();
        }
    }
}

/// Runs the built-in controllers whenever something has changed or falls due.
async fn control(shared: Arc<Shared>) {
    let mut changed = shared.changed.subscribe();
    loop {
        shared.with(|fake, now| fake.tick(now));
        tokio::select! {
            _ = changed.changed() => {}
            () = tokio::time::sleep(BEAT) => {}
        }
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE);
    };
    let request = http::Request::from_parts(parts, body.to_vec());
    match shared.with(|fake, now| fake.handle(now, &request)) {
        Reply::Response(response) => response.map(Body::from),
        Reply::Watch(subscription) => stream_watch(shared, subscription),
    }
}

fn plain(code: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response
}

/// A watch that is being streamed.
struct Stream {
    shared: Arc<Shared>,
    subscription: Subscription,
    changed: watch::Receiver<u64>,
    cuts: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
}

fn stream_watch(shared: Arc<Shared>, subscription: Subscription) -> Response {
    let (changed, cuts, stopping) = (
        shared.changed.subscribe(),
        shared.cuts.subscribe(),
        shared.stopping.subscribe(),
    );
    let stream = Stream {
        shared,
        subscription,
        changed,
        cuts,
        stopping,
    };
    let mut response = Response::new(Body::from_stream(stream::unfold(Some(stream), |stream| async {
        let mut stream = stream?;
        match stream.next().await {
            Next::Events(events) => Some((Ok(events), Some(stream))),
            Next::Cut => Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), None)),
            Next::End => None,
        }
    })));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What a stream does next.
enum Next {
    Events(Bytes),
    Cut,
    End,
}

impl Stream {
    async fn next(&mut self) -> Next {
        loop {
            // Marked as seen before looking, so that nothing falls in between.
            self.changed.borrow_and_update();
            let events = self
                .shared
                .fake()
                .watch_events(self.shared.now(), &mut self.subscription);
            if !events.is_empty() {
                let lines = events.iter().map(|event| format!("{event}\n")).collect::<String>();
                return Next::Events(Bytes::from(lines));
            }
            if self.subscription.has_ended() {
                return Next::End;
            }
            tokio::select! {
                _ = self.cuts.changed() => return Next::Cut,
                _ = self.stopping.wait_for(|&stop| stop) => return Next::End,
                _ = self.changed.changed() => {}
                () = tokio::time::sleep(BEAT) => {}
            }
        }
    }
}
