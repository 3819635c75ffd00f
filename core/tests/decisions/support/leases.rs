//! Leases and settings for them, odd ones included.

use buildscaler_core::{LeadershipConfig, Lease, LeaseRecord};
use proptest::option::of;
use proptest::prelude::*;

use crate::totality::{name, number, span, time};

/// Settings, those included that no command line lets pass.
pub(crate) fn odd_leaderships() -> impl Strategy<Value = LeadershipConfig> {
    (name(), name(), name(), span(), span(), span()).prop_map(
        |(identity, namespace, name, lease_duration, renew_deadline, retry_period)| LeadershipConfig {
            identity,
            namespace,
            name,
            lease_duration,
            renew_deadline,
            retry_period,
        },
    )
}

/// Anything that somebody may have written.
pub(crate) fn odd_leases() -> impl Strategy<Value = Lease> {
    let record = (of(name()), number(), of(time()), of(time()), number()).prop_map(
        |(holder, duration_seconds, acquired_at, renewed_at, transitions)| LeaseRecord {
            holder,
            duration_seconds,
            acquired_at,
            renewed_at,
            transitions,
        },
    );
    (name(), record).prop_map(|(version, record)| Lease { version, record })
}
