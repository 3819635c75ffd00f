//! What can be told of templates by reading them, on a cluster or in a file.
//!
//! What the core decides on is asked of the core: a controller is shown the
//! templates, and its findings are the checks. Only what the API server and
//! the Job controller would do with a Job is looked at here.

use std::sync::Arc;

use buildscaler_core::{ClusterView, Config, Controller, Finding, FindingKind, Input, Template, Timestamp, View};
use serde_json::Value;

use super::check::Check;

/// A Job to look at.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    pub(crate) template: Arc<Template>,
    /// The whole object.
    pub(crate) object: Value,
    /// What lines about it begin with, for each of its properties.
    pub(crate) place: Place,
}

/// Where a Job was found.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    Cluster,
    /// In a file: what it is called, and the lines of its properties.
    File {
        name: String,
        lines: Lines,
    },
}

/// The lines on which properties of a Job are written, or where the Job begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    pub(crate) labels: u64,
    pub(crate) annotations: u64,
    pub(crate) parallelism: u64,
    pub(crate) selector: u64,
    pub(crate) deadline: u64,
    pub(crate) restart_policy: u64,
    pub(crate) containers: u64,
}

/// A property that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Property {
    Queue,
    Parallelism,
    RestartPolicy,
    PodTemplate,
    AgentToken,
    Selector,
    Deadline,
    Annotations,
}

impl Property {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Parallelism => "parallelism",
            Self::RestartPolicy => "restart policy",
            Self::PodTemplate => "pod template",
            Self::AgentToken => "agent token",
            Self::Selector => "selector",
            Self::Deadline => "deadline",
            Self::Annotations => "annotations",
        }
    }
}

impl Sample {
    /// `namespace/name`, as findings name it.
    fn subject(&self) -> String {
        format!("{}/{}", self.template.namespace, self.template.name)
    }

    /// What a line about this property begins with.
    pub(crate) fn about(&self, property: Property) -> String {
        let Place::File { name, lines } = &self.place else {
            return self.subject();
        };
        let line = match property {
            Property::Queue => lines.labels,
            Property::Annotations => lines.annotations,
            Property::Parallelism => lines.parallelism,
            Property::RestartPolicy => lines.restart_policy,
            Property::PodTemplate | Property::AgentToken => lines.containers,
            Property::Selector => lines.selector,
            Property::Deadline => lines.deadline,
        };
        format!("{name}:{line}: {}", self.subject())
    }

    fn ok(&self, property: Property, detail: impl Into<String>) -> Check {
        Check::ok(&self.about(property), property.name(), detail)
    }

    fn note(&self, property: Property, detail: impl Into<String>) -> Check {
        Check::note(&self.about(property), property.name(), detail)
    }

    fn failed(&self, property: Property, detail: impl Into<String>) -> Check {
        Check::failed(&self.about(property), property.name(), detail)
    }
}

/// Looks at each Job by itself and at all of them together.
pub(crate) fn examine(samples: &[Sample]) -> Vec<Check> {
    let together = findings(samples.iter().map(|sample| Arc::clone(&sample.template)).collect());
    let mut checks = Vec::new();
    for sample in samples {
        let mut found: Vec<Finding> = together
            .iter()
            .filter(|finding| concerns(finding, sample))
            .cloned()
            .collect();
        // What hides behind another mistake is told at once as well.
        for hidden in findings(vec![Arc::new(alone(&sample.template))]) {
            let is_known = |known: &Finding| known.kind == hidden.kind && known.subject == hidden.subject;
            if concerns(&hidden, sample) && !found.iter().any(is_known) {
                found.push(hidden);
            }
        }
        checks.push(queue(sample, &found));
        checks.push(judged(
            sample,
            &found,
            Property::Parallelism,
            &[FindingKind::Parallelism],
            "0",
        ));
        checks.push(restart_policy(sample));
        checks.push(pod_template(sample, &found));
        checks.push(judged(
            sample,
            &found,
            Property::AgentToken,
            &[FindingKind::NoAgentToken],
            "the agent container gets one",
        ));
        checks.push(judged(
            sample,
            &found,
            Property::Selector,
            &[FindingKind::Adoption],
            "no Job takes its pods for its own",
        ));
        checks.push(deadline(sample));
        checks.extend(annotations(sample, &found));
    }
    checks
}

/// What a controller says that sees these templates and nothing else.
fn findings(templates: Vec<Arc<Template>>) -> Vec<Finding> {
    let mut controller = Controller::new(Config::default());
    let now = Timestamp::from_millis(0);
    let view = ClusterView {
        begun_at: now,
        templates: View::Complete(templates),
        pods: View::Complete(Vec::new()),
    };
    controller.step(now, Input::Tick);
    controller.step(now, Input::Cluster { id: None, view });
    controller.findings().collect()
}

/// The same template with what would keep it from serving set right.
fn alone(template: &Template) -> Template {
    Template {
        parallelism: 0,
        deleting: false,
        queue: template.queue.clone().or_else(|| Some("queue".into())),
        ..template.clone()
    }
}

