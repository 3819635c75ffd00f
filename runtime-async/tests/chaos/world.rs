//! Both fakes, a kubelet with agents, and the controllers of a story.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use buildscaler_core::{AgentId, labels};
use buildscaler_simulator::buildkite::{FakeBuildkite, JobState, Limits};
use buildscaler_simulator::fault::Faulty;
use buildscaler_simulator::kubernetes::{FakeKubernetes, Resource, Rule, Settings, User};
use buildscaler_simulator::loopback::buildkite::BuildkiteServer;
use buildscaler_simulator::loopback::kubernetes::KubernetesServer;
use buildscaler_testbed::agent::Synthetic;
use buildscaler_testbed::kubelet::{self, Kubelet};
use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;

use crate::controllers::{CLUSTER_TOKEN, Controller, Ending, Upstreams};
use crate::faults::Call;
use crate::proxy::{Chaos, Guard, Passed};
use crate::story::Story;

pub(crate) const NAMESPACE: &str = "default";
/// A delete with less grace than this must not meet a busy agent.
const GENTLE: u64 = 60 * 60;

pub(crate) struct World {
    pub(crate) kubernetes: KubernetesServer,
    pub(crate) buildkite: BuildkiteServer,
    pub(crate) kubelet: Option<Kubelet>,
    pub(crate) kills: Vec<String>,
    pub(crate) chaos: Arc<Chaos>,
    pub(crate) controllers: Vec<Controller>,
    pub(crate) upstreams: Upstreams,
    /// Deletes that met a busy agent.
    pub(crate) rude: Arc<Mutex<Vec<String>>>,
    /// What the story did, as it did it.
    pub(crate) notes: Vec<String>,
    pub(crate) templates: u32,
    pub(crate) paused: BTreeSet<String>,
    /// When all jobs had run, and when all pods were gone.
    pub(crate) served: Duration,
    pub(crate) gone: Duration,
}

impl World {
    pub(crate) async fn start(story: &Story) -> Self {
        let kubernetes = KubernetesServer::start(FakeKubernetes::new(Settings::default()))
            .await
            .expect("served");
        let mut fake = FakeBuildkite::new(story.switches.clone());
        fake.limits = Limits {
            user: story.limit,
            organization: 4000,
            ..Limits::default()
        };
        let buildkite = BuildkiteServer::start(fake).await.expect("served");
        kubernetes.with(|fake, _| {
            fake.add_user(User {
                name: "system:serviceaccount:default:buildscaler".into(),
                token: CLUSTER_TOKEN.into(),
                rules: vec![
                    Rule::new(&["list", "watch"], "batch", &["jobs"]),
                    Rule::new(&["list", "watch", "create", "delete"], "", &["pods"]),
                    Rule::new(&["create"], "events.k8s.io", &["events"]),
                ],
            });
        });
        let kubelet = start_kubelet(story, &kubernetes, &buildkite).await;
        let rude = Arc::<Mutex<Vec<String>>>::default();
        let guard = against_rude_deletes(buildkite.shared(), Arc::clone(&rude));
        let chaos = Arc::new(Chaos::new(story.faults.clone(), story.seed, guard));
        let upstreams = Upstreams {
            kubernetes: kubernetes.url(),
            buildkite: buildkite.url(),
        };
        Self {
            kubernetes,
            buildkite,
            kubelet: Some(kubelet),
            kills: Vec::new(),
            chaos,
            controllers: Vec::new(),
            upstreams,
            rude,
            notes: Vec::new(),
            templates: 0,
            paused: BTreeSet::new(),
            served: Duration::ZERO,
            gone: Duration::ZERO,
        }
    }

    /// The pods that carry our label.
    pub(crate) fn pods(&self) -> Vec<Arc<Value>> {
        self.kubernetes.with(|fake, _| {
            let pods = fake.objects(Resource::Pods, NAMESPACE);
            pods.filter(|pod| pod["metadata"]["labels"][labels::APP] == labels::APP_VALUE)
                .map(Arc::clone)
                .collect()
        })
    }

    /// The controllers that run now, the oldest first.
    pub(crate) fn running(&mut self) -> Vec<usize> {
        let controllers = self.controllers.iter_mut().enumerate();
        controllers
            .filter_map(|(life, controller)| controller.runs().then_some(life))
            .collect()
    }

    pub(crate) fn note(&mut self, text: String) {
        self.notes.push(format!("{:?} {text}", self.chaos.elapsed()));
    }

