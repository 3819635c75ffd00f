//! What an operator can set. No secret is in it: tokens stay in the runtimes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The controller's settings; the defaults are the specification's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Time between looks (`--sync-interval`).
    pub sync_interval: Duration,
    /// Idle time after which an agent is stopped
    /// (`--disconnect-after-idle-timeout`); given to the agents as well.
    pub idle_timeout: Duration,
    /// Time a pod has for its agent to connect (`--agent-startup-timeout`).
    pub agent_startup_timeout: Duration,
    /// Most pods of one queue (`--max-active-builds`); a template's annotation
    /// `buildscaler.elotl.co/max-active-builds` overrides it.
    pub max_active_builds: Option<u32>,
    /// Age at which an idle agent is stopped (`--max-agent-lifetime`).
    pub max_agent_lifetime: Option<Duration>,
    /// Most pods of all queues together (`--max-pods`).
    pub max_pods: Option<u32>,
    /// What may be asked of Buildkite in any 60 seconds until its answers say
    /// otherwise.
    pub budget: BudgetConfig,
    /// How usage is metered (`--marketplace-product-code`); none is not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metering: Option<MeteringConfig>,
    /// How to agree with other controllers on the one that commands; none for
    /// a controller that has no others beside it (`--leader-elect`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leadership: Option<LeadershipConfig>,
    /// Decide everything and send nothing but looks (`--dry-run`).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dry_run: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sync_interval: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(300),
            agent_startup_timeout: Duration::from_secs(600),
            max_active_builds: None,
            max_agent_lifetime: None,
            max_pods: None,
            budget: BudgetConfig::default(),
            metering: None,
            leadership: None,
            dry_run: false,
        }
    }
}

/// What AWS Marketplace is told of the usage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MeteringConfig {
    /// The product, as AWS names it.
    pub product_code: String,
    /// Which of the product's keys signs the registration, counted from 1.
    pub public_key_version: u32,
    /// The dimension in which agent-hours are counted.
    pub dimension: String,
    /// What no other process calls itself. The runtime makes it up: here there
    /// is no randomness.
    pub instance: String,
}

/// How several controllers agree on the one that commands, by a Lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeadershipConfig {
    /// What this controller is called in the Lease; no other may be called so.
    pub identity: String,
    /// The namespace of the Lease.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// For how long nobody else commands after the last renewal that was seen.
    /// Longer than the next one, or two might command at once.
    pub lease_duration: Duration,
    /// For how long a leader commands after it sent its last renewal.
    pub renew_deadline: Duration,
    /// Time between two tries to get the Lease or to keep it.
    pub retry_period: Duration,
}

/// Buildkite's request limits, before the first answer tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetConfig {
    /// Requests in 60 seconds of the token's owner.
    pub user: u32,
    /// Requests in 60 seconds of the organisation.
    pub organization: u32,
    /// Of what may be asked, the percentage that looks leave to stops.
    pub stop_percent: u32,
}

impl Default for BudgetConfig {
    fn default() -> Self {
        Self {
            user: 50,
            organization: 200,
            stop_percent: 20,
        }
    }
}
