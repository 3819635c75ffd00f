//! Templates as a user writes them.

use k8s_openapi::api::batch::v1::Job;
use serde_json::{Value, json};

use super::workloads::Image;

/// A Job like the one in the specification, to be applied to a world.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(super) name: String,
    queue: String,
    image: Image,
    parallelism: u32,
    restart_policy: &'static str,
    generation: u32,
    manual_selector: bool,
    annotations: Vec<(&'static str, &'static str)>,
}

impl Template {
    /// The plain one: the real agent, parallelism 0, and nothing that links agents to pods.
    pub(crate) fn new(name: &str, queue: &str) -> Self {
        Self {
            name: name.to_owned(),
            queue: queue.to_owned(),
            image: Image::Agent,
            parallelism: 0,
            restart_policy: "Never",
            generation: 1,
            manual_selector: false,
            annotations: Vec::new(),
        }
    }

    /// The same with another program.
    pub(crate) fn image(mut self, image: Image) -> Self {
        self.image = image;
        self
    }

    /// The same as it should not be.
    pub(crate) fn parallelism(mut self, parallelism: u32) -> Self {
        self.parallelism = parallelism;
        self
    }

    /// The same for containers that would be restarted.
    pub(crate) fn restarting(mut self) -> Self {
        self.restart_policy = "OnFailure";
        self
    }

    /// The same for another queue.
    pub(crate) fn queue(mut self, queue: &str) -> Self {
        self.queue = queue.to_owned();
        self
    }

    /// The same with an environment variable changed.
    pub(crate) fn generation(mut self, generation: u32) -> Self {
        self.generation = generation;
        self
    }

    /// The same with a selector of its own that fits every pod of Buildscaler.
    pub(crate) fn manual_selector(mut self) -> Self {
        self.manual_selector = true;
        self
    }

    /// The same with an annotation below `buildscaler.elotl.co/`.
    pub(crate) fn annotation(mut self, name: &'static str, value: &'static str) -> Self {
        self.annotations.push((name, value));
        self
    }

    pub(super) fn manifest(&self) -> Job {
        serde_json::from_value(self.json()).expect("a Job")
    }

    fn json(&self) -> Value {
        let mut manifest = json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": self.name,
                "labels": {"app.elotl.co": "buildscaler", "buildscaler.elotl.co/queue": self.queue},
            },
            "spec": {
                "parallelism": self.parallelism,
                "template": {
                    "spec": {
                        "restartPolicy": self.restart_policy,
                        "containers": [{
                            "name": "agent",
                            "image": self.image.name(),
                            "envFrom": [{"secretRef": {"name": "buildkite-agent-token"}}],
                            "env": [{"name": "GENERATION", "value": self.generation.to_string()}],
                        }],
                    },
                },
            },
        });
        for (name, value) in &self.annotations {
            manifest["metadata"]["annotations"][format!("buildscaler.elotl.co/{name}")] = json!(value);
        }
        if self.manual_selector {
            let labels = json!({"app.elotl.co": "buildscaler"});
            manifest["spec"]["manualSelector"] = json!(true);
            manifest["spec"]["selector"] = json!({"matchLabels": labels});
            manifest["spec"]["template"]["metadata"] = json!({"labels": labels});
        }
        manifest
    }
}
