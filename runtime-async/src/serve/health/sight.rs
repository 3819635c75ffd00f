//! What of the world has been seen.

use std::time::Instant;

use buildscaler_core::{Failure, Input, Leadership, LookEnd, Role, Timestamp};

use super::check::Check;

/// What was seen of each thing that is looked at.
#[derive(Debug, Default)]
pub(super) struct Sights {
    templates: Sight,
    pods: Sight,
    buildkite: Sight,
    /// None while there is no Lease to be had.
    lease: Option<Sight>,
    /// Whether another controller commands. This one does not look at
    /// Buildkite then.
    follows: bool,
}

/// What was seen of one of them.
#[derive(Debug, Default)]
enum Sight {
    /// Nothing yet.
    #[default]
    Unseen,
    /// All of it, when last looked at.
    Seen,
    /// It could not be seen when last looked at.
    Unknown {
        /// When that was found first, for people.
        since: Timestamp,
        /// The same, to count from.
        from: Instant,
        /// Why, as of the last look.
        why: String,
    },
}

impl Sights {
    /// Takes note of what the controller is told.
    pub(super) fn told(&mut self, now: (Timestamp, Instant), input: &Input) {
        match input {
            Input::Cluster { view, .. } => {
                self.templates.looked(view.templates.failure(), now);
                self.pods.looked(view.pods.failure(), now);
            }
            Input::Buildkite { look, .. } => match &look.end {
                LookEnd::Complete => self.buildkite.looked(None, now),
                // It goes on: neither all was seen, nor is anything wrong.
                LookEnd::More(_) | LookEnd::Failed(_, Failure::OverBudget) => {}
                LookEnd::Failed(_, failure) => self.buildkite.looked(Some(failure), now),
            },
            Input::Lease { view, .. } => self.lease.get_or_insert_default().looked(view.failure(), now),
            Input::Tick | Input::Outcome { .. } | Input::Shutdown => {}
        }
    }

    /// Takes note of the part that the controller plays.
    pub(super) fn plays(&mut self, leadership: Option<&Leadership>) {
        self.follows = leadership.is_some_and(|leadership| leadership.role == Role::Follower);
        if leadership.is_some() {
            self.lease.get_or_insert_default();
        }
    }

    /// Whether each of them can be seen, as far as it has to be.
    pub(super) fn checks(&self, now: Instant) -> Vec<Check> {
        let mut sights = vec![("kubernetes-jobs", &self.templates), ("kubernetes-pods", &self.pods)];
        sights.extend((!self.follows).then_some(("buildkite", &self.buildkite)));
        sights.extend(self.lease.as_ref().map(|lease| ("kubernetes-lease", lease)));
        let check = |(name, sight): (&'static str, &Sight)| Check {
            name,
            wrong: sight.wrong(now),
        };
        sights.into_iter().map(check).collect()
    }
}

impl Sight {
    fn looked(&mut self, failure: Option<&Failure>, now: (Timestamp, Instant)) {
        let Some(failure) = failure else {
            *self = Self::Seen;
            return;
        };
        let (since, from) = match self {
            Self::Unknown { since, from, .. } => (*since, *from),
            Self::Unseen | Self::Seen => now,
        };
        *self = Self::Unknown {
            since,
            from,
            why: failure.to_string().replace(['\r', '\n'], " "),
        };
    }

    fn wrong(&self, now: Instant) -> Option<String> {
        match self {
            Self::Seen => None,
            Self::Unseen => Some("not seen yet".into()),
            Self::Unknown { since, from, why } => {
                let seconds = now.saturating_duration_since(*from).as_secs();
                Some(format!("unknown since {}, for {seconds} s: {why}", utc(*since)))
            }
        }
    }
}

/// The time as people and programs read it.
fn utc(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.as_millis()).map_or_else(|_| at.to_string(), |at| format!("{at:.0}"))
}

#[cfg(test)]
mod tests {
    use buildscaler_core::{ClusterView, CommandId, Cursor, Look, Spending, View};

    use super::*;

