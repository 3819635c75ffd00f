//! Both fakes on loopback, and what a scenario's users do in them.

use std::collections::BTreeMap;
use std::io;

use serde_json::json;

use super::buildkite::BuildkiteServer;
use super::kubernetes::KubernetesServer;
use super::wall_clock;
use crate::buildkite::{FakeBuildkite, Switches};
use crate::kubernetes::{DeleteOptions, FakeKubernetes, Propagation, Resource};
use crate::scenario::{Event, TemplateSpec};
use crate::world::{NAMESPACE, build_spec, job_manifest};

/// Both fakes, served to whoever comes: a controller, kubectl, agents.
///
/// There is no kubelet: a pod stays `Pending` until a client says otherwise.
#[derive(Debug)]
pub struct Stage {
    kubernetes: KubernetesServer,
    buildkite: BuildkiteServer,
    /// The builds' numbers, by the names that the scenario gives them.
    builds: BTreeMap<String, u64>,
}

impl Stage {
    /// The namespace of templates and pods.
    pub const NAMESPACE: &str = NAMESPACE;

    /// Serves both on free ports, with the Secret that templates refer to.
    pub async fn start() -> io::Result<Self> {
        let kubernetes = KubernetesServer::start(FakeKubernetes::new(Default::default())).await?;
        let buildkite = BuildkiteServer::start(FakeBuildkite::new(Switches::default())).await?;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": "buildkite-agent-token", "namespace": NAMESPACE},
            "stringData": {"BUILDKITE_AGENT_TOKEN": FakeBuildkite::AGENT_TOKEN},
        });
        kubernetes
            .with(|fake, now| {
                fake.add_namespace(now, NAMESPACE);
                fake.create(now, Resource::Secrets, NAMESPACE, secret)
            })
            .map_err(|refusal| io::Error::other(format!("{refusal:?}")))?;
        Ok(Self {
            kubernetes,
            buildkite,
            builds: BTreeMap::new(),
        })
    }

    /// The fake Kubernetes.
    pub const fn kubernetes(&self) -> &KubernetesServer {
        &self.kubernetes
    }

    /// The fake Buildkite.
    pub const fn buildkite(&self) -> &BuildkiteServer {
        &self.buildkite
    }

    /// Does what users do in an event and says so; nothing where the event is
    /// a failure or an accident, which are left to whoever tries clients.
    pub fn happen(&mut self, event: &Event) -> Option<String> {
        match event {
            Event::Build(build) => {
                let spec = build_spec(build);
                let created = self.buildkite.fake().inner_mut().create_build(wall_clock(), spec);
                if let Some(id) = &build.id {
                    self.builds.insert(id.clone(), created.number);
                }
                let jobs = created.jobs.len();
                Some(format!("build {} created: {jobs} jobs and steps", created.number))
            }
            Event::CancelBuild(id) => self.with_build(id, "canceled", FakeBuildkite::cancel_build),
            Event::Unblock(id) => self.with_build(id, "unblocked", FakeBuildkite::unblock),
            Event::ApplyTemplate(spec) => Some(self.apply(spec)),
            Event::DeleteTemplate(name) => Some(self.delete(name)),
            Event::PauseAgents(_)
            | Event::ResumeAgents(_)
            | Event::LoseNode(_)
            | Event::AddNodes(_)
            | Event::KillPods(_)
            | Event::DeletePods(_)
            | Event::CrashController
            | Event::StopController
            | Event::StartController
            | Event::StartSecondController
            | Event::StopSecondController
            | Event::EndController
            | Event::PauseController(_)
            | Event::ClockForward(_)
            | Event::ClockBack(_)
            | Event::Fault(_)
            | Event::SpendRequests(_)
            | Event::FaultsEnd => None,
        }
    }

    /// Applies a template, as a user does: one of its name is deleted before.
    pub fn apply(&self, spec: &TemplateSpec) -> String {
        self.delete(&spec.name);
        let manifest = job_manifest(spec);
        let created = self
            .kubernetes
            .with(|fake, now| fake.create(now, Resource::Jobs, NAMESPACE, manifest));
        match created {
            Ok(_) => format!("template {} applied (queue {})", spec.name, spec.queue()),
            Err(refusal) => format!("template {} refused: {refusal:?}", spec.name),
        }
    }

    /// Closes both ports.
    pub async fn stop(self) {
        self.kubernetes.stop().await;
        self.buildkite.shutdown().await;
    }

    fn delete(&self, name: &str) -> String {
        let options = DeleteOptions {
            propagation: Some(Propagation::Background),
            ..DeleteOptions::default()
        };
        let deleted = self
            .kubernetes
            .with(|fake, now| fake.delete(now, Resource::Jobs, NAMESPACE, name, &options));
        match deleted {
            Ok(_) => format!("template {name} deleted"),
            Err(refusal) => format!("template {name} not deleted: {refusal:?}"),
        }
    }

    fn with_build(
        &self,
        id: &str,
        what: &str,
        act: fn(&mut FakeBuildkite, buildscaler_core::Timestamp, u64),
    ) -> Option<String> {
        let number = *self.builds.get(id)?;
        act(self.buildkite.fake().inner_mut(), wall_clock(), number);
        Some(format!("build {number} {what}"))
    }
}
