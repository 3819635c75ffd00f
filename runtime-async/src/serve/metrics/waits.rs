//! How long jobs wait, and for what.

use std::borrow::Cow;
use std::time::Duration;

use buildscaler_core::Queue;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::catalogue;

/// Seconds. Agents take from a few seconds to some minutes to come; who waits
/// longer than the last but one should ask why.
const BUCKETS: [f64; 12] = [
    1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0,
];

/// What passes before an agent takes a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A look shows the job.
    Detection,
    /// Kubernetes has the pod.
    Creation,
    /// The pod is bound to a node.
    Scheduling,
    /// The image is there, and the agent's container runs.
    Image,
    /// Buildkite knows the agent.
    Registration,
}

impl Part {
    /// Every part, in order.
    const ALL: [Self; 5] = [
        Self::Detection,
        Self::Creation,
        Self::Scheduling,
        Self::Image,
        Self::Registration,
    ];

    /// As a label value.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Detection => "detection",
            Self::Creation => "creation",
            Self::Scheduling => "scheduling",
            Self::Image => "image",
            Self::Registration => "registration",
        }
    }
}

type Labels<const N: usize> = [(&'static str, Cow<'static, str>); N];
type Histograms<const N: usize> = Family<Labels<N>, Histogram, fn() -> Histogram>;

/// The histograms of waits.
#[derive(Debug)]
pub(super) struct Waits {
    jobs: Histograms<1>,
    parts: Histograms<2>,
}

impl Waits {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let waits = Self {
            jobs: Family::new_with_constructor(histogram),
            parts: Family::new_with_constructor(histogram),
        };
        catalogue::JOB_WAIT.register(registry, waits.jobs.clone());
        catalogue::START_PART.register(registry, waits.parts.clone());
        waits
    }

    /// A job of this queue has started after so long.
    pub(super) fn job(&self, queue: &str, waited: Duration) {
        let labels = [("queue", Cow::Owned(queue.to_owned()))];
        self.jobs.get_or_create(&labels).observe(waited.as_secs_f64());
    }

    /// A part of a start on this queue took so long.
    pub(super) fn part(&self, queue: &str, part: Part, took: Duration) {
        self.parts.get_or_create(&of(queue, part)).observe(took.as_secs_f64());
    }

    /// A queue is gone.
    pub(super) fn forget(&self, queue: &Queue) {
        self.jobs.remove(&[("queue", Cow::Owned(queue.to_string()))]);
        for part in Part::ALL {
            self.parts.remove(&of(queue.as_str(), part));
        }
    }
}

fn of(queue: &str, part: Part) -> Labels<2> {
    [
        ("queue", Cow::Owned(queue.to_owned())),
        ("part", Cow::Borrowed(part.as_str())),
    ]
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS)
}
