//! What was seen of the characters and decided about them, in order.

use std::collections::BTreeMap;

use buildscaler_core::{
    Action, Agent, AgentId, BuildkiteJob, Command, CommandId, Failure, Finding, FindingChange, FindingKind, Input,
    JobState, Outcome, PodStage, Refusal, Step, Timestamp,
};

use super::Event;
use super::cast::{Cast, pod_key};
use crate::format::Start;
use crate::reading::Recording;
use crate::redact::LEFT_OUT;

mod sights;

/// The events, and when each thing was first so or so.
#[derive(Debug, Default)]
pub(super) struct Chronicle {
    pub(super) events: Vec<Event>,
    pub(super) buildkite_job: Work,
    pub(super) agents: BTreeMap<AgentId, Service>,
    /// By `namespace/name`.
    pub(super) pods: BTreeMap<String, Stay>,
    /// Pods that were asked for in the queue while the job waited.
    pub(super) asked_meanwhile: u32,
    pub(super) last_at: Timestamp,
    /// What the pages of a look have shown that is not complete yet.
    pages: Pages,
    flying: BTreeMap<CommandId, Flight>,
    /// Findings that stand, by kind and subject.
    standing: BTreeMap<(FindingKind, String), Finding>,
    /// Whether a character has been seen or spoken of.
    has_begun: bool,
}

/// The times of a Buildkite job.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) runnable_at: Option<Timestamp>,
    pub(super) seen_at: Option<Timestamp>,
    pub(super) started_at: Option<Timestamp>,
    pub(super) gone_at: Option<Timestamp>,
    state: Option<JobState>,
}

/// The times of an agent.
#[derive(Debug, Default)]
pub(super) struct Service {
    pub(super) connected_at: Option<Timestamp>,
    pub(super) seen_at: Option<Timestamp>,
    pub(super) first_work_at: Option<Timestamp>,
    pub(super) stop_asked_at: Option<Timestamp>,
    pub(super) gone_at: Option<Timestamp>,
    pub(super) works: u32,
    last: Option<Agent>,
}

/// The times of a pod.
#[derive(Debug, Default)]
pub(super) struct Stay {
    pub(super) asked_at: Option<Timestamp>,
    /// When Kubernetes said yes.
    pub(super) created_at: Option<Timestamp>,
    /// The date that Kubernetes gave it, in whole seconds.
    pub(super) dated_at: Option<Timestamp>,
    pub(super) seen_at: Option<Timestamp>,
    pub(super) scheduled_at: Option<Timestamp>,
    pub(super) running_at: Option<Timestamp>,
    pub(super) delete_asked_at: Option<Timestamp>,
    pub(super) gone_at: Option<Timestamp>,
    last: Option<Seen>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    stage: PodStage,
    trouble: Option<String>,
    deleting: bool,
}

/// Of a look at Buildkite, what is about the characters.
#[derive(Debug, Default)]
struct Pages {
    buildkite_job: Option<BuildkiteJob>,
    agents: BTreeMap<AgentId, Agent>,
}

/// A command without an answer yet.
#[derive(Debug)]
struct Flight {
    about: String,
    what: &'static str,
    pod: Option<String>,
}

impl Chronicle {
    /// Reads the recording once more, now that it is known whom to look for.
    pub(super) fn write(recording: &Recording, cast: &Cast) -> Self {
        let mut chronicle = Self::default();
        let mut run = None;
        // What cannot be read has been named already.
        for (header, moment) in recording.moments().flatten() {
            if run.as_ref() != Some(&(header.run.clone(), header.part)) {
                chronicle.another_file(header.start, moment.at);
                run = Some((header.run.clone(), header.part));
            }
            chronicle.last_at = moment.at;
            chronicle.learn(&moment.input, moment.at, cast);
            if let Some(step) = &moment.step {
                chronicle.decide(step, moment.at, cast);
            }
        }
        chronicle
    }

