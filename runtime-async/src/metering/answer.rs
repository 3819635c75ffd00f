//! What AWS says no with, and what to make of it.

use std::error::Error;
use std::time::Duration;

use aws_sdk_marketplacemetering::error::{ProvideErrorMetadata, SdkError};
use buildscaler_core::{Failure, Refusal, Timestamp};

use crate::transport::chain;

/// How long to wait when AWS has too many requests; it does not say itself.
const THROTTLED: Duration = Duration::from_secs(10);

/// What was asked: of the one, it matters whether it may have been done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Registration,
    Record,
}

/// The failure for the core.
pub(super) fn failure<E>(error: &SdkError<E>, asked: Asked, now: Timestamp) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let SdkError::ServiceError(refusal) = error else {
        let message = format!("AWS does not answer: {}", chain(error));
        return if never_sent(error) {
            Failure::Unavailable { message }
        } else {
            unknown(asked, message)
        };
    };
    let status = refusal.raw().status().as_u16();
    let code = refusal.err().code().unwrap_or("an error without a name");
    let said = refusal.err().message().unwrap_or("nothing more");
    read(code, said, status, asked, now)
}

/// The failure that AWS' documentation makes of an error's name.
fn read(code: &str, said: &str, status: u16, asked: Asked, now: Timestamp) -> Failure {
    let message = match advice(code) {
        Some(advice) => format!("{code}: {advice} (AWS says: {said})"),
        None => format!("{code} (AWS says: {said})"),
    };
    let forbidden = |kind, message| Failure::Forbidden { kind, message };
    match code {
        "CustomerNotEntitledException" => forbidden(Refusal::NotEntitled, message),
        "AccessDeniedException" | "UnauthorizedException" => forbidden(Refusal::Permission, message),
        "ExpiredTokenException"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "MissingAuthenticationTokenException" => forbidden(Refusal::Credentials, message),
        "ThrottlingException" => Failure::RateLimited {
            until: now.after(THROTTLED),
            message,
        },
        "TimestampOutOfBoundsException" => Failure::TimeRefused { message },
        "DuplicateRequestException" | "IdempotencyConflictException" => Failure::AlreadyExists { message },
        "InternalServiceErrorException" => unknown(asked, message),
        _ if status >= 500 => unknown(asked, message),
        _ => Failure::Rejected { status, message },
    }
}

/// What to do about a refusal that has one cause.
fn advice(code: &str) -> Option<&'static str> {
    Some(match code {
        "InvalidProductCodeException" => "AWS knows no such product: check --marketplace-product-code",
        "InvalidPublicKeyVersionException" => {
            "the product has no key of this version: check --marketplace-public-key-version"
        }
        "InvalidUsageDimensionException" => {
            "the product has no such dimension: --marketplace-dimension must be one that its owner defined"
        }
        "InvalidRegionException" | "InvalidEndpointRegionException" => {
            "usage is metered in the region that the pod runs in: check AWS_REGION"
        }
        "PlatformNotSupportedException" => {
            "the product is metered on EKS only, with the role of a service account: leave --marketplace-product-code \
             out elsewhere"
        }
        "DisabledApiException" => "metering is disabled for this product in this region: ask AWS Marketplace",
        "InvalidSignatureException" | "SignatureDoesNotMatch" => "the clock of this node may be wrong",
        "ExpiredTokenException" => "the credentials have expired: the clock of this node may be wrong",
        _ => return None,
    })
}

/// A registration is repeated anyhow; a record may be there already.
fn unknown(asked: Asked, message: String) -> Failure {
    match asked {
        Asked::Registration => Failure::Unavailable { message },
        Asked::Record => Failure::FateUnknown { message },
    }
}

/// Whether the request has certainly not reached AWS: no connection came to be.
pub(super) fn never_sent<E, R>(error: &SdkError<E, R>) -> bool
where
    E: Error + 'static,
    R: std::fmt::Debug + 'static,
{
    if let SdkError::ConstructionFailure(_) = error {
        return true;
    }
    let mut source = Error::source(error);
    while let Some(error) = source {
        let refused = error
            .downcast_ref::<hyper_util::client::legacy::Error>()
            .is_some_and(hyper_util::client::legacy::Error::is_connect);
        if refused {
            return true;
        }
        source = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    fn of(code: &str, status: u16, asked: Asked) -> Failure {
        read(code, "words", status, asked, NOW)
    }

    #[test]
    fn an_internal_error_leaves_a_record_in_doubt_and_a_registration_undone() {
        for (code, status) in [("InternalServiceErrorException", 500), ("ServiceUnavailable", 503)] {
            assert!(matches!(of(code, status, Asked::Record), Failure::FateUnknown { .. }));
            assert!(matches!(
                of(code, status, Asked::Registration),
                Failure::Unavailable { .. }
            ));
        }
    }

    #[test]
    fn every_refusal_with_one_cause_names_what_to_change() {
        let named = [
            ("InvalidProductCodeException", "--marketplace-product-code"),
            ("InvalidPublicKeyVersionException", "--marketplace-public-key-version"),
            ("InvalidUsageDimensionException", "--marketplace-dimension"),
            ("InvalidRegionException", "AWS_REGION"),
            ("InvalidEndpointRegionException", "AWS_REGION"),
            ("PlatformNotSupportedException", "EKS"),
            ("DisabledApiException", "ask AWS"),
        ];
        for (code, what) in named {
            let failure = of(code, 400, Asked::Record);
            assert!(matches!(failure, Failure::Rejected { status: 400, .. }), "{failure}");
            assert!(failure.to_string().contains(what), "{failure}");
        }
    }

    #[test]
    fn refusals_that_the_core_tells_apart_are_told_apart() {
        let kind = |failure: &Failure| match failure {
            Failure::Forbidden { kind, .. } => Some(*kind),
            Failure::AlreadyExists { .. }
            | Failure::NotFound { .. }
            | Failure::RateLimited { .. }
            | Failure::Unavailable { .. }
            | Failure::Rejected { .. }
            | Failure::Malformed { .. }
            | Failure::FateUnknown { .. }
            | Failure::TimeRefused { .. }
            | Failure::OverBudget => None,
        };
        let of = |code| of(code, 400, Asked::Record);
        assert_eq!(kind(&of("CustomerNotEntitledException")), Some(Refusal::NotEntitled));
        assert_eq!(kind(&of("AccessDeniedException")), Some(Refusal::Permission));
        assert_eq!(kind(&of("InvalidSignatureException")), Some(Refusal::Credentials));
        assert!(matches!(
            of("TimestampOutOfBoundsException"),
            Failure::TimeRefused { .. }
        ));
        assert!(matches!(of("DuplicateRequestException"), Failure::AlreadyExists { .. }));
        assert!(matches!(
            of("IdempotencyConflictException"),
            Failure::AlreadyExists { .. }
        ));
        let throttled = of("ThrottlingException");
        assert!(
            matches!(throttled, Failure::RateLimited { until, .. } if until > NOW),
            "{throttled}"
        );
    }
}
