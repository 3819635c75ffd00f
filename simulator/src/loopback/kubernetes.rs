//! Serves the fake Kubernetes API to real clients: kube-rs, kubectl, the controller.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use buildscaler_core::Timestamp;
use bytes::Bytes;
use futures::stream;
use http::{Request, Response};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::wall_clock;
use crate::fault::{Fault, Faulty, Reply};
use crate::kubernetes::{ADMIN_TOKEN, FakeKubernetes, Subscription};

/// How long the built-in controllers and the watches sleep at most.
const BEAT: Duration = Duration::from_millis(50);

/// A fake Kubernetes API on a free port of 127.0.0.1, with the wall clock.
///
/// Dropping it closes the port and cuts every connection.
#[derive(Debug)]
pub struct KubernetesServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    serving: JoinHandle<()>,
    controlling: JoinHandle<()>,
}

/// The fake as the tasks of the server and the test share it.
#[derive(Debug)]
struct Shared {
    fake: Mutex<Faulty<FakeKubernetes>>,
    /// Time that was skipped.
    ahead: Mutex<Duration>,
    changed: watch::Sender<u64>,
    cuts: watch::Sender<u64>,
}

impl Shared {
    fn fake(&self) -> MutexGuard<'_, Faulty<FakeKubernetes>> {
        // The fake is changed in small, complete steps: after a panic elsewhere it is still sound.
        self.fake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        wall_clock().after(*self.ahead.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn with<T>(&self, action: impl FnOnce(&mut Faulty<FakeKubernetes>, Timestamp) -> T) -> T {
        let (result, version) = {
            let mut fake = self.fake();
            let result = action(&mut fake, self.now());
            (result, fake.inner().version())
        };
        self.changed
            .send_if_modified(|known| std::mem::replace(known, version) != version);
        result
    }
}

impl KubernetesServer {
    /// Starts to serve `fake`.
    pub async fn start(fake: FakeKubernetes) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            fake: Mutex::new(Faulty::new(fake)),
            ahead: Mutex::new(Duration::ZERO),
            changed: watch::Sender::new(0),
            cuts: watch::Sender::new(0),
        });
        let serving = tokio::spawn(serve(listener, Arc::clone(&shared)));
        let controlling = tokio::spawn(control(Arc::clone(&shared)));
        Ok(Self {
            address,
            shared,
            serving,
            controlling,
        })
    }

    /// Where the API is served.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
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
            self.url()
        )
    }

    /// Looks at the fake or changes it, at the server's time; watches are told.
    pub fn with<T>(&self, action: impl FnOnce(&mut FakeKubernetes, Timestamp) -> T) -> T {
        self.shared.with(|fake, now| action(fake.inner_mut(), now))
    }

    /// Lets something go wrong with requests.
    pub fn add_fault(&self, fault: Fault) {
        self.shared.fake().add(fault);
    }

    /// Ends all faults.
    pub fn mend(&self) {
        self.shared.fake().mend();
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

    /// Closes the port and waits until it is closed.
    pub async fn stop(mut self) {
        self.serving.abort();
        // Aborted is what it should be.
        drop((&mut self.serving).await);
    }
}

impl Drop for KubernetesServer {
    fn drop(&mut self) {
        self.controlling.abort();
        self.serving.abort();
    }
}

/// Runs the built-in controllers whenever something has changed or falls due.
async fn control(shared: Arc<Shared>) {
    let mut changed = shared.changed.subscribe();
    loop {
        shared.with(|fake, now| fake.inner_mut().tick(now));
        tokio::select! {
            _ = changed.changed() => {}
            () = tokio::time::sleep(BEAT) => {}
        }
    }
}

/// Serves until dropped, and cuts every connection then.
async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // Small answers would otherwise wait for the client's delayed ACK, which only costs time.
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request| answer(Arc::clone(&shared), request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    // A client that hangs up, or a fault that hangs up on it, is no news.
    drop(served.await);
}

type Answer = Response<BoxBody<Bytes, io::Error>>;

/// An error is what makes the connection end without an answer.
async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Answer, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes().to_vec();
    let request = Request::from_parts(head, body);
    match shared.with(|fake, now| fake.handle(now, request)) {
        Reply::Answer(response) => Ok(whole(shared, response)),
        Reply::Delay(length, response) => {
            tokio::time::sleep(length).await;
            Ok(whole(shared, response))
        }
        Reply::Cut { response, bytes } => Ok(response.map(|mut body| {
            body.truncate(bytes);
            let frames = [
                Ok(Frame::data(Bytes::from(body))),
                Err(io::Error::from(io::ErrorKind::ConnectionReset)),
            ];
            StreamBody::new(stream::iter(frames)).boxed()
        })),
        Reply::NoAnswer => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
    }
}

fn whole(shared: Arc<Shared>, mut response: Response<Vec<u8>>) -> Answer {
    match response.extensions_mut().remove::<Subscription>() {
        Some(subscription) => response.map(|_| stream_watch(shared, subscription)),
        None => response.map(|body| {
            Full::new(Bytes::from(body))
                .map_err(|never: Infallible| match never {})
                .boxed()
        }),
    }
}

/// A watch that is being streamed.
struct Stream {
    shared: Arc<Shared>,
    subscription: Subscription,
    changed: watch::Receiver<u64>,
    cuts: watch::Receiver<u64>,
}

fn stream_watch(shared: Arc<Shared>, subscription: Subscription) -> BoxBody<Bytes, io::Error> {
    let (changed, cuts) = (shared.changed.subscribe(), shared.cuts.subscribe());
    let stream = Stream {
        shared,
        subscription,
        changed,
        cuts,
    };
    let frames = stream::unfold(Some(stream), |stream| async {
        let mut stream = stream?;
        match stream.next().await {
            Next::Events(events) => Some((Ok(Frame::data(events)), Some(stream))),
            Next::Cut => Some((Err(io::Error::from(io::ErrorKind::ConnectionReset)), None)),
            Next::End => None,
        }
    });
    BodyExt::boxed(StreamBody::new(frames))
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
                .inner()
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
                _ = self.changed.changed() => {}
                () = tokio::time::sleep(BEAT) => {}
            }
        }
    }
}