    fn cluster() -> Input {
        let view = ClusterView {
            begun_at: Timestamp::default(),
            templates: View::Complete(Vec::new()),
            pods: View::Complete(Vec::new()),
        };
        Input::Cluster { id: None, view }
    }

    fn buildkite(end: LookEnd) -> Input {
        let look = Look {
            begun_at: Timestamp::default(),
            jobs: Vec::new(),
            agents: Vec::new(),
            end,
            spending: Spending::default(),
        };
        let id = CommandId(1);
        Input::Buildkite { id, look }
    }

    fn failed() -> Input {
        let message = "down\nfor now".into();
        buildkite(LookEnd::Failed(Cursor::START, Failure::Unavailable { message }))
    }

    fn wrong(sights: &Sights, now: Instant) -> Vec<(&'static str, String)> {
        let checks = sights.checks(now).into_iter();
        checks.filter_map(|check| Some((check.name, check.wrong?))).collect()
    }

    #[test]
    fn what_cannot_be_seen_is_told_since_when_and_why() {
        let (start, instant) = (Timestamp::from_millis(1_800_000_000_000), Instant::now());
        let mut sights = Sights::default();
        assert_eq!(wrong(&sights, instant).len(), 3, "nothing was seen yet");
        sights.told((start, instant), &cluster());
        sights.told((start, instant), &buildkite(LookEnd::Complete));
        assert_eq!(wrong(&sights, instant), []);
        sights.told((start, instant), &failed());
        let later = std::time::Duration::from_secs(75);
        sights.told((start.after(later), instant + later), &failed());
        let said = "unknown since 2027-01-15T08:00:00Z, for 75 s: unavailable: down for now";
        assert_eq!(wrong(&sights, instant + later), [("buildkite", said.to_owned())]);
        // Half a look says nothing yet.
        sights.told((start, instant), &buildkite(LookEnd::More(Cursor::START)));
        assert_eq!(wrong(&sights, instant).len(), 1);
        sights.told((start, instant), &buildkite(LookEnd::Complete));
        assert_eq!(wrong(&sights, instant), []);
    }

    /// Seen to fail when the view of the templates counted for both.
    #[test]
    fn templates_and_pods_are_told_apart() {
        let now = (Timestamp::default(), Instant::now());
        let down = || Failure::Unavailable { message: "down".into() };
        let wrong_of = |templates, pods| {
            let view = ClusterView {
                begun_at: now.0,
                templates,
                pods,
            };
            let mut sights = Sights::default();
            sights.told(now, &buildkite(LookEnd::Complete));
            sights.told(now, &Input::Cluster { id: None, view });
            let wrong = wrong(&sights, now.1).into_iter();
            wrong.map(|(name, _)| name).collect::<Vec<_>>()
        };
        let (seen, unseen) = (View::Complete(Vec::new()), View::Unknown(down()));
        assert_eq!(wrong_of(seen, unseen), ["kubernetes-pods"]);
        let (unseen, seen) = (View::Unknown(down()), View::Complete(Vec::new()));
        assert_eq!(wrong_of(unseen, seen), ["kubernetes-jobs"]);
    }

    #[test]
    fn a_follower_needs_the_lease_and_not_buildkite() {
        let now = (Timestamp::default(), Instant::now());
        let mut sights = Sights::default();
        sights.told(now, &cluster());
        let follower = Leadership {
            role: Role::Follower,
            since: now.0,
            holder: Some("other".into()),
            valid_until: None,
            lost: None,
        };
        sights.plays(Some(&follower));
        assert_eq!(wrong(&sights, now.1), [("kubernetes-lease", "not seen yet".to_owned())]);
        let id = CommandId(1);
        let view = View::Complete(None);
        sights.told(now, &Input::Lease { id, view });
        assert_eq!(wrong(&sights, now.1), []);
        let leader = Leadership {
            role: Role::Leader,
            ..follower
        };
        sights.plays(Some(&leader));
        assert_eq!(wrong(&sights, now.1), [("buildkite", "not seen yet".to_owned())]);
    }
}
