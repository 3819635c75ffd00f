//! One agent: it registers, asks for work, pretends to do it, and leaves.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::kubelet::Signals;

use super::api::{Api, CallError, Patience};
use super::settings::Settings;

/// What the agents of one process know of each other: they leave for idleness
/// only if all of them are idle.
#[derive(Debug)]
pub(super) struct Pool {
    busy: AtomicUsize,
    idle_since: Mutex<Option<Instant>>,
}

impl Pool {
    /// Agents that have not pinged yet are busy.
    pub(super) const fn new(agents: usize) -> Self {
        Self {
            busy: AtomicUsize::new(agents),
            idle_since: Mutex::new(None),
        }
    }

    fn enter(&self, busyness: &mut Busyness) {
        if *busyness == Busyness::Idle {
            *busyness = Busyness::Busy;
            self.busy.fetch_add(1, Ordering::SeqCst);
            *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }

    fn leave(&self, busyness: &mut Busyness) {
        if *busyness == Busyness::Busy {
            *busyness = Busyness::Idle;
            if self.busy.fetch_sub(1, Ordering::SeqCst) == 1 {
                *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            }
        }
    }

    /// How long all agents have been idle.
    fn idle_for(&self) -> Duration {
        let since = *self.idle_since.lock().unwrap_or_else(PoisonError::into_inner);
        since.map_or(Duration::ZERO, |since| since.elapsed())
    }
}

/// Whether an agent counts as busy in its [`Pool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Busyness {
    Busy,
    Idle,
}

/// One agent of a process.
#[derive(Debug)]
pub(super) struct Worker {
    number: usize,
    settings: Arc<Settings>,
    pool: Arc<Pool>,
    busyness: Busyness,
    api: Api,
    signals: Signals,
}

/// What the server said when the agent registered.
#[derive(Clone, Debug)]
struct Session {
    token: String,
    ping: Duration,
    status: Duration,
    heartbeat: Duration,
}

/// What is to come after a ping.
enum Next {
    /// Another ping, after the interval.
    Wait,
    /// Another ping, at once.
    Ping,
    /// The end.
    Leave,
}

impl Worker {
    pub(super) const fn new(
        number: usize,
        settings: Arc<Settings>,
        pool: Arc<Pool>,
        api: Api,
        signals: Signals,
    ) -> Self {
        Self {
            number,
            settings,
            pool,
            busyness: Busyness::Busy,
            api,
            signals,
        }
    }

    /// Lives until told to leave; an error is what makes the process fail.
    pub(super) async fn live(mut self) -> Result<(), CallError> {
        let mut signals = self.signals.clone();
        let session = tokio::select! {
            session = self.begin() => session?,
            () = signals.terminated() => return Ok(()),
        };
        let (api, beating) = (self.api.clone(), session.clone());
        let worked = tokio::select! {
            worked = self.work(&session) => worked,
            failed = beat(&api, &beating) => Err(failed),
        };
        self.pool.leave(&mut self.busyness);
        let left = self
            .api
            .call(Method::POST, "/disconnect", &session.token, None, Patience::DISCONNECT)
            .await;
        // An agent that cannot say goodbye is lost for Buildkite, but ends well.
        drop(left);
        worked
    }

    async fn begin(&self) -> Result<Session, CallError> {
        let settings = &self.settings;
        let body = json!({
            "name": settings.name.replace("%spawn", &self.number.to_string()), "hostname": settings.hostname,
            "os": "linux", "arch": "amd64", "script_eval_enabled": true, "ignore_in_dispatches": false,
            "priority": settings.priority, "version": "3.137.2", "build": "x", "meta_data": settings.tags,
            "pid": std::process::id(), "machine_id": "", "features": [],
        });
        let answer = self
            .api
            .call(
                Method::POST,
                "/register",
                &settings.token,
                Some(&body),
                Patience::REGISTER,
            )
            .await?;
        let seconds = |name: &str| Duration::from_secs(answer.get(name).and_then(Value::as_u64).unwrap_or(0).max(1));
        let session = Session {
            token: text(&answer, "access_token")?,
            ping: seconds("ping_interval"),
            status: seconds("job_status_interval"),
            heartbeat: seconds("heartbeat_interval"),
        };
        self.api
            .call(Method::POST, "/connect", &session.token, None, Patience::CONNECT)
            .await?;
        Ok(session)
    }

    async fn work(&mut self, session: &Session) -> Result<(), CallError> {
        loop {
            if self.signals.is_terminated() {
                return Ok(());
            }
            match self.ping(session).await? {
                Next::Ping => {}
                Next::Leave => return Ok(()),
                Next::Wait => {
                    let mut signals = self.signals.clone();
                    tokio::select! {
                        () = sleep(session.ping + random_part(session.ping)) => {}
                        () = signals.terminated() => {}
                    }
                }
            }
        }
    }

