//! The observer that counts and measures.

use std::time::Instant;

use buildscaler_core::{ClusterView, Controller, Input, Look, LookEnd, Role, Spending, Step, Timestamp};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::catalogue;
use super::commands::Commands;
use super::labels::Queues;
use super::looks::Looks;
use super::passages::Passages;
use super::scene::Gauges;
use super::waits::Waits;
use crate::clock;
use crate::run::Observer;

/// Seconds.
const STEP_BUCKETS: [f64; 10] = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// Counts and measures what happens, and remembers what there is to show.
#[derive(Debug)]
pub(crate) struct Meter {
    queues: Queues,
    waits: Waits,
    looks: Looks,
    passages: Passages,
    commands: Commands,
    gauges: Gauges,
    runs: Counter,
    errors: Counter,
    requests: Counter,
    steps: Histogram,
    leads: Gauge,
    dry_run: Gauge,
    /// When the step began, and whether it judges anew.
    step: Option<(Instant, bool)>,
}

impl Meter {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        catalogue::BUILD.register(registry, build);
        let meter = Self {
            queues: Queues::default(),
            waits: Waits::new(registry),
            looks: Looks::default(),
            passages: Passages::default(),
            commands: Commands::new(registry),
            gauges: Gauges::new(clock::wall()),
            runs: Counter::default(),
            errors: Counter::default(),
            requests: Counter::default(),
            steps: Histogram::new(STEP_BUCKETS),
            leads: Gauge::default(),
            dry_run: Gauge::default(),
            step: None,
        };
        catalogue::SYNC_LOOP_RUNS.register(registry, meter.runs.clone());
        catalogue::SYNC_LOOP_ERRORS.register(registry, meter.errors.clone());
        catalogue::REQUESTS.register(registry, meter.requests.clone());
        catalogue::STEP.register(registry, meter.steps.clone());
        catalogue::LEADER.register(registry, meter.leads.clone());
        catalogue::DRY_RUN.register(registry, meter.dry_run.clone());
        registry.register_collector(Box::new(meter.gauges.clone()));
        meter
    }

    fn see_cluster(&mut self, view: &ClusterView, now: Timestamp) {
        if view.templates.failure().or_else(|| view.pods.failure()).is_some() {
            self.errors.inc();
        }
        if let Some(pods) = view.pods.complete() {
            self.passages.see_pods(pods, now, &self.queues, &self.waits);
        }
        self.gauges.see_cluster(view);
    }

    fn see_buildkite(&mut self, look: &Look, now: Timestamp) {
        match look.end {
            LookEnd::Complete => {
                self.runs.inc();
                self.commands.looked(now);
            }
            LookEnd::More(_) => {}
            LookEnd::Failed(..) => {
                self.runs.inc();
                self.errors.inc();
            }
        }
        self.passages
            .see_agents(&look.agents, look.begun_at, &self.queues, &self.waits);
        if let Some(shown) = self.looks.told(look, &self.queues, &self.waits) {
            self.gauges.see_buildkite(shown);
        }
        self.spent(&look.spending);
    }

    fn spent(&mut self, spending: &Spending) {
        self.requests.inc_by(spending.requests.into());
        self.gauges.read_limits(&spending.limits);
    }
}

impl Observer for Meter {
    fn told(&mut self, now: Timestamp, input: &Input) {
        self.commands.told(input, now, &self.queues, &self.waits);
        let judges = match input {
            Input::Cluster { view, .. } => {
                self.see_cluster(view, now);
                true
            }
            Input::Buildkite { look, .. } => {
                self.see_buildkite(look, now);
                true
            }
            Input::Outcome { spending, .. } => {
                self.spent(spending);
                false
            }
            Input::Tick | Input::Lease { .. } | Input::Shutdown => false,
        };
        // Last, so that none of this counts as the step's.
        self.step = Some((Instant::now(), judges));
    }

    fn stepped(&mut self, _now: Timestamp, step: &Step, controller: &Controller) {
        let judged = match self.step.take() {
            Some((begun, judges)) => {
                self.steps.observe(begun.elapsed().as_secs_f64());
                judges
            }
            None => false,
        };
        self.commands.sent(&step.commands);
        let leads = controller.leadership().is_none_or(|now| now.role == Role::Leader);
        let dry_run = controller.is_dry_run();
        // A dry run beside replicas of which none leads must not hide that.
        self.leads.set((leads && !dry_run).into());
        self.dry_run.set(dry_run.into());
        if judged {
            let report = controller.report();
            for queue in self.queues.take_over(report) {
                self.waits.forget(&queue);
            }
            self.gauges.judged(report, &self.queues);
        }
        if !step.findings.is_empty() {
            self.gauges.found(controller.findings());
        }
    }
}
