//! Comparisons made up for tests.

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::Queue;
use buildscaler_simulator::compare::{Compared, Comparison, Figures, Line, Role};

/// A line whose jobs waited so many seconds (p95) for so many pod-hours.
pub(crate) fn line(name: &str, role: Role, seconds: u64, pod_hours: f64) -> Line {
    Line {
        contestant: name.to_owned(),
        about: String::new(),
        role,
        total: Figures {
            jobs: 4,
            finished: 4,
            wait_mean: Duration::from_secs(seconds / 2),
            wait_p95: Duration::from_secs(seconds),
            pod_hours,
            ..Figures::default()
        },
        queues: BTreeMap::new(),
        requests_a_minute: None,
    }
}

pub(crate) fn compared(lines: Vec<Line>) -> Compared {
    Compared {
        scenario: "small".to_owned(),
        description: String::new(),
        lines,
    }
}

/// A comparison of one line with a queue, and the bound.
pub(crate) fn small() -> Comparison {
    let mut ours = line("ours idle-timeout=60s,max-pods=3", Role::Ours, 90, 2.5);
    ours.requests_a_minute = Some(6.04);
    ours.queues.insert(Queue::from("linux"), ours.total);
    let bound = line("clairvoyant", Role::Bound, 0, 1.5);
    ours.total = ours.total.against(&bound.total);
    Comparison {
        scenarios: vec![compared(vec![ours, bound])],
    }
}