    fn another_file(&mut self, start: Start, at: Timestamp) {
        match start {
            Start::Continued => {}
            Start::Fresh => {
                self.flying.clear();
                self.standing.clear();
                self.pages = Pages::default();
                if self.has_begun {
                    self.tell(at, "controller", "another one takes over, without memory");
                }
            }
            Start::Gap => {
                if self.has_begun {
                    self.tell(at, "recording", "steps before this are missing");
                }
                self.pages = Pages::default();
            }
        }
    }

    fn learn(&mut self, input: &Input, at: Timestamp, cast: &Cast) {
        match input {
            Input::Cluster { view, .. } => {
                if let Some(pods) = view.pods.complete() {
                    self.see_pods(pods.iter().map(|pod| &**pod), at, cast);
                }
            }
            Input::Buildkite { look, .. } => self.see_piece(look, at, cast),
            Input::Outcome { id, outcome, .. } => self.answer(*id, outcome, at),
            Input::Shutdown => {
                if self.has_begun {
                    self.tell(at, "controller", "is asked to end");
                }
            }
            Input::Tick | Input::Lease { .. } => {}
        }
    }

    fn decide(&mut self, step: &Step, at: Timestamp, cast: &Cast) {
        for command in &step.commands {
            self.command(command, at, cast);
        }
        for change in &step.findings {
            let (finding, is_raised) = match change {
                FindingChange::Raised(finding) => (finding, true),
                FindingChange::Cleared(finding) => (finding, false),
            };
            let key = (finding.kind, finding.subject.clone());
            if is_raised {
                self.standing.insert(key, finding.clone());
            } else {
                self.standing.remove(&key);
            }
            if self.has_begun && concerns(finding, cast) {
                let verb = if is_raised { "" } else { "no longer " };
                self.tell(at, "finding", format!("{verb}{}", words(finding)));
            }
        }
    }

    fn command(&mut self, command: &Command, at: Timestamp, cast: &Cast) {
        let (about, what, pod) = match &command.action {
            Action::ObserveCluster
            | Action::ObserveBuildkite { .. }
            | Action::RegisterUsage { .. }
            | Action::MeterUsage { .. }
            | Action::ReadLease { .. }
            | Action::WriteLease(_) => return,
            Action::CreatePod(create) => {
                let key = pod_key(&create.namespace, &create.name);
                let waits = self.buildkite_job.seen_at.is_some() && self.buildkite_job.started_at.is_none();
                if waits && cast.queue.as_ref() == Some(&create.queue) {
                    self.asked_meanwhile += 1;
                }
                if !cast.pod_keys.contains(&key) {
                    return;
                }
                self.pods.entry(key.clone()).or_default().asked_at.get_or_insert(at);
                (format!("pod {key}"), "is asked for", Some(key))
            }
            Action::StopAgent { agent } => {
                if !cast.agents.contains(agent) {
                    return;
                }
                let service = self.agents.entry(agent.clone()).or_default();
                service.stop_asked_at.get_or_insert(at);
                (format!("agent {agent}"), "is asked to finish its job and leave", None)
            }
            Action::DeletePod { uid, grace_seconds, .. } => {
                let Some(key) = cast.pods.get(uid) else { return };
                let stay = self.pods.entry(key.clone()).or_default();
                stay.delete_asked_at.get_or_insert(at);
                let what = match grace_seconds {
                    None => "is to be deleted",
                    Some(_) => "is to be deleted, with time for its agent to end a job",
                };
                (format!("pod {key}"), what, None)
            }
        };
        self.has_begun = true;
        self.events.push(Event {
            at,
            about: about.clone(),
            what: what.to_owned(),
            reason: Some(command.reason),
        });
        self.flying.insert(command.id, Flight { about, what, pod });
    }

    fn answer(&mut self, id: CommandId, outcome: &Outcome, at: Timestamp) {
        let Some(Flight { about, what, pod }) = self.flying.remove(&id) else {
            return;
        };
        let words = match outcome {
            Outcome::Done => "done".to_owned(),
            Outcome::Failed(failure) => format!("failed: {}", kind_of(failure)),
        };
        if let (Some(key), Outcome::Done) = (pod, outcome) {
            self.pods.entry(key).or_default().created_at.get_or_insert(at);
        }
        self.tell(at, &about, format!("{what}: {words}"));
    }

