//! A Kubernetes API that is a plain value: no socket, no clock, no thread.
//!
//! [`FakeKubernetes::handle`] answers one HTTP request at a given time and
//! [`FakeKubernetes::tick`] lets the built-in controllers act; whoever owns the
//! value decides when that happens. It keeps what a controller can trip over:
//! resource versions, conflicts, preconditions, graceful deletion, expired
//! watches and continue tokens, admission, RBAC, and the messages of all these.
//! One conformance suite runs against it and against a real API server.
//!
//! What it is not: a validator of whole objects. Unknown fields are kept.

mod access;
mod admission;
mod call;
mod controllers;
mod defaults;
mod discovery;
mod events;
mod identity;
mod list;
mod objects;
mod patch;
mod pod_security;
mod refusal;
mod remove;
mod resource;
mod selector;
mod service;
mod store;
mod time;
mod validate;
mod watch;
mod write;

use std::sync::Arc;
use std::time::Duration;

use buildscaler_core::Timestamp;
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};

pub use access::{ADMIN_TOKEN, Rule, User};
pub use controllers::Controllers;
pub use refusal::Refusal;
pub use remove::{DeleteOptions, Propagation};
pub use resource::Resource;
pub use watch::Subscription;

use access::Access;
use call::{Call, Verb};
use controllers::Progress;
use identity::Identities;
use refusal::json_response;
use store::{Key, Store};

/// What differs between the clusters that the fake can stand for.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which built-in controllers run in [`FakeKubernetes::tick`].
    pub controllers: Controllers,
    /// How many changes the history keeps before it compacts itself.
    pub history_limit: usize,
    /// How a watch from a compacted version is refused.
    pub expired_watch: ExpiredWatch,
    /// How often a quiet watch gets a bookmark, if it asked for bookmarks.
    pub bookmark_every: Duration,
    /// How long a watch lives that names no timeout.
    pub watch_timeout: Duration,
    /// Whether `sendInitialEvents` is understood; servers before 1.32 refuse it.
    pub streaming_lists: bool,
    /// Whether a request without a token is an administrator's, or nobody's.
    pub anonymous_is_admin: bool,
    /// A webhook that is asked about every new pod, if there is one.
    pub webhook: Option<Webhook>,
    /// Whether a pod needs its service account to be there; namespaces then get a `default` one.
    pub service_accounts: bool,
    /// Where uids and generated names start from.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            controllers: Controllers::default(),
            history_limit: 50_000,
            expired_watch: ExpiredWatch::Event,
            bookmark_every: Duration::from_secs(60),
            watch_timeout: Duration::from_secs(30 * 60),
            streaming_lists: true,
            anonymous_is_admin: true,
            webhook: None,
            service_accounts: false,
            seed: 0,
        }
    }
}

/// The two shapes of "that version is gone", both met in the wild.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpiredWatch {
    /// A stream with status 200 whose first event is an `ERROR` with code 410.
    Event,
    /// An answer with the HTTP status 410.
    Status,
}

/// What a webhook says about new pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Webhook {
    /// It denies them, with this message.
    Denies(String),
    /// It does not answer, and the server takes no pods without its word.
    Broken,
}

/// What a request leads to.
#[derive(Debug)]
pub enum Reply {
    /// A complete answer.
    Response(Response<Vec<u8>>),
    /// A stream: ask [`FakeKubernetes::watch_events`] until it has ended.
    Watch(Subscription),
}

/// The API server, its store, and the built-in controllers.
#[derive(Debug)]
pub struct FakeKubernetes {
    store: Store,
    identities: Identities,
    access: Access,
    settings: Settings,
    progress: Progress,
}

impl FakeKubernetes {
    /// A cluster with the usual namespaces and nothing in them.
    pub fn new(settings: Settings) -> Self {
        let mut fake = Self {
            store: Store::new(settings.history_limit),
            identities: Identities::new(settings.seed),
            access: Access::new(settings.anonymous_is_admin),
            progress: Progress::default(),
            settings,
        };
        for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            fake.add_namespace(Timestamp::from_millis(0), name);
        }
        fake
    }

    /// Answers one request, made at `now`.
    ///
    /// Refusals are answers too. Nothing the request contains makes it panic.
    pub fn handle(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Reply {
        self.answer(now, request)
            .unwrap_or_else(|refusal| Reply::Response(refusal.response()))
    }

    /// Lets the built-in controllers act on what has changed.
    ///
    /// Returns when they want to be called even if nothing changes before then.
    pub fn tick(&mut self, now: Timestamp) -> Option<Timestamp> {
        controllers::run(self, now)
    }

    /// The settings, which may be changed between two requests.
    pub const fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// Adds or replaces a user, known by its token.
    pub fn add_user(&mut self, user: User) {
        self.access.add(user);
    }

    /// Creates a namespace unless it is there already.
    pub fn add_namespace(&mut self, now: Timestamp, name: &str) {
        if self.object(Resource::Namespaces, "", name).is_none() {
            let namespace = json!({ "metadata": { "name": name } });
            // It cannot be refused: the name is free and nothing else can be wrong.
            drop(self.create(now, Resource::Namespaces, "", namespace));
        }
    }

    /// The object of that name, as it is now.
    pub fn object(&self, resource: Resource, namespace: &str, name: &str) -> Option<Arc<Value>> {
        self.store.read(resource, &Key::new(namespace, name)).map(Arc::clone)
    }

    /// The objects of a namespace, or of all of them for an empty one, ordered by namespace and name.
    pub fn objects<'a>(&'a self, resource: Resource, namespace: &'a str) -> impl Iterator<Item = &'a Arc<Value>> {
        self.store.scan(resource, namespace).map(|(_, object)| object)
    }

    /// Draws the uid that the next object would have had, for somebody who
    /// keeps pods elsewhere.
    pub(crate) fn next_uid(&mut self) -> String {
        self.identities.uid()
    }

    /// The version of the newest write.
    pub const fn version(&self) -> u64 {
        self.store.version()
    }

    /// Forgets all history: older watches and continue tokens expire.
    pub fn compact(&mut self) {
        self.store.compact();
    }

    fn answer(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Result<Reply, Refusal> {
        let user = self.access.authenticate(request.headers())?.clone();
        if let Some(document) = discovery::document(request.uri().path()) {
            return Ok(Reply::Response(json_response(StatusCode::OK, &document)));
        }
        let call = Call::parse(request)?;
        let content_type = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        if content_type.is_some_and(|kind| kind.contains("protobuf")) {
            return Err(Refusal::unsupported_media(content_type.unwrap_or_default()));
        }
        self.access.authorize(&user, &call)?;
        match call.verb {
            Verb::Get => self.get(&call),
            Verb::List => self.list(&call),
            Verb::Watch => self.subscribe(now, &call),
            Verb::Create => self.serve_create(now, &user, &call, request.body()),
            Verb::Update => self.serve_update(now, &call, request.body()),
            Verb::Patch => self.serve_patch(now, &call, request),
            Verb::Delete => self.serve_delete(now, &call, request.body()),
            Verb::DeleteCollection => self.serve_delete_collection(now, &call, request.body()),
        }
    }
}

/// An answer with an object and the warnings that came up on the way to it.
fn object_reply(code: StatusCode, call: &Call, object: &Value, warnings: &[String]) -> Reply {
    let mut response = json_response(code, &events::present(call.resource, object));
    for warning in warnings {
        let text = format!("299 - {}", Value::from(warning.as_str()));
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().append(HeaderName::from_static("warning"), value);
        }
    }
    Reply::Response(response)
}
