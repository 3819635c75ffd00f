//! The small worlds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use buildscaler_core::selector::LabelSelector;
use buildscaler_core::{Config, PodStage, PodTemplate, Queue, Template, TemplateHash, Timestamp, Uid, labels};
use serde_json::json;

use super::lease::SmallLease;
use super::outside::{Outside, QUEUE, SmallAgent, SmallJob, SmallPod};
use super::sights::Sight;

/// When small worlds begin.
pub(super) const START: Timestamp = Timestamp::from_millis(1_735_689_600_000);
/// What the core calls the first pod of the template, which never changes. A
/// pod that is there from the beginning bears that name.
const FIRST_POD: &str = "small-v31r6muhq6";
/// Days before anything begins.
const LONG_AGO: Duration = Duration::from_secs(86_400);

/// A small world: how it begins, and what may happen how often.
#[derive(Clone, Copy, Debug)]
pub struct SmallWorld {
    /// By which it is called.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Jobs that wait from the beginning.
    pub jobs: u8,
    /// A pod that is there from the beginning.
    pub pod: FirstPod,
    /// Controllers: one, or as many as elect a leader.
    pub replicas: u8,
    /// What may happen from outside.
    pub allowed: Allowed,
    /// What some way through it must show.
    pub sights: &'static [Sight],
    /// How far it is explored if nobody says otherwise, in choices.
    pub depth: u32,
}

/// A pod at the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstPod {
    /// There is none.
    None,
    /// One whose agent is idle.
    Idle,
    /// One whose agent runs a job.
    Busy,
    /// One that has ended.
    Finished,
}

/// How often what may happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Builds of one job are created.
    pub builds: u8,
    /// The template is deleted and made anew, with another image.
    pub replacements: u8,
    /// The template is deleted.
    pub withdrawals: u8,
    /// A request is refused with 503, or it or its answer is lost.
    pub failures: u8,
    /// The controller is killed, and starts again with no memory.
    pub crashes: u8,
    /// A request is so slow that the controller wakes meanwhile.
    pub delays: u8,
    /// Somebody removes a finished pod.
    pub removals: u8,
    /// A replica dies, stands still or hears no answers for a while.
    pub mishaps: u8,
}

impl SmallWorld {
    /// The world of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        WORLDS.iter().find(|world| world.name == name)
    }

    /// The controller's settings in all small worlds.
    pub fn config() -> Config {
        Config {
            sync_interval: Duration::from_secs(20),
            idle_timeout: Duration::from_secs(30),
            agent_startup_timeout: Duration::from_secs(40),
            ..Config::default()
        }
    }

    pub(super) fn begin(&self) -> Outside {
        let template = template(1);
        let mut outside = Outside {
            template: Some(Arc::clone(&template)),
            pods: Vec::new(),
            jobs: vec![SmallJob::Waiting; usize::from(self.jobs)],
            lease: SmallLease::default(),
            made: 0,
        };
        if self.pod == FirstPod::None {
            return outside;
        }
        let mut pod = SmallPod::new(1, FIRST_POD, &template, START.before(Duration::from_secs(60)));
        pod.enter(PodStage::Running);
        match self.pod {
            FirstPod::None => {}
            FirstPod::Idle => pod.agent = SmallAgent::Idle { stopping: false },
            FirstPod::Busy => {
                let job = u8::try_from(outside.jobs.len()).unwrap_or(u8::MAX);
                outside.jobs.push(SmallJob::Running);
                pod.agent = SmallAgent::Busy { job, stopping: false };
            }
            FirstPod::Finished => {
                pod.enter(PodStage::Succeeded);
                pod.agent = SmallAgent::Gone;
            }
        }
        pod.idle_since = START;
        outside.pods.push(pod);
        outside.made = 1;
        outside
    }
}

/// The template in its first or a later version: a Job that was deleted and
/// made anew, as the API server shows it.
pub(super) fn template(version: u8) -> Arc<Template> {
    let uid = format!("template-{version}");
    let controller_labels = json!({
        "controller-uid": uid, "job-name": QUEUE,
        "batch.kubernetes.io/controller-uid": uid, "batch.kubernetes.io/job-name": QUEUE,
    });
    let pod_template = PodTemplate(json!({
        "metadata": {"labels": controller_labels},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{
                "name": "agent", "image": format!("buildkite/agent:{version}"),
                "envFrom": [{"secretRef": {"name": "buildkite-agent-token"}}],
            }],
        },
    }));
    let hash: TemplateHash = pod_template.fingerprint();
    Arc::new(Template {
        uid: Uid::from(uid.as_str()),
        namespace: "ci".to_owned(),
        name: QUEUE.to_owned(),
        queue: Some(Queue::from(QUEUE)),
        parallelism: 0,
        created_at: START.before(LONG_AGO),
        deleting: false,
        finished: false,
        selector: LabelSelector {
            match_labels: BTreeMap::from([(labels::CONTROLLER_LABELS[2].to_owned(), uid)]),
            match_expressions: Vec::new(),
        },
        annotations: BTreeMap::new(),
        pod_template,
        hash,
    })
}

