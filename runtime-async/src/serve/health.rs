//! Whether the controller lives, and whether it sees what it needs.
//!
//! `/livez` is about the process: it turns red when the loop hangs, so that a
//! kubelet begins it anew, which is safe at any time (Invariant 20). An API
//! that is down is no reason for that. `/readyz` is about the world: it says
//! which API cannot be seen, since when and why. `/healthz` is `/livez` by its
//! old name.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::routing::get;
use buildscaler_core::{Controller, Input, Step, Timestamp};

use self::check::{Check, answer};
use self::pulse::Pulse;
use self::sight::Sights;
use crate::run::Observer;

mod check;
mod pulse;
mod sight;

/// The observer and the routes.
pub(super) fn part() -> (Vitals, Router) {
    let vitals = Vitals::new(Instant::now());
    (vitals.clone(), routes(vitals))
}

fn routes(vitals: Vitals) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/healthz", get(livez))
        .route("/readyz", get(readyz))
        .with_state(vitals)
}

/// What the loop shows and the probes read. Nothing slow is done while it is
/// locked, so that neither waits for the other.
#[derive(Clone, Debug)]
pub(super) struct Vitals(Arc<Mutex<Signs>>);

#[derive(Debug)]
struct Signs {
    pulse: Pulse,
    sights: Sights,
}

impl Vitals {
    fn new(now: Instant) -> Self {
        Self(Arc::new(Mutex::new(Signs {
            pulse: Pulse::new(now),
            sights: Sights::default(),
        })))
    }

    fn signs(&self) -> MutexGuard<'_, Signs> {
        // Changed in whole steps: after a panic elsewhere it is still sound.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alive(&self, now: Instant) -> Check {
        self.signs().pulse.check(now)
    }

    fn ready(&self, now: Instant) -> Vec<Check> {
        let signs = self.signs();
        let mut checks = vec![signs.pulse.check(now)];
        checks.extend(signs.sights.checks(now));
        checks
    }
}

impl Observer for Vitals {
    fn told(&mut self, now: Timestamp, input: &Input) {
        let instant = Instant::now();
        let mut signs = self.signs();
        signs.pulse.begins(instant);
        signs.sights.told((now, instant), input);
    }

    fn stepped(&mut self, now: Timestamp, step: &Step, controller: &Controller) {
        let leadership = controller.leadership();
        let mut signs = self.signs();
        signs.sights.plays(leadership.as_ref());
        signs.pulse.ends(Instant::now(), step.wake.at.since(now));
    }
}

async fn livez(State(vitals): State<Vitals>, RawQuery(query): RawQuery) -> (StatusCode, String) {
    answer("livez", &[vitals.alive(Instant::now())], query.as_deref())
}

async fn readyz(State(vitals): State<Vitals>, RawQuery(query): RawQuery) -> (StatusCode, String) {
    answer("readyz", &vitals.ready(Instant::now()), query.as_deref())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpStream};
    use std::time::Duration;

    use super::*;
    use crate::serve::server::Server;

    /// Asks from a thread that does nothing else meanwhile, as little as a
    /// control loop that hangs.
    fn ask(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).expect("connected");
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("read");
        answer
    }

    fn serve(vitals: Vitals) -> (Server, SocketAddr) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = Server::serve(vec![(listener, routes(vitals))]).expect("served");
        (server, address)
    }

    #[test]
    fn a_loop_that_hangs_is_told_while_it_hangs() {
        let hours_ago = Instant::now() - Duration::from_secs(7200);
        let mut vitals = Vitals::new(hours_ago);
        let (server, address) = serve(vitals.clone());
        let answer = ask(address, "/livez");
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(
            answer.contains("[-]control-loop failed: it has not taken a step in the 7200 s"),
            "{answer}"
        );
        let now = Timestamp::from_millis(0);
        vitals.told(now, &Input::Tick);
        let answer = ask(address, "/livez");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        drop(server);
    }
}
