//! What the last plan saw, in numbers, for logs, metrics and pictures.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::names::Queue;
use crate::reason::Reason;

/// The queues as the last plan saw them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Every queue that has a template or a pod. Demand on others is a finding.
    pub queues: BTreeMap<Queue, QueueReport>,
    /// How many pods each verdict's reason was given for, those that are not
    /// ours included.
    #[serde(default)]
    pub verdicts: BTreeMap<Reason, u32>,
}

/// One queue in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueReport {
    /// Jobs that want an agent now and have none.
    pub waiting: u32,
    /// Pods that exist and have not finished.
    pub pods: u32,
    /// Pods of the current template whose agent is on its way.
    pub starting: u32,
    /// Pods of the current template with an idle agent.
    pub idle: u32,
    /// Pods, of any template, with a busy agent.
    pub busy: u32,
    /// Pods the policy wants, before ceilings.
    pub desired: u32,
    /// Pods asked for by this plan.
    pub created: u32,
}
