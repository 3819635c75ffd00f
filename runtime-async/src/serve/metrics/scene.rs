//! What there is now: told when it is asked for, not whenever it changes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use buildscaler_core::{
    ClusterView, Finding, FindingKind, LimitReading, LimitScope, QueueReport, Reason, Report, Timestamp,
};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;

use super::catalogue::{self, Metric};
use super::labels::Queues;
use super::looks::Shown;
use crate::clock;

/// What there is, for the loop to change and for scrapes to read.
#[derive(Clone, Debug)]
pub(super) struct Gauges(Arc<Mutex<Scene>>);

#[derive(Clone, Debug)]
struct Scene {
    templates_at: Timestamp,
    pods_at: Timestamp,
    /// What the last complete look showed, and when; at first, nothing.
    buildkite: Shown,
    limits: BTreeMap<LimitScope, LimitReading>,
    queues: BTreeMap<String, QueueReport>,
    verdicts: BTreeMap<Reason, u32>,
    longest: BTreeMap<String, Timestamp>,
    findings: BTreeMap<FindingKind, u32>,
}

impl Gauges {
    /// Of a controller that begins now.
    pub(super) fn new(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(Scene {
            templates_at: now,
            pods_at: now,
            buildkite: Shown {
                begun_at: now,
                ..Shown::default()
            },
            limits: BTreeMap::new(),
            queues: BTreeMap::new(),
            verdicts: BTreeMap::new(),
            longest: BTreeMap::new(),
            findings: BTreeMap::new(),
        })))
    }

    /// Kubernetes was looked at.
    pub(super) fn see_cluster(&self, view: &ClusterView) {
        let mut scene = self.scene();
        if view.templates.complete().is_some() {
            scene.templates_at = view.begun_at;
        }
        if view.pods.complete().is_some() {
            scene.pods_at = view.begun_at;
        }
    }

    /// A look at Buildkite is complete.
    pub(super) fn see_buildkite(&self, shown: Shown) {
        self.scene().buildkite = shown;
    }

    /// Answers told of limits. Of two that tell of one window the later may
    /// have come first: the smaller number is the newer one.
    pub(super) fn read_limits(&self, limits: &[LimitReading]) {
        let mut scene = self.scene();
        for new in limits {
            let known = scene.limits.entry(new.scope).or_insert(*new);
            let is_same_window = known.limit == new.limit && new.reset_at <= known.reset_at;
            if !is_same_window || new.remaining < known.remaining {
                *known = *new;
            }
        }
    }

    /// The workers were judged anew.
    pub(super) fn judged(&self, report: &Report, queues: &Queues) {
        let mut all: BTreeMap<String, QueueReport> = BTreeMap::new();
        for (queue, one) in &report.queues {
            let Some(name) = queues.name(queue) else { continue };
            match all.get_mut(name) {
                Some(sum) => add(sum, one),
                None => {
                    all.insert(name.to_owned(), *one);
                }
            }
        }
        let mut scene = self.scene();
        let mut longest: BTreeMap<String, Timestamp> = BTreeMap::new();
        for (queue, since) in &scene.buildkite.longest {
            if let Some(name) = queues.name(queue) {
                let known = longest.entry(name.to_owned()).or_insert(*since);
                *known = *since.min(known);
            }
        }
        scene.queues = all;
        scene.longest = longest;
        scene.verdicts.clone_from(&report.verdicts);
    }

    /// Findings have changed: these stand.
    pub(super) fn found(&self, findings: impl Iterator<Item = Finding>) {
        let mut counts = BTreeMap::new();
        for finding in findings {
            *counts.entry(finding.kind).or_default() += 1;
        }
        self.scene().findings = counts;
    }

    fn scene(&self) -> MutexGuard<'_, Scene> {
        // Changed in whole steps: after a panic elsewhere it is still sound.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collector for Gauges {
    /// Copies first, so that the loop waits for nobody who reads.
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let scene = self.scene().clone();
        scene.encode(&mut encoder, clock::wall())
    }
}

