//! The domain fidelity: actions applied directly to plain records.

mod lease;
mod look;
mod strike;
mod talk;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use buildscaler_core::{
    ClusterView, Command, CreatePod, Failure, Input, Pod, PodStage, Template, TemplateHash, Timestamp, Uid, View,
    labels,
};

use super::container::AgentSettings;
use super::fidelity::{Effect, Fidelity, NAMESPACE, NO_IMAGE, Outside, Passage, PodRef, Told};
use super::manifest::job_manifest;
use crate::kubernetes::{Controllers, DeleteOptions, FakeKubernetes, Propagation, Resource, Settings};
use crate::scenario::TemplateSpec;
use lease::LeaseObject;
use talk::Seen;
pub(crate) use talk::Talk;

/// The longest hostname.
const HOSTNAME_LENGTH: usize = 63;

/// Kubernetes as two tables.
#[derive(Debug)]
pub(crate) struct Domain {
    /// Admits templates, which are few, and deals out uids: both are as on the
    /// wire.
    jobs: FakeKubernetes,
    templates: BTreeMap<String, Arc<Template>>,
    pods: BTreeMap<String, Held>,
    /// What lists showed before, where that may be shown again.
    shown: Seen,
    lease: LeaseObject,
}

/// A pod and what only the cluster knows of it.
#[derive(Debug)]
struct Held {
    pod: Arc<Pod>,
    bound: bool,
    /// What is left of its grace, in whole: the pod's own until it is deleted.
    grace: Duration,
}

/// Kubernetes as worlds need it: an API server by itself.
pub(crate) fn api_server(seed: u64) -> FakeKubernetes {
    let mut fake = FakeKubernetes::new(Settings {
        controllers: Controllers::NONE,
        seed,
        ..Settings::default()
    });
    fake.add_namespace(Timestamp::default(), NAMESPACE);
    fake
}

impl Fidelity for Domain {
    type Talk = Talk;

    fn new(seed: u64) -> Self {
        Self {
            jobs: api_server(seed),
            templates: BTreeMap::new(),
            pods: BTreeMap::new(),
            shown: Seen::default(),
            lease: LeaseObject::default(),
        }
    }

    fn create_template(&mut self, now: Timestamp, spec: &TemplateSpec) {
        let created = self.jobs.create(now, Resource::Jobs, NAMESPACE, job_manifest(spec));
        let read = created.ok().and_then(|object| buildscaler_wire::template(&object).ok());
        if let Some(template) = read {
            self.templates.insert(spec.name.clone(), Arc::new(template));
        }
    }

    fn delete_template(&mut self, now: Timestamp, name: &str) {
        let options = DeleteOptions {
            propagation: Some(Propagation::Background),
            ..DeleteOptions::default()
        };
        drop(self.jobs.delete(now, Resource::Jobs, NAMESPACE, name, &options));
        self.templates.remove(name);
    }

    fn bind(&mut self, _now: Timestamp, pod: PodRef<'_>, _node: u32) {
        if let Some(held) = self.pods.get_mut(pod.name) {
            held.bound = true;
            let pod = Arc::make_mut(&mut held.pod);
            pod.stage = PodStage::Starting;
            pod.trouble = None;
        }
    }

    fn tell(&mut self, _now: Timestamp, pod: PodRef<'_>, told: Told) {
        let Some(held) = self.pods.get_mut(pod.name) else {
            return;
        };
        let pod = Arc::make_mut(&mut held.pod);
        match told {
            Told::Unschedulable => pod.trouble = Some("Unschedulable".into()),
            Told::NoImage => {
                pod.trouble = Some("ErrImagePull".into());
                pod.message = Some(NO_IMAGE.into());
            }
            Told::Running => pod.stage = PodStage::Running,
            Told::Succeeded => pod.stage = PodStage::Succeeded,
            Told::Failed => {
                pod.stage = PodStage::Failed;
                pod.trouble = Some("Error, exit code 1".into());
            }
        }
    }

    fn delete_pod(&mut self, _now: Timestamp, pod: PodRef<'_>) -> bool {
        matches!(
            self.delete(pod.name, pod.uid, None),
            Ok(Effect::Deleted { gone: true, .. })
        )
    }

