//! What would be done and why, for people and programs.

use std::collections::BTreeMap;

use buildscaler_core::{Config, Controller, Finding, QueueReport};
use serde::Serialize;

use crate::deed::Deed;

/// What one look led to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Plan {
    pub(crate) queues: BTreeMap<String, QueueLine>,
    pub(crate) commands: Vec<Deed>,
    pub(crate) findings: Vec<FindingLine>,
    /// What one look alone cannot decide.
    pub(crate) later: Vec<String>,
}

/// One queue in numbers.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueueLine {
    pub(crate) waiting: u32,
    pub(crate) busy: u32,
    pub(crate) idle: u32,
    pub(crate) starting: u32,
    pub(crate) pods: u32,
    pub(crate) desired: u32,
    pub(crate) to_create: u32,
}

/// What an operator should mend.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FindingLine {
    pub(crate) kind: &'static str,
    pub(crate) subject: String,
    pub(crate) detail: String,
}

impl Plan {
    /// The plan of a controller that has looked once, still without commands.
    pub(crate) fn new(controller: &Controller, config: &Config) -> Self {
        let reports = &controller.report().queues;
        let queues = reports
            .iter()
            .map(|(queue, report)| (queue.as_str().to_owned(), report.into()));
        Self {
            later: later(reports.values(), config),
            queues: queues.collect(),
            commands: Vec::new(),
            findings: controller.findings().map(FindingLine::from).collect(),
        }
    }
}

impl From<&QueueReport> for QueueLine {
    fn from(report: &QueueReport) -> Self {
        Self {
            waiting: report.waiting,
            busy: report.busy,
            idle: report.idle,
            starting: report.starting,
            pods: report.pods,
            desired: report.desired,
            to_create: report.created,
        }
    }
}

impl From<Finding> for FindingLine {
    fn from(finding: Finding) -> Self {
        Self {
            kind: finding.kind.as_str(),
            subject: finding.subject,
            detail: finding.detail,
        }
    }
}

/// What a controller that keeps running may do about these pods. Fresh memory
/// does not act on idleness or absence: it cannot know for how long.
fn later<'a>(reports: impl Iterator<Item = &'a QueueReport> + Clone, config: &Config) -> Vec<String> {
    let idle: u32 = reports.clone().map(|report| report.idle).sum();
    let starting: u32 = reports.map(|report| report.starting).sum();
    let mut later = Vec::new();
    if idle > 0 {
        let seconds = config.idle_timeout.as_secs();
        later.push(format!(
            "agents that stay idle are stopped once a running controller has seen it for {seconds} s (now idle: {idle})"
        ));
    }
    if starting > 0 {
        let seconds = config.agent_startup_timeout.as_secs();
        later.push(format!(
            "pods whose agent does not connect are deleted once a running controller has missed it for {seconds} s \
             (now starting: {starting})"
        ));
    }
    later
}
