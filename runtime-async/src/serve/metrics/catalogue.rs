//! Every metric there is: its name, its type, its labels, and what it says.

use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{self, Registry, Unit};

/// One metric.
#[derive(Debug)]
pub(super) struct Metric {
    /// Without the suffixes that type and unit add.
    name: &'static str,
    kind: Kind,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "labels are documented, and set where they are")
    )]
    labels: &'static [&'static str],
    /// What it says, and how exactly. The full stop is added.
    help: &'static str,
}

/// The types, with the unit where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    GaugeOfSeconds,
    HistogramOfSeconds,
    Info,
}

const fn metric(name: &'static str, kind: Kind, labels: &'static [&'static str], help: &'static str) -> Metric {
    Metric {
        name,
        kind,
        labels,
        help,
    }
}

// The first Buildscaler's, by its names: some are gauges that end in _total.

pub(super) const ACTIVE_AGENTS: Metric = metric(
    "active_agents_total",
    Kind::Gauge,
    &[],
    "Agents that Buildkite listed in the last complete look, on queues that have a template or a pod",
);
pub(super) const ACTIVE_PODS: Metric = metric(
    "active_pods_total",
    Kind::Gauge,
    &[],
    "Pods that exist and have not finished, as last seen",
);
pub(super) const JOBS_RUNNING: Metric = metric(
    "buildkite_jobs_running_total",
    Kind::Gauge,
    &[],
    "Buildkite jobs that had an agent in the last complete look, on queues that have a template or a pod",
);
pub(super) const NEEDED_PODS: Metric = metric(
    "needed_pods_total",
    Kind::Gauge,
    &[],
    "Pods that the policy wants, before ceilings, as of the last complete look",
);
pub(super) const SYNC_LOOP_RUNS: Metric = metric(
    "sync_loop_runs",
    Kind::Counter,
    &[],
    "Looks at Buildkite that ended, well or not: one per sync interval where nothing is wrong",
);
pub(super) const SYNC_LOOP_ERRORS: Metric = metric(
    "sync_loop_errors",
    Kind::Counter,
    &[],
    "Looks at Buildkite or Kubernetes that failed",
);

// What waits, and for what.

pub(super) const JOB_WAIT: Metric = metric(
    "buildscaler_job_wait",
    Kind::HistogramOfSeconds,
    &["queue"],
    "How long jobs waited from runnable to started, both by Buildkite's clock. Each job counts once, when a look \
     first shows it started; one that begins and ends between two looks is not counted",
);
pub(super) const START_PART: Metric = metric(
    "buildscaler_start_part",
    Kind::HistogramOfSeconds,
    &["queue", "part"],
    "What starting agents is made of. detection: of each job first seen waiting, from runnable (Buildkite's clock) to \
     the look that showed it (ours). creation: of each pod, from the look that asked for it to Kubernetes' answer. \
     scheduling: from the pod first seen to bound. image: from bound to its agent's container started. registration: \
     from there to the agent's connection (Buildkite's clock). All but creation as views show it: exact to a fraction \
     of a second with watches, and up to one sync interval late without",
);
pub(super) const LONGEST_WAIT: Metric = metric(
    "buildscaler_job_longest_wait",
    Kind::GaugeOfSeconds,
    &["queue"],
    "How long the longest waiting job has been runnable, of those that waited in the last complete look; 0 if none did",
);
pub(super) const QUEUE_JOBS: Metric = metric(
    "buildscaler_queue_jobs_waiting",
    Kind::Gauge,
    &["queue"],
    "Jobs that want an agent now and have none, as of the last complete look",
);
pub(super) const QUEUE_DESIRED: Metric = metric(
    "buildscaler_queue_pods_desired",
    Kind::Gauge,
    &["queue"],
    "Pods that the policy wants, before ceilings, as of the last complete look",
);
pub(super) const QUEUE_PODS: Metric = metric(
    "buildscaler_queue_pods",
    Kind::Gauge,
    &["queue", "state"],
    "Pods that exist and have not finished. starting: the agent is on its way. idle and busy: as the last complete \
     look showed the agent. other: leaving, stopping, paused, replaced, or without their agent",
);

// What is decided and done.

pub(super) const VERDICTS: Metric = metric(
    "buildscaler_verdicts",
    Kind::Gauge,
    &["reason"],
    "Pods by the reason of the verdict last passed on them (docs/verdicts.md)",
);
pub(super) const COMMANDS: Metric = metric(
    "buildscaler_commands",
    Kind::Counter,
    &["action", "reason", "outcome"],
    "Commands that ended, by what was asked, why, and how it ended",
);
pub(super) const IN_FLIGHT: Metric = metric(
    "buildscaler_commands_in_flight",
    Kind::Gauge,
    &["action"],
    "Commands that were sent and have not ended",
);
pub(super) const STEP: Metric = metric(
    "buildscaler_step",
    Kind::HistogramOfSeconds,
    &[],
    "How long a step of the controller took: deciding only, no request is in it",
);
pub(super) const LEADER: Metric = metric(
    "buildscaler_leader",
    Kind::Gauge,
    &[],
    "Whether this controller commands: 1, or 0 while another of several replicas does, or none, and in a dry run",
);
pub(super) const DRY_RUN: Metric = metric(
    "buildscaler_dry_run",
    Kind::Gauge,
    &[],
    "Whether this is a dry run, which sends nothing but looks: 1, or 0",
);
pub(super) const FINDINGS: Metric = metric(
    "buildscaler_findings",
    Kind::Gauge,
    &["kind"],
    "Findings that stand: what an operator should mend. The log says of each what to do",
);

// What it sees, and what that costs.

pub(super) const VIEW_AGE: Metric = metric(
    "buildscaler_view_age",
    Kind::GaugeOfSeconds,
    &["view"],
    "How long ago it was that all of this was last known; since the start if it never was",
);
pub(super) const REQUESTS: Metric = metric(
    "buildscaler_buildkite_requests",
    Kind::Counter,
    &[],
    "Requests sent to Buildkite, answered or not",
);
pub(super) const REQUESTS_LEFT: Metric = metric(
    "buildscaler_buildkite_requests_left",
    Kind::Gauge,
    &["limit"],
    "Requests that Buildkite's limit allowed still in its window of a minute, as the last answer told; all of them \
     once that window is over. Others who use the token's user or the organization count too",
);
pub(super) const REQUESTS_LIMIT: Metric = metric(
    "buildscaler_buildkite_requests_limit",
    Kind::Gauge,
    &["limit"],
    "Requests that Buildkite allows in a minute, as the last answer told",
);
pub(super) const BUILD: Metric = metric("buildscaler_build", Kind::Info, &["version"], "What runs, always 1");

/// All of them, in the order in which they are documented.
#[cfg(test)]
pub(super) const ALL: &[&Metric] = &[
    &ACTIVE_AGENTS,
    &ACTIVE_PODS,
    &JOBS_RUNNING,
    &NEEDED_PODS,
    &SYNC_LOOP_RUNS,
    &SYNC_LOOP_ERRORS,
    &JOB_WAIT,
    &START_PART,
    &LONGEST_WAIT,
    &QUEUE_JOBS,
    &QUEUE_DESIRED,
    &QUEUE_PODS,
    &VERDICTS,
    &COMMANDS,
    &IN_FLIGHT,
    &STEP,
    &LEADER,
    &DRY_RUN,
    &FINDINGS,
    &VIEW_AGE,
    &REQUESTS,
    &REQUESTS_LEFT,
    &REQUESTS_LIMIT,
    &BUILD,
];

impl Metric {
    /// Registers what tells it.
    pub(super) fn register(&self, registry: &mut Registry, teller: impl registry::Metric) {
        match self.unit() {
            Some(unit) => registry.register_with_unit(self.name, self.help, unit, teller),
            None => registry.register(self.name, self.help, teller),
        }
    }

    /// Its name without suffixes.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// Its unit.
    pub(super) fn unit(&self) -> Option<Unit> {
        match self.kind {
            Kind::GaugeOfSeconds | Kind::HistogramOfSeconds => Some(Unit::Seconds),
            Kind::Counter | Kind::Gauge | Kind::Info => None,
        }
    }

    /// What it says, as a sentence.
    pub(super) fn help(&self) -> String {
        format!("{}.", self.help)
    }

    /// Its name as it is exposed, without the suffixes of samples.
    #[cfg(test)]
    pub(super) fn family(&self) -> String {
        match self.unit() {
            Some(unit) => format!("{}_{}", self.name, unit.as_str()),
            None => self.name.to_owned(),
        }
    }

    /// Its type.
    pub(super) fn kind(&self) -> MetricType {
        match self.kind {
            Kind::Counter => MetricType::Counter,
            Kind::Gauge | Kind::GaugeOfSeconds => MetricType::Gauge,
            Kind::HistogramOfSeconds => MetricType::Histogram,
            Kind::Info => MetricType::Info,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::path::PathBuf;

    use super::*;

    const BEGIN: &str = "<!-- printed by a test -->\n";
    const END: &str = "<!-- to here -->\n";

    #[test]
    fn the_metrics_are_documented() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
        let page = std::fs::read_to_string(&path).expect("docs/metrics.md");
        let (before, rest) = page.split_once(BEGIN).expect("its beginning");
        let (_, after) = rest.split_once(END).expect("its end");
        let printed = format!("{before}{BEGIN}{}{END}{after}", print());
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &printed).expect("written");
        } else {
            assert_eq!(
                page, printed,
                "docs/metrics.md is out of date: run `UPDATE_DOCS=1 cargo test -p buildscaler-runtime-async --lib metrics`"
            );
        }
    }

    fn print() -> String {
        let mut table = "| metric | type | labels | |\n|---|---|---|---|\n".to_owned();
        for metric in ALL {
            let suffix = match metric.kind {
                Kind::Counter => "_total",
                Kind::Info => "_info",
                Kind::Gauge | Kind::GaugeOfSeconds | Kind::HistogramOfSeconds => "",
            };
            let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
            writeln!(
                table,
                "| `{}{suffix}` | {} | {} | {} |",
                metric.family(),
                metric.kind().as_str(),
                labels.join(", "),
                metric.help()
            )
            .expect("written");
        }
        table
    }
}
