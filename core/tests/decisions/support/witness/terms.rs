//! The terms of a queue as its template's annotations say them, as plainly as
//! they can be read.

use std::time::Duration;

use buildscaler_core::{Action, AgentId, Pod, Queue, Template};

use super::Witness;

/// What holds for a queue.
pub(super) struct Terms {
    pub(super) ceiling: Option<usize>,
    pub(super) min_idle: usize,
    pub(super) idle_timeout: Duration,
    pub(super) startup_timeout: Duration,
    pub(super) lifetime: Option<Duration>,
}

impl Witness {
    pub(super) fn terms(&self, queue: &Queue) -> Terms {
        let template = self.first_claim(queue);
        let number = |name: &str| {
            let text = template.and_then(|template| template.annotations.get(name));
            text.and_then(|text| text.trim().parse::<u32>().ok())
        };
        let seconds = |name: &str| {
            let seconds = number(name).filter(|seconds| *seconds > 0);
            seconds.map(|seconds| Duration::from_secs(seconds.into()))
        };
        let config = &self.config;
        let ceiling = number("max-active-builds").or(config.max_active_builds);
        Terms {
            ceiling: ceiling.map(|most| most as usize),
            min_idle: number("min-idle").unwrap_or(0) as usize,
            idle_timeout: seconds("disconnect-after-idle-timeout").unwrap_or(config.idle_timeout),
            startup_timeout: seconds("agent-startup-timeout").unwrap_or(config.agent_startup_timeout),
            lifetime: seconds("max-agent-lifetime").or(config.max_agent_lifetime),
        }
    }

    fn first_claim(&self, queue: &Queue) -> Option<&Template> {
        self.claims(queue)
            .min_by_key(|one| (one.parallelism != 0, one.created_at, one.uid.clone()))
    }

    /// Whether the pod is neither replaced nor an orphan.
    pub(super) fn is_current(&self, pod: &Pod) -> bool {
        let Some(queue) = &pod.queue else { return false };
        let hash = |one: &Template| pod.template_hash.as_ref().is_none_or(|hash| *hash == one.hash);
        let made_from = |one: &Template| pod.template_uid.as_ref() == Some(&one.uid) && hash(one);
        match self.claims(queue).count() {
            0 => false,
            1 => self.claims(queue).any(made_from),
            _ => true,
        }
    }

    /// Whether the agent has been asked to go, as far as anybody knows.
    pub(super) fn was_asked(&self, agent: &AgentId) -> bool {
        let asks = |action: &Action| matches!(action, Action::StopAgent { agent: asked } if asked == agent);
        self.told.contains(agent) || self.flying.values().any(|command| asks(&command.action))
    }
}
