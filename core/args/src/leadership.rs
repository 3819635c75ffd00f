//! The options by which several controllers agree on the one that commands.

use std::time::Duration;

use buildscaler_core::LeadershipConfig;
use clap::{ArgAction, Args};

use crate::instance::instance;
use crate::value;

/// What an operator tells a controller that is not the only one. The names are
/// those of Kubernetes' own components.
#[derive(Clone, Debug, Args)]
pub struct LeadershipArgs {
    /// Let one of several controllers command, the one that holds a Lease. Needs
    /// the rights to get, create and update leases
    #[arg(long, value_name = "BOOL", default_value = "false", default_missing_value = "true", num_args = 0..=1,
        require_equals = true, action = ArgAction::Set)]
    leader_elect: bool,

    /// Number of seconds after a leader's last sign of life before another takes
    /// its place
    #[arg(long, value_name = "INTEGER", default_value = "15", allow_negative_numbers = true,
        requires = "leader_elect", value_parser = value::seconds)]
    leader_elect_lease_duration: Duration,

    /// Number of seconds a leader goes on without a renewal that succeeded;
    /// fewer than the lease duration
    #[arg(long, value_name = "INTEGER", default_value = "10", allow_negative_numbers = true,
        requires = "leader_elect", value_parser = value::seconds)]
    leader_elect_renew_deadline: Duration,

    /// Number of seconds between two renewals, or two looks at the lease of
    /// another; fewer than the renew deadline
    #[arg(long, value_name = "INTEGER", default_value = "1", allow_negative_numbers = true,
        requires = "leader_elect", value_parser = value::seconds)]
    leader_elect_retry_period: Duration,

    /// Name of the lease
    #[arg(long, value_name = "TEXT", default_value = "buildscaler", requires = "leader_elect",
        value_parser = value::object_name)]
    leader_elect_resource_name: String,

    /// Namespace of the lease [default: --namespace, or else the one the
    /// controller runs in]
    #[arg(long, value_name = "TEXT", requires = "leader_elect", value_parser = value::some_namespace)]
    leader_elect_resource_namespace: Option<String>,
}

impl LeadershipArgs {
    /// The settings, if there is to be a leader; why they cannot work, else.
    ///
    /// The lease lives in the namespace that is looked at, or in `own`, the one
    /// that the process runs in.
    pub fn config(&self, namespace: Option<&str>, own: &str) -> Result<Option<LeadershipConfig>, String> {
        if !self.leader_elect {
            return Ok(None);
        }
        let less = |small: (&str, Duration), large: (&str, Duration), why: &str| {
            if small.1 < large.1 {
                return Ok(());
            }
            let (small, large) = ((small.0, small.1.as_secs()), (large.0, large.1.as_secs()));
            Err(format!(
                "--leader-elect-{} {} must be less than --leader-elect-{} {}: {why}",
                small.0, small.1, large.0, large.1
            ))
        };
        let lease = ("lease-duration", self.leader_elect_lease_duration);
        let renew = ("renew-deadline", self.leader_elect_renew_deadline);
        let retry = ("retry-period", self.leader_elect_retry_period);
        less(renew, lease, "or another would start before this one stops")?;
        less(retry, renew, "or it would not be renewed in time")?;
        let given = self.leader_elect_resource_namespace.as_deref();
        Ok(Some(LeadershipConfig {
            identity: identity(),
            namespace: given.or(namespace).unwrap_or(own).to_owned(),
            name: self.leader_elect_resource_name.clone(),
            lease_duration: lease.1,
            renew_deadline: renew.1,
            retry_period: retry.1,
        }))
    }
}

/// A name that no other process has: the host's, which in a pod is the pod's,
/// and what tells apart processes of one host and of one process number.
#[expect(
    clippy::disallowed_types,
    reason = "read once, before there is a core, and for a name only"
)]
fn identity() -> String {
    use std::time::{SystemTime, UNIX_EPOCH};

    let begun = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{}_{}-{:x}", instance(), std::process::id(), begun.as_nanos())
}
