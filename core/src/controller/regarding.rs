//! The objects that a finding is about, as far as Kubernetes knows them.

use std::sync::Arc;

use super::Controller;
use crate::announcer::{ObjectKind, Regarding};
use crate::finding::{Finding, FindingKind};
use crate::pod::Pod;
use crate::template::Template;

impl Controller {
    /// The templates and pods that `finding` is about, as last seen.
    ///
    /// None for findings about an API, about a queue that no template claims,
    /// or about what is gone.
    pub fn regarding(&self, finding: &Finding) -> Vec<Regarding> {
        let subject = finding.subject.as_str();
        match finding.kind {
            FindingKind::Parallelism
            | FindingKind::NoQueue
            | FindingKind::BadTemplate
            | FindingKind::Adoption
            | FindingKind::NoAgentToken
            | FindingKind::QueueMismatch
            | FindingKind::UnlinkedAgents
            | FindingKind::TemplateFailing
            | FindingKind::SlowStart
            | FindingKind::CreateRefused => self.templates_where(|template| is_named(template, subject)),
            FindingKind::BadAnnotation => {
                // `namespace/name: annotation`
                let name = subject.split_once(": ").map_or(subject, |(name, _)| name);
                self.templates_where(|template| is_named(template, name))
            }
            FindingKind::AdoptedPod => self.pods_named(subject),
            FindingKind::ContestedQueue | FindingKind::UnmatchableDemand | FindingKind::CeilingReached => {
                self.templates_where(|template| claims(template, subject))
            }
            FindingKind::PodTrouble => {
                // `queue: trouble`
                let queue = subject.split_once(": ").map_or(subject, |(queue, _)| queue);
                self.templates_where(|template| claims(template, queue))
            }
            FindingKind::NoTemplate
            | FindingKind::ClusterUnknown
            | FindingKind::BuildkiteUnknown
            | FindingKind::StopRefused
            | FindingKind::DeleteRefused
            | FindingKind::BudgetTight
            | FindingKind::MeteringDelayed
            | FindingKind::MeteringRefused
            | FindingKind::LeaseTrouble => Vec::new(),
        }
    }

    fn templates_where(&self, holds: impl Fn(&Template) -> bool) -> Vec<Regarding> {
        let templates = self.cluster.as_ref().and_then(|cluster| cluster.templates.complete());
        templates
            .into_iter()
            .flatten()
            .filter(|template| !template.deleting && holds(template))
            .map(|template: &Arc<Template>| Regarding {
                kind: ObjectKind::Job,
                namespace: template.namespace.clone(),
                name: template.name.clone(),
                uid: template.uid.clone(),
            })
            .collect()
    }

    fn pods_named(&self, subject: &str) -> Vec<Regarding> {
        let pods = self.cluster.as_ref().and_then(|cluster| cluster.pods.complete());
        pods.into_iter()
            .flatten()
            .filter(|pod| subject.split_once('/') == Some((&pod.namespace, &pod.name)))
            .map(|pod: &Arc<Pod>| Regarding {
                kind: ObjectKind::Pod,
                namespace: pod.namespace.clone(),
                name: pod.name.clone(),
                uid: pod.uid.clone(),
            })
            .collect()
    }
}

fn is_named(template: &Template, subject: &str) -> bool {
    subject.split_once('/') == Some((&template.namespace, &template.name))
}

fn claims(template: &Template, queue: &str) -> bool {
    template.queue.as_ref().is_some_and(|claimed| claimed.as_str() == queue)
}
