//! The two limits of the REST API: of the organization and of the user.

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::Timestamp;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde_json::json;

use super::reply;

/// How much may be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Requests of the whole organization in a window.
    pub organization: u32,
    /// Requests of one user in a window, over all tokens.
    pub user: u32,
    /// How long a window is; it begins with its first request.
    pub window: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            organization: 200,
            user: 50,
            window: Duration::from_secs(60),
        }
    }
}

/// What was asked.
#[derive(Clone, Debug, Default)]
pub(crate) struct RateLimits {
    organization: Window,
    users: BTreeMap<String, Window>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Window {
    began: Option<Timestamp>,
    used: u32,
}

/// How one limit stands after a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    limit: u32,
    used: u32,
    reset: u64,
}

/// How both limits stand after a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standings {
    organization: Standing,
    user: Standing,
}

impl RateLimits {
    /// Counts a request; a refused one counts as well.
    pub(crate) fn spend(&mut self, user: &str, limits: Limits, now: Timestamp) -> Standings {
        Standings {
            organization: self.organization.spend(limits.organization, limits.window, now),
            user: self
                .users
                .entry(user.to_owned())
                .or_default()
                .spend(limits.user, limits.window, now),
        }
    }

    /// Counts requests that other tools of the organization make.
    pub(crate) fn spend_others(&mut self, requests: u32, limits: Limits, now: Timestamp) {
        for _ in 0..requests {
            self.organization.spend(limits.organization, limits.window, now);
        }
    }
}

impl Window {
    fn spend(&mut self, limit: u32, length: Duration, now: Timestamp) -> Standing {
        let began = match self.began.filter(|began| now < began.after(length)) {
            Some(began) => began,
            None => {
                self.used = 0;
                *self.began.insert(now)
            }
        };
        self.used = self.used.saturating_add(1);
        let left = began.after(length).since(now);
        Standing {
            limit,
            used: self.used,
            reset: left.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX),
        }
    }
}

impl Standing {
    const fn is_exceeded(self) -> bool {
        self.used > self.limit
    }
}

impl Standings {
    /// The answer, if a limit is exceeded.
    pub(crate) fn refusal(self) -> Option<Response<Vec<u8>>> {
        let (scope, standing) = match (self.user.is_exceeded(), self.organization.is_exceeded()) {
            (true, _) => ("rest_user", self.user),
            (false, true) => ("rest", self.organization),
            (false, false) => return None,
        };
        let message = format!(
            "You have exceeded your API rate limit. Please wait {} seconds before making more requests.",
            standing.reset
        );
        let body = json!({"message": message, "scope": scope, "limit": standing.limit,
            "current": standing.used, "reset": standing.reset});
        Some(reply::json(StatusCode::TOO_MANY_REQUESTS, &body))
    }

    /// Limit, requests left and seconds to the reset, of the user and of the
    /// organization.
    pub(crate) const fn read(self) -> ((u32, u32, u64), (u32, u32, u64)) {
        (self.user.read(), self.organization.read())
    }

    /// The seconds to wait, if a limit is exceeded.
    pub(crate) const fn wait(self) -> Option<u64> {
        match (self.user.is_exceeded(), self.organization.is_exceeded()) {
            (true, _) => Some(self.user.reset),
            (false, true) => Some(self.organization.reset),
            (false, false) => None,
        }
    }

    /// Puts both sets of headers on an answer.
    pub(crate) fn mark(self, headers: &mut HeaderMap) {
        const WARNING: HeaderValue = HeaderValue::from_static("You have exceeded your API rate limit.");
        headers.insert("ratelimit-scope", HeaderValue::from_static("rest"));
        headers.insert("ratelimit-limit", self.organization.limit.into());
        headers.insert("ratelimit-remaining", self.organization.remaining().into());
        headers.insert("ratelimit-reset", self.organization.reset.into());
        headers.insert("ratelimit-user-scope", HeaderValue::from_static("rest_user"));
        headers.insert("ratelimit-user-limit", self.user.limit.into());
        headers.insert("ratelimit-user-remaining", self.user.remaining().into());
        headers.insert("ratelimit-user-reset", self.user.reset.into());
        if self.organization.is_exceeded() {
            headers.insert("ratelimit-warning", WARNING);
        }
        if self.user.is_exceeded() {
            headers.insert("ratelimit-user-warning", WARNING);
        }
    }
}

impl Standing {
    const fn read(self) -> (u32, u32, u64) {
        (self.limit, self.remaining(), self.reset)
    }

    const fn remaining(self) -> u32 {
        self.limit.saturating_sub(self.used)
    }
}
