//! What the environment tells an agent.

use std::time::Duration;

use crate::kubelet::PodContext;

/// The settings of one agent process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) token: String,
    pub(super) endpoint: String,
    pub(super) name: String,
    pub(super) hostname: String,
    pub(super) tags: Vec<String>,
    pub(super) priority: String,
    pub(super) spawn: usize,
    pub(super) idle_timeout: Option<Duration>,
    pub(super) after_job: bool,
}

/// What makes the agent give up before it registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    NoToken,
    QueueTwice,
}

impl Settings {
    pub(super) fn of(pod: &PodContext, endpoint: Option<String>) -> Result<Self, Unusable> {
        let variable = |name: &str| {
            pod.env(&format!("BUILDKITE_AGENT_{name}"))
                .filter(|value| !value.is_empty())
        };
        let mut tags: Vec<String> = variable("TAGS")
            .into_iter()
            .flat_map(|tags| tags.split(','))
            .map(|tag| tag.trim().to_owned())
            .filter(|tag| !tag.is_empty())
            .collect();
        if let Some(queue) = variable("QUEUE") {
            if tags.iter().any(|tag| tag.starts_with("queue=")) {
                return Err(Unusable::QueueTwice);
            }
            tags.push(format!("queue={queue}"));
        }
        let seconds = variable("DISCONNECT_AFTER_IDLE_TIMEOUT").and_then(|value| value.parse().ok());
        Ok(Self {
            token: variable("TOKEN").ok_or(Unusable::NoToken)?.to_owned(),
            endpoint: endpoint
                .or_else(|| variable("ENDPOINT").map(str::to_owned))
                .unwrap_or_else(|| "https://agent-edge.buildkite.com/v3".to_owned()),
            name: variable("NAME").unwrap_or("%hostname-%spawn").to_owned(),
            hostname: pod.hostname.clone(),
            tags,
            priority: variable("PRIORITY").unwrap_or_default().to_owned(),
            spawn: variable("SPAWN")
                .and_then(|value| value.parse().ok())
                .unwrap_or(1)
                .max(1),
            idle_timeout: seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs),
            after_job: matches!(variable("DISCONNECT_AFTER_JOB"), Some("true" | "1")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(env: &[(&str, &str)]) -> Result<Settings, Unusable> {
        let env = env
            .iter()
            .map(|(name, value)| (format!("BUILDKITE_AGENT_{name}"), (*value).to_owned()));
        let pod = PodContext {
            hostname: "pod-1".to_owned(),
            env: env.collect(),
            ..PodContext::default()
        };
        Settings::of(&pod, None)
    }

    #[test]
    fn an_agent_without_a_token_gives_up() {
        assert_eq!(of(&[("TAGS", "queue=linux")]), Err(Unusable::NoToken));
    }

    #[test]
    fn a_queue_named_twice_is_fatal() {
        let env = [("TOKEN", "t"), ("TAGS", "queue=linux"), ("QUEUE", "linux")];
        assert_eq!(of(&env), Err(Unusable::QueueTwice));
    }

    #[test]
    fn an_idle_timeout_of_zero_is_none() {
        let settings = of(&[("TOKEN", "t"), ("DISCONNECT_AFTER_IDLE_TIMEOUT", "0")]).unwrap();
        assert_eq!((settings.idle_timeout, settings.spawn), (None, 1));
    }
}
