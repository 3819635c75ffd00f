//! The controller's commands and findings in words, for people who watch.

use std::collections::BTreeMap;

use buildscaler_core::{Action, Command, Controller, FindingChange, Reason, Step, Timestamp};
use buildscaler_runtime_async::Observer;
use buildscaler_simulator::buildkite::FakeBuildkite;
use tokio::sync::mpsc::UnboundedSender;

use crate::survey::Survey;

/// What was decided in one step.
#[derive(Debug)]
pub(crate) struct Decided {
    at: Timestamp,
    commands: Vec<Command>,
    findings: Vec<FindingChange>,
}

/// Passes on what the controller decides.
pub(crate) struct Tap(pub(crate) UnboundedSender<Decided>);

impl Observer for Tap {
    fn stepped(&mut self, now: Timestamp, step: &Step, _controller: &Controller) {
        let commands = step.commands.iter().filter(|command| !is_look(&command.action));
        let decided = Decided {
            at: now,
            commands: commands.cloned().collect(),
            findings: step.findings.clone(),
        };
        if !decided.commands.is_empty() || !decided.findings.is_empty() {
            // Nobody listens any more once the demo ends.
            let _ = self.0.send(decided);
        }
    }
}

/// One line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) at: Timestamp,
    pub(crate) what: String,
    pub(crate) why: String,
}

/// Says what was decided between two pictures, commands that differ in nothing
/// but their subject in one line.
pub(crate) fn say(decided: &[Decided], survey: &Survey, fake: &FakeBuildkite) -> Vec<Said> {
    let mut counts: BTreeMap<(Verb, String, Reason), (Timestamp, usize)> = BTreeMap::new();
    let mut said = Vec::new();
    for step in decided {
        for command in &step.commands {
            if let Some((verb, of)) = subject(&command.action, survey, fake) {
                counts.entry((verb, of, command.reason)).or_insert((step.at, 0)).1 += 1;
            }
        }
        said.extend(step.findings.iter().map(|change| tell(change, step.at)));
    }
    said.extend(counts.into_iter().map(|((verb, of, reason), (at, count))| Said {
        at,
        what: verb.say(count, &of),
        why: reason.to_string(),
    }));
    said.sort_by_key(|said| said.at);
    said
}

fn tell(change: &FindingChange, at: Timestamp) -> Said {
    let (finding, state) = match change {
        FindingChange::Raised(finding) => (finding, "found"),
        FindingChange::Cleared(finding) => (finding, "mended"),
    };
    Said {
        at,
        what: format!("{state}: {}", finding.subject),
        why: finding.kind.as_str().to_owned(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verb {
    Create,
    Stop,
    Delete,
}

impl Verb {
    fn say(self, count: usize, of: &str) -> String {
        let s = if count == 1 { "" } else { "s" };
        match self {
            Self::Create => format!("create {count} pod{s} for {of}"),
            Self::Stop => format!("stop {count} agent{s} of {of}, gracefully"),
            Self::Delete => format!("delete {count} pod{s} of {of}"),
        }
    }
}

/// What a command does, and of which queue its subject is; looks are left out.
fn subject(action: &Action, survey: &Survey, fake: &FakeBuildkite) -> Option<(Verb, String)> {
    let (verb, queue) = match action {
        Action::ObserveCluster | Action::ObserveBuildkite { .. } | Action::ReadLease { .. } | Action::WriteLease(_) => {
            return None;
        }
        Action::CreatePod(create) => (Verb::Create, Some(create.queue.clone())),
        Action::StopAgent { agent } => {
            let queue = fake.agent_of(agent).and_then(|agent| agent.queues().next());
            (Verb::Stop, queue)
        }
        Action::DeletePod { uid, .. } => (Verb::Delete, survey.queue_of(uid)),
        Action::RegisterUsage { .. } | Action::MeterUsage { .. } => return None,
    };
    Some((verb, queue.map_or_else(|| "?".to_owned(), |queue| queue.to_string())))
}

fn is_look(action: &Action) -> bool {
    match action {
        Action::ObserveCluster | Action::ObserveBuildkite { .. } | Action::ReadLease { .. } | Action::WriteLease(_) => {
            true
        }
        Action::CreatePod(_)
        | Action::StopAgent { .. }
        | Action::DeletePod { .. }
        | Action::RegisterUsage { .. }
        | Action::MeterUsage { .. } => false,
    }
}
