//! What the operator should mend, read off what was seen.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::annotations;
use crate::blueprint::template_finding;
use crate::blueprints::{Blueprints, hunters};
use crate::config::Config;
use crate::create::{Waiting, Wish};
use crate::demand::Demand;
use crate::failure::{Failure, Refusal};
use crate::finding::{Finding, FindingKind};
use crate::fleet::{Fleet, QueueFleet};
use crate::memory::Seen;
use crate::names::Queue;
use crate::template::Template;
use crate::time::Timestamp;
use crate::view::ClusterView;

/// The kinds that [`fleet`] finds.
pub(crate) const FLEET_KINDS: &[FindingKind] = &[
    FindingKind::ContestedQueue,
    FindingKind::Parallelism,
    FindingKind::NoQueue,
    FindingKind::BadTemplate,
    FindingKind::Adoption,
    FindingKind::AdoptedPod,
    FindingKind::NoAgentToken,
    FindingKind::BadAnnotation,
    FindingKind::QueueMismatch,
    FindingKind::UnlinkedAgents,
    FindingKind::PodTrouble,
];

/// The kinds that are found where demand meets templates.
pub(crate) const DEMAND_KINDS: &[FindingKind] = &[
    FindingKind::NoTemplate,
    FindingKind::UnmatchableDemand,
    FindingKind::CeilingReached,
];

/// How long a pod may be in trouble before it is worth a word: most pods are
/// unschedulable or without their image for a moment.
const TROUBLE_AFTER: Duration = Duration::from_secs(30);

/// What is wrong with templates and pods.
pub(crate) fn fleet(fleet: &Fleet<'_>, blueprints: &Blueprints, config: &Config, now: Timestamp) -> Vec<Finding> {
    let mut found = Vec::new();
    for template in fleet.templates.iter().filter(|template| !template.deleting) {
        found.extend(doubts(template));
    }
    let hunters = hunters(fleet.templates.iter());
    for (queue, queue_fleet) in &fleet.queues {
        found.extend(contested(queue, queue_fleet));
        if let Some(template) = queue_fleet.serving() {
            match blueprints.of(template, &hunters) {
                Ok(blueprint) => found.extend(blueprint.notes.iter().cloned()),
                Err(finding) => found.push(finding),
            }
            found.extend(annotations::findings(template, config));
        }
        found.extend(troubles(queue, queue_fleet, now));
    }
    for pod in fleet
        .foreign_pods
        .iter()
        .filter(|pod| pod.adopted && pod.template_uid.is_some())
    {
        found.push(Finding {
            kind: FindingKind::AdoptedPod,
            subject: format!("{}/{}", pod.namespace, pod.name),
            detail: "another controller has adopted this pod and may delete it at any time, a running build included; \
                     find the Job or ReplicaSet whose selector matches its labels"
                .into(),
        });
    }
    found
}

fn doubts(template: &Template) -> Option<Finding> {
    if template.queue.is_none() {
        return Some(template_finding(
            FindingKind::NoQueue,
            template,
            "it has no label buildscaler.elotl.co/queue, so it serves no queue; add the label".into(),
        ));
    }
    (template.parallelism != 0).then(|| {
        template_finding(
            FindingKind::Parallelism,
            template,
            format!(
                "its spec.parallelism is {}, so the Job controller runs it by itself and no pods are created for it; \
                 set it to 0",
                template.parallelism
            ),
        )
    })
}

fn contested(queue: &Queue, fleet: &QueueFleet<'_>) -> Option<Finding> {
    let name = |template: &Template| format!("{}/{}", template.namespace, template.name);
    let (first, others) = fleet.claims.split_first().filter(|(_, others)| !others.is_empty())?;
    let others: Vec<String> = others.iter().map(|template| name(template)).collect();
    let serves = if first.parallelism == 0 {
        "serves it"
    } else {
        "comes first but has parallelism other than 0"
    };
    Some(Finding {
        kind: FindingKind::ContestedQueue,
        subject: queue.to_string(),
        detail: format!(
            "two Jobs cannot share a queue: {} {serves}, no pods are created for {}; delete one or change its label",
            name(first),
            others.join(", ")
        ),
    })
}

