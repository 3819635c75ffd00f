//! The only clock.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use buildscaler_core::Timestamp;

/// Tells the time of the wall, but never goes back and never stands still.
///
/// Where the wall's clock is set back, this one runs on from where it was: the
/// core would read the same time until the wall has caught up.
#[derive(Debug)]
pub(crate) struct Clock {
    last: Mutex<(Timestamp, Instant)>,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self {
            last: Mutex::new((wall(), Instant::now())),
        }
    }

    /// The time.
    pub(crate) fn now(&self) -> Timestamp {
        self.advance(wall(), Instant::now())
    }

    fn advance(&self, wall: Timestamp, instant: Instant) -> Timestamp {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let run_on = last.0.after(instant.saturating_duration_since(last.1));
        // Less than a millisecond is lost whenever the wall leads.
        if wall >= run_on {
            *last = (wall, instant);
            wall
        } else {
            run_on
        }
    }

    /// Waits until `at`.
    pub(crate) async fn sleep_until(&self, at: Timestamp) {
        let length = at.since(self.now());
        tokio::time::sleep(length.max(Duration::from_millis(1))).await;
    }
}

/// The time of the wall.
pub(crate) fn wall() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock_at(millis: i64) -> (Clock, Instant) {
        let start = Instant::now();
        let clock = Clock {
            last: Mutex::new((Timestamp::from_millis(millis), start)),
        };
        (clock, start)
    }

    #[test]
    fn follows_the_wall_forward() {
        let (clock, start) = clock_at(1_000);
        let later = Timestamp::from_millis(500_000);
        assert_eq!(clock.advance(later, start), later);
    }

    #[test]
    fn runs_on_when_the_wall_is_set_back() {
        let (clock, start) = clock_at(1_000_000);
        let back = Timestamp::from_millis(1_000);
        let second = Duration::from_secs(1);
        assert_eq!(clock.advance(back, start + second), Timestamp::from_millis(1_001_000));
        assert_eq!(
            clock.advance(back.after(second), start + 2 * second),
            Timestamp::from_millis(1_002_000)
        );
    }
}
