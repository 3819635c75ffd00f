//! Both fakes, with so much in them that every list has several pages.

use std::time::Duration;

use buildscaler_simulator::buildkite::{AgentSpec, BuildSpec, FakeBuildkite, JobSpec, Limits, Switches};
use buildscaler_simulator::kubernetes::{ADMIN_TOKEN, Controllers, DeleteOptions, FakeKubernetes, Resource, Settings};
use buildscaler_simulator::loopback::buildkite::BuildkiteServer;
use buildscaler_simulator::loopback::kubernetes::KubernetesServer;
use buildscaler_simulator::loopback::wall_clock;
use serde_json::json;

/// The namespace of everything, in the scenarios' commands too.
pub(crate) const NAMESPACE: &str = "ci";
/// More than the two pages of each list of Kubernetes.
const OBJECTS: usize = 1_050;
/// More than two pages of builds and of agents.
const ROWS: usize = 250;
const DAY: Duration = Duration::from_secs(86_400);

/// The fakes, served.
pub(crate) struct World {
    pub(crate) kubernetes: KubernetesServer,
    pub(crate) buildkite: BuildkiteServer,
    /// Buildkite as it was in the beginning.
    fresh: FakeBuildkite,
}

impl World {
    pub(crate) async fn start() -> Self {
        let fresh = buildkite();
        Self {
            kubernetes: KubernetesServer::start(kubernetes()).await.expect("served"),
            buildkite: BuildkiteServer::start(fresh.clone()).await.expect("served"),
            fresh,
        }
    }

    /// Takes back what a command has done, so that the next driver finds the same.
    pub(crate) fn begin_anew(&self, created: Option<&str>) {
        *self.buildkite.fake().inner_mut() = self.fresh.clone();
        if let Some(name) = created {
            let at_once = DeleteOptions {
                grace: Some(0),
                ..DeleteOptions::default()
            };
            let deleted = self
                .kubernetes
                .with(|fake, now| fake.delete(now, Resource::Pods, NAMESPACE, name, &at_once));
            deleted.expect("it was created");
        }
    }

    /// A kubeconfig for the server at `url`.
    pub(crate) fn kubeconfig(&self, url: &str) -> String {
        let ours = self.kubernetes.kubeconfig_for(ADMIN_TOKEN);
        ours.replace(&self.kubernetes.url(), url)
    }
}

fn kubernetes() -> FakeKubernetes {
    let mut fake = FakeKubernetes::new(Settings {
        // Nothing shall happen by itself.
        controllers: Controllers::NONE,
        ..Settings::default()
    });
    let now = wall_clock();
    fake.add_namespace(now, NAMESPACE);
    for number in 0..OBJECTS {
        let labels = json!({"app.elotl.co": "buildscaler", "buildscaler.elotl.co/queue": format!("queue-{number}")});
        let pod = json!({"restartPolicy": "Never", "containers": [{"name": "agent", "image": "buildkite/agent:3"}]});
        let metadata = json!({"name": format!("ours-{number}"), "labels": labels});
        let template = json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": metadata,
            "spec": {"parallelism": 0, "template": {"spec": pod}},
        });
        fake.create(now, Resource::Jobs, NAMESPACE, template).expect("a Job");
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod});
        fake.create(now, Resource::Pods, NAMESPACE, pod).expect("a pod");
    }
    fake
}

fn buildkite() -> FakeBuildkite {
    let mut fake = FakeBuildkite::new(Switches {
        // Nobody here gives a sign of life.
        lost_after: DAY,
        ..Switches::default()
    });
    fake.limits = Limits {
        organization: 1_000_000,
        user: 1_000_000,
        ..fake.limits
    };
    let now = wall_clock();
    for number in 0..ROWS {
        fake.create_build(now, BuildSpec::new("pipeline", [JobSpec::script("waiting", DAY)]));
        let spec = AgentSpec {
            name: format!("agent-{number}"),
            hostname: format!("host-{number}"),
            tags: vec!["queue=linux".to_owned()],
            ..AgentSpec::default()
        };
        let agent = fake.register(now, spec);
        fake.connect(now, &agent).expect("it is registered");
    }
    fake
}
