//! Comparisons to draw.

use std::time::Duration;

use buildscaler_simulator::compare::{Compared, Comparison, Figures, Line, Regret, Role};

/// A name, a p95 wait in seconds, pod-hours, interrupted builds.
type Point = (&'static str, u64, f64, u64);

/// Shaped as such comparisons are: some rivals alike, one far away.
const POINTS: [Point; 14] = [
    ("ours", 31, 412.0, 0),
    ("original", 58, 455.0, 0),
    ("buildkite-agent-scaler", 95, 437.5, 12),
    ("agent-stack-k8s", 41, 431.0, 0),
    ("arc-scale-set", 42, 430.5, 0),
    ("arc-percentage-busy", 420, 398.0, 31),
    ("keda-scaled-job", 60, 433.0, 0),
    ("keda-scaled-job-accurate", 61, 433.1, 0),
    ("keda-hpa", 180, 520.0, 87),
    ("gitlab-fleeting", 33, 470.0, 0),
    ("gitlab-fleeting-idle-5", 16, 640.0, 0),
    ("always-max", 0, 5_200.0, 0),
    ("fixed-10", 9_400, 240.0, 0),
    ("clairvoyant", 0, 391.0, 0),
];

pub(crate) fn comparison(scenarios: usize, name: &str) -> Comparison {
    let compared = |number: usize| Compared {
        scenario: format!("{name}-{number}"),
        description: "A recorded week: nights are quiet, mornings are not.".into(),
        lines: POINTS.iter().map(|point| line(point, number as u64)).collect(),
    };
    Comparison {
        scenarios: (0..scenarios).map(compared).collect(),
    }
}

fn line((name, wait, hours, interrupted): &Point, number: u64) -> Line {
    let wait = Duration::from_secs(wait * (number + 2) / 2);
    let total = Figures {
        jobs: 2_800,
        finished: 2_800 - interrupted,
        wait_mean: wait / 3,
        wait_p50: wait / 4,
        wait_p95: wait,
        wait_max: wait * 3,
        pod_hours: *hours,
        busy_hours: 360.0,
        idle_share: 1.0 - 360.0 / hours.max(360.0),
        pods_created: 2_800,
        interrupted: *interrupted,
        interrupted_by_the_world: 0,
        regret: Some(Regret {
            wait_mean: wait / 3,
            wait_p95: wait,
            pod_hours: hours - 391.0,
        }),
    };
    Line {
        contestant: (*name).to_owned(),
        about: format!("The rules of {name}, as its source has them."),
        role: match *name {
            "ours" => Role::Ours,
            "clairvoyant" => Role::Bound,
            _ => Role::Rival,
        },
        total,
        queues: Default::default(),
        requests_a_minute: (*name == "ours").then_some(11.4),
    }
}
