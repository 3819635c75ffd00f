//! What a user of the fake asks it to do.

use std::time::Duration;

use buildscaler_core::Queue;

/// A build to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildSpec {
    /// The slug of its pipeline, which is made if there is none of this name.
    pub pipeline: String,
    /// The branch it builds.
    pub branch: String,
    /// Its jobs, in the order of the pipeline's steps.
    pub jobs: Vec<JobSpec>,
}

impl BuildSpec {
    /// A build of `main` with these jobs.
    pub fn new(pipeline: impl Into<String>, jobs: impl IntoIterator<Item = JobSpec>) -> Self {
        Self {
            pipeline: pipeline.into(),
            branch: "main".to_owned(),
            jobs: jobs.into_iter().collect(),
        }
    }
}

/// A job of a build to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobSpec {
    /// What sort of step it comes from.
    pub kind: JobKind,
    /// The queue it names; none names none and so means the default queue.
    pub queue: Option<Queue>,
    /// Its rules other than the queue.
    pub rules: Vec<String>,
    /// How long its command runs.
    pub duration: Duration,
    /// How its command exits.
    pub exit_status: i64,
    /// Higher goes first; zero is ordinary.
    pub priority: i64,
    /// The concurrency group it counts in.
    pub concurrency: Option<Concurrency>,
    /// Which earlier jobs of the build must pass first, by position.
    pub depends_on: Vec<usize>,
}

impl JobSpec {
    /// A command that runs for `duration` on an agent of `queue`.
    pub fn script(queue: impl Into<Queue>, duration: Duration) -> Self {
        Self {
            queue: Some(queue.into()),
            ..Self::of(JobKind::Script, duration)
        }
    }

    /// A command that names no queue.
    pub fn anywhere(duration: Duration) -> Self {
        Self::of(JobKind::Script, duration)
    }

    /// A wait step: what follows it waits for all before it.
    pub fn wait() -> Self {
        Self::of(JobKind::Waiter, Duration::ZERO)
    }

    /// A block step: as a wait step, but a human has to let it pass.
    pub fn block() -> Self {
        Self::of(JobKind::Manual, Duration::ZERO)
    }

    fn of(kind: JobKind, duration: Duration) -> Self {
        Self {
            kind,
            queue: None,
            rules: Vec::new(),
            duration,
            exit_status: 0,
            priority: 0,
            concurrency: None,
            depends_on: Vec::new(),
        }
    }

    /// The same with another rule that an agent's tags must match.
    #[must_use]
    pub fn rule(mut self, rule: impl Into<String>) -> Self {
        self.rules.push(rule.into());
        self
    }

    /// The same with this priority.
    #[must_use]
    pub const fn priority(mut self, priority: i64) -> Self {
        self.priority = priority;
        self
    }

    /// The same within a concurrency group.
    #[must_use]
    pub fn concurrency(mut self, group: impl Into<String>, limit: usize) -> Self {
        self.concurrency = Some(Concurrency {
            group: group.into(),
            limit,
        });
        self
    }

    /// The same after another job of the build.
    #[must_use]
    pub fn after(mut self, position: usize) -> Self {
        self.depends_on.push(position);
        self
    }

    /// The same with a command that exits with `exit_status`.
    #[must_use]
    pub const fn exits(mut self, exit_status: i64) -> Self {
        self.exit_status = exit_status;
        self
    }
}

/// The `type` of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// Wants an agent.
    Script,
    /// A wait step.
    Waiter,
    /// A block step.
    Manual,
}

impl JobKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::Waiter => "waiter",
            Self::Manual => "manual",
        }
    }
}

/// A concurrency group as a job sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Concurrency {
    /// Its name.
    pub group: String,
    /// How many of its jobs may be between `scheduled` and their end.
    pub limit: usize,
}

/// An agent to register.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentSpec {
    /// Its name; `%hostname` and the like are already replaced.
    pub name: String,
    /// What its host calls itself.
    pub hostname: String,
    /// Its tags, the queue among them.
    pub tags: Vec<String>,
    /// Its version.
    pub version: String,
    /// Its operating system.
    pub os: String,
    /// Its architecture.
    pub arch: String,
    /// Higher gets jobs first.
    pub priority: i64,
    /// Whether it wants no ordinary jobs (`--acquire-job`).
    pub ignore_in_dispatches: bool,
}
