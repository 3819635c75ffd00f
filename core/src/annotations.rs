//! What a template's annotations below `buildscaler.elotl.co/` say, read once
//! and in one place. They may change at any time while the Job lives.
//!
//! What cannot be understood is a finding and never more than that: the option
//! of the same name holds in its place, or nothing where there is no option.
//! An annotation that nobody reads is a finding too, since a name with a typo
//! must not look as if it did something.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::blueprint::agent_container;
use crate::config::Config;
use crate::finding::{Finding, FindingKind};
use crate::labels;
use crate::template::Template;

mod volume;

pub(crate) use volume::{Volume, mount};

/// The queue's ceiling, as `--max-active-builds`.
pub const MAX_ACTIVE_BUILDS: &str = "max-active-builds";
/// Agents that are kept although no job waits for them.
pub const MIN_IDLE: &str = "min-idle";
/// As `--disconnect-after-idle-timeout`, in seconds.
pub const IDLE_TIMEOUT: &str = "disconnect-after-idle-timeout";
/// As `--agent-startup-timeout`, in seconds.
pub const STARTUP_TIMEOUT: &str = "agent-startup-timeout";
/// As `--max-agent-lifetime`, in seconds.
pub const MAX_AGENT_LIFETIME: &str = "max-agent-lifetime";
/// The size of a volume that each pod gets for itself.
pub const PVC_SIZE: &str = "pvc-size";
/// Where that volume is mounted in the agent's container.
pub const PVC_MOUNT_PATH: &str = "pvc-mount-path";
/// Its storage class; without it the cluster's default.
pub const PVC_STORAGE_CLASS_NAME: &str = "pvc-storage-class-name";

/// All of them, as they follow [`labels::ANNOTATION_PREFIX`].
pub const ALL: [&str; 8] = [
    MAX_ACTIVE_BUILDS,
    MIN_IDLE,
    IDLE_TIMEOUT,
    STARTUP_TIMEOUT,
    MAX_AGENT_LIFETIME,
    PVC_SIZE,
    PVC_MOUNT_PATH,
    PVC_STORAGE_CLASS_NAME,
];

/// The most agents that can be kept warm: a larger number is a slip.
const MOST_IDLE: u32 = 10_000;
/// Letters of a value that a finding quotes.
const QUOTED: usize = 80;

/// The terms under which a queue is served: its template's annotations, and
/// the options where they say nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) max_active_builds: Option<u32>,
    pub(crate) min_idle: u32,
    pub(crate) idle_timeout: Duration,
    pub(crate) startup_timeout: Duration,
    pub(crate) max_agent_lifetime: Option<Duration>,
    pub(crate) volume: Option<Volume>,
}

/// An annotation that cannot be used.
struct Doubt {
    annotation: String,
    detail: String,
}

impl Terms {
    /// The terms of a queue that this template claims first, or of one that
    /// none does: then nothing but the options counts, and nothing is kept.
    pub(crate) fn of(template: Option<&Template>, config: &Config) -> Self {
        let Some(template) = template.filter(|template| !template.annotations.is_empty()) else {
            return Self::options(config);
        };
        read(template, config).0
    }

    fn options(config: &Config) -> Self {
        Self {
            max_active_builds: config.max_active_builds,
            min_idle: 0,
            idle_timeout: config.idle_timeout,
            startup_timeout: config.agent_startup_timeout,
            max_agent_lifetime: config.max_agent_lifetime,
            volume: None,
        }
    }

    /// The idle timeout that the agents themselves are given. Where some are
    /// kept it is none: an agent cannot know whether it is one of them.
    pub(crate) fn agents_own_idle_timeout(&self) -> Duration {
        if self.min_idle > 0 {
            Duration::ZERO
        } else {
            self.idle_timeout
        }
    }
}

/// What is wrong with a template's annotations: one finding for each.
pub(crate) fn findings(template: &Template, config: &Config) -> Vec<Finding> {
    if template.annotations.is_empty() {
        return Vec::new();
    }
    let doubts = read(template, config).1;
    doubts
        .into_iter()
        .map(|doubt| Finding {
            kind: FindingKind::BadAnnotation,
            subject: format!("{}/{}: {}", template.namespace, template.name, doubt.annotation),
            detail: doubt.detail,
        })
        .collect()
}

/// The annotations of a template that cannot be used, whatever the options
/// are. Who passes a template on without its values has to keep that much.
pub fn unusable(template: &Template) -> BTreeSet<String> {
    let doubts = read(template, &Config::default()).1;
    doubts.into_iter().map(|doubt| doubt.annotation).collect()
}

