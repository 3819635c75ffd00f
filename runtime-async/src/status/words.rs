//! Reasons and verdicts in words.

use std::time::Duration;

use buildscaler_core::verdict::Verdict;
use buildscaler_core::{FindingKind, JobState, PodStage, Reason};

use super::deed::Act;
use super::when::length;

/// Why something was decided.
pub(crate) fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::NotOurs => "it has no queue, or another controller made or took it",
        Reason::Finished => "the pod has ended",
        Reason::Leaving => "Kubernetes is deleting it",
        Reason::AgentsUnknown => "the agents cannot be seen, so nothing is touched",
        Reason::TemplatesUnknown => "the templates cannot be seen, so nothing is taken for replaced",
        Reason::Paused => "somebody paused its agent",
        Reason::Stopping => "its agent was asked to stop and is on its way out",
        Reason::Busy => "its agent runs a job, which is never interrupted",
        Reason::Idle => "its agent waits for a job",
        Reason::Starting => "its agent may still be on its way",
        Reason::Missing => "its agent was there, is not listed now, and may come back",
        Reason::Replaced => "it was made from a template that has been replaced or changed",
        Reason::Orphaned => "no template serves its queue any more",
        Reason::IdleTimeout => "its agent was idle for longer than the idle timeout",
        Reason::Lifetime => "its agent is idle and older than the longest lifetime",
        Reason::AgentMissing => "it has had no agent for longer than the startup timeout",
        Reason::OrphanedWithoutAgent => "it has neither a template nor an agent",
        Reason::AgentEnded => "its agent has ended while another container holds the pod",
        Reason::Demand => "jobs wait",
        Reason::MinIdle => "its template asks for more idle agents to be kept",
        Reason::FirstLook => "it is the first look",
        Reason::Interval => "the sync interval has passed",
        Reason::Retry => "the last try failed",
        Reason::Continuation => "the last look was not over",
        Reason::TemplateChanged => "a template is new or has changed",
        Reason::Budget => "the request budget has room again",
        Reason::Metering => "usage is to be registered or recorded",
        Reason::Leadership => "controllers have to agree on the one that commands",
        Reason::Shutdown => "the controller is ending",
    }
}

/// What shall become of a pod.
pub(crate) fn verdict(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Keep => ("keep", "It is left alone"),
        Verdict::Stop => ("stop", "Its agent is asked to finish its job and leave"),
        Verdict::Delete => ("delete", "It is removed"),
        Verdict::DeleteGently => (
            "delete_gently",
            "It is removed, with time for an agent that might connect",
        ),
        Verdict::EndGrace => ("end_grace", "Its removal is brought to an end"),
        Verdict::Forget => ("forget", "It is none of this controller's"),
    }
}

/// What was decided.
pub(crate) fn act(act: Act) -> String {
    match act {
        Act::Create => "Create pod".into(),
        Act::Stop => "Stop agent".into(),
        Act::Delete => "Delete pod".into(),
        Act::DeleteWithin(grace) => format!("Delete pod within {}", within(grace)),
    }
}

/// What a dry run would do, to so many.
pub(crate) fn would(act: Act, number: usize) -> String {
    let (pods, agents) = (count(number, "pod", "pods"), count(number, "agent", "agents"));
    match act {
        Act::Create => format!("create {pods}"),
        Act::Stop => format!("stop {agents}"),
        Act::Delete => format!("delete {pods}"),
        Act::DeleteWithin(grace) => format!("delete {pods} within {}", within(grace)),
    }
}

/// What would have become of it by now.
pub(crate) fn would_be(act: Act) -> &'static str {
    match act {
        Act::Create => "would be created if this were no dry run",
        Act::Stop => "would be asked to leave if this were no dry run",
        Act::Delete | Act::DeleteWithin(_) => "would be deleted if this were no dry run",
    }
}

fn within(grace: u32) -> String {
    length(Duration::from_secs(grace.into()))
}

/// The kind of a finding, as a heading.
pub(crate) fn kind(kind: FindingKind) -> String {
    let mut words = kind.as_str().replace('_', " ");
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    words
}

/// How far a pod has come.
pub(crate) fn stage(stage: PodStage) -> &'static str {
    match stage {
        PodStage::Unscheduled => "has no node yet",
        PodStage::Starting => "is starting on its node",
        PodStage::Running => "runs",
        PodStage::AgentEnded => "its agent has ended, another container runs",
        PodStage::Succeeded => "has ended well",
        PodStage::Failed => "has failed",
    }
}

/// What a job's state means for demand.
pub(crate) fn state(state: JobState) -> &'static str {
    match state {
        JobState::Scheduled => "wants an agent",
        JobState::Limited => "is held back by a concurrency limit",
        JobState::Active => "has an agent",
        JobState::Other => "waits for other steps, or has ended",
    }
}

/// A number with its noun.
pub(crate) fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
