//! Stands between a controller and an API, notes what passes, and does harm.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LINK, RETRY_AFTER};
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::dice::Dice;
use crate::faults::{Call, Effect, Fault};

type Answer = Response<BoxBody<Bytes, io::Error>>;

/// A request of a controller.
#[derive(Clone, Debug)]
pub(crate) struct Passed {
    /// Since the story began.
    pub(crate) at: Duration,
    /// Which controller.
    pub(crate) life: usize,
    pub(crate) call: Option<Call>,
    pub(crate) method: Method,
    pub(crate) target: String,
    pub(crate) body: Vec<u8>,
    pub(crate) effect: Option<Effect>,
    /// What the API said, whatever the controller heard.
    pub(crate) status: Option<u16>,
    /// Until when the controller was told to ask nothing.
    pub(crate) limited_until: Option<Duration>,
}

/// Looks at requests before they reach an API.
pub(crate) type Guard = Box<dyn Fn(&Passed) + Send + Sync>;

/// The faults of a story, and what passed.
pub(crate) struct Chaos {
    begun: Instant,
    faults: Vec<Fault>,
    dice: Mutex<Dice>,
    passed: Mutex<Vec<Passed>>,
    last: Mutex<BTreeMap<String, (http::response::Parts, Bytes)>>,
    over: watch::Sender<bool>,
    guard: Guard,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Chaos {
    pub(crate) fn new(faults: Vec<Fault>, seed: u64, guard: Guard) -> Self {
        Self {
            begun: Instant::now(),
            faults,
            dice: Mutex::new(Dice::new(seed)),
            passed: Mutex::default(),
            last: Mutex::default(),
            over: watch::Sender::new(false),
            guard,
        }
    }

    /// Since the story began.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Ends all faults, and lets go of who waits.
    pub(crate) fn end(&self) {
        self.over.send_replace(true);
    }

    pub(crate) fn passed(&self) -> Vec<Passed> {
        locked(&self.passed).clone()
    }

    async fn until_over(&self) {
        let mut over = self.over.subscribe();
        // The sender lives as long as `self`.
        drop(over.wait_for(|over| *over).await);
    }

    fn effect(&self, call: Option<Call>) -> Option<Effect> {
        if *self.over.borrow() {
            return None;
        }
        let now = self.elapsed();
        let mut dice = locked(&self.dice);
        let mut faults = self.faults.iter();
        let fault = faults.find(|fault| {
            call.is_some_and(|call| fault.call.covers(call))
                && fault.from <= now
                && now < fault.until
                && dice.percent(fault.percent)
        });
        fault.map(|fault| fault.effect)
    }

    fn note(&self, passed: Passed) -> usize {
        let mut all = locked(&self.passed);
        all.push(passed);
        all.len() - 1
    }

    fn amend(&self, place: usize, change: impl FnOnce(&mut Passed)) {
        change(&mut locked(&self.passed)[place]);
    }
}

/// One controller's way to one API.
pub(crate) struct Proxy {
    pub(crate) url: String,
    serving: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Road {
    chaos: Arc<Chaos>,
    upstream: String,
    life: usize,
    client: Client<HttpConnector, Full<Bytes>>,
}

impl Proxy {
    pub(crate) async fn start(chaos: &Arc<Chaos>, upstream: String, life: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let road = Arc::new(Road {
            chaos: Arc::clone(chaos),
            upstream,
            life,
            client: Client::builder(TokioExecutor::new()).build_http(),
        });
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        if let Ok((stream, _)) = accepted {
                            connections.spawn(connection(stream, Arc::clone(&road)));
                        }
                    }
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Self { url, serving }
    }
}

async fn connection(stream: TcpStream, road: Arc<Road>) {
    drop(stream.set_nodelay(true));
    let service = service_fn(move |request| {
        let road = Arc::clone(&road);
        async move { road.answer(request).await }
    });
    // A client that hangs up, or a fault that hangs up on it, is no news.
    drop(
        http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await,
    );
}

impl Road {
    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, io::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let target = head.uri.to_string();
        let call = Call::of(&head.method, &target);
        let effect = self.chaos.effect(call);
        let request = Request::from_parts(head, body);
        let place = self.chaos.note(Passed {
            at: self.chaos.elapsed(),
            life: self.life,
            call,
            method: request.method().clone(),
            target,
            body: request.body().to_vec(),
            effect,
            status: None,
            limited_until: None,
        });
        match effect {
            None => self.forward(place, request).await,
            Some(effect) => self.harm(place, effect, request).await,
        }
    }