    async fn ping(&mut self, session: &Session) -> Result<Next, CallError> {
        let answer = match self
            .api
            .call(Method::GET, "/ping", &session.token, None, Patience::ONCE)
            .await
        {
            Ok(answer) => answer,
            Err(CallError::Unavailable) => return Ok(Next::Wait),
            Err(refused @ CallError::Refused(_)) => return Err(refused),
        };
        match answer.get("action").and_then(Value::as_str) {
            Some("disconnect") => return Ok(Next::Leave),
            Some("pause") => {
                self.pool.enter(&mut self.busyness);
                return Ok(Next::Wait);
            }
            Some(_) | None => {}
        }
        if let Some(id) = answer.pointer("/job/id").and_then(Value::as_str) {
            self.pool.enter(&mut self.busyness);
            return Ok(match self.run(session, id).await {
                Ok(()) if self.settings.after_job => Next::Leave,
                Ok(()) => Next::Ping,
                // Somebody else may have it by now, or nobody wants it any more.
                Err(_) => Next::Wait,
            });
        }
        self.pool.leave(&mut self.busyness);
        let idle = self.pool.idle_for();
        Ok(if self.settings.idle_timeout.is_some_and(|timeout| idle >= timeout) {
            Next::Leave
        } else {
            Next::Wait
        })
    }

    /// Accepts a job and sees it through.
    async fn run(&self, session: &Session, id: &str) -> Result<(), CallError> {
        let path = format!("/jobs/{id}");
        let accept = format!("{path}/accept");
        let accepted = self
            .api
            .call(Method::PUT, &accept, &session.token, None, Patience::ACCEPT)
            .await?;
        let own = text(&accepted, "token").ok().filter(|token| !token.is_empty());
        let token = own.as_deref().unwrap_or(&session.token);
        let body = json!({"started_at": Timestamp::now().to_string()});
        self.api
            .call(
                Method::PUT,
                &format!("{path}/start"),
                token,
                Some(&body),
                Patience::START,
            )
            .await?;
        let ending = tokio::select! {
            () = sleep(duration(&accepted)) => exited(&accepted),
            () = self.cancelled(session, &path, token) => {
                json!({"exit_status": "-1", "signal": "SIGTERM", "signal_reason": "cancel"})
            }
        };
        let logged = self.api.log(id, token).await;
        // What cannot be reported is not the agent's end.
        let _ = self.finish(&path, token, ending, logged).await;
        Ok(())
    }

    /// Resolves once the server wants the job to end.
    async fn cancelled(&self, session: &Session, path: &str, token: &str) {
        loop {
            sleep(session.status + random_part(session.status)).await;
            match self.api.call(Method::GET, path, token, None, Patience::ONCE).await {
                Ok(answer) => {
                    let state = answer.get("state").and_then(Value::as_str).unwrap_or_default();
                    if matches!(state, "canceling" | "canceled" | "timing_out" | "timed_out") {
                        return;
                    }
                }
                Err(CallError::Refused(StatusCode::UNAUTHORIZED)) => return,
                Err(CallError::Refused(_) | CallError::Unavailable) => {}
            }
        }
    }

    async fn finish(&self, path: &str, token: &str, mut ending: Value, logged: bool) -> Result<(), CallError> {
        ending["finished_at"] = json!(Timestamp::now().to_string());
        ending["chunks_failed_count"] = json!(i32::from(!logged));
        if self.settings.after_job {
            ending["ignore_agent_in_dispatches"] = json!(true);
        }
        let path = format!("{path}/finish");
        self.api
            .call(Method::PUT, &path, token, Some(&ending), Patience::FINISH)
            .await
            .map(drop)
    }
}

/// Sends heartbeats, the first after an interval as the real agent does, until
/// one is refused or patience runs out.
async fn beat(api: &Api, session: &Session) -> CallError {
    loop {
        sleep(session.heartbeat).await;
        let body = json!({"sent_at": Timestamp::now().to_string()});
        let sent = api
            .call(
                Method::POST,
                "/heartbeat",
                &session.token,
                Some(&body),
                Patience::HEARTBEAT,
            )
            .await;
        if let Err(failed) = sent {
            return failed;
        }
    }
}

/// How long the job wants to run.
fn duration(accepted: &Value) -> Duration {
    let seconds = accepted
        .pointer("/env/BUILDSCALER_TEST_DURATION_SECONDS")
        .and_then(Value::as_str);
    let seconds = seconds.and_then(|seconds| seconds.parse().ok());
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .unwrap_or_default()
}

fn exited(accepted: &Value) -> Value {
    let status = accepted
        .pointer("/env/BUILDSCALER_TEST_EXIT_STATUS")
        .and_then(Value::as_str);
    json!({"exit_status": status.unwrap_or("0")})
}

fn text(answer: &Value, name: &str) -> Result<String, CallError> {
    answer
        .get(name)
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or(CallError::Unavailable)
}

/// Some part of `whole`, so that agents do not ping in step.
fn random_part(whole: Duration) -> Duration {
    let draw = RandomState::new().hash_one(0_u8) % 1000;
    whole.mul_f64(f64::from(u32::try_from(draw).unwrap_or(0)) / 1000.0)
}