impl Scene {
    fn encode(&self, encoder: &mut DescriptorEncoder<'_>, now: Timestamp) -> std::fmt::Result {
        let sum = |of: fn(&QueueReport) -> u32| self.queues.values().map(|queue| u64::from(of(queue))).sum::<u64>();
        let alone = |value: usize| [([], whole(value))];
        let sums = |of| [([], integer(sum(of)))];
        tell(encoder, &catalogue::ACTIVE_AGENTS, alone(self.buildkite.agents))?;
        tell(encoder, &catalogue::ACTIVE_PODS, sums(|queue| queue.pods))?;
        tell(encoder, &catalogue::JOBS_RUNNING, alone(self.buildkite.running))?;
        tell(encoder, &catalogue::NEEDED_PODS, sums(|queue| queue.desired))?;
        self.encode_queues(encoder, now)?;
        let verdicts = self.verdicts.iter();
        let verdicts = verdicts.map(|(reason, pods)| ([("reason", reason.as_str())], integer(*pods)));
        tell(encoder, &catalogue::VERDICTS, verdicts)?;
        let findings = FindingKind::ALL.iter().map(|kind| {
            let count = self.findings.get(kind).copied().unwrap_or_default();
            ([("kind", kind.as_str())], integer(count))
        });
        tell(encoder, &catalogue::FINDINGS, findings)?;
        let ages = [
            ("kubernetes_jobs", self.templates_at),
            ("kubernetes_pods", self.pods_at),
            ("buildkite", self.buildkite.begun_at),
        ];
        let ages = ages.map(|(view, at)| ([("view", view)], now.since(at).as_secs_f64()));
        tell(encoder, &catalogue::VIEW_AGE, ages)?;
        self.encode_limits(encoder, now)
    }

    fn encode_queues(&self, encoder: &mut DescriptorEncoder<'_>, now: Timestamp) -> std::fmt::Result {
        let each = |of: fn(&QueueReport) -> u32| {
            let queues = self.queues.iter();
            queues.map(move |(name, queue)| ([("queue", name.as_str())], integer(of(queue))))
        };
        tell(encoder, &catalogue::QUEUE_JOBS, each(|queue| queue.waiting))?;
        tell(encoder, &catalogue::QUEUE_DESIRED, each(|queue| queue.desired))?;
        let longest = self.queues.keys().map(|name| {
            let wait = self
                .longest
                .get(name)
                .map_or(0.0, |since| now.since(*since).as_secs_f64());
            ([("queue", name.as_str())], wait)
        });
        tell(encoder, &catalogue::LONGEST_WAIT, longest)?;
        let pods = self.queues.iter().flat_map(|(name, queue)| {
            let QueueReport {
                pods,
                starting,
                idle,
                busy,
                ..
            } = *queue;
            let other = pods.saturating_sub(starting).saturating_sub(idle).saturating_sub(busy);
            [("starting", starting), ("idle", idle), ("busy", busy), ("other", other)]
                .map(|(state, count)| ([("queue", name.as_str()), ("state", state)], integer(count)))
        });
        tell(encoder, &catalogue::QUEUE_PODS, pods)
    }

    fn encode_limits(&self, encoder: &mut DescriptorEncoder<'_>, now: Timestamp) -> std::fmt::Result {
        let each = |of: &dyn Fn(&LimitReading) -> u32| {
            let limits = self.limits.values();
            limits
                .map(|reading| ([("limit", scope(reading.scope))], integer(of(reading))))
                .collect::<Vec<_>>()
        };
        let left = |reading: &LimitReading| {
            if now < reading.reset_at {
                reading.remaining
            } else {
                reading.limit
            }
        };
        tell(encoder, &catalogue::REQUESTS_LEFT, each(&left))?;
        tell(encoder, &catalogue::REQUESTS_LIMIT, each(&|reading| reading.limit))
    }
}

