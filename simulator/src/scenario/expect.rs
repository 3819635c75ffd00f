//! What has to be true of a run. Whatever is left out is not looked at, but
//! that no build was interrupted is expected of every scenario.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::span::Span;

/// What has to be true of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Expectations {
    /// So many jobs have ended, well or badly.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished: Option<u64>,
    /// So many jobs still wait at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waiting_at_end: Option<u64>,
    /// So many pods of ours are left at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pods_at_end: Option<u64>,
    /// At least so many pods are created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pods_created_at_least: Option<u64>,
    /// At most so many pods are created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pods_created_at_most: Option<u64>,
    /// Never more than so many pods at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pods_at_once_at_most: Option<u64>,
    /// How long jobs wait at most, per queue or in all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<WaitExpectation>,
    /// Findings that appear at some time, by kind (`no_template`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
    /// Commands that are sent at some time, by reason (`idle_timeout`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Jobs that may be interrupted, where the world does it (a lost node).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupted_by_the_world_at_most: Option<u64>,
}

/// How long jobs may wait.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct WaitExpectation {
    /// Of this queue; of all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// The longest wait.
    pub at_most: Span,
}