fn troubles(queue: &Queue, fleet: &QueueFleet<'_>, now: Timestamp) -> Vec<Finding> {
    let mut by_trouble: BTreeMap<&str, (&str, u32)> = BTreeMap::new();
    for worker in &fleet.workers {
        let pod = worker.pod;
        if let Some(trouble) = pod
            .trouble
            .as_deref()
            .filter(|_| now.since(pod.created_at) > TROUBLE_AFTER)
        {
            by_trouble.entry(trouble).or_insert((&pod.name, 0)).1 += 1;
        }
    }
    by_trouble
        .into_iter()
        .map(|(trouble, (pod, count))| Finding {
            kind: FindingKind::PodTrouble,
            subject: format!("{queue}: {trouble}"),
            detail: format!(
                "{count} pods of queue {queue} do not start ({trouble}), {pod} among them; see `kubectl describe pod`"
            ),
        })
        .collect()
}

/// Demand on queues that nobody serves.
pub(crate) fn demand_without_template(fleet: &Fleet<'_>, demand: &BTreeMap<Queue, Demand>) -> Vec<Finding> {
    demand
        .iter()
        .filter(|(queue, demand)| {
            demand.size() > 0 && fleet.queues.get(queue).is_none_or(|queue| queue.claims.is_empty())
        })
        .map(|(queue, _)| Finding {
            kind: FindingKind::NoTemplate,
            subject: queue.to_string(),
            detail: format!(
                "jobs wait on this queue and no Job is labelled buildscaler.elotl.co/queue={queue}; create one, unless \
                 other agents serve the queue"
            ),
        })
        .collect()
}

/// Jobs that no agent of their queue can take.
pub(crate) fn unmatchable(queue: &Queue, waiting: &Waiting) -> Option<Finding> {
    let rules = waiting.unmatchable.first()?;
    Some(Finding {
        kind: FindingKind::UnmatchableDemand,
        subject: queue.to_string(),
        detail: format!(
            "jobs ask for agents with {rules}, which the agents of this queue's template lack; add the tags to \
             BUILDKITE_AGENT_TAGS in the template, or mend the pipeline; now and then one pod is tried all the same, \
             if the template leaves its tags open"
        ),
    })
}

/// A ceiling that keeps jobs waiting.
pub(crate) fn ceiling_reached(wish: &Wish<'_>) -> Option<Finding> {
    wish.is_cut().then(|| Finding {
        kind: FindingKind::CeilingReached,
        subject: wish.queue.to_string(),
        detail: "jobs wait because --max-active-builds, its annotation, or --max-pods is reached; raise it if they \
                 should not"
            .into(),
    })
}

/// Why Kubernetes cannot be seen.
pub(crate) fn cluster_failures(view: &ClusterView) -> Vec<Finding> {
    let unknown = |what: &str, failure: &Failure| Finding {
        kind: FindingKind::ClusterUnknown,
        subject: what.into(),
        detail: format!(
            "{what} cannot be read: {failure}; nothing is created, stopped or deleted on its account{}",
            match refusal(failure) {
                Some(Refusal::Credentials) => "; check the kubeconfig's credentials",
                Some(_) => "; grant list and watch on it",
                None => "",
            }
        ),
    };
    let templates = view.templates.failure().map(|failure| unknown("jobs.batch", failure));
    let pods = view.pods.failure().map(|failure| unknown("pods", failure));
    templates.into_iter().chain(pods).collect()
}

/// Why Buildkite cannot be seen.
pub(crate) fn buildkite_failures(seen: &Seen) -> Vec<Finding> {
    let unknown = |what: &str, scope: &str, failure: &Failure| {
        let advice = match refusal(failure) {
            Some(Refusal::Credentials) => "; the API access token is wrong or has expired".to_owned(),
            Some(_) => format!("; the API access token needs the scope {scope}"),
            None if matches!(failure, Failure::NotFound { .. }) => {
                "; check --buildkite-org, and that the token may access the organization".to_owned()
            }
            None => String::new(),
        };
        Finding {
            kind: FindingKind::BuildkiteUnknown,
            subject: what.into(),
            detail: format!(
                "Buildkite's {what} cannot be read: {failure}; pods and agents are left as they are{advice}"
            ),
        }
    };
    if let Some(failure) = seen.jobs.failure() {
        return vec![unknown("builds", "read_builds", failure)];
    }
    seen.agents
        .failure()
        .map(|failure| unknown("agents", "read_agents", failure))
        .into_iter()
        .collect()
}

fn refusal(failure: &Failure) -> Option<Refusal> {
    if let Failure::Forbidden { kind, .. } = failure {
        Some(*kind)
    } else {
        None
    }
}