    /// Tells what stood in the way when a character first appeared.
    fn tell_standing(&mut self, at: Timestamp, cast: &Cast) {
        let standing: Vec<String> = self
            .standing
            .values()
            .filter(|finding| concerns(finding, cast))
            .map(words)
            .collect();
        for finding in standing {
            self.tell(at, "finding", format!("{finding} (since before)"));
        }
    }

    fn tell(&mut self, at: Timestamp, about: &str, what: impl Into<String>) {
        self.has_begun = true;
        self.events.push(Event {
            at,
            about: about.to_owned(),
            what: what.into(),
            reason: None,
        });
    }
}

/// Whether a finding may be the cause of what happens to the characters.
fn concerns(finding: &Finding, cast: &Cast) -> bool {
    let is_of_queue = cast
        .queue
        .as_ref()
        .is_some_and(|queue| finding.subject == queue.as_str() || finding.subject.starts_with(&format!("{queue}: ")));
    match finding.kind {
        FindingKind::ClusterUnknown
        | FindingKind::BuildkiteUnknown
        | FindingKind::BudgetTight
        | FindingKind::StopRefused
        | FindingKind::DeleteRefused
        | FindingKind::LeaseTrouble
        // Their subject is a template, of whatever queue.
        | FindingKind::Parallelism
        | FindingKind::NoQueue
        | FindingKind::BadTemplate
        | FindingKind::Adoption
        | FindingKind::NoAgentToken
        | FindingKind::BadAnnotation
        | FindingKind::QueueMismatch
        | FindingKind::UnlinkedAgents
        | FindingKind::TemplateFailing
        | FindingKind::SlowStart
        | FindingKind::CreateRefused => true,
        // Pods and agents come and go whatever AWS says.
        FindingKind::MeteringDelayed | FindingKind::MeteringRefused => false,
        FindingKind::AdoptedPod => cast.pod_keys.contains(&finding.subject),
        FindingKind::ContestedQueue
        | FindingKind::NoTemplate
        | FindingKind::UnmatchableDemand
        | FindingKind::CeilingReached
        | FindingKind::PodTrouble => is_of_queue,
    }
}

fn words(finding: &Finding) -> String {
    let Finding { kind, subject, detail } = finding;
    if detail == LEFT_OUT {
        format!("{} {subject}", kind.as_str())
    } else {
        format!("{} {subject}: {detail}", kind.as_str())
    }
}

/// A failure without its message, which is left out of recordings.
fn kind_of(failure: &Failure) -> String {
    match failure {
        Failure::AlreadyExists { .. } => "it exists already, or is another one by now".into(),
        Failure::NotFound { .. } => "it is not there".into(),
        Failure::Forbidden { kind, .. } => match kind {
            Refusal::Credentials => "the credentials are refused".into(),
            Refusal::Permission => "a right is missing".into(),
            Refusal::QuotaExceeded => "a quota is used up".into(),
            Refusal::Admission => "the namespace's rules refuse it".into(),
            Refusal::NamespaceTerminating => "the namespace is being deleted".into(),
            Refusal::Webhook => "an admission webhook refuses it".into(),
            Refusal::NotEntitled => "there is no subscription".into(),
            Refusal::Other => "it is forbidden".into(),
        },
        Failure::RateLimited { until, .. } => format!("the rate limit is reached until {until}"),
        Failure::Unavailable { .. } => "the server cannot be reached".into(),
        Failure::Rejected { status, .. } => format!("it is refused with status {status}"),
        Failure::Malformed { .. } => "the answer cannot be understood".into(),
        Failure::FateUnknown { .. } => "no answer came, so it may have been done or not".into(),
        Failure::TimeRefused { .. } => "the time is refused".into(),
        Failure::OverBudget => "the request budget does not allow it yet".into(),
    }
}