    async fn harm(&self, place: usize, effect: Effect, request: Request<Bytes>) -> Result<Answer, io::Error> {
        match effect {
            Effect::Drop => Err(lost()),
            Effect::LoseReply => {
                self.fetch(place, request).await?;
                Err(lost())
            }
            Effect::DelayRequest(length) => {
                tokio::time::sleep(length).await;
                self.forward(place, request).await
            }
            Effect::DelayReply(length) => {
                let answer = self.forward(place, request).await;
                tokio::time::sleep(length).await;
                answer
            }
            Effect::Silence => {
                self.chaos.until_over().await;
                Err(lost())
            }
            Effect::Html(status) => Ok(canned(status, "text/html", format!("<h1>{status}</h1>"))),
            Effect::Refuse(status) => Ok(refusal(status, "somebody cannot do this: User \"x\" cannot list it")),
            Effect::Quota => Ok(refusal(
                403,
                "pods \"x\" is forbidden: exceeded quota: q, requested: pods=1",
            )),
            Effect::Limit(seconds) => Ok(self.limit(place, seconds)),
            Effect::Cut => {
                let (head, body) = self.fetch(place, request).await?;
                let half = body.slice(..body.len() / 2);
                Ok(cut(head, &body, half))
            }
            Effect::Truncate { linked } => {
                let (head, body) = self.fetch(place, request).await?;
                Ok(truncated(head, &body, linked))
            }
            Effect::Garble => {
                let (mut head, body) = self.fetch(place, request).await?;
                head.headers.remove(CONTENT_LENGTH);
                Ok(Response::from_parts(head, full(body.slice(..body.len() / 2))))
            }
            Effect::Stale => self.stale(place, request).await,
            Effect::CutWatch(after) => Ok(break_off(
                self.forward(place, request).await?,
                tokio::time::sleep(after),
            )),
            Effect::Stall => self.stalled(place, request).await,
            Effect::Gone => {
                let event = json!({"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}});
                Ok(canned(200, "application/json", format!("{event}\n")))
            }
        }
    }

    /// Answers as some seconds ago, where anything was answered then.
    async fn stale(&self, place: usize, request: Request<Bytes>) -> Result<Answer, io::Error> {
        let target = request.uri().to_string();
        let known = locked(&self.chaos.last).get(&target).cloned();
        match known {
            Some((head, body)) => Ok(Response::from_parts(head, full(body))),
            None => self.forward(place, request).await,
        }
    }

    /// Opens a watch that tells nothing.
    async fn stalled(&self, place: usize, request: Request<Bytes>) -> Result<Answer, io::Error> {
        let answer = self.forward(place, request).await?;
        let (head, _) = answer.into_parts();
        let chaos = Arc::clone(&self.chaos);
        let end = stream::once(async move {
            chaos.until_over().await;
            Err(lost())
        });
        Ok(Response::from_parts(head, BodyExt::boxed(StreamBody::new(end))))
    }

    fn limit(&self, place: usize, seconds: u64) -> Answer {
        let until = self.chaos.elapsed() + Duration::from_secs(seconds);
        self.chaos.amend(place, |passed| passed.limited_until = Some(until));
        let mut answer = refusal(429, "too many requests");
        answer.headers_mut().insert(RETRY_AFTER, seconds.into());
        answer
    }

    /// Passes the request on, and its answer back, whatever it is.
    async fn forward(&self, place: usize, request: Request<Bytes>) -> Result<Answer, io::Error> {
        let watches = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        if !watches {
            let (head, body) = self.fetch(place, request).await?;
            return Ok(Response::from_parts(head, full(body)));
        }
        let answer = self.send(place, request).await?;
        Ok(answer.map(|body| body.map_err(io::Error::other).boxed()))
    }

    async fn fetch(&self, place: usize, request: Request<Bytes>) -> Result<(http::response::Parts, Bytes), io::Error> {
        let (target, reads) = (request.uri().to_string(), request.method() == Method::GET);
        let (head, body) = self.send(place, request).await?.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        if reads && head.status.is_success() {
            let since = self.chaos.elapsed().as_millis() / 4000;
            let mut last = locked(&self.chaos.last);
            // An answer of the last few seconds, not the very last one.
            if !last.contains_key(&target) || since.is_multiple_of(2) {
                last.insert(target, (head.clone(), body.clone()));
            }
        }
        Ok((head, body))
    }

    async fn send(&self, place: usize, request: Request<Bytes>) -> Result<Response<Incoming>, io::Error> {
        let passed = locked(&self.chaos.passed)[place].clone();
        (self.chaos.guard)(&passed);
        let (mut head, body) = request.into_parts();
        head.uri = format!("{}{}", self.upstream, head.uri)
            .parse::<Uri>()
            .map_err(io::Error::other)?;
        let request = Request::from_parts(head, Full::new(body));
        let answer = self.client.request(request).await.map_err(io::Error::other)?;
        let status = answer.status().as_u16();
        self.chaos.amend(place, |passed| passed.status = Some(status));
        Ok(answer)
    }
}

fn lost() -> io::Error {
    io::Error::from(io::ErrorKind::ConnectionReset)
}

fn full(body: Bytes) -> BoxBody<Bytes, io::Error> {
    Full::new(body).map_err(|never| match never {}).boxed()
}

fn canned(status: u16, kind: &'static str, body: String) -> Answer {
    let mut answer = Response::new(full(Bytes::from(body)));
    *answer.status_mut() = status.try_into().expect("a status");
    answer
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

fn refusal(status: u16, message: &str) -> Answer {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status, "message": message});
    canned(status, "application/json", body.to_string())
}

/// The head promises the whole length, so that the client can tell.
fn cut(mut head: http::response::Parts, whole: &Bytes, half: Bytes) -> Answer {
    head.headers.insert(CONTENT_LENGTH, whole.len().into());
    let frames = [Ok(Frame::data(half)), Err(lost())];
    Response::from_parts(head, BodyExt::boxed(StreamBody::new(stream::iter(frames))))
}

fn truncated(mut head: http::response::Parts, body: &[u8], linked: bool) -> Answer {
    let mut value = serde_json::from_slice(body).unwrap_or(Value::Null);
    if let Some(rows) = value.as_array_mut() {
        rows.truncate(rows.len() / 2);
    }
    if !linked {
        head.headers.remove(LINK);
    }
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, full(Bytes::from(value.to_string())))
}

/// Ends the stream with an error once `end` resolves.
fn break_off(answer: Answer, end: impl Future<Output = ()> + Send + Sync + 'static) -> Answer {
    answer.map(|body| {
        let cut = stream::once(async move {
            end.await;
            Err(lost())
        });
        let frames = http_body_util::BodyStream::new(body);
        BodyExt::boxed(StreamBody::new(stream::select(frames, cut)))
    })
}
