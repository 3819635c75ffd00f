//! A fake cluster and requests to it.

use buildscaler_core::Timestamp;
use buildscaler_simulator::kubernetes::{Controllers, FakeKubernetes, Reply, Resource, Settings, Subscription};
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

pub(crate) const PODS: &str = "/api/v1/namespaces/default/pods";

pub(crate) struct World {
    pub(crate) fake: FakeKubernetes,
    pub(crate) now: Timestamp,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(Settings::default())
    }

    /// An API server all by itself.
    pub(crate) fn without_controllers() -> Self {
        Self::with(Settings {
            controllers: Controllers::NONE,
            ..Settings::default()
        })
    }

    pub(crate) fn with(settings: Settings) -> Self {
        Self {
            fake: FakeKubernetes::new(settings),
            now: Timestamp::from_millis(1_800_000_000_000),
        }
    }

    pub(crate) fn request(&mut self, method: Method, path: &str, body: &Value) -> Reply {
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let request = Request::builder().method(method).uri(path).body(body).unwrap();
        self.fake.handle(self.now, &request)
    }

    pub(crate) fn answer(&mut self, method: Method, path: &str, body: &Value) -> (StatusCode, Value) {
        match self.request(method, path, body) {
            Reply::Response(response) => {
                let body = serde_json::from_slice(response.body()).unwrap();
                (response.status(), body)
            }
            Reply::Watch(watch) => panic!("a watch: {watch:?}"),
        }
    }

    pub(crate) fn get(&mut self, path: &str) -> (StatusCode, Value) {
        self.answer(Method::GET, path, &Value::Null)
    }

    pub(crate) fn watch(&mut self, query: &str) -> Subscription {
        match self.request(Method::GET, &format!("{PODS}?watch=true&{query}"), &Value::Null) {
            Reply::Watch(watch) => watch,
            Reply::Response(response) => panic!("no watch: {response:?}"),
        }
    }

    pub(crate) fn events(&self, watch: &mut Subscription) -> Vec<Value> {
        self.fake.watch_events(self.now, watch)
    }

    pub(crate) fn create(&mut self, pod: Value) -> Value {
        Value::clone(&self.fake.create(self.now, Resource::Pods, "default", pod).unwrap())
    }

    pub(crate) fn add_node(&mut self, name: &str, ready: &str) {
        let node = json!({
            "metadata": { "name": name },
            "status": { "allocatable": { "pods": "1000" }, "conditions": [{ "type": "Ready", "status": ready }] },
        });
        self.fake.create(self.now, Resource::Nodes, "", node).unwrap();
    }

    pub(crate) fn pod(&self, name: &str) -> Option<Value> {
        self.fake
            .object(Resource::Pods, "default", name)
            .map(|pod| Value::clone(&pod))
    }

    /// Lets so many seconds pass, during which the controllers act when they wish to.
    pub(crate) fn pass(&mut self, seconds: u64) {
        let end = self.now.after(std::time::Duration::from_secs(seconds));
        while let Some(wake) = self.fake.tick(self.now).filter(|&wake| wake <= end) {
            self.now = wake;
        }
        self.now = end;
        self.fake.tick(self.now);
    }
}

pub(crate) fn pod(name: &str) -> Value {
    json!({
        "metadata": { "name": name },
        "spec": { "restartPolicy": "Never", "containers": [{ "name": "agent", "image": "agent:1" }] },
    })
}
