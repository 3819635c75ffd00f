//! What the log says of commands, findings and queues.

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::{
    Action, Command, Controller, Failure, Finding, FindingChange, Input, Leadership, LeadershipNews, LookEnd, Loss,
    Outcome, Queue, QueueReport, Reason, Report, Step, withheld,
};

/// Tells each thing once.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    told: BTreeMap<Queue, QueueReport>,
    leadership: Option<Leadership>,
}

impl Journal {
    /// Logs what changed with a step; the queues after looks only.
    pub(crate) fn step(&mut self, step: &Step, controller: &Controller, looked: bool) {
        self.leadership(controller.leadership());
        for change in &step.findings {
            match change {
                FindingChange::Raised(Finding { kind, subject, detail }) => {
                    tracing::warn!(kind = kind.as_str(), subject, detail, "finding");
                }
                FindingChange::Cleared(Finding { kind, subject, detail }) => {
                    tracing::info!(kind = kind.as_str(), subject, detail, "finding cleared");
                }
            }
        }
        for line in withheld::in_words(&step.withheld) {
            let (queue, reason, count) = (line.queue.as_deref(), line.reason.as_str(), line.count);
            tracing::info!(queue, reason, count, names = line.names, "dry run: {}", line.what);
        }
        if looked {
            self.queues(controller.report());
        }
    }

    /// Logs who commands, whenever that is another.
    fn leadership(&mut self, now: Option<Leadership>) {
        let Some(now) = now else { return };
        let (why, holder) = (now.lost.map(Loss::as_str), now.holder.as_deref());
        match now.news(self.leadership.as_ref()) {
            None => {}
            Some(news @ LeadershipNews::StepsDown) => tracing::warn!(why, holder, "{news}"),
            Some(news @ (LeadershipNews::Leads | LeadershipNews::Follows)) => tracing::info!(holder, "{news}"),
        }
        self.leadership = Some(now);
    }

    fn queues(&mut self, report: &Report) {
        for (queue, now) in &report.queues {
            if self.told.get(queue) == Some(now) {
                continue;
            }
            let QueueReport {
                waiting,
                pods,
                starting,
                idle,
                busy,
                desired,
                created,
            } = *now;
            let queue_name = queue.as_str();
            tracing::info!(
                queue = queue_name,
                waiting,
                pods,
                starting,
                idle,
                busy,
                desired,
                created,
                "queue"
            );
            self.told.insert(queue.clone(), *now);
        }
        self.told.retain(|queue, _| {
            let there = report.queues.contains_key(queue);
            if !there {
                tracing::info!(queue = queue.as_str(), "queue is gone");
            }
            there
        });
    }
}

/// What a command is about, for the lines at its beginning and its end.
#[derive(Debug)]
pub(crate) struct Subject {
    what: &'static str,
    queue: Option<String>,
    pod: Option<String>,
    agent: Option<String>,
    reason: Reason,
}

impl Subject {
    /// Notes what the command is about, and logs that it begins.
    pub(crate) fn of(command: &Command) -> Self {
        let subject = Self::new(command);
        let Self {
            what,
            queue,
            pod,
            agent,
            reason,
        } = &subject;
        let (queue, pod, agent, reason) = (queue.as_deref(), pod.as_deref(), agent.as_deref(), reason.as_str());
        match &command.action {
            Action::ObserveCluster | Action::ReadLease { .. } | Action::WriteLease(_) => {
                tracing::debug!(reason, "{what}");
            }
            Action::ObserveBuildkite { grant, from } => tracing::debug!(reason, grant, ?from, "{what}"),
            Action::RegisterUsage {
                product_code,
                public_key_version,
                ..
            } => tracing::info!(product_code, public_key_version, reason, "{what}"),
            Action::MeterUsage {
                dimension,
                hour,
                quantity,
                ..
            } => tracing::info!(dimension, %hour, quantity, reason, "{what}"),
            Action::CreatePod(_) | Action::StopAgent { .. } | Action::DeletePod { .. } => {
                tracing::info!(queue, pod, agent, reason, "{what}");
            }
        }
        subject
    }

    fn new(command: &Command) -> Self {
        let (what, queue, pod, agent) = match &command.action {
            Action::ObserveCluster => ("observing Kubernetes", None, None, None),
            Action::ObserveBuildkite { .. } => ("observing Buildkite", None, None, None),
            Action::CreatePod(create) => (
                "creating a pod",
                Some(create.queue.to_string()),
                Some(format!("{}/{}", create.namespace, create.name)),
                None,
            ),
            Action::StopAgent { agent } => ("stopping an agent", None, None, Some(agent.to_string())),
            Action::DeletePod { namespace, name, .. } => {
                ("deleting a pod", None, Some(format!("{namespace}/{name}")), None)
            }
            Action::RegisterUsage { .. } => ("registering usage", None, None, None),
            Action::MeterUsage { .. } => ("recording usage", None, None, None),
            Action::ReadLease { .. } => ("reading the lease", None, None, None),
            Action::WriteLease(_) => ("writing the lease", None, None, None),
        };
        Self {
            what,
            queue,
            pod,
            agent,
            reason: command.reason,
        }
    }

    /// Logs how the command ended.
    pub(crate) fn ended(&self, answer: &Input, took: Duration) {
        match answer {
            Input::Outcome { outcome, .. } => match outcome {
                Outcome::Done => self.done(took),
                Outcome::Failed(failure) => self.failed(failure, took),
            },
            Input::Cluster { view, .. } => {
                let failure = view.templates.failure().or_else(|| view.pods.failure());
                failure.map_or_else(|| self.done(took), |failure| self.failed(failure, took));
            }
            Input::Buildkite { look, .. } => match &look.end {
                LookEnd::Complete | LookEnd::More(_) => {
                    let (requests, jobs, agents) = (look.spending.requests, look.jobs.len(), look.agents.len());
                    let millis = millis(took);
                    tracing::debug!(requests, jobs, agents, millis, end = ?look.end, "{}: done", self.what);
                }
                LookEnd::Failed(_, failure) => self.failed(failure, took),
            },
            Input::Lease { view, .. } => match view.failure() {
                None => self.done(took),
                Some(failure) => self.failed(failure, took),
            },
            Input::Tick | Input::Shutdown => {}
        }
    }

    fn done(&self, took: Duration) {
        let (queue, pod, agent) = (self.queue.as_deref(), self.pod.as_deref(), self.agent.as_deref());
        tracing::debug!(queue, pod, agent, millis = millis(took), "{}: done", self.what);
    }

    fn failed(&self, failure: &Failure, took: Duration) {
        let (queue, pod, agent) = (self.queue.as_deref(), self.pod.as_deref(), self.agent.as_deref());
        let (reason, millis) = (self.reason.as_str(), millis(took));
        tracing::warn!(queue, pod, agent, reason, millis, error = %failure, "{}: failed", self.what);
    }
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
