//! Builds and templates, as a scenario writes them.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::span::{Range, Span};

/// A Template: a Job with parallelism 0 from whose pod template agents come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TemplateSpec {
    /// The Job's name.
    pub name: String,
    /// The queue it serves; its name if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Its image, which tells versions apart.
    #[serde(default = "default_image", skip_serializing_if = "is_default_image")]
    pub image: String,
    /// `spec.parallelism`
    #[serde(default, skip_serializing_if = "is_zero")]
    pub parallelism: i64,
    /// Annotations below `buildscaler.elotl.co/`, without that prefix.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Further tags of its agents, `key=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// `terminationGracePeriodSeconds` of its pods; Kubernetes' 30 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_seconds: Option<u32>,
    /// Its image pull, where it differs from the world's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull: Option<Range>,
    /// How its pods fail to start, if they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails: Option<PodFailure>,
}

/// How all pods of a template fail to start, until it is replaced by one of
/// another image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PodFailure {
    /// Its image cannot be pulled.
    NoImage,
    /// Its container ends at once.
    Crash,
}

impl TemplateSpec {
    /// A template of this name, and all else as it is when left out.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            queue: None,
            image: default_image(),
            parallelism: 0,
            annotations: BTreeMap::new(),
            tags: Vec::new(),
            grace_seconds: None,
            image_pull: None,
            fails: None,
        }
    }

    /// The queue it serves.
    pub fn queue(&self) -> &str {
        self.queue.as_deref().unwrap_or(&self.name)
    }
}

fn is_default_image(image: &str) -> bool {
    image == default_image()
}

fn default_image() -> String {
    "buildkite/agent:3".to_owned()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// A build that a user or a push creates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BuildEvent {
    /// By which later events call it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its pipeline.
    #[serde(default = "default_pipeline", skip_serializing_if = "is_default_pipeline")]
    pub pipeline: String,
    /// Its steps, in order.
    pub steps: Vec<Step>,
}

fn default_pipeline() -> String {
    "app".to_owned()
}

fn is_default_pipeline(pipeline: &str) -> bool {
    pipeline == "app"
}

/// One step of a build, or several alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Step {
    /// What sort of step: a command if left out.
    #[serde(default, skip_serializing_if = "StepKind::is_command")]
    pub kind: StepKind,
    /// The queue that its job asks for; Buildkite's `default` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// How long its command runs.
    #[serde(default, skip_serializing_if = "is_no_time")]
    pub runs: Span,
    /// How many such jobs it makes (`parallelism` of a step).
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub parallelism: u32,
    /// Other rules that an agent's tags have to match.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rules: Vec<String>,
    /// Higher goes first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub priority: i64,
    /// Its concurrency group and limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<ConcurrencyLimit>,
    /// Earlier steps of this build that have to pass first, counted from 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<usize>,
    /// How its command exits.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub exits: i64,
}

impl Step {
    /// A step of this kind, and all else as it is when left out.
    pub fn of(kind: StepKind) -> Self {
        Self {
            kind,
            queue: None,
            runs: Span::default(),
            parallelism: 1,
            rules: Vec::new(),
            priority: 0,
            concurrency: None,
            after: Vec::new(),
            exits: 0,
        }
    }

    /// A command that runs so long on an agent of `queue`.
    pub fn command(queue: impl Into<String>, runs: Span) -> Self {
        Self {
            queue: Some(queue.into()),
            runs,
            ..Self::of(StepKind::Command)
        }
    }
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_one(number: &u32) -> bool {
    *number == 1
}

fn is_no_time(span: &Span) -> bool {
    span.0.is_zero()
}

/// What sort of step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// Runs on an agent.
    #[default]
    Command,
    /// What follows waits for all before.
    Wait,
    /// As `wait`, and a human has to unblock it.
    Block,
}

impl StepKind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    fn is_command(&self) -> bool {
        *self == Self::Command
    }
}

/// A concurrency group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConcurrencyLimit {
    /// Its name.
    pub group: String,
    /// How many of its jobs may run at once.
    pub limit: usize,
}