    /// Ends the controllers and the kubelet.
    pub(crate) async fn end(&mut self) {
        for life in self.running() {
            self.controllers[life].end(Ending::Asked).await;
        }
        if let Some(kubelet) = self.kubelet.take() {
            self.kills = kubelet.kills().iter().map(|kill| format!("{kill:?}")).collect();
            kubelet.stop().await.expect("it stops");
        }
    }

    /// What happened, in a line.
    pub(crate) fn summary(&self, story: &Story) -> String {
        let passed = self.chaos.passed();
        let count = |call| {
            passed
                .iter()
                .filter(|passed| passed.call == Some(call) && passed.status.is_some())
                .count()
        };
        let struck = passed.iter().filter(|passed| passed.effect.is_some()).count();
        let [served, gone] = [self.served, self.gone].map(|at| at.saturating_sub(story.span).as_secs());
        format!(
            "{} controllers, {struck} of {} requests harmed, {} creates, {} stops, {} deletes, \
             served {served} s and empty {gone} s after the faults",
            self.controllers.len(),
            passed.len(),
            count(Call::Create),
            count(Call::Stop),
            count(Call::Delete),
        )
    }

    /// All that happened, for who has to find out why.
    pub(crate) fn history(&self) -> String {
        let mut text = String::new();
        let mut line = |words: String| {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{words}");
        };
        self.notes.iter().for_each(|note| line(note.clone()));
        for passed in self.chaos.passed() {
            let Passed {
                at,
                life,
                method,
                target,
                effect,
                status,
                body,
                ..
            } = passed;
            let body = if body.len() < 300 {
                String::from_utf8_lossy(&body).into_owned()
            } else {
                String::new()
            };
            line(format!(
                "{at:?} #{life} {method} {target} {body} -> {status:?} {effect:?}"
            ));
        }
        for happening in self.buildkite.fake().inner().truth().happenings() {
            line(format!("{happening:?}"));
        }
        for agent in self.buildkite.fake().inner().agents() {
            line(format!("{} {:?} {:?}", agent.id, agent.state, agent.tags));
        }
        for pod in self.pods() {
            line(format!("pod {} {}", pod["metadata"], pod["status"]));
        }
        for (life, controller) in self.controllers.iter().enumerate() {
            line(format!(
                "--- controller {life}: {:?}\n{}",
                controller.ended,
                controller.output()
            ));
        }
        text
    }
}

async fn start_kubelet(story: &Story, kubernetes: &KubernetesServer, buildkite: &BuildkiteServer) -> Kubelet {
    let kubeconfig = Kubeconfig::from_yaml(&kubernetes.kubeconfig()).expect("a kubeconfig");
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let client = Client::try_from(config.expect("a configuration")).expect("a client");
    let options = kubelet::Options {
        start_up: story.start_up,
        ..kubelet::Options::default()
    };
    let agents = Synthetic::at(buildkite.agent_endpoint()).expect("agents");
    Kubelet::start(client, options, Arc::new(agents))
        .await
        .expect("a kubelet")
}

/// Notes every ordinary delete of a pod whose agent has work at that moment.
fn against_rude_deletes(buildkite: Arc<Mutex<Faulty<FakeBuildkite>>>, rude: Arc<Mutex<Vec<String>>>) -> Guard {
    Box::new(move |passed| {
        if passed.call != Some(Call::Delete) {
            return;
        }
        let options: Value = serde_json::from_slice(&passed.body).unwrap_or_default();
        let uid = options["preconditions"]["uid"].as_str().unwrap_or_default();
        let grace = options["gracePeriodSeconds"].as_u64().unwrap_or(0);
        let fake = buildkite.lock().unwrap_or_else(PoisonError::into_inner);
        let tag = format!("pod-uid={uid}");
        let busy: Vec<AgentId> = fake
            .inner()
            .agents()
            .filter(|agent| agent.tags.contains(&tag))
            .filter(|agent| {
                let held = fake.inner().held_by(&agent.id);
                held.is_some_and(|held| matches!(held.state, JobState::Accepted | JobState::Running))
            })
            .map(|agent| agent.id.clone())
            .collect();
        if uid.is_empty() || (!busy.is_empty() && grace < GENTLE) {
            let mut rude = rude.lock().unwrap_or_else(PoisonError::into_inner);
            rude.push(format!("{} {options} while {busy:?} had work", passed.target));
        }
    })
}

/// How often conditions are looked at.
pub(crate) const GLANCE: Duration = Duration::from_millis(50);
