//! What can be told of the Buildkite API token.

use std::collections::BTreeSet;
use std::time::Duration;

use buildscaler_core::Timestamp;
use buildscaler_wire::{Api, parse_date};
use serde_json::Value;

use super::asker::{Asker, Said};
use super::check::Check;

const ABOUT: &str = "buildkite";
/// The scopes that the controller uses, and what for.
const SCOPES: [(&str, &str); 3] = [
    ("read_builds", "to see which jobs wait"),
    ("read_agents", "to see which agents there are"),
    ("write_agents", "to ask idle agents to leave"),
];
/// Without it, queues cannot be looked up.
const CLUSTERS_SCOPE: &str = "read_clusters";
/// How long before its end a token is worth a word: Buildkite's own default is
/// a life of seven days.
const SOON: Duration = Duration::from_secs(7 * 24 * 3600);

/// The token's validity, end and scopes, and the organization's queues as far
/// as they can be seen.
pub(super) fn examine(asker: &mut Asker<'_>, organization: &str, now: Timestamp) -> (Vec<Check>, Queues) {
    let token = match asker.get(Api::Buildkite, "/v2/access-token") {
        Said::Yes(token) => token,
        Said::No(401, _) => {
            let detail = "Buildkite does not know it: it is wrong, revoked or has expired; make one at \
                          https://buildkite.com/user/api-access-tokens and give it by BUILDKITE_ACCESS_TOKEN";
            return (
                vec![Check::failed(ABOUT, "token", detail)],
                Queues::unseen("the token is not valid"),
            );
        }
        Said::No(status, message) => {
            let detail = format!("Buildkite answers with status {status} ({message}); try again later");
            return (
                vec![Check::failed(ABOUT, "token", detail)],
                Queues::unseen("Buildkite did not answer"),
            );
        }
        Said::Nothing(why) => {
            let detail = format!("Buildkite cannot be reached ({why}); check the network and --buildkite-api-url");
            return (
                vec![Check::failed(ABOUT, "token", detail)],
                Queues::unseen("Buildkite cannot be reached"),
            );
        }
    };
    let scopes = token["scopes"].as_array().into_iter().flatten();
    let scopes: BTreeSet<&str> = scopes.filter_map(Value::as_str).collect();
    let mut checks = vec![Check::ok(ABOUT, "token", "valid"), end(&token["expires_at"], now)];
    checks.extend(SCOPES.map(|(scope, what)| has(&scopes, scope, what)));
    let queues = if scopes.contains(CLUSTERS_SCOPE) {
        queues(asker, organization)
    } else {
        Queues::unseen("the token lacks the scope read_clusters, which only this check needs")
    };
    (checks, queues)
}

fn has(scopes: &BTreeSet<&str>, scope: &'static str, what: &str) -> Check {
    if scopes.contains(scope) {
        let hint = if scope == "write_agents" {
            "; its owner must hold \"Stop Agents\" or be an admin as well, which cannot be seen from here"
        } else {
            ""
        };
        Check::ok(ABOUT, "scope", format!("{scope}, {what}{hint}"))
    } else {
        let detail = format!("the token lacks {scope}, {what}; add the scope to the token");
        Check::failed(ABOUT, "scope", detail)
    }
}

fn end(expires_at: &Value, now: Timestamp) -> Check {
    let name = "expiry";
    let Some(text) = expires_at.as_str() else {
        return Check::ok(ABOUT, name, "the token does not expire");
    };
    let Some(end) = parse_date(text) else {
        return Check::note(
            ABOUT,
            name,
            "Buildkite tells the token's end in a way that cannot be read",
        );
    };
    let left = end.since(now);
    if left < SOON {
        let hours = left.as_secs() / 3600;
        Check::note(
            ABOUT,
            name,
            format!("the token expires in {hours} h ({text}); renew it before"),
        )
    } else {
        let days = left.as_secs() / 86_400;
        Check::ok(ABOUT, name, format!("the token expires in {days} days ({text})"))
    }
}

/// The queues of the organization's clusters, or why they are not known.
pub(super) struct Queues(Result<BTreeSet<String>, &'static str>);

impl Queues {
    fn unseen(why: &'static str) -> Self {
        Self(Err(why))
    }

    /// Whether Buildkite knows this queue.
    pub(super) fn check(&self, about: &str, queue: &str) -> Check {
        let name = "queue in Buildkite";
        match &self.0 {
            Ok(known) if known.contains(queue) => Check::ok(about, name, format!("Buildkite has the queue {queue}")),
            Ok(known) if known.is_empty() => Check::note(
                about,
                name,
                "the organization has no clusters: a queue is there as soon as an agent names it",
            ),
            Ok(_) => Check::failed(
                about,
                name,
                format!(
                    "no cluster of the organization has a queue {queue}, so agents for it cannot register; create the \
                     queue in Buildkite, or change the label"
                ),
            ),
            Err(why) => Check::note(about, name, format!("cannot be seen: {why}")),
        }
    }
}

fn queues(asker: &mut Asker<'_>, organization: &str) -> Queues {
    let mut known = BTreeSet::new();
    let clusters = rows(asker, &format!("/v2/organizations/{organization}/clusters"));
    let Some(clusters) = clusters else {
        return Queues::unseen("Buildkite does not show the organization's clusters");
    };
    for cluster in clusters.iter().filter_map(|cluster| cluster["id"].as_str()) {
        let path = format!("/v2/organizations/{organization}/clusters/{cluster}/queues");
        let Some(queues) = rows(asker, &path) else {
            return Queues::unseen("Buildkite does not show the queues of every cluster");
        };
        let keys = queues.iter().filter_map(|queue| queue["key"].as_str());
        known.extend(keys.map(str::to_owned));
    }
    Queues(Ok(known))
}

/// All rows of a list; none if a page of it cannot be read.
fn rows(asker: &mut Asker<'_>, path: &str) -> Option<Vec<Value>> {
    const PER_PAGE: usize = 100;
    let mut all = Vec::new();
    for page in 1.. {
        let Said::Yes(Value::Array(rows)) =
            asker.get(Api::Buildkite, &format!("{path}?per_page={PER_PAGE}&page={page}"))
        else {
            return None;
        };
        let last = rows.len() < PER_PAGE;
        all.extend(rows);
        if last {
            break;
        }
    }
    Some(all)
}