const QUIET: Allowed = Allowed {
    builds: 0,
    replacements: 0,
    withdrawals: 0,
    failures: 0,
    crashes: 0,
    delays: 0,
    removals: 0,
    mishaps: 0,
};

/// All small worlds.
pub const WORLDS: &[SmallWorld] = &[
    SmallWorld {
        name: "calm",
        about: "two jobs, and nothing goes wrong",
        jobs: 2,
        pod: FirstPod::None,
        replicas: 1,
        allowed: QUIET,
        sights: &[Sight::Created, Sight::TwoPods],
        depth: 60,
    },
    SmallWorld {
        name: "failure",
        about: "two jobs, one API failure of any kind at any request",
        jobs: 2,
        pod: FirstPod::None,
        replicas: 1,
        allowed: Allowed { failures: 1, ..QUIET },
        sights: &[Sight::Created, Sight::UnknownView, Sight::FateUnknown],
        depth: 60,
    },
    SmallWorld {
        name: "crash",
        about: "two jobs, the controller is killed once, at any moment",
        jobs: 2,
        pod: FirstPod::None,
        replicas: 1,
        allowed: Allowed { crashes: 1, ..QUIET },
        sights: &[Sight::Created, Sight::CrashedInFlight, Sight::Conflict],
        depth: 60,
    },
    SmallWorld {
        name: "replacement",
        about: "an idle agent, a job on its way to it, and the template replaced: dispatch races the stop",
        jobs: 1,
        pod: FirstPod::Idle,
        replicas: 1,
        allowed: Allowed {
            replacements: 1,
            ..QUIET
        },
        sights: &[
            Sight::StoppedReplaced,
            Sight::StopMeetsJob,
            Sight::RunsDuringStop,
            Sight::DeletedFinished,
        ],
        depth: 60,
    },
    SmallWorld {
        name: "withdrawal",
        about: "a busy agent and a job, and the template deleted",
        jobs: 1,
        pod: FirstPod::Busy,
        replicas: 1,
        allowed: Allowed {
            withdrawals: 1,
            ..QUIET
        },
        sights: &[Sight::StoppedOrphaned, Sight::RunsDuringStop, Sight::DeletedOrphan],
        depth: 60,
    },
    SmallWorld {
        name: "no-show",
        about: "one job, and agents that may never connect",
        jobs: 1,
        pod: FirstPod::None,
        replicas: 1,
        allowed: QUIET,
        sights: &[
            Sight::Created,
            Sight::DeletedMissing,
            Sight::DeletedFinished,
            Sight::StoppedIdle,
            Sight::MeetsLateAgent,
        ],
        depth: 60,
    },
    SmallWorld {
        name: "leftover",
        about: "a finished pod that somebody may remove, a job to come, and slow requests",
        jobs: 0,
        pod: FirstPod::Finished,
        replicas: 1,
        allowed: Allowed {
            builds: 1,
            delays: 1,
            removals: 1,
            ..QUIET
        },
        sights: &[
            Sight::DeletedFinished,
            Sight::Created,
            Sight::DeleteTooLate,
            Sight::PreconditionFails,
        ],
        depth: 60,
    },
    SmallWorld {
        name: "blind",
        about: "a busy agent, and lists of Buildkite that fail again and again",
        jobs: 0,
        pod: FirstPod::Busy,
        replicas: 1,
        allowed: Allowed { failures: 4, ..QUIET },
        sights: &[Sight::UnknownView],
        depth: 60,
    },
    SmallWorld {
        name: "everything",
        about: "two jobs, a replaced template, one API failure, one crash, one slow request",
        jobs: 2,
        pod: FirstPod::None,
        replicas: 1,
        allowed: Allowed {
            replacements: 1,
            failures: 1,
            crashes: 1,
            delays: 1,
            ..QUIET
        },
        sights: &[Sight::Created, Sight::UnknownView, Sight::CrashedInFlight],
        depth: 60,
    },
    SmallWorld {
        name: "succession",
        about: "two replicas and a job; one of them dies, stands still or hears no answers",
        jobs: 1,
        pod: FirstPod::None,
        replicas: 2,
        allowed: Allowed { mishaps: 1, ..QUIET },
        sights: &[
            Sight::Created,
            Sight::TakenOver,
            Sight::SteppedDown,
            Sight::StaleLease,
            Sight::FencedOff,
            Sight::ArrivesDeposed,
        ],
        depth: 60,
    },
    SmallWorld {
        name: "rivalry",
        about: "two replicas and a job, and requests that are refused, lost or never answered",
        jobs: 1,
        pod: FirstPod::None,
        replicas: 2,
        allowed: Allowed { failures: 2, ..QUIET },
        sights: &[Sight::Created, Sight::FateUnknown, Sight::SteppedDown, Sight::TakenOver],
        depth: 60,
    },
];
