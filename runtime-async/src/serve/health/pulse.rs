//! Whether the loop goes round.

use std::time::{Duration, Instant};

use super::check::Check;

/// How late the loop may be. It is never late by itself; a machine that is
/// overloaded, or a process that was stopped for a while, makes it so.
const SLACK: Duration = Duration::from_secs(60);

/// Where the loop is, and since when.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pulse {
    /// It has not begun.
    Beginning {
        /// When the process did.
        since: Instant,
    },
    /// It takes a step.
    Stepping {
        /// When the step began.
        since: Instant,
    },
    /// It waits for something to happen.
    Waiting {
        /// When the last step ended.
        since: Instant,
        /// When it goes on if nothing happens.
        due: Instant,
    },
}

impl Pulse {
    pub(super) fn new(now: Instant) -> Self {
        Self::Beginning { since: now }
    }

    /// A step begins.
    pub(super) fn begins(&mut self, now: Instant) {
        *self = Self::Stepping { since: now };
    }

    /// A step has ended, and the next comes within this time.
    pub(super) fn ends(&mut self, now: Instant, wait: Duration) {
        *self = Self::Waiting {
            since: now,
            // No wait reaches the end of time: Invariant 15 bounds it.
            due: now.checked_add(wait).unwrap_or(now),
        };
    }

    /// Whether it hangs.
    pub(super) fn check(&self, now: Instant) -> Check {
        let for_seconds = |since: Instant| now.saturating_duration_since(since).as_secs();
        let over = |from: Instant| now.saturating_duration_since(from) > SLACK;
        let wrong = match *self {
            Self::Beginning { since } => {
                over(since).then(|| format!("it has not taken a step in the {} s since it began", for_seconds(since)))
            }
            Self::Stepping { since } => over(since).then(|| format!("a step has lasted for {} s", for_seconds(since))),
            Self::Waiting { since, due } => over(due).then(|| {
                format!(
                    "no step has been taken for {} s; one was due {} s ago",
                    for_seconds(since),
                    for_seconds(due)
                )
            }),
        };
        Check {
            name: "control-loop",
            wrong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn wrong(pulse: Pulse, now: Instant) -> Option<String> {
        pulse.check(now).wrong
    }

    #[test]
    fn a_loop_that_never_begins_hangs() {
        let start = Instant::now();
        assert_eq!(wrong(Pulse::new(start), start + SLACK), None);
        let said = wrong(Pulse::new(start), start + SLACK + SECOND).expect("it hangs");
        assert!(said.contains("61 s since it began"), "{said}");
    }

    #[test]
    fn a_step_without_end_hangs() {
        let start = Instant::now();
        let mut pulse = Pulse::new(start);
        pulse.begins(start);
        assert_eq!(wrong(pulse, start + SLACK), None);
        let said = wrong(pulse, start + 2 * SLACK).expect("it hangs");
        assert!(said.contains("lasted for 120 s"), "{said}");
    }

    #[test]
    fn a_loop_that_waits_does_not_hang() {
        let start = Instant::now();
        let hour = 3600 * SECOND;
        let mut pulse = Pulse::new(start);
        pulse.begins(start);
        pulse.ends(start + SECOND, hour);
        assert_eq!(wrong(pulse, start + hour), None);
        assert_eq!(wrong(pulse, start + SECOND + hour + SLACK), None);
        let said = wrong(pulse, start + 2 * SECOND + hour + SLACK).expect("it hangs");
        assert!(
            said.contains("no step has been taken for 3661 s; one was due 61 s ago"),
            "{said}"
        );
    }
}
