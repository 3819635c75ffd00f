//! What is kept of that which was seen.

use std::sync::Arc;

use buildscaler_core::selector::{LabelSelector, Requirement};
use buildscaler_core::{Agent, BuildkiteJob, Failure, LookEnd, Outcome, Pod, PodTemplate, Template};

use super::{LEFT_OUT, Redactor, annotations};

impl Redactor {
    /// A template without what its author wrote into the containers.
    pub(crate) fn template(&self, template: &Template) -> Template {
        Template {
            selector: self.selector(&template.selector),
            annotations: annotations(template),
            pod_template: PodTemplate(self.pod_template(&template.pod_template.0)),
            uid: template.uid.clone(),
            namespace: template.namespace.clone(),
            name: template.name.clone(),
            queue: template.queue.clone(),
            parallelism: template.parallelism,
            created_at: template.created_at,
            deleting: template.deleting,
            finished: template.finished,
            hash: template.hash.clone(),
        }
    }

    fn selector(&self, selector: &LabelSelector) -> LabelSelector {
        LabelSelector {
            match_labels: self.labels(&selector.match_labels),
            match_expressions: selector
                .match_expressions
                .iter()
                .map(|requirement| Requirement {
                    key: self.key(&requirement.key),
                    operator: requirement.operator,
                    values: requirement
                        .values
                        .iter()
                        .map(|value| self.label(&requirement.key, value))
                        .collect(),
                })
                .collect(),
        }
    }

    /// A pod, without the words that servers give with its trouble; nearly
    /// always it is the very same.
    pub(crate) fn pod(&self, pod: &Arc<Pod>) -> Arc<Pod> {
        if pod.trouble.is_none() && pod.message.is_none() {
            return Arc::clone(pod);
        }
        Arc::new(Pod {
            trouble: pod.trouble.as_ref().map(|trouble| self.trouble(trouble)),
            message: pod.message.as_ref().map(|_| LEFT_OUT.to_owned()),
            ..Pod::clone(pod)
        })
    }

    /// An agent with pseudonyms for its tags.
    pub(crate) fn agent(&self, agent: &Agent) -> Agent {
        Agent {
            tags: self.tags(&agent.tags),
            ..agent.clone()
        }
    }

    /// A job with pseudonyms for its rules.
    pub(crate) fn buildkite_job(&self, one: &BuildkiteJob) -> BuildkiteJob {
        BuildkiteJob {
            rules: self.tags(&one.rules),
            ..one.clone()
        }
    }

    /// How a look ended, without the words of servers.
    pub(crate) fn end(&self, end: &LookEnd) -> LookEnd {
        match end {
            LookEnd::Complete => LookEnd::Complete,
            LookEnd::More(cursor) => LookEnd::More(*cursor),
            LookEnd::Failed(cursor, failure) => LookEnd::Failed(*cursor, self.failure(failure)),
        }
    }

    /// How a command ended, without the words of servers.
    pub(crate) fn outcome(&self, outcome: &Outcome) -> Outcome {
        match outcome {
            Outcome::Done => Outcome::Done,
            Outcome::Failed(failure) => Outcome::Failed(self.failure(failure)),
        }
    }

    /// A failure without its message: a webhook may quote the pod it refuses.
    pub(crate) fn failure(&self, failure: &Failure) -> Failure {
        let message = LEFT_OUT.to_owned();
        match failure {
            Failure::AlreadyExists { .. } => Failure::AlreadyExists { message },
            Failure::NotFound { .. } => Failure::NotFound { message },
            Failure::Forbidden { kind, .. } => Failure::Forbidden { kind: *kind, message },
            Failure::RateLimited { until, .. } => Failure::RateLimited { until: *until, message },
            Failure::Unavailable { .. } => Failure::Unavailable { message },
            Failure::Rejected { status, .. } => Failure::Rejected {
                status: *status,
                message,
            },
            Failure::Malformed { .. } => Failure::Malformed { message },
            Failure::FateUnknown { .. } => Failure::FateUnknown { message },
            Failure::TimeRefused { .. } => Failure::TimeRefused { message },
            Failure::OverBudget => Failure::OverBudget,
        }
    }
}
