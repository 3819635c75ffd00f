//! The very requests that the controller would send for a burst.

use std::sync::Arc;

use buildscaler_core::{
    Action, BuildkiteJob, ClusterView, Command, Config, Controller, Input, JobState, Look, LookEnd, Outcome, Spending,
    Template, View,
};
use buildscaler_simulator::loopback::wall_clock;
use buildscaler_wire::{Exchange, Surroundings};
use http::Request;
use serde_json::{Value, json};

/// A Job such as users write, for the queue.
pub(crate) fn template(queue: &str) -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": format!("{queue}-template"),
            "labels": {"app.elotl.co": "buildscaler", "buildscaler.elotl.co/queue": queue},
        },
        "spec": {
            "parallelism": 0,
            "template": {"spec": {
                "restartPolicy": "Never",
                "containers": [{
                    "name": "agent",
                    "image": "buildkite/agent:3",
                    "envFrom": [{"secretRef": {"name": "buildkite-agent-token"}}],
                    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
                }],
            }},
        },
    })
}

/// The creates for so many waiting jobs on the queue of a template, which is
/// given as the API shows it.
pub(crate) fn orders(template: &Value, count: usize) -> Vec<Request<Vec<u8>>> {
    let template = buildscaler_wire::template(template).expect("a template");
    let mut controller = Controller::new(Config::default());
    let mut waiting = decide(&mut controller, template, count);
    let mut orders = Vec::new();
    while let Some(command) = waiting.pop() {
        let id = command.id;
        orders.extend(order(command));
        let done = Input::Outcome {
            id,
            outcome: Outcome::Done,
            spending: Spending::default(),
        };
        waiting.extend(controller.step(wall_clock(), done).commands);
    }
    assert_eq!(orders.len(), count, "every waiting job gets its pod");
    orders
}

/// Shows the controller a queue with so many waiting jobs and no pod.
fn decide(controller: &mut Controller, template: Template, count: usize) -> Vec<Command> {
    let now = wall_clock();
    let jobs = (0..count).map(|number| BuildkiteJob {
        id: format!("job-{number}").into(),
        state: JobState::Scheduled,
        queue: template.queue.clone().expect("the template names its queue"),
        rules: Vec::new(),
        runnable_at: Some(now),
        started_at: None,
    });
    let look = Look {
        begun_at: now,
        jobs: jobs.collect(),
        agents: Vec::new(),
        end: LookEnd::Complete,
        spending: Spending::default(),
    };
    let asked = controller.step(now, Input::Tick).commands;
    let view = ClusterView {
        begun_at: now,
        templates: View::Complete(vec![Arc::new(template)]),
        pods: View::Complete(Vec::new()),
    };
    let id = asked.first().map(|command| command.id);
    let asked = controller.step(now, Input::Cluster { id, view }).commands;
    let id = asked.first().expect("a look at Buildkite").id;
    controller.step(now, Input::Buildkite { id, look }).commands
}

fn order(command: Command) -> Option<Request<Vec<u8>>> {
    if !matches!(command.action, Action::CreatePod(_)) {
        return None;
    }
    let surroundings = Surroundings {
        organization: String::new(),
        namespace: None,
    };
    let now = wall_clock();
    let request = Exchange::begin(command, &surroundings, now).next_request(now)?;
    Some(request.http)
}
