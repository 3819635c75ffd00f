//! What the API server means when it says no.

use buildscaler_core::{Failure, Refusal, Timestamp};
use http::StatusCode;

use crate::answer::{Answer, Refused, from_now, retry_after};

/// Seconds to wait after a 429 that names none: what client-go waits.
const DEFAULT_WAIT: u32 = 1;

/// What was asked for, as far as a refusal's meaning depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    List,
    Get,
    Create,
    Update,
    Delete,
}

/// The failure that this answer is, unless it is a success.
pub(super) fn failure(verb: Verb, answer: &Answer, now: Timestamp) -> Option<Failure> {
    let status = answer.status();
    if status.is_success() {
        return None;
    }
    let refused = Refused::read(answer);
    let message = refused.message(status);
    Some(match status.as_u16() {
        401 => Failure::Forbidden {
            kind: Refusal::Credentials,
            message,
        },
        403 => Failure::Forbidden {
            kind: refusal(&refused, &message),
            message,
        },
        404 => Failure::NotFound { message },
        409 => conflict(verb, &refused, message),
        // The list's snapshot is gone, not what it lists.
        410 if verb == Verb::List => Failure::Unavailable { message },
        410 => Failure::NotFound { message },
        429 => Failure::RateLimited {
            until: from_now(retry_after(answer.headers()).unwrap_or(DEFAULT_WAIT), now),
            message,
        },
        code @ 400..=499 if !by_webhook(&message) => Failure::Rejected { status: code, message },
        400..=499 => Failure::Forbidden {
            kind: Refusal::Webhook,
            message,
        },
        500..=599 => trouble(verb, status, message),
        code => Failure::Rejected { status: code, message },
    })
}

/// 409 has two meanings for a create: the pod exists, or the quota's counter
/// was being written by somebody else and nothing was created.
fn conflict(verb: Verb, refused: &Refused, message: String) -> Failure {
    match verb {
        Verb::Create if refused.reason == "Conflict" => Failure::Unavailable { message },
        Verb::Create | Verb::Update | Verb::Delete => Failure::AlreadyExists { message },
        Verb::List | Verb::Get => Failure::Rejected { status: 409, message },
    }
}

/// A server in trouble may have committed a write all the same, except where
/// it says that it did not begin.
fn trouble(verb: Verb, status: StatusCode, message: String) -> Failure {
    let began = match verb {
        Verb::List | Verb::Get => false,
        Verb::Create | Verb::Update | Verb::Delete => {
            status != StatusCode::SERVICE_UNAVAILABLE && !message.contains("failed calling webhook")
        }
    };
    if began {
        Failure::FateUnknown { message }
    } else {
        Failure::Unavailable { message }
    }
}

/// Which of the many meanings of 403 this is. The order matters: a webhook may
/// say anything in its own name.
fn refusal(refused: &Refused, message: &str) -> Refusal {
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if by_webhook(message) {
        Refusal::Webhook
    } else if refused.has_cause("NamespaceTerminating") || says(&["because it is being terminated"]) {
        Refusal::NamespaceTerminating
    } else if says(&["exceeded quota:"]) {
        Refusal::QuotaExceeded
    } else if says(ADMISSION) {
        Refusal::Admission
    } else if says(&[" cannot "]) && says(&["User \""]) {
        Refusal::Permission
    } else {
        Refusal::Other
    }
}

/// What quota without requests, Pod Security, a missing service account and
/// LimitRange say. They stay until the template or the namespace changes.
const ADMISSION: &[&str] = &[
    "failed quota:",
    "violates PodSecurity",
    "error looking up service account",
    "usage per Container is",
    "usage per Pod is",
    "usage per PersistentVolumeClaim is",
    "limit to request ratio per",
    "must specify",
    "is forbidden: no PriorityClass",
];

fn by_webhook(message: &str) -> bool {
    message.contains("admission webhook") && message.contains("denied the request")
}
