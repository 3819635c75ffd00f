//! Does what a story says.

use std::time::Duration;

use buildscaler_core::{Queue, labels};
use buildscaler_simulator::buildkite::FakeBuildkite;
use buildscaler_simulator::kubernetes::{DeleteOptions, Resource};
use buildscaler_simulator::loopback::wall_clock;
use serde_json::{Value, json};

use crate::controllers::{Controller, Ending};
use crate::story::{Event, Story, TAG};
use crate::world::{NAMESPACE, World};

/// Plays the story up to the end of its faults; then one controller runs.
pub(crate) async fn play(story: &Story, world: &mut World) {
    for (at, event) in &story.events {
        let left = at.saturating_sub(world.chaos.elapsed());
        tokio::time::sleep(left).await;
        world.note(format!("{event:?}"));
        happen(story, world, event).await;
    }
    tokio::time::sleep(story.span.saturating_sub(world.chaos.elapsed())).await;
    world.chaos.end();
    world.note("the faults end".into());
    let running = world.running();
    for life in running.iter().skip(1) {
        world.controllers[*life].end(Ending::Killed).await;
    }
    if running.is_empty() {
        start(story, world).await;
    }
}

async fn happen(story: &Story, world: &mut World, event: &Event) {
    match event {
        Event::Build(build) => {
            let mut fake = world.buildkite.fake();
            fake.inner_mut().create_build(wall_clock(), build.clone());
        }
        Event::CancelBuild => {
            let mut fake = world.buildkite.fake();
            let newest = fake.inner().builds().last().map(|build| build.number);
            if let Some(newest) = newest {
                fake.inner_mut().cancel_build(wall_clock(), newest);
            }
        }
        Event::AddTemplate(queue) => {
            if templates_of(world, queue).is_empty() {
                add_template(story, world, queue);
            }
        }
        Event::DeleteTemplates(queue) => delete_templates(world, queue),
        Event::ReplaceTemplate(queue) => {
            delete_templates(world, queue);
            add_template(story, world, queue);
        }
        Event::Contest(queue) => add_template(story, world, queue),
        Event::Relabel(from, to) => change_templates(world, from, |template| {
            template["metadata"]["labels"][labels::QUEUE] = json!(to);
        }),
        Event::Parallelism(queue, parallelism) => change_templates(world, queue, |template| {
            template["spec"]["parallelism"] = json!(parallelism);
        }),
        Event::PauseQueue(queue) => {
            world.paused.insert(queue.clone());
            let mut fake = world.buildkite.fake();
            fake.inner_mut().pause_queue(wall_clock(), &Queue::from(queue.as_str()));
        }
        Event::ResumeQueue(queue) => {
            world.paused.remove(queue);
            let mut fake = world.buildkite.fake();
            fake.inner_mut()
                .resume_queue(wall_clock(), &Queue::from(queue.as_str()));
        }
        Event::KillController => end_one(world, Ending::Killed).await,
        Event::EndController => end_one(world, Ending::Asked).await,
        Event::StartController => start(story, world).await,
        Event::CutWatches => world.kubernetes.cut_watches(),
        Event::Compact => world.kubernetes.compact(),
        Event::LoseAgentlessPod => lose_a_pod(world),
    }
}

async fn start(story: &Story, world: &mut World) {
    let life = world.controllers.len();
    let controller = Controller::start(story, &world.upstreams, &world.chaos, life).await;
    world.controllers.push(controller);
}

/// Ends the oldest controller that runs.
async fn end_one(world: &mut World, ending: Ending) {
    if let Some(life) = world.running().first() {
        world.controllers[*life].end(ending).await;
    }
}

fn templates_of(world: &World, queue: &str) -> Vec<Value> {
    world.kubernetes.with(|fake, _| {
        let templates = fake.objects(Resource::Jobs, NAMESPACE);
        templates
            .filter(|template| template["metadata"]["labels"][labels::QUEUE] == queue)
            .map(|template| (**template).clone())
            .collect()
    })
}

fn delete_templates(world: &World, queue: &str) {
    for template in templates_of(world, queue) {
        let name = template["metadata"]["name"].as_str().expect("a name").to_owned();
        world.kubernetes.with(|fake, now| {
            let deleted = fake.delete(now, Resource::Jobs, NAMESPACE, &name, &DeleteOptions::default());
            deleted.expect("it was there");
        });
    }
}

fn change_templates(world: &World, queue: &str, change: impl Fn(&mut Value)) {
    for mut template in templates_of(world, queue) {
        change(&mut template);
        world.kubernetes.with(|fake, _| {
            fake.update(Resource::Jobs, template).expect("it is good");
        });
    }
}

/// A user deletes the first pod that no agent has come from yet.
fn lose_a_pod(world: &World) {
    let tags: Vec<String> = {
        let fake = world.buildkite.fake();
        fake.inner().agents().flat_map(|agent| agent.tags.clone()).collect()
    };
    let lost = world.pods().into_iter().find(|pod| {
        let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
        !tags.contains(&format!("pod-uid={uid}"))
    });
    if let Some(lost) = lost {
        let name = lost["metadata"]["name"].as_str().expect("a name");
        world.kubernetes.with(|fake, now| {
            // The kubelet may have been faster.
            drop(fake.delete(now, Resource::Pods, NAMESPACE, name, &DeleteOptions::default()));
        });
    }
}

fn add_template(story: &Story, world: &mut World, queue: &str) {
    world.templates += 1;
    let mut env = vec![
        json!({"name": "BUILDKITE_AGENT_TOKEN", "value": FakeBuildkite::AGENT_TOKEN}),
        json!({"name": "BUILDKITE_AGENT_TAGS", "value": TAG}),
    ];
    if story.agents_stay {
        env.push(json!({"name": labels::IDLE_TIMEOUT_VARIABLE, "value": "0"}));
    }
    let template = json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": format!("{queue}-{}", world.templates),
            "labels": {labels::APP: labels::APP_VALUE, labels::QUEUE: queue},
        },
        "spec": {"parallelism": 0, "template": {"spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": story.grace,
            "containers": [{"name": "agent", "image": "buildkite/agent:3", "env": env}],
        }}},
    });
    world.kubernetes.with(|fake, now| {
        fake.create(now, Resource::Jobs, NAMESPACE, template)
            .expect("it is good");
    });
}

/// Whether some template serves the queue.
pub(crate) fn is_served(world: &World, queue: &str) -> bool {
    templates_of(world, queue)
        .iter()
        .any(|template| template["spec"]["parallelism"] == 0 && template["metadata"]["deletionTimestamp"].is_null())
}

/// The longest that any step of the settling may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(75);
