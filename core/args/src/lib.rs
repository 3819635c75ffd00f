//! The command line options that every Buildscaler runtime shares.
//!
//! Names and environment variables are the specification's. A runtime flattens
//! [`ControllerArgs`] into its own parser; a value that could only lead to
//! trouble later is refused here, by name and with a hint.

use std::path::{Path, PathBuf};
use std::time::Duration;

use buildscaler_core::{BudgetConfig, Config};
use clap::{Args, ValueEnum};

mod dry_run;
mod instance;
mod leadership;
mod token;
mod value;

pub use dry_run::DryRunArgs;
pub use instance::instance;
pub use leadership::LeadershipArgs;
pub use token::Token;

/// What an operator tells the controller.
#[derive(Clone, Debug, Args)]
pub struct ControllerArgs {
    /// Buildkite API access token, with the scopes read_builds, read_agents
    /// and write_agents. Better given by the environment variable, since
    /// command lines are visible to others
    #[arg(long, value_name = "TEXT", env = "BUILDKITE_ACCESS_TOKEN", hide_env_values = true, value_parser = value::token)]
    pub token: Token,

    /// The Buildkite organization slug the controller will look for jobs in
    #[arg(long, value_name = "TEXT", env = "BUILDKITE_ORG_SLUG", hide_env_values = true, value_parser = value::organization)]
    pub buildkite_org: String,

    /// Namespace to look for jobs in, leave blank for all namespaces.
    /// Buildscaler must run with a service account that has access to the
    /// namespace
    #[arg(short, long, value_name = "TEXT", value_parser = value::namespace)]
    namespace: Option<String>,

    /// Number of seconds to wait between syncing jobs
    #[arg(long, value_name = "INTEGER", default_value = "20", allow_negative_numbers = true, value_parser = value::seconds)]
    pub sync_interval: Duration,

    /// The number of idle seconds to wait before an agent is shut down. Used
    /// to scale down idle agents and pods
    #[arg(long, value_name = "INTEGER", default_value = "300", allow_negative_numbers = true, value_parser = value::idle_seconds)]
    pub disconnect_after_idle_timeout: Duration,

    /// Path to the kubeconfig file, if unspecified, will use InClusterConfig
    #[arg(long, value_name = "TEXT", env = "KUBECONFIG", hide_env_values = true)]
    kubeconfig: Option<String>,

    /// Number of seconds a pod has for its agent to connect before the pod is
    /// deleted
    #[arg(long, value_name = "INTEGER", default_value = "600", allow_negative_numbers = true, value_parser = value::seconds)]
    pub agent_startup_timeout: Duration,

    /// Most pods of one queue [default: no limit]. The annotation
    /// buildscaler.elotl.co/max-active-builds of a job overrides it
    #[arg(long, value_name = "INTEGER", allow_negative_numbers = true, value_parser = value::ceiling)]
    pub max_active_builds: Option<u32>,

    /// Most pods of all queues together [default: no limit]
    #[arg(long, value_name = "INTEGER", allow_negative_numbers = true, value_parser = value::ceiling)]
    pub max_pods: Option<u32>,

    /// Number of seconds after which an agent is shut down as soon as it is
    /// idle [default: no limit]
    #[arg(long, value_name = "INTEGER", allow_negative_numbers = true, value_parser = value::seconds)]
    pub max_agent_lifetime: Option<Duration>,

    /// Base URL of the Buildkite REST API, without /v2
    #[arg(long, value_name = "URL", env = "BUILDKITE_API_URL", hide_env_values = true,
        default_value = value::BUILDKITE_API_URL, value_parser = value::api_url)]
    pub buildkite_api_url: String,

    /// Folder in which everything that is seen and decided is recorded, secrets
    /// left out, for `buildscaler-sim replay` and `buildscalerctl why`. It is
    /// made if it is not there
    #[arg(long, value_name = "DIR", value_parser = value::folder)]
    pub record: Option<PathBuf>,

    /// Most bytes of all files in the folder of --record; the oldest go first
    #[arg(long, value_name = "INTEGER", default_value = "268435456", requires = "record",
        allow_negative_numbers = true, value_parser = value::record_bytes)]
    pub record_max_bytes: u64,

    /// How log lines are written
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    pub log_format: LogFormat,

    /// More logging output
    #[arg(short, long)]
    pub verbose: bool,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line, for machines.
    Json,
}

impl ControllerArgs {
    /// The only namespace to look at; none is all of them.
    pub fn namespace(&self) -> Option<&str> {
        self.namespace.as_deref().filter(|namespace| !namespace.is_empty())
    }

    /// The kubeconfig file; none is the service account of the pod. A blank
    /// variable counts as none.
    pub fn kubeconfig(&self) -> Option<&Path> {
        let path = self.kubeconfig.as_deref()?.trim();
        (!path.is_empty()).then_some(Path::new(path))
    }
}

impl From<&ControllerArgs> for Config {
    fn from(args: &ControllerArgs) -> Self {
        Self {
            sync_interval: args.sync_interval,
            idle_timeout: args.disconnect_after_idle_timeout,
            agent_startup_timeout: args.agent_startup_timeout,
            max_active_builds: args.max_active_builds,
            max_agent_lifetime: args.max_agent_lifetime,
            max_pods: args.max_pods,
            budget: BudgetConfig::default(),
            metering: None,
            leadership: None,
            dry_run: false,
        }
    }
}
