//! The jobs and agents of the last complete look at Buildkite, as far as they
//! are needed to explain them.

use std::collections::{BTreeMap, BTreeSet};

use buildscaler_core::{
    Agent, AgentId, BuildkiteJob, BuildkiteJobId, ConnectionState, Cursor, JobState, Look, LookEnd, Queue, Timestamp,
    Uid,
};

/// Jobs that are kept: ten thousand take two megabytes.
const MOST_JOBS: usize = 50_000;

/// What a complete look showed.
#[derive(Debug, Default)]
pub(crate) struct Sighted {
    pub(crate) begun_at: Option<Timestamp>,
    pub(crate) jobs: Vec<BuildkiteJob>,
    /// Jobs that were too many to be kept.
    pub(crate) left_out: usize,
    /// In the order of their ids.
    pub(crate) agents: Vec<Seat>,
    /// By queue, of the jobs that want an agent now: how many, and since when
    /// the oldest does.
    pub(crate) waits: BTreeMap<Queue, (u32, Timestamp)>,
}

/// An agent without its tags.
#[derive(Clone, Debug)]
pub(crate) struct Seat {
    pub(crate) id: AgentId,
    pub(crate) hostname: Option<String>,
    pub(crate) pod_uid: Option<Uid>,
    pub(crate) state: ConnectionState,
    pub(crate) running: Option<BuildkiteJobId>,
    pub(crate) paused: bool,
    pub(crate) queue: Option<Queue>,
    pub(crate) connected_at: Option<Timestamp>,
}

/// The pages of a look that is not over.
#[derive(Debug, Default)]
pub(crate) struct Pages(Sighted);

impl Pages {
    /// Adds what a piece of a look showed; returns the whole with its end.
    pub(crate) fn add(&mut self, look: &Look) -> Option<Sighted> {
        let pages = &mut self.0;
        pages.begun_at.get_or_insert(look.begun_at);
        let room = MOST_JOBS.saturating_sub(pages.jobs.len());
        pages.jobs.extend(look.jobs.iter().take(room).cloned());
        pages.left_out += look.jobs.len().saturating_sub(room);
        pages.agents.extend(look.agents.iter().map(Seat::of));
        match look.end {
            LookEnd::More(_) => None,
            LookEnd::Complete => Some(std::mem::take(pages).whole()),
            // The jobs were all seen; the agents are those of this look or none.
            LookEnd::Failed(Cursor::Agents { .. } | Cursor::Builds { .. }, _) => {
                *pages = Sighted::default();
                None
            }
        }
    }
}

impl Sighted {
    fn whole(mut self) -> Self {
        self.agents.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        self.agents.dedup_by(|a, b| a.id == b.id);
        let running: BTreeSet<_> = self.agents.iter().filter_map(|seat| seat.running.as_ref()).collect();
        for wanting in self.jobs.iter().filter(|one| one.state == JobState::Scheduled) {
            let Some(since) = wanting.runnable_at.filter(|_| !running.contains(&wanting.id)) else {
                continue;
            };
            match self.waits.get_mut(&wanting.queue) {
                Some((count, oldest)) => {
                    *count += 1;
                    *oldest = since.min(*oldest);
                }
                None => {
                    self.waits.insert(wanting.queue.clone(), (1, since));
                }
            }
        }
        self
    }

    /// The agent of this id.
    pub(crate) fn agent(&self, id: &AgentId) -> Option<&Seat> {
        let place = self.agents.binary_search_by(|seat| seat.id.cmp(id)).ok()?;
        self.agents.get(place)
    }

    /// The agent that runs this job.
    pub(crate) fn runner(&self, id: &BuildkiteJobId) -> Option<&Seat> {
        self.agents.iter().find(|seat| seat.running.as_ref() == Some(id))
    }
}

impl Seat {
    fn of(agent: &Agent) -> Self {
        Self {
            id: agent.id.clone(),
            hostname: agent.hostname.clone(),
            pod_uid: agent.pod_uid.clone(),
            state: agent.state,
            running: agent.running.clone(),
            paused: agent.paused,
            queue: agent.queues.first().cloned(),
            connected_at: agent.connected_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use buildscaler_core::{Failure, Spending};

    use super::*;

    fn work(id: &str, runnable_at: i64) -> BuildkiteJob {
        BuildkiteJob {
            id: id.into(),
            state: JobState::Scheduled,
            queue: "linux".into(),
            rules: Vec::new(),
            runnable_at: Some(Timestamp::from_millis(runnable_at)),
            started_at: None,
        }
    }

    fn piece(jobs: Vec<BuildkiteJob>, agents: Vec<Agent>, end: LookEnd) -> Look {
        Look {
            begun_at: Timestamp::from_millis(1),
            jobs,
            agents,
            end,
            spending: Spending::default(),
        }
    }

    fn agent(id: &str, running: &str) -> Agent {
        Agent {
            id: id.into(),
            hostname: None,
            state: ConnectionState::Connected,
            running: Some(running.into()),
            paused: false,
            queues: vec!["linux".into()],
            tags: Vec::new(),
            pod_uid: None,
            connected_at: None,
        }
    }

    #[test]
    fn pages_become_one_look_and_what_runs_does_not_wait() {
        let mut pages = Pages::default();
        let more = LookEnd::More(Cursor::Agents { page: 1 });
        assert!(
            pages
                .add(&piece(
                    vec![work("a", 30), work("b", 20), work("c", 10)],
                    Vec::new(),
                    more
                ))
                .is_none()
        );
        let agents = vec![agent("z", "other"), agent("y", "c")];
        let whole = pages
            .add(&piece(Vec::new(), agents, LookEnd::Complete))
            .expect("complete");
        let oldest = Timestamp::from_millis(20);
        assert_eq!(whole.waits, BTreeMap::from([(Queue::from("linux"), (2, oldest))]));
        assert!(whole.agent(&"z".into()).is_some() && whole.agent(&"x".into()).is_none());
        assert_eq!(whole.runner(&"c".into()).map(|seat| seat.id.as_str()), Some("y"));
    }

    #[test]
    fn half_a_look_is_none() {
        let mut pages = Pages::default();
        let failed = LookEnd::Failed(Cursor::Builds { page: 1 }, Failure::OverBudget);
        assert!(pages.add(&piece(vec![work("a", 30)], Vec::new(), failed)).is_none());
        let whole = pages.add(&piece(vec![work("b", 30)], Vec::new(), LookEnd::Complete));
        assert_eq!(whole.expect("complete").jobs.len(), 1);
    }
}
