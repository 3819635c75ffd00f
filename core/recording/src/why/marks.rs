//! How far it had come when, and what it came to in one line.

use std::time::Duration;

use buildscaler_core::Timestamp;

use super::cast::Cast;
use super::chronicle::{Chronicle, Service, Stay, Work};
use super::{Kind, Mark};

/// The story in short.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) begun_at: Timestamp,
    pub(super) summary: String,
    pub(super) marks: Vec<Mark>,
}

/// Marks in the making.
struct Marks {
    begun_at: Timestamp,
    marks: Vec<Mark>,
}

/// Tells the story in short.
pub(super) fn tell(cast: &Cast, chronicle: &Chronicle) -> Told {
    let pods = || cast.pod_keys.iter().filter_map(|key| chronicle.pods.get(key));
    let agents = || cast.agents.iter().filter_map(|id| chronicle.agents.get(id));
    let first = chronicle.events.first().map_or(chronicle.last_at, |event| event.at);
    match cast.kind {
        Kind::BuildkiteJob => of_job(chronicle, pods().next(), agents().next(), first),
        Kind::Agent => of_agent(chronicle, pods().next(), agents().next(), first),
        Kind::Pod => of_pod(chronicle, pods().next(), agents().next(), first),
    }
}

fn of_job(chronicle: &Chronicle, pod: Option<&Stay>, agent: Option<&Service>, first: Timestamp) -> Told {
    let work = &chronicle.buildkite_job;
    let begun_at = work.runnable_at.or(work.seen_at).unwrap_or(first);
    let mut marks = Marks::from(begun_at);
    marks.reach("detected", work.seen_at);
    marks.pod(pod);
    marks.reach("agent connected", connected(agent));
    marks.reach("started", work.started_at);
    let waited = |until: Timestamp| seconds(until.since(begun_at));
    let lead = match work {
        Work {
            started_at: Some(at), ..
        } => format!("waited {}", waited(*at)),
        Work { gone_at: Some(at), .. } => format!("was gone after {}, and was not seen to run", waited(*at)),
        Work { .. } => format!("has waited {} when the recording ends", waited(chronicle.last_at)),
    };
    let mut summary = marks.summary(&lead);
    if agent.is_none() && chronicle.asked_meanwhile == 0 {
        summary.push_str("; no pod was asked for in its queue meanwhile");
    } else if agent.is_none() {
        summary.push_str(&format!(
            "; pods asked for in its queue meanwhile: {}",
            chronicle.asked_meanwhile
        ));
    } else if pod.is_none() {
        summary.push_str("; its agent belongs to no pod of ours");
    }
    marks.told(summary)
}

fn of_agent(chronicle: &Chronicle, pod: Option<&Stay>, agent: Option<&Service>, first: Timestamp) -> Told {
    let begun_at = connected(agent).unwrap_or(first);
    let mut marks = Marks::from(begun_at);
    let mut lead = "was not listed".to_owned();
    if let Some(agent) = agent {
        marks.reach("seen", agent.seen_at);
        marks.reach("first job", agent.first_work_at);
        marks.reach("asked to stop", agent.stop_asked_at);
        marks.reach("gone", agent.gone_at);
        let until = agent.gone_at.unwrap_or(chronicle.last_at);
        let served = seconds(until.since(begun_at));
        let still = if agent.gone_at.is_none() {
            ", and is still there when the recording ends"
        } else {
            ""
        };
        lead = format!("served for {served}{still}, and was seen with {} jobs", agent.works);
    }
    let mut summary = marks.summary(&lead);
    if pod.is_none() {
        summary.push_str("; it belongs to no pod of ours");
    }
    marks.told(summary)
}

fn of_pod(chronicle: &Chronicle, pod: Option<&Stay>, agent: Option<&Service>, first: Timestamp) -> Told {
    let begun_at = pod.and_then(|pod| pod.asked_at.or(pod.dated_at)).unwrap_or(first);
    let mut marks = Marks::from(begun_at);
    marks.pod(pod);
    marks.reach("agent connected", connected(agent));
    marks.reach("first job", agent.and_then(|agent| agent.first_work_at));
    marks.reach("asked to stop", agent.and_then(|agent| agent.stop_asked_at));
    marks.reach("deletion asked for", pod.and_then(|pod| pod.delete_asked_at));
    let gone_at = pod.and_then(|pod| pod.gone_at);
    marks.reach("gone", gone_at);
    let lived = seconds(gone_at.unwrap_or(chronicle.last_at).since(begun_at));
    let lead = match (pod.and_then(|pod| pod.seen_at), gone_at) {
        (None, _) => "was asked for and never seen".to_owned(),
        (Some(_), None) => format!("has been there for {lived} when the recording ends"),
        (Some(_), Some(_)) => format!("was there for {lived}"),
    };
    let mut summary = marks.summary(&lead);
    if agent.is_none() {
        summary.push_str("; no agent of it was seen");
    }
    marks.told(summary)
}

fn connected(agent: Option<&Service>) -> Option<Timestamp> {
    agent.and_then(|agent| agent.connected_at.or(agent.seen_at))
}

impl Marks {
    fn from(begun_at: Timestamp) -> Self {
        Self {
            begun_at,
            marks: Vec::new(),
        }
    }

    /// Notes what was reached; what was so before the beginning is no mark.
    fn reach(&mut self, name: &'static str, at: Option<Timestamp>) {
        if let Some(at) = at.filter(|at| *at >= self.begun_at) {
            let after = at.since(self.begun_at).as_millis();
            self.marks.push(Mark {
                name,
                at,
                after_millis: u64::try_from(after).unwrap_or(u64::MAX),
            });
        }
    }

    fn pod(&mut self, pod: Option<&Stay>) {
        let Some(pod) = pod else { return };
        self.reach("pod asked for", pod.asked_at);
        self.reach("created", pod.created_at);
        self.reach("scheduled", pod.scheduled_at);
        self.reach("running", pod.running_at);
    }

    fn summary(&mut self, lead: &str) -> String {
        self.marks.sort_by_key(|mark| mark.at);
        let marks: Vec<String> = self
            .marks
            .iter()
            .map(|mark| format!("{} after {}", mark.name, seconds(mark.after())))
            .collect();
        if marks.is_empty() {
            lead.to_owned()
        } else {
            format!("{lead}: {}", marks.join(", "))
        }
    }

    fn told(self, summary: String) -> Told {
        Told {
            begun_at: self.begun_at,
            summary,
            marks: self.marks,
        }
    }
}

/// A duration for people: as precise as it is worth.
fn seconds(duration: Duration) -> String {
    if duration < Duration::from_secs(60) {
        format!("{:.1} s", duration.as_secs_f64())
    } else if duration < Duration::from_secs(3600) {
        format!("{} min {:02} s", duration.as_secs() / 60, duration.as_secs() % 60)
    } else {
        format!(
            "{} h {:02} min",
            duration.as_secs() / 3600,
            duration.as_secs() / 60 % 60
        )
    }
}