/// Tells one gauge, with all its labels.
fn tell<'l, const N: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    metric: &Metric,
    values: impl IntoIterator<Item = ([(&'static str, &'l str); N], f64)>,
) -> std::fmt::Result {
    let unit = metric.unit();
    let mut described = encoder.encode_descriptor(metric.name(), &metric.help(), unit.as_ref(), metric.kind())?;
    for (labels, value) in values {
        if labels.is_empty() {
            return ConstGauge::new(value).encode(described);
        }
        ConstGauge::new(value).encode(described.encode_family(&labels)?)?;
    }
    Ok(())
}

fn integer(value: impl Into<u64>) -> f64 {
    // Exact up to 2^53.
    value.into() as f64
}

fn whole(value: usize) -> f64 {
    integer(u64::try_from(value).unwrap_or(u64::MAX))
}

fn scope(scope: LimitScope) -> &'static str {
    match scope {
        LimitScope::User => "user",
        LimitScope::Organization => "organization",
    }
}

fn add(sum: &mut QueueReport, one: &QueueReport) {
    let QueueReport {
        waiting,
        pods,
        starting,
        idle,
        busy,
        desired,
        created,
    } = *one;
    for (sum, one) in [
        (&mut sum.waiting, waiting),
        (&mut sum.pods, pods),
        (&mut sum.starting, starting),
        (&mut sum.idle, idle),
        (&mut sum.busy, busy),
        (&mut sum.desired, desired),
        (&mut sum.created, created),
    ] {
        *sum = sum.saturating_add(one);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use buildscaler_core::{Failure, Queue, View};

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn secs(seconds: u64) -> Timestamp {
        START.after(Duration::from_secs(seconds))
    }

    /// Seen to fail when either counted for the other.
    #[test]
    fn a_view_that_is_unknown_grows_old_and_the_other_does_not() {
        let unknown = || Failure::Unavailable { message: "x".into() };
        let gauges = Gauges::new(START);
        let ages = || {
            let scene = gauges.scene();
            (scene.templates_at, scene.pods_at)
        };
        gauges.see_cluster(&ClusterView {
            begun_at: secs(10),
            templates: View::Complete(Vec::new()),
            pods: View::Unknown(unknown()),
        });
        assert_eq!(ages(), (secs(10), START));
        gauges.see_cluster(&ClusterView {
            begun_at: secs(20),
            templates: View::Unknown(unknown()),
            pods: View::Complete(Vec::new()),
        });
        assert_eq!(ages(), (secs(10), secs(20)));
    }

    /// Seen to fail when whatever came last was believed.
    #[test]
    fn answers_that_overtake_each_other_do_not_give_requests_back() {
        let reading = |remaining, reset: u64| LimitReading {
            scope: LimitScope::User,
            limit: 200,
            remaining,
            reset_at: secs(reset),
        };
        let gauges = Gauges::new(START);
        let left = || gauges.scene().limits[&LimitScope::User].remaining;
        gauges.read_limits(&[reading(150, 60)]);
        gauges.read_limits(&[reading(148, 60)]);
        gauges.read_limits(&[reading(149, 60)]);
        assert_eq!(left(), 148, "149 was told before");
        gauges.read_limits(&[reading(199, 120)]);
        assert_eq!(left(), 199, "another window");
    }

    /// Seen to fail when the shortest of them was told.
    #[test]
    fn queues_that_share_a_name_wait_as_long_as_the_longest_of_them() {
        let queue = |number: usize| Queue::from(format!("queue-{number:04}"));
        let report = Report {
            queues: (0..300).map(|number| (queue(number), QueueReport::default())).collect(),
            ..Report::default()
        };
        let mut queues = Queues::default();
        queues.take_over(&report);
        let shared: Vec<Queue> = (0..300)
            .map(queue)
            .filter(|queue| queues.name(queue) == Some("(other)"))
            .collect();
        let gauges = Gauges::new(START);
        gauges.see_buildkite(Shown {
            longest: shared.iter().cloned().zip([7, 3, 9].map(secs)).collect(),
            ..Shown::default()
        });
        gauges.judged(&report, &queues);
        assert_eq!(gauges.scene().longest.get("(other)"), Some(&secs(3)));
    }
}
