//! Findings: what the operator should mend. The core only states them;
//! runtimes log them and show them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Something that keeps agents from running, in words an operator can act on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What is wrong.
    pub kind: FindingKind,
    /// With what: `namespace/name`, a queue, or an API.
    pub subject: String,
    /// What was seen and what to do about it.
    pub detail: String,
}

macro_rules! finding_kinds {
    ($($(#[$doc:meta])* $name:ident => $text:literal,)*) => {
        /// The kinds of findings; a closed list, so that it can label metrics.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum FindingKind { $($(#[$doc])* $name,)* }

        impl FindingKind {
            /// Every kind, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The kind in snake case, as metrics and logs show it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The kind in camel case, as reasons of Kubernetes Events are written.
            pub fn as_camel_case(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}

finding_kinds! {
    /// Two templates claim one queue.
    ContestedQueue => "contested_queue",
    /// A template has parallelism other than 0.
    Parallelism => "parallelism",
    /// A template has no queue label.
    NoQueue => "no_queue",
    /// A template from which no pod can be made.
    BadTemplate => "bad_template",
    /// A Job's selector would match, and its controller delete, our pods.
    Adoption => "adoption",
    /// A pod of ours was adopted by another controller.
    AdoptedPod => "adopted_pod",
    /// A template gives its agent no token.
    NoAgentToken => "no_agent_token",
    /// An annotation's value cannot be used.
    BadAnnotation => "bad_annotation",
    /// A template's own tags name another queue than its label.
    QueueMismatch => "queue_mismatch",
    /// A template whose agents cannot be linked to their pods by a tag.
    UnlinkedAgents => "unlinked_agents",
    /// Jobs wait on a queue that no template serves.
    NoTemplate => "no_template",
    /// Jobs wait whose rules no agent of the queue can match.
    UnmatchableDemand => "unmatchable_demand",
    /// Jobs wait and a ceiling keeps pods from being created.
    CeilingReached => "ceiling_reached",
    /// Pods are refused by Kubernetes.
    CreateRefused => "create_refused",
    /// Pods of a template come to nothing, so they are made one at a time only.
    TemplateFailing => "template_failing",
    /// Pods take most of the startup timeout before their agent can start.
    SlowStart => "slow_start",
    /// Pods do not start.
    PodTrouble => "pod_trouble",
    /// Kubernetes cannot be observed.
    ClusterUnknown => "cluster_unknown",
    /// Buildkite cannot be observed.
    BuildkiteUnknown => "buildkite_unknown",
    /// Stops are refused by Buildkite.
    StopRefused => "stop_refused",
    /// Deletes are refused by Kubernetes.
    DeleteRefused => "delete_refused",
    /// A look needs more requests than the budget has: looks are rarer.
    BudgetTight => "budget_tight",
    /// Usage cannot be registered or recorded just now.
    MeteringDelayed => "metering_delayed",
    /// Usage is not registered or not recorded, and will not be by itself.
    MeteringRefused => "metering_refused",
    /// The Lease by which controllers agree cannot be read or written.
    LeaseTrouble => "lease_trouble",
}

/// A finding that appeared or went away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FindingChange {
    /// It was not there before, or says something else now.
    Raised(Finding),
    /// It is no longer so.
    Cleared(Finding),
}

/// The findings that stand, and what changed since they were last read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Standing {
    #[serde(with = "crate::pairs")]
    now: BTreeMap<(FindingKind, String), String>,
}

impl Standing {
    /// Replaces all standing findings of these kinds by `found`, and returns
    /// what changed. A finding whose words alone changed is not raised again:
    /// it stands in its newest words.
    pub(crate) fn replace(&mut self, kinds: &[FindingKind], found: Vec<Finding>) -> Vec<FindingChange> {
        let mut fresh: BTreeMap<(FindingKind, String), String> = found
            .into_iter()
            .filter(|finding| kinds.contains(&finding.kind))
            .map(|finding| ((finding.kind, finding.subject), finding.detail))
            .collect();
        let mut changes = Vec::new();
        self.now.retain(|key, detail| {
            if !kinds.contains(&key.0) {
                return true;
            }
            if let Some(newest) = fresh.remove(key) {
                *detail = newest;
                return true;
            }
            changes.push(FindingChange::Cleared(finding(key, std::mem::take(detail))));
            false
        });
        for (key, detail) in fresh {
            changes.push(FindingChange::Raised(finding(&key, detail.clone())));
            self.now.insert(key, detail);
        }
        changes
    }

    /// The findings that stand, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Finding> {
        self.now.iter().map(|(key, detail)| finding(key, detail.clone()))
    }
}

fn finding(key: &(FindingKind, String), detail: String) -> Finding {
    Finding {
        kind: key.0,
        subject: key.1.clone(),
        detail,
    }
}
