//! What is forgotten once those that it was about are gone.

use std::sync::Arc;

use super::Controller;
use crate::finding::{Finding, FindingChange, FindingKind};
use crate::fleet::Fleet;
use crate::pod::Pod;

impl Controller {
    /// Clears what was said of refused writes whose template, or whose
    /// namespace's last pod, is gone: no answer will ever take it back.
    pub(super) fn forget_refusals(&mut self, fleet: &Fleet<'_>, pods: &[Arc<Pod>], findings: &mut Vec<FindingChange>) {
        let creates_stand = |finding: &Finding| {
            let named = finding.subject.split_once('/');
            let mut templates = fleet.templates.iter();
            !fleet.templates_known || templates.any(|one| named == Some((&one.namespace, &one.name)))
        };
        let deletes_stand = |finding: &Finding| pods.iter().any(|pod| pod.namespace == finding.subject);
        let refusals: Vec<Finding> = self
            .standing
            .iter()
            .filter(|finding| {
                (finding.kind == FindingKind::CreateRefused && creates_stand(finding))
                    || (finding.kind == FindingKind::DeleteRefused && deletes_stand(finding))
            })
            .collect();
        let kinds = [FindingKind::CreateRefused, FindingKind::DeleteRefused];
        self.restate(&kinds, refusals, findings);
    }
}