fn concerns(finding: &Finding, sample: &Sample) -> bool {
    let queue = sample.template.queue.as_ref();
    match finding.kind {
        FindingKind::ContestedQueue => queue.is_some_and(|queue| queue.as_str() == finding.subject),
        FindingKind::Parallelism
        | FindingKind::NoQueue
        | FindingKind::BadTemplate
        | FindingKind::Adoption
        | FindingKind::NoAgentToken
        | FindingKind::QueueMismatch
        | FindingKind::UnlinkedAgents => finding.subject == sample.subject(),
        // Its subject names the annotation as well.
        FindingKind::BadAnnotation => finding.subject.starts_with(&format!("{}: ", sample.subject())),
        // These are about pods, demand and APIs.
        FindingKind::AdoptedPod
        | FindingKind::NoTemplate
        | FindingKind::UnmatchableDemand
        | FindingKind::CeilingReached
        | FindingKind::CreateRefused
        | FindingKind::TemplateFailing
        | FindingKind::SlowStart
        | FindingKind::PodTrouble
        | FindingKind::ClusterUnknown
        | FindingKind::BuildkiteUnknown
        | FindingKind::StopRefused
        | FindingKind::DeleteRefused
        | FindingKind::BudgetTight
        | FindingKind::MeteringDelayed
        | FindingKind::MeteringRefused
        | FindingKind::LeaseTrouble => false,
    }
}

/// Failed if there is a finding of these kinds.
fn judged(sample: &Sample, found: &[Finding], property: Property, kinds: &[FindingKind], well: &str) -> Check {
    match found.iter().find(|finding| kinds.contains(&finding.kind)) {
        Some(finding) => sample.failed(property, finding.detail.clone()),
        None => sample.ok(property, well),
    }
}

fn queue(sample: &Sample, found: &[Finding]) -> Check {
    let kinds = [
        FindingKind::NoQueue,
        FindingKind::ContestedQueue,
        FindingKind::QueueMismatch,
    ];
    let queue = sample.template.queue.as_ref().map_or("", |queue| queue.as_str());
    judged(sample, found, Property::Queue, &kinds, &format!("it serves {queue}"))
}

/// Kubernetes refuses a Job whose pods would be restarted for ever, which is
/// its default.
fn restart_policy(sample: &Sample) -> Check {
    let property = Property::RestartPolicy;
    let policy = sample.template.pod_template.0.pointer("/spec/restartPolicy");
    match policy.and_then(Value::as_str) {
        Some("Never") => sample.ok(property, "Never"),
        Some("OnFailure") => sample.note(
            property,
            "OnFailure is for the Job controller: pods made from it have Never all the same",
        ),
        Some(other) => sample.failed(
            property,
            format!("the API server refuses a Job with restartPolicy {other}; set it to Never"),
        ),
        None => sample.failed(
            property,
            "there is none, so the API server takes Always, which it refuses for a Job; set spec.template.spec.\
             restartPolicy to Never",
        ),
    }
}

fn pod_template(sample: &Sample, found: &[Finding]) -> Check {
    let property = Property::PodTemplate;
    let of = |kind| found.iter().find(|finding| finding.kind == kind);
    if let Some(bad) = of(FindingKind::BadTemplate) {
        return sample.failed(property, bad.detail.clone());
    }
    if let Some(doubtful) = of(FindingKind::UnlinkedAgents) {
        return sample.note(property, doubtful.detail.clone());
    }
    let container = sample.template.pod_template.agent_container();
    let name = container.and_then(|container| container["name"].as_str());
    sample.ok(
        property,
        format!("its agent runs in the container {}", name.unwrap_or("without a name")),
    )
}

/// A deadline runs although there is no pod, and a finished Job with a time to
/// live is deleted: together they delete the template.
fn deadline(sample: &Sample) -> Check {
    let property = Property::Deadline;
    let number = |name: &str| sample.object["spec"][name].as_i64();
    let deadline = number("activeDeadlineSeconds");
    let ends = deadline.is_some() || number("completions") == Some(0);
    match (ends, number("ttlSecondsAfterFinished")) {
        (true, Some(ttl)) => sample.failed(
            property,
            format!(
                "the Job finishes by itself ({}) and is deleted {ttl} s later, since it has ttlSecondsAfterFinished: then \
                 nothing serves the queue; remove activeDeadlineSeconds and completions, or the time to live",
                match deadline {
                    Some(deadline) => format!("activeDeadlineSeconds {deadline} run although it has no pod"),
                    None => "completions is 0".to_owned(),
                }
            ),
        ),
        (true, None) => sample.note(
            property,
            "the Job will be marked as finished although it keeps serving; remove activeDeadlineSeconds and completions",
        ),
        (false, _) => sample.ok(property, "the Job does not finish by itself"),
    }
}

/// One line for each that is bad, or one for all that are well. There is
/// nothing to say where there are none.
fn annotations(sample: &Sample, found: &[Finding]) -> Vec<Check> {
    let property = Property::Annotations;
    let is_bad = |finding: &&Finding| finding.kind == FindingKind::BadAnnotation;
    let bad: Vec<Check> = found
        .iter()
        .filter(is_bad)
        .map(|finding| sample.failed(property, finding.detail.clone()))
        .collect();
    let all = &sample.template.annotations;
    if bad.is_empty() && !all.is_empty() {
        let said: Vec<String> = all
            .iter()
            .map(|(name, value)| format!("{name}: {}", value.trim()))
            .collect();
        return vec![sample.ok(property, said.join(", "))];
    }
    bad
}
