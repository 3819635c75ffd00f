//! What must hold, whatever a story does.

use std::time::Duration;

use buildscaler_simulator::buildkite::{FakeBuildkite, JobKind};
use http::StatusCode;
use serde_json::json;

use crate::actor::{self, PATIENCE};
use crate::controllers::{CLUSTER_TOKEN, Ending};
use crate::faults::{Call, Effect};
use crate::proxy::Passed;
use crate::story::{Event, Story, UNMATCHABLE};
use crate::world::{GLANCE, World};

/// How late a request may have been sent before the answer that forbids it
/// was read.
const SLACK: Duration = Duration::from_millis(700);

/// Waits for all that must come once the faults have ended.
pub(crate) async fn in_the_end(story: &Story, world: &mut World) -> Vec<String> {
    let mut objections = Vec::new();
    if !within(world, |world| waiting(world).is_empty()).await {
        objections.push(format!("jobs that could run did not: {:?}", waiting(world)));
    }
    world.served = world.chaos.elapsed();
    world.note("all is served".into());
    if !within(world, |world| world.pods().is_empty()).await {
        let names: Vec<_> = world.pods().iter().map(|pod| pod["metadata"]["name"].clone()).collect();
        objections.push(format!("pods stay: {names:?}"));
    }
    world.gone = world.chaos.elapsed();
    world.note("all pods are gone".into());
    // Answers to the last deletes may be on their way.
    let rest = Duration::from_secs(story.sync_interval);
    tokio::time::sleep(rest).await;
    let before = world.chaos.passed().len();
    tokio::time::sleep(rest * 3).await;
    let restless: Vec<_> = world.chaos.passed().split_off(before);
    let restless: Vec<_> = restless
        .iter()
        .filter(|passed| writes(passed))
        .map(|passed| &passed.target)
        .collect();
    if !restless.is_empty() {
        objections.push(format!("it goes on: {restless:?}"));
    }
    if world.running().len() != 1 {
        objections.push("the controller is gone".into());
    }
    objections
}

/// What a look at the whole story shows.
pub(crate) fn of_the_past(story: &Story, world: &World) -> Vec<String> {
    let mut objections = Vec::new();
    let fake = world.buildkite.fake();
    let interruptions = fake.inner().truth().interruptions();
    if !interruptions.is_empty() {
        objections.push(format!("builds were cut off: {interruptions:?}"));
    }
    for stop in fake
        .inner()
        .observed()
        .stops()
        .filter(|stop| stop.json() != json!({"force": false}))
    {
        objections.push(format!("a stop that is not gentle: {stop:?}"));
    }
    drop(fake);
    for kill in &world.kills {
        objections.push(format!("a container was killed: {kill}"));
    }
    let rude = world.rude.lock().expect("sound");
    objections.extend(rude.iter().map(|rude| format!("a busy pod was deleted: {rude}")));
    let passed = world.chaos.passed();
    objections.extend(too_many_pods(story, world, &passed));
    objections.extend(impatience(&passed));
    objections.extend(greed(story, world, &passed));
    for (life, controller) in world.controllers.iter().enumerate() {
        let output = controller.output();
        for secret in [FakeBuildkite::ACCESS_TOKEN, FakeBuildkite::AGENT_TOKEN, CLUSTER_TOKEN] {
            if output.contains(secret) {
                objections.push(format!("controller {life} shows {secret}"));
            }
        }
        if output.contains("panicked") {
            objections.push(format!("controller {life} panicked"));
        }
        match controller.ended {
            Some((status, Ending::Asked)) if status.success() => {}
            Some((_, Ending::Killed)) => {}
            Some((status, how)) => objections.push(format!("controller {life} ended: {status}, {how:?}")),
            None => objections.push(format!("controller {life} was not ended")),
        }
    }
    objections
}

async fn within(world: &World, condition: impl Fn(&World) -> bool) -> bool {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !condition(world) {
            tokio::time::sleep(GLANCE).await;
        }
    });
    waited.await.is_ok()
}

