//! Keeps one mirror up to date: list, then watch from there, and list again
//! when the server has forgotten where the watch was.
//!
//! Nothing that goes wrong here ever empties a mirror. It is either current or
//! lost, and while it is lost the core's questions are answered by real lists.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use buildscaler_core::Uid;
use buildscaler_core::labels::APP_SELECTOR;
use buildscaler_wire::told;
use buildscaler_wire::watch::{Event, EventKind, Lines, ListMeta, Page, Paging};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use kube::api::{ListParams, WatchParams};
use serde_json::Value;
use tokio::time::Instant;

use crate::clock::Clock;
use crate::kubernetes;
use crate::mirror::{Kind, Mirror};
use crate::transport::{Transport, WHOLE_DEADLINE};

/// Objects asked for at a time.
const PAGE: u32 = 250;
/// The largest page worth reading.
const PAGE_LIMIT: usize = 64 * 1024 * 1024;
/// The most of an error's body worth reading.
const STATUS_LIMIT: usize = 64 * 1024;
/// Letters of a server's message that are told.
const MESSAGE_LENGTH: usize = 400;
/// How long the server shall keep a watch open.
const WATCH_LENGTH: u32 = 120;
/// How long a watch may be silent: it should have been closed long before.
const SILENCE: Duration = Duration::from_secs(WATCH_LENGTH as u64 + 15);
/// The least time between two attempts to watch.
const BREATH: Duration = Duration::from_millis(500);
/// A watch that lasted this long was no failure.
const STEADY: Duration = Duration::from_secs(10);
/// How long to do without a watch that is not permitted.
const FORBIDDEN: Duration = Duration::from_secs(300);

/// What keeps one mirror up to date.
#[derive(Debug)]
pub(crate) struct Reflector<T> {
    pub(crate) mirror: Arc<Mirror<T>>,
    pub(crate) transport: Arc<Transport>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) namespace: Option<String>,
    /// The longest pause between attempts.
    pub(crate) patience: Duration,
}

/// Why a list or a watch could not go on.
#[derive(Debug)]
enum Trouble {
    /// The server no longer knows the version that was asked for.
    Expired,
    /// Watching is not permitted, while listing is.
    WatchForbidden(String),
    /// Anything else, in words.
    Failed(String),
}

impl<T: Kind> Reflector<T> {
    /// Runs for ever.
    pub(crate) async fn run(self) {
        let mut failures = 0;
        loop {
            match self.follow(&mut failures).await {
                // The mirror is as current as it was; a list is on its way.
                Trouble::Expired => {
                    tracing::debug!(resource = T::PLURAL, "the watch is too far behind, listing again");
                    failures += 1;
                    if failures > 1 {
                        self.mirror.lose();
                        tokio::time::sleep(self.pause(failures)).await;
                    }
                }
                Trouble::WatchForbidden(message) => {
                    self.mirror.lose();
                    tracing::warn!(
                        resource = T::PLURAL,
                        error = message,
                        "watching is not permitted: listing at every sync instead; grant the verb watch to react faster"
                    );
                    tokio::time::sleep(FORBIDDEN).await;
                }
                Trouble::Failed(message) => {
                    self.mirror.lose();
                    failures += 1;
                    if failures == 1 {
                        tracing::warn!(resource = T::PLURAL, error = message, "not watching, trying again");
                    } else {
                        tracing::debug!(
                            resource = T::PLURAL,
                            error = message,
                            failures,
                            "not watching, trying again"
                        );
                    }
                    tokio::time::sleep(self.pause(failures)).await;
                }
            }
        }
    }

    /// Lists once and watches for as long as that works.
    async fn follow(&self, failures: &mut u32) -> Trouble {
        let mut version = match self.list().await {
            Ok(version) => version,
            Err(trouble) => return trouble,
        };
        if *failures > 0 {
            tracing::info!(resource = T::PLURAL, "watching again");
        }
        let mut cuts = 0;
        loop {
            let begun = Instant::now();
            let before = version.clone();
            let ended = self.watch(&mut version).await;
            if ended.is_ok() || version != before || begun.elapsed() > STEADY {
                (*failures, cuts) = (0, 0);
            }
            match ended {
                Ok(()) => tracing::trace!(resource = T::PLURAL, "the watch ended as planned"),
                Err(Trouble::Failed(message)) if cuts == 0 => {
                    cuts += 1;
                    tracing::debug!(resource = T::PLURAL, error = message, "the watch was cut, resuming it");
                }
                Err(trouble) => return trouble,
            }
            tokio::time::sleep_until(begun + BREATH).await;
        }
    }

    fn pause(&self, failures: u32) -> Duration {
        BREATH.saturating_mul(1 << failures.min(10)).min(self.patience)
    }

    /// Reads all pages into the mirror and returns the version of the list.
    async fn list(&self) -> Result<String, Trouble> {
        let begun_at = self.clock.now();
        let mut objects = BTreeMap::new();
        let mut paging = Paging::default();
        let mut next: Option<String> = None;
        loop {
            let (page, meta) = self.page(next.take()).await?;
            objects.extend(page);
            next = paging
                .turn(&meta)
                .map_err(|failure| Trouble::Failed(failure.to_string()))?;
            if next.is_none() {
                self.mirror.replace(objects, begun_at);
                return Ok(meta.resource_version);
            }
        }
    }

