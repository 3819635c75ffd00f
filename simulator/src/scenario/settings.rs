//! The world and the controller of a scenario.

use std::time::Duration;

use buildscaler_core::{BudgetConfig, Config, LeadershipConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::span::{Range, Span};
use crate::world::NAMESPACE;

/// The controller's options; what is left out has the controller's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ControllerSettings {
    /// `--sync-interval`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync_interval: Option<Span>,
    /// `--disconnect-after-idle-timeout`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_timeout: Option<Span>,
    /// `--agent-startup-timeout`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_startup_timeout: Option<Span>,
    /// `--max-active-builds`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_active_builds: Option<u32>,
    /// `--max-agent-lifetime`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_agent_lifetime: Option<Span>,
    /// `--max-pods`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pods: Option<u32>,
    /// `--leader-elect`: of two controllers one commands
    #[serde(skip_serializing_if = "super::is_default")]
    pub leader_elect: bool,
}

impl ControllerSettings {
    /// The core's configuration; its request budget is the one that the
    /// scenario's Buildkite allows.
    pub fn config(&self, buildkite: &BuildkiteSettings) -> Config {
        let defaults = Config::default();
        let or = |span: Option<Span>, default| span.map_or(default, |span| span.0);
        Config {
            sync_interval: or(self.sync_interval, defaults.sync_interval),
            idle_timeout: or(self.idle_timeout, defaults.idle_timeout),
            agent_startup_timeout: or(self.agent_startup_timeout, defaults.agent_startup_timeout),
            max_active_builds: self.max_active_builds,
            max_agent_lifetime: self.max_agent_lifetime.map(|span| span.0),
            max_pods: self.max_pods,
            budget: BudgetConfig {
                user: buildkite.requests_a_minute,
                organization: buildkite.organization_requests_a_minute,
                ..defaults.budget
            },
            metering: None,
            leadership: self.leader_elect.then(leadership),
            dry_run: false,
        }
    }
}

/// Leadership with the defaults of `--leader-elect`. Each controller has to be
/// given a name of its own.
fn leadership() -> LeadershipConfig {
    LeadershipConfig {
        identity: "controller-0".to_owned(),
        namespace: NAMESPACE.to_owned(),
        name: "buildscaler".to_owned(),
        lease_duration: Duration::from_secs(15),
        renew_deadline: Duration::from_secs(10),
        retry_period: Duration::from_secs(1),
    }
}

/// How the outside world is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct WorldSettings {
    /// The nodes.
    #[serde(skip_serializing_if = "super::is_default")]
    pub nodes: NodeSettings,
    /// The life of pods and their agents.
    #[serde(skip_serializing_if = "super::is_default")]
    pub pods: PodSettings,
    /// Buildkite.
    #[serde(skip_serializing_if = "super::is_default")]
    pub buildkite: BuildkiteSettings,
    /// How long the two APIs take to answer.
    #[serde(skip_serializing_if = "super::is_default")]
    pub replies: Replies,
}

/// Nodes, and the autoscaler that adds them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct NodeSettings {
    /// Nodes from the beginning.
    pub count: u32,
    /// Most nodes that an autoscaler brings; not more than `count` means there
    /// is none.
    pub max: u32,
    /// Pods that fit on a node.
    pub pods_each: u32,
    /// How long a new node takes.
    pub startup: Range,
}

impl Default for NodeSettings {
    fn default() -> Self {
        Self {
            count: 1,
            max: 1,
            pods_each: u32::MAX,
            startup: Range::Fixed(Span::secs(60)),
        }
    }
}

/// How long the stages of a pod's life take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct PodSettings {
    /// From the pod's creation to its node.
    pub scheduling: Range,
    /// The first pull of a template's image on a node; later ones take none.
    pub image_pull: Range,
    /// From the image to the agent's connection, the container's start first.
    pub agent_start: Range,
    /// From the agent's leave to the pod's end.
    pub exit: Range,
    /// Of each hundred pods, so many never get an agent: it fails at once.
    pub failing_percent: u32,
    /// Of each hundred pods, so many hang before their agent connects.
    pub hanging_percent: u32,
}

impl Default for PodSettings {
    fn default() -> Self {
        Self {
            scheduling: Range::millis(100),
            image_pull: Range::Fixed(Span::secs(5)),
            agent_start: Range::Fixed(Span::secs(3)),
            exit: Range::Fixed(Span::secs(1)),
            failing_percent: 0,
            hanging_percent: 0,
        }
    }
}

/// Buildkite's own properties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct BuildkiteSettings {
    /// Requests that the token's owner may send in a minute.
    pub requests_a_minute: u32,
    /// Requests that the whole organisation may send in a minute.
    pub organization_requests_a_minute: u32,
    /// How often idle agents ask for work.
    pub ping_interval: Span,
    /// How far the list of agents is behind the truth.
    pub agent_list_lag: Span,
    /// How long an agent may be silent before it counts as lost.
    pub lost_after: Span,
}

impl Default for BuildkiteSettings {
    fn default() -> Self {
        Self {
            requests_a_minute: 50,
            organization_requests_a_minute: 200,
            ping_interval: Span::secs(10),
            agent_list_lag: Span::secs(0),
            lost_after: Span::secs(180),
        }
    }
}

/// How long requests take until their answer is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Replies {
    /// Requests to Buildkite.
    pub buildkite: Range,
    /// Requests to Kubernetes.
    pub kubernetes: Range,
    /// How long after a change a watch of Kubernetes shows it, with all others
    /// until then; none (`null`) if the controller lists only.
    pub watch: Option<Span>,
}

impl Default for Replies {
    fn default() -> Self {
        Self {
            buildkite: Range::millis(200),
            kubernetes: Range::millis(20),
            watch: Some(Span::millis(100)),
        }
    }
}