fn read(template: &Template, config: &Config) -> (Terms, Vec<Doubt>) {
    let mut reader = Reader {
        template,
        doubts: Vec::new(),
    };
    let options = Terms::options(config);
    let terms = Terms {
        max_active_builds: reader
            .number(
                MAX_ACTIVE_BUILDS,
                "a number of pods",
                0..=u32::MAX,
                &held(MAX_ACTIVE_BUILDS),
            )
            .or(options.max_active_builds),
        min_idle: reader
            .number(
                MIN_IDLE,
                "a number of agents",
                0..=MOST_IDLE,
                "no agent is kept without a job",
            )
            .unwrap_or(0),
        idle_timeout: reader.seconds(IDLE_TIMEOUT).unwrap_or(options.idle_timeout),
        startup_timeout: reader.seconds(STARTUP_TIMEOUT).unwrap_or(options.startup_timeout),
        max_agent_lifetime: reader.seconds(MAX_AGENT_LIFETIME).or(options.max_agent_lifetime),
        volume: reader.volume(),
    };
    reader.compare(&terms);
    reader.unread();
    (terms, reader.doubts)
}

fn held(option: &str) -> String {
    format!("the option --{option} holds")
}

struct Reader<'t> {
    template: &'t Template,
    doubts: Vec<Doubt>,
}

impl Reader<'_> {
    fn text(&self, annotation: &str) -> Option<&str> {
        self.template.annotations.get(annotation).map(String::as_str)
    }

    fn doubt(&mut self, annotation: &str, detail: String) {
        self.doubts.push(Doubt {
            annotation: annotation.to_owned(),
            detail,
        });
    }

    /// A value that cannot be used: what it is, what it should be, and what
    /// holds meanwhile.
    fn refuse(&mut self, annotation: &str, expected: &str, meanwhile: &str) {
        let shown: String = self.text(annotation).unwrap_or_default().chars().take(QUOTED).collect();
        self.doubt(
            annotation,
            format!(
                "its annotation {}{annotation} is {shown:?}, not {expected}; {meanwhile} until it is corrected",
                labels::ANNOTATION_PREFIX
            ),
        );
    }

    fn number(
        &mut self,
        annotation: &str,
        what: &str,
        within: std::ops::RangeInclusive<u32>,
        meanwhile: &str,
    ) -> Option<u32> {
        let number = self.text(annotation)?.trim().parse().ok();
        let number = number.filter(|number| within.contains(number));
        if number.is_none() {
            let (least, most) = within.into_inner();
            self.refuse(annotation, &format!("{what} from {least} to {most}"), meanwhile);
        }
        number
    }

    /// As the options: at least one second.
    fn seconds(&mut self, annotation: &str) -> Option<Duration> {
        let seconds = self.number(annotation, "a number of seconds", 1..=u32::MAX, &held(annotation))?;
        Some(Duration::from_secs(seconds.into()))
    }

    /// What is well by itself and cannot be had together.
    fn compare(&mut self, terms: &Terms) {
        // The option is for all queues, and nobody's slip here.
        let own_ceiling = terms
            .max_active_builds
            .filter(|_| self.text(MAX_ACTIVE_BUILDS).is_some());
        if let Some(most) = own_ceiling.filter(|most| *most < terms.min_idle) {
            let detail = format!(
                "its annotation {prefix}{MIN_IDLE} asks for {} idle agents and {prefix}{MAX_ACTIVE_BUILDS} for at most \
                 {most} pods, busy ones included; no more than {most} are made, so lower the one or raise the other",
                terms.min_idle,
                prefix = labels::ANNOTATION_PREFIX,
            );
            self.doubt(MIN_IDLE, detail);
        } else if terms.min_idle > 0 && leaves_by_itself(self.template) {
            let detail = format!(
                "its annotation {}{MIN_IDLE} asks for idle agents, and its agent container sets {} so that they leave by \
                 themselves: pods come and go all the time; remove the variable",
                labels::ANNOTATION_PREFIX,
                labels::IDLE_TIMEOUT_VARIABLE
            );
            self.doubt(MIN_IDLE, detail);
        }
    }

    /// Annotations with our prefix that nobody reads.
    fn unread(&mut self) {
        let unread = self
            .template
            .annotations
            .keys()
            .filter(|key| !ALL.contains(&key.as_str()));
        for key in unread.cloned().collect::<Vec<_>>() {
            let prefix = labels::ANNOTATION_PREFIX;
            let known = ALL.join(", ");
            let detail = if format!("{prefix}{key}") == labels::QUEUE {
                format!("{prefix}{key} is an annotation and has to be a label, so nothing reads it; make it a label")
            } else {
                format!("nothing reads its annotation {prefix}{key}; correct its name or remove it: there are {known}")
            };
            self.doubt(&key, detail);
        }
    }
}

/// Whether the template's author has given the agent an idle timeout.
fn leaves_by_itself(template: &Template) -> bool {
    let container = template.pod_template.agent_container();
    let env = container.and_then(|container| container.get("env")?.as_array());
    let variable = env.and_then(|env| agent_container::variable(env, labels::IDLE_TIMEOUT_VARIABLE));
    variable.is_some_and(|variable| variable["value"].as_str().map(str::trim) != Some("0"))
}