    async fn page(&self, next: Option<String>) -> Result<(BTreeMap<Uid, Arc<T>>, ListMeta), Trouble> {
        let mut params = ListParams::default().labels(APP_SELECTOR).limit(PAGE);
        params.continue_token = next;
        let request = self.request().list(&params).map_err(unmade)?;
        let answer = self.transport.kubernetes.send(request, PAGE_LIMIT, None).await;
        let answer = answer.map_err(|error| Trouble::Failed(error.message))?;
        if !answer.status().is_success() {
            return Err(match refused(answer.status(), answer.body()) {
                Trouble::WatchForbidden(message) => Trouble::Failed(message),
                trouble @ (Trouble::Expired | Trouble::Failed(_)) => trouble,
            });
        }
        let page: Page<T> = serde_json::from_slice(answer.body())
            .map_err(|error| Trouble::Failed(format!("the list of {} is malformed: {}", T::PLURAL, told(&error))))?;
        for why in &page.items.malformed {
            tracing::warn!(resource = T::PLURAL, why, "an object makes no sense and is left out");
        }
        Ok((page.items.objects, page.metadata))
    }

    /// Watches from `version` on, which it moves along, until the server ends it.
    async fn watch(&self, version: &mut String) -> Result<(), Trouble> {
        let params = WatchParams::default().labels(APP_SELECTOR).timeout(WATCH_LENGTH);
        let request: Request<Vec<u8>> = self.request().watch(&params, version).map_err(unmade)?;
        let answer = self.transport.kubernetes.open(request).await;
        let answer = answer.map_err(|error| Trouble::Failed(error.message))?;
        let (head, mut body) = answer.into_parts();
        if !head.status.is_success() {
            let body = tokio::time::timeout(WHOLE_DEADLINE, status_body(body))
                .await
                .unwrap_or_default();
            return Err(refused(head.status, &body));
        }
        let mut lines = Lines::default();
        loop {
            let frame = match tokio::time::timeout(SILENCE, body.frame()).await {
                Err(_) => return Err(Trouble::Failed("the watch fell silent".into())),
                Ok(None) => return Ok(()),
                Ok(Some(Err(error))) => return Err(Trouble::Failed(kubernetes::cut(&error).message)),
                Ok(Some(Ok(frame))) => frame,
            };
            if !frame.data_ref().is_none_or(|chunk| lines.push(chunk)) {
                return Err(Trouble::Failed("an event of the watch is too long".into()));
            }
            while let Some(line) = lines.next_line() {
                let event = serde_json::from_slice(line).map_err(|error| {
                    Trouble::Failed(format!("an event of the watch is malformed: {}", told(&error)))
                })?;
                self.absorb(event, version)?;
            }
        }
    }

    fn absorb(&self, event: Event, version: &mut String) -> Result<(), Trouble> {
        let Event { kind, object } = event;
        let now = self.clock.now();
        match kind {
            EventKind::Added | EventKind::Modified => match T::decode(&object) {
                Ok(decoded) => self.mirror.upsert(decoded, now),
                Err(why) => tracing::warn!(resource = T::PLURAL, why, "an object makes no sense and is left out"),
            },
            EventKind::Deleted => {
                if let Some(uid) = object.pointer("/metadata/uid").and_then(Value::as_str) {
                    self.mirror.remove(&Uid::from(uid), now);
                }
            }
            EventKind::Bookmark => self.mirror.confirm(now),
            EventKind::Error => return Err(failed(&object)),
        }
        if let Some(newer) = object.pointer("/metadata/resourceVersion").and_then(Value::as_str) {
            newer.clone_into(version);
        }
        Ok(())
    }

    fn request(&self) -> kube::core::Request {
        kube::core::Request::new(T::path(self.namespace.as_deref()))
    }
}

fn unmade(error: kube::core::request::Error) -> Trouble {
    Trouble::Failed(format!("the request cannot be made: {error}"))
}

/// Reads what it can of an error's body.
async fn status_body(mut body: Incoming) -> Vec<u8> {
    let mut read = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(chunk) = frame.data_ref() {
            read.extend_from_slice(chunk);
        }
        if read.len() > STATUS_LIMIT {
            break;
        }
    }
    read
}

/// What an answer with an error's status means to a list or watch.
fn refused(status: StatusCode, body: &[u8]) -> Trouble {
    let said = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let said = said.get("message").and_then(Value::as_str).unwrap_or_default();
    if status == StatusCode::GONE {
        return Trouble::Expired;
    }
    let message = format!("status {}: {}", status.as_u16(), cut(said));
    if status == StatusCode::FORBIDDEN {
        Trouble::WatchForbidden(message)
    } else {
        Trouble::Failed(message)
    }
}

/// What an error event inside a watch means.
fn failed(status: &Value) -> Trouble {
    let code = status.get("code").and_then(Value::as_u64).unwrap_or_default();
    if code == u64::from(StatusCode::GONE.as_u16()) {
        return Trouble::Expired;
    }
    let said = status.get("message").and_then(Value::as_str).unwrap_or_default();
    Trouble::Failed(format!("status {code}: {}", cut(said)))
}

/// A server's message, as much of it as a line of the log bears.
fn cut(said: &str) -> String {
    said.chars().take(MESSAGE_LENGTH).collect()
}