/// The jobs that some template's agents could run, and that are not over.
fn waiting(world: &World) -> Vec<String> {
    let open: Vec<_> = {
        let fake = world.buildkite.fake();
        let jobs = fake
            .inner()
            .jobs()
            .filter(|found| found.spec.kind == JobKind::Script && !found.state.is_over());
        jobs.filter(|found| found.runnable_at.is_some() || found.state.is_held())
            .filter(|found| !found.spec.rules.iter().any(|rule| rule == UNMATCHABLE))
            .filter(|found| !world.paused.contains(found.queue().as_str()))
            .map(|found| (found.id.clone(), found.queue(), found.state))
            .collect()
    };
    open.into_iter()
        .filter(|(_, queue, state)| state.is_held() || actor::is_served(world, queue.as_str()))
        .map(|(id, queue, state)| format!("{id} of {queue}, {state:?}"))
        .collect()
}

const fn writes(passed: &Passed) -> bool {
    matches!(passed.call, Some(Call::Stop | Call::Create | Call::Delete))
}

/// Each job wants one pod. More are made where a pod is lost or outdated, and
/// where something lies about what waits and who is idle.
fn too_many_pods(story: &Story, world: &World, passed: &[Passed]) -> Option<String> {
    let created = passed
        .iter()
        .filter(|passed| passed.call == Some(Call::Create) && passed.status == Some(201));
    let created = created.count();
    let fake = world.buildkite.fake();
    let jobs = fake
        .inner()
        .jobs()
        .filter(|found| found.spec.kind == JobKind::Script)
        .count();
    let changes = story
        .events
        .iter()
        .filter(|(_, event)| !matches!(event, Event::Build(_) | Event::CutWatches));
    let lies = story.faults.iter().any(|fault| fault.effect.is_lie());
    let most = if lies {
        3 * jobs + 10
    } else {
        jobs + 2 * changes.count()
    };
    (created > most).then(|| format!("{created} pods were created for {jobs} jobs, {most} would be many"))
}

/// Requests to an API that said when to come back, before that time.
fn impatience(passed: &[Passed]) -> Vec<String> {
    let mut objections = Vec::new();
    for limit in passed {
        let (Some(until), Some(call)) = (limit.limited_until, limit.call) else {
            continue;
        };
        let impatient = passed.iter().filter(|other| {
            let same = other.life == limit.life && other.call.is_some_and(|other| same_limit(call, other));
            same && limit.at + SLACK < other.at && other.at + SLACK < until
        });
        objections.extend(
            impatient.map(|other| format!("limited until {until:?}, asked at {:?}: {}", other.at, other.target)),
        );
    }
    objections
}

/// Whether the limit of one call holds for the other.
const fn same_limit(one: Call, other: Call) -> bool {
    match (one, other) {
        (Call::Builds | Call::Agents | Call::Stop, other) => other.is_for_buildkite(),
        // Events yield to what matters, and never hold it up.
        (Call::Create | Call::Delete, Call::Create | Call::Delete | Call::Tell) | (Call::Tell, Call::Tell) => true,
        (Call::List | Call::Watch | Call::Create | Call::Delete | Call::Tell, _) => false,
    }
}

/// More requests of one controller in 60 seconds than the limit, or refusals
/// by Buildkite itself where one controller had the limit to itself.
fn greed(story: &Story, world: &World, passed: &[Passed]) -> Vec<String> {
    let mut objections = Vec::new();
    let limit = usize::try_from(story.limit).unwrap_or(usize::MAX);
    for life in 0..world.controllers.len() {
        let asked: Vec<Duration> = passed
            .iter()
            .filter(|passed| passed.life == life && passed.call.is_some_and(Call::is_for_buildkite))
            .map(|passed| passed.at)
            .collect();
        let burst = asked
            .windows(limit + 1)
            .find(|window| window[limit] - window[0] < Duration::from_secs(59));
        if let Some(burst) = burst {
            objections.push(format!(
                "controller {life}: over {limit} requests in a minute from {:?}",
                burst[0]
            ));
        }
    }
    let refused = passed
        .iter()
        .filter(|passed| passed.status == Some(StatusCode::TOO_MANY_REQUESTS.as_u16()));
    let delayed = passed
        .iter()
        .any(|passed| matches!(passed.effect, Some(Effect::DelayRequest(_))));
    if world.controllers.len() == 1 && !delayed && refused.count() > 0 {
        objections.push("Buildkite refused requests beyond its limit".into());
    }
    objections
}
