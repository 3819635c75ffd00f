//! Questions to both APIs that the controller itself does not ask, and what
//! their answers say of the servers' clocks.

use std::time::Duration;

use buildscaler_core::Timestamp;
use buildscaler_wire::{Api, Reply, Request};
use http::{Method, Response, header};
use jiff::fmt::rfc2822;
use serde_json::Value;

use super::check::Check;
use crate::crew::Errand;

/// The largest answer that is read.
const BODY_LIMIT: usize = 16 << 20;
/// Letters of a server's message that are shown.
const MESSAGE_LENGTH: usize = 300;
/// A difference that may come of the network and of `Date`'s whole seconds.
const NEGLIGIBLE: Duration = Duration::from_secs(5);
/// A difference that makes "older than ten minutes" wrong by more than a look.
const HARMFUL: Duration = Duration::from_secs(60);

/// Asks, and keeps an eye on the clocks.
#[derive(Debug)]
pub(super) struct Asker<'a> {
    errand: &'a Errand,
    kubernetes: Option<Skew>,
    buildkite: Option<Skew>,
}

/// How far a server's clock is from ours, in milliseconds; ahead is positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Skew(i64);

/// What a server said.
pub(super) enum Said {
    /// Yes, and this.
    Yes(Value),
    /// Something else, with this status and in these words.
    No(u16, String),
    /// Nothing, for this reason.
    Nothing(String),
}

impl<'a> Asker<'a> {
    pub(super) fn new(errand: &'a Errand) -> Self {
        Self {
            errand,
            kubernetes: None,
            buildkite: None,
        }
    }

    /// Asks for what is at this path.
    pub(super) fn get(&mut self, api: Api, path: &str) -> Said {
        self.ask(api, Method::GET, path, Vec::new())
    }

    /// Asks whether the user of the kubeconfig may do this; none if that cannot
    /// be told.
    pub(super) fn review(&mut self, attributes: &Value) -> Said {
        let review = serde_json::json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        self.ask(Api::Kubernetes, Method::POST, path, review.to_string().into_bytes())
    }

    fn ask(&mut self, api: Api, method: Method, path: &str, body: Vec<u8>) -> Said {
        let json = "application/json";
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header(header::ACCEPT, json)
            .header(header::CONTENT_TYPE, json)
            .body(body);
        let Ok(http) = request else {
            return Said::Nothing("the request cannot be written".into());
        };
        let sent = self.errand.clock.now();
        let reply = self.errand.transport.send(Request {
            api,
            http,
            body_limit: BODY_LIMIT,
            within: None,
        });
        if let Ok(answer) = &reply {
            let skew = skew(answer, sent, self.errand.clock.now());
            let known = match api {
                Api::Kubernetes => &mut self.kubernetes,
                Api::Buildkite => &mut self.buildkite,
            };
            *known = known.or(skew);
        }
        said(reply)
    }

    /// What the answers told of the clocks.
    pub(super) fn clocks(&self) -> [Check; 2] {
        [("kubernetes", self.kubernetes), ("buildkite", self.buildkite)].map(|(about, skew)| clock(about, skew))
    }
}

/// What an answer comes to.
pub(super) fn said(reply: Reply) -> Said {
    let answer = match reply {
        Ok(answer) => answer,
        Err(error) => return Said::Nothing(error.to_string()),
    };
    let status = answer.status();
    let body: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    if status.is_success() {
        return Said::Yes(body);
    }
    let message = body["message"].as_str().unwrap_or("no message");
    let message = message.chars().take(MESSAGE_LENGTH).collect();
    Said::No(status.as_u16(), message)
}

/// The server's time less ours. It wrote it between the two; its seconds are
/// whole ones, cut off.
fn skew(answer: &Response<Vec<u8>>, sent: Timestamp, received: Timestamp) -> Option<Skew> {
    let date = answer.headers().get(header::DATE)?.to_str().ok()?;
    let server = rfc2822::parse(date).ok()?.timestamp().as_millisecond();
    if server + 1_000 < sent.as_millis() {
        return Some(Skew(server + 1_000 - sent.as_millis()));
    }
    Some(Skew((server - received.as_millis()).max(0)))
}

fn clock(about: &str, skew: Option<Skew>) -> Check {
    let name = "clock";
    let Some(Skew(millis)) = skew else {
        return Check::note(
            about,
            name,
            "no answer had a Date header, so its clock cannot be compared with this one",
        );
    };
    let apart = Duration::from_millis(millis.unsigned_abs());
    let words = format!(
        "its clock is {:.1} s {} this one",
        apart.as_secs_f64(),
        if millis < 0 { "behind" } else { "ahead of" }
    );
    let mend = "set this machine's clock by NTP, or have the server's set: ages of pods are read off both";
    if apart <= NEGLIGIBLE {
        Check::ok(about, name, "agrees with this one")
    } else if apart <= HARMFUL {
        Check::note(about, name, format!("{words}; {mend}"))
    } else {
        Check::failed(about, name, format!("{words}; {mend}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::Health;
    use super::*;

    fn answered(date: &str, sent: i64, received: i64) -> Option<i64> {
        let answer = Response::builder().header(header::DATE, date).body(Vec::new());
        let answer = answer.expect("an answer");
        let at = Timestamp::from_millis;
        skew(&answer, at(sent), at(received)).map(|Skew(millis)| millis)
    }

    #[test]
    fn a_clock_that_agrees_within_its_seconds_is_not_off() {
        // 1994-11-06T08:49:37Z
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let second = 784_111_777_000;
        assert_eq!(answered(date, second + 100, second + 900), Some(0));
        assert_eq!(answered(date, second + 100, second + 2_900), Some(0));
        assert_eq!(answered(date, second + 91_000, second + 91_500), Some(-90_000));
        assert_eq!(answered(date, second - 90_500, second - 90_000), Some(90_000));
        assert_eq!(answered("yesterday", second, second), None);
    }

    #[test]
    fn only_a_clock_that_is_far_off_fails() {
        let health = |millis| clock("kubernetes", Some(Skew(millis))).result;
        assert_eq!(health(-5_000), Health::Ok);
        assert_eq!(health(6_000), Health::Note);
        assert_eq!(health(-61_000), Health::Failed);
        assert_eq!(clock("kubernetes", None).result, Health::Note);
    }
}