    fn remove_pod(&mut self, _now: Timestamp, pod: PodRef<'_>) {
        self.pods.remove(pod.name);
    }

    fn watched(&mut self, now: Timestamp) -> Option<ClusterView> {
        Some(ClusterView {
            begun_at: now,
            templates: View::Complete(self.list_templates()),
            pods: View::Complete(self.list_pods()),
        })
    }

    fn begin(&mut self, command: Command, clock: Timestamp) -> Talk {
        Talk::begin(command, clock)
    }

    fn send(&mut self, talk: &mut Talk, clock: Timestamp) -> Option<bool> {
        talk.send(clock)
    }

    fn serve(&mut self, talk: &mut Talk, outside: &mut Outside, now: Timestamp) -> Passage {
        talk.serve(self, outside, now)
    }

    fn absorb(&mut self, talk: &mut Talk, clock: Timestamp) {
        talk.absorb(clock);
    }

    fn finish(talk: Talk, _clock: Timestamp) -> Input {
        talk.finish()
    }
}

impl Domain {
    fn list_templates(&self) -> Vec<Arc<Template>> {
        self.templates.values().map(Arc::clone).collect()
    }

    fn list_pods(&self) -> Vec<Arc<Pod>> {
        self.pods.values().map(|held| Arc::clone(&held.pod)).collect()
    }

    fn create(&mut self, now: Timestamp, create: &CreatePod) -> Result<Effect, Failure> {
        // The API server draws the uid before it looks at the name.
        let uid = Uid::from(self.jobs.next_uid());
        if self.pods.contains_key(&create.name) {
            return Err(Failure::AlreadyExists {
                message: format!("pods \"{}\" already exists", create.name),
            });
        }
        let label = |key: &str| create.manifest["metadata"]["labels"][key].as_str();
        let agent = AgentSettings::read(&create.manifest["spec"]);
        let pod = Pod {
            uid: uid.clone(),
            namespace: create.namespace.clone(),
            name: create.name.clone(),
            queue: Some(create.queue.clone()),
            template_uid: Some(create.template.clone()),
            template_hash: label(labels::TEMPLATE_HASH).map(TemplateHash::from),
            created_at: whole_second(now),
            deleting: false,
            stage: PodStage::Unscheduled,
            hostname: Some(create.name.chars().take(HOSTNAME_LENGTH).collect()),
            trouble: None,
            message: None,
            adopted: false,
        };
        self.pods.insert(
            create.name.clone(),
            Held {
                pod: Arc::new(pod),
                bound: false,
                grace: agent.grace,
            },
        );
        Ok(Effect::Created {
            uid,
            name: create.name.clone(),
            queue: create.queue.clone(),
            agent,
        })
    }

    /// Deletes a pod as the API server does: at once if no process can be
    /// running, else with a grace that can only become shorter.
    fn delete(&mut self, name: &str, uid: &Uid, asked: Option<u32>) -> Result<Effect, Failure> {
        let Some(held) = self.pods.get_mut(name) else {
            return Err(Failure::NotFound {
                message: format!("pods \"{name}\" not found"),
            });
        };
        if held.pod.uid != *uid {
            return Err(Failure::AlreadyExists {
                message: format!("the uid of pod \"{name}\" is another one"),
            });
        }
        let asked = asked.map(|seconds| Duration::from_secs(seconds.into()));
        let own = held.grace;
        let grace = match asked {
            Some(asked) if held.pod.deleting => asked.min(own),
            Some(asked) => asked,
            None => own,
        };
        let gone = !held.bound || held.pod.stage.is_finished() || grace.is_zero();
        if gone {
            self.pods.remove(name);
        } else {
            held.grace = grace;
            Arc::make_mut(&mut held.pod).deleting = true;
        }
        Ok(Effect::Deleted {
            uid: uid.clone(),
            gone,
            grace,
        })
    }
}

/// Kubernetes keeps creation times to the second.
fn whole_second(now: Timestamp) -> Timestamp {
    Timestamp::from_millis(now.as_millis().div_euclid(1000) * 1000)
}
