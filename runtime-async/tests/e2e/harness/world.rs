//! A world: namespaces, a fake Buildkite, agents, and the controllers of one case.

use std::sync::{Arc, MutexGuard};
use std::thread;
use std::time::Duration;

use buildscaler_core::{BuildkiteJobId, Timestamp};
use buildscaler_simulator::buildkite::{BuildSpec, FakeBuildkite, JobSpec, JobState, Limits, Switches};
use buildscaler_simulator::fault::{Fault, Faulty};
use buildscaler_simulator::loopback::buildkite::BuildkiteServer;
use buildscaler_simulator::loopback::wall_clock;
use buildscaler_testbed::agent::Synthetic;
use buildscaler_testbed::kubelet::Process;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Namespace, Pod, Secret};
use kube::api::{Api, DeleteParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use super::cluster::Cluster;
use super::controller::{Controller, Launch};
use super::installed::{Controllers, Installed};
use super::pods::Pods;
use super::template::Template;
use super::workloads::Programs;
use super::{PATIENCE, promises, within};

/// What nobody but its owner may get to see.
pub(super) const SECRETS: &[&str] = &[FakeBuildkite::ACCESS_TOKEN, FakeBuildkite::AGENT_TOKEN];

/// How long a controller may take to end.
pub(crate) const ENDS_WITHIN: Duration = Duration::from_secs(5);

/// A namespace and what happens in it.
pub(crate) struct Realm {
    pub(crate) namespace: String,
    pub(crate) pods: Pods,
}

/// Everything that one case needs.
pub(crate) struct World {
    pub(crate) cluster: Arc<Cluster>,
    /// Where most cases take place.
    pub(crate) home: Realm,
    /// Another namespace.
    pub(crate) away: Realm,
    pub(super) buildkite: BuildkiteServer,
    pub(super) agent: Arc<Process>,
    controllers: Controllers,
}

impl World {
    pub(super) async fn new(cluster: Arc<Cluster>, case: &str) -> Self {
        let switches = Switches {
            ping_interval: Duration::from_secs(1),
            job_status_interval: Duration::from_secs(1),
            ..Switches::default()
        };
        let mut fake = FakeBuildkite::new(switches);
        // Intervals of a second are too short for the limits of the real one.
        fake.limits = Limits {
            organization: 100_000,
            user: 100_000,
            ..fake.limits
        };
        let buildkite = BuildkiteServer::start(fake).await.expect("a fake Buildkite");
        let agent = Process::new(&buildkite.agent_endpoint()).await.expect("the agent");
        let synthetic = Synthetic::at(buildkite.agent_endpoint()).expect("a synthetic agent");
        let controllers = Controllers::default();
        let programs = Programs {
            agent: Arc::new(agent),
            synthetic: Arc::new(synthetic),
            installed: Installed::new(&cluster, buildkite.url(), controllers.clone()),
        };
        let stem: String = case.replace('_', "-").chars().take(50).collect();
        let home = Realm::new(&cluster, format!("{stem}-home"), &programs).await;
        let away = Realm::new(&cluster, format!("{stem}-away"), &programs).await;
        Self {
            cluster,
            home,
            away,
            buildkite,
            agent: programs.agent,
            controllers,
        }
    }

    /// Applies a template to the home namespace and returns its uid.
    pub(crate) async fn apply(&self, template: &Template) -> String {
        self.apply_in(&self.home, template).await
    }

    /// Applies a template and returns its uid.
    pub(crate) async fn apply_in(&self, realm: &Realm, template: &Template) -> String {
        let created = self
            .templates(realm)
            .create(&PostParams::default(), &template.manifest())
            .await;
        created.expect("the Job is created").metadata.uid.expect("a uid")
    }

    /// Gives a template of the home namespace the labels that it now has.
    pub(crate) async fn relabel(&self, template: &Template) {
        let labels = template.manifest().metadata.labels;
        let patch = Patch::Merge(json!({"metadata": {"labels": labels}}));
        let patched = self
            .templates(&self.home)
            .patch(&template.name, &PatchParams::default(), &patch)
            .await;
        patched.expect("the Job is changed");
    }

    /// Deletes a template of the home namespace and waits until it is gone.
    pub(crate) async fn remove(&self, template: &Template) {
        let templates = self.templates(&self.home);
        let deleted = templates.delete(&template.name, &DeleteParams::background()).await;
        deleted.expect("the Job is deleted");
        let gone = async || templates.get_opt(&template.name).await.expect("an answer").is_none();
        within(PATIENCE, "the Job is gone", gone).await;
    }

    /// Creates a build of so many jobs, each of which runs that long.
    pub(crate) fn build(&self, queue: &str, count: usize, duration: Duration) -> Vec<BuildkiteJobId> {
        let steps = (0..count).map(|_| JobSpec::script(queue, duration));
        let spec = BuildSpec::new("app", steps);
        self.fake().inner_mut().create_build(wall_clock(), spec).jobs
    }

    /// Cancels every build that has not ended.
    pub(crate) fn cancel_builds(&self) {
        let mut fake = self.fake();
        let open: Vec<u64> = fake
            .inner()
            .builds()
            .filter(|build| !build.state.is_over())
            .map(|build| build.number)
            .collect();
        for number in open {
            fake.inner_mut().cancel_build(wall_clock(), number);
        }
    }

    /// The fake Buildkite and its faults.
    pub(crate) fn fake(&self) -> MutexGuard<'_, Faulty<FakeBuildkite>> {
        self.buildkite.fake()
    }

    /// Lets something go wrong between the controller and Buildkite; the agents notice nothing.
    pub(crate) fn fault(&self, fault: Fault) {
        self.fake().add(fault);
    }

    /// How many of these are in one of these states.
    pub(crate) fn count(&self, ids: &[BuildkiteJobId], states: &[JobState]) -> usize {
        let fake = self.fake();
        ids.iter()
            .filter_map(|id| fake.inner().job_of(id))
            .filter(|found| states.contains(&found.state))
            .count()
    }

    /// Whether all of these run.
    pub(crate) fn all_run(&self, ids: &[BuildkiteJobId]) -> bool {
        self.count(ids, &[JobState::Running]) == ids.len()
    }

    /// Whether all of these have passed.
    pub(crate) fn all_passed(&self, ids: &[BuildkiteJobId]) -> bool {
        self.count(ids, &[JobState::Passed]) == ids.len()
    }

    /// Waits until all of these run; returns how long that took.
    pub(crate) async fn until_all_run(&self, ids: &[BuildkiteJobId]) -> Duration {
        within(PATIENCE, "all builds run", async || self.all_run(ids)).await
    }

    /// Waits until all of these have passed; returns how long that took.
    pub(crate) async fn until_all_passed(&self, ids: &[BuildkiteJobId]) -> Duration {
        within(PATIENCE, "all builds pass", async || self.all_passed(ids)).await
    }

    /// Waits until the home namespace has no pod; returns how long that took.
    pub(crate) async fn until_no_pod_left(&self) -> Duration {
        within(PATIENCE, "no pod is left", async || self.home.pods.none_left()).await
    }

    /// How often the controllers asked agents to stop.
    pub(crate) fn stops(&self) -> usize {
        self.fake().inner().observed().stops().count()
    }

    /// The uid of the pod in which the real agent ran this.
    pub(crate) fn pod_of(&self, id: &BuildkiteJobId) -> Option<String> {
        let runs = self.agent.runs();
        runs.into_iter()
            .find(|run| run.buildkite_job == id.as_str())
            .map(|run| run.pod)
    }

    /// How often the real agents began to run this.
    pub(crate) fn agent_runs(&self, id: &BuildkiteJobId) -> usize {
        let runs = self.agent.runs();
        runs.iter().filter(|run| run.buildkite_job == id.as_str()).count()
    }

    /// How the controller of most cases is started: for the home namespace, with short times.
    pub(crate) fn launch(&self) -> Launch {
        Launch {
            kubeconfig: self.cluster.kubeconfig().to_owned(),
            buildkite: self.buildkite.url(),
            namespace: Some(self.home.namespace.clone()),
            interval: 1,
            idle_timeout: 3,
            startup_timeout: 600,
            verbose: false,
            leader_elect: false,
            clock: None,
            dry_run: false,
        }
    }

    /// Starts a controller; it is ended with the case.
    pub(crate) async fn start(&self, launch: Launch) -> Arc<Controller> {
        let controller = Controller::spawn(launch.command()).await;
        self.controllers().push(Arc::clone(&controller));
        controller
    }

    /// Starts the controller of most cases.
    pub(crate) async fn start_default(&self) -> Arc<Controller> {
        self.start(self.launch()).await
    }

    /// The controllers so far, those in pods included, in the order of their start.
    pub(crate) fn started(&self) -> Vec<Arc<Controller>> {
        self.controllers().clone()
    }

    /// Shows how long something took.
    pub(crate) fn tell(&self, what: &str, took: Duration) {
        eprintln!("{}: {what}: {:.1} s", self.home.namespace, took.as_secs_f64());
    }

    /// Now, as the fake Buildkite sees it.
    pub(crate) fn now(&self) -> Timestamp {
        wall_clock()
    }

    pub(super) fn controllers(&self) -> MutexGuard<'_, Vec<Arc<Controller>>> {
        self.controllers.all()
    }

    pub(super) fn realms(&self) -> [&Realm; 2] {
        [&self.home, &self.away]
    }

    /// Ends the controllers, checks what holds in every case, and removes what is left.
    pub(super) async fn end(&self) {
        let controllers = self.controllers().clone();
        for controller in &controllers {
            let ended = controller.terminate(ENDS_WITHIN).await;
            assert!(ended.is_some(), "the controller does not end on SIGTERM");
            controller.read_to_end().await;
        }
        promises::check(self).await;
        for realm in self.realms() {
            let everything = (DeleteParams::background(), ListParams::default());
            let templates = self
                .templates(realm)
                .delete_collection(&everything.0, &everything.1)
                .await;
            templates.expect("the Jobs are deleted");
            let pods: Api<Pod> = Api::namespaced(self.cluster.client(), &realm.namespace);
            let pods = pods.delete_collection(&everything.0, &everything.1).await;
            pods.expect("the pods are deleted");
        }
        for realm in self.realms() {
            within(PATIENCE, "no pod is left", async || realm.pods.none_left()).await;
        }
        promises::nothing_runs(self);
    }

    fn templates(&self, realm: &Realm) -> Api<Job> {
        Api::namespaced(self.cluster.client(), &realm.namespace)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !thread::panicking() {
            return;
        }
        for controller in self.controllers().iter() {
            eprintln!(
                "--- the controller in {} wrote:\n{}",
                self.home.namespace,
                controller.output()
            );
        }
        for story in self.realms().iter().flat_map(|realm| realm.pods.all()) {
            eprintln!("--- {story:?}");
        }
    }
}

impl Realm {
    async fn new(cluster: &Cluster, namespace: String, programs: &Programs) -> Self {
        cluster.workloads().add(&namespace, programs.clone());
        let client = cluster.client();
        let manifest = serde_json::from_value(json!({"metadata": {"name": namespace}})).expect("a namespace");
        let namespaces: Api<Namespace> = Api::all(client.clone());
        namespaces
            .create(&PostParams::default(), &manifest)
            .await
            .expect("a namespace");
        let secret = json!({
            "metadata": {"name": "buildkite-agent-token"},
            "stringData": {"BUILDKITE_AGENT_TOKEN": FakeBuildkite::AGENT_TOKEN},
        });
        let secret = serde_json::from_value(secret).expect("a secret");
        let secrets: Api<Secret> = Api::namespaced(client.clone(), &namespace);
        secrets.create(&PostParams::default(), &secret).await.expect("a secret");
        let pods = Pods::watch(client, &namespace, SECRETS);
        Self { namespace, pods }
    }
}
