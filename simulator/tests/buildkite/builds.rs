//! The list of builds and its filters.

use std::time::Duration;

use http::StatusCode;

use buildscaler_simulator::buildkite::{JobSpec, ShownLimited, Switches};

use crate::world::{Answer, World, linux};

const ACTIVE: &str = "/builds?state[]=scheduled&state[]=running&state[]=failing&include_paused=false\
                      &exclude_pipeline=true&per_page=100";

fn states(answer: &Answer) -> Vec<&str> {
    let jobs = answer.body[0]["jobs"].as_array().into_iter().flatten();
    jobs.map(|row| row["state"].as_str().unwrap()).collect()
}

#[test]
fn a_build_lists_its_jobs_with_queue_rule_and_times() {
    let mut world = World::new();
    world.build(vec![linux().rule("gpu=true").priority(3)]);
    let answer = world.get(ACTIVE);
    let row = &answer.body[0]["jobs"][0];
    assert_eq!(row["type"], "script");
    assert_eq!(row["state"], "scheduled");
    assert_eq!(row["agent_query_rules"], serde_json::json!(["queue=linux", "gpu=true"]));
    assert_eq!(row["priority"]["number"], 3);
    assert_eq!(row["runnable_at"], "2027-01-15T08:00:00.000Z");
    assert_eq!(answer.body[0].get("pipeline"), None);
}

#[test]
fn a_failing_build_still_has_jobs_to_run() {
    let mut world = World::new();
    let agent = world.agent(&["queue=linux"]);
    let jobs = world.build(vec![linux(), linux()]);
    world.run(&agent, &jobs[0]);
    world.finish(&agent, &jobs[0], 1);
    assert_eq!(world.get("/builds?state[]=failing").rows().len(), 1);
    assert_eq!(world.get("/builds?state[]=scheduled&state[]=running").rows().len(), 0);
}

#[test]
fn a_finished_build_is_left_out_of_the_active_ones() {
    let mut world = World::new();
    let (agent, running) = world.busy_agent();
    assert_eq!(world.get(ACTIVE).rows().len(), 1);
    world.finish(&agent, &running, 0);
    assert!(world.get(ACTIVE).rows().is_empty());
    assert_eq!(world.get("/builds?state=finished").rows().len(), 1);
}

#[test]
fn the_newest_build_comes_first() {
    let mut world = World::new();
    world.build(vec![linux()]);
    world.build(vec![linux()]);
    let answer = world.get(ACTIVE);
    assert_eq!(
        (&answer.body[0]["number"], &answer.body[1]["number"]),
        (&2.into(), &1.into())
    );
}

#[test]
fn a_limited_job_reads_as_scheduled_without_runnable_at() {
    let mut world = World::new();
    world.build(vec![linux().concurrency("deploy", 1), linux().concurrency("deploy", 1)]);
    let answer = world.get(ACTIVE);
    assert_eq!(states(&answer), ["scheduled", "scheduled"]);
    assert!(answer.body[0]["jobs"][0]["runnable_at"].is_string());
    assert!(answer.body[0]["jobs"][1]["runnable_at"].is_null());
}

#[test]
fn or_as_limited_if_so_switched() {
    let mut world = World::with(Switches {
        limited: ShownLimited::Limited,
        ..Switches::default()
    });
    world.build(vec![linux().concurrency("deploy", 1), linux().concurrency("deploy", 1)]);
    assert_eq!(states(&world.get(ACTIVE)), ["scheduled", "limited"]);
}

#[test]
fn jobs_of_a_paused_queue_can_be_left_out() {
    let mut world = World::new();
    world.build(vec![linux(), JobSpec::script("windows", Duration::from_secs(1))]);
    world.build(vec![linux()]);
    world.fake.pause_queue(world.now, &"linux".into());
    let answer = world.get(ACTIVE);
    assert_eq!(answer.rows().len(), 1);
    assert_eq!(answer.body[0]["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(world.get("/builds?include_paused=true").rows().len(), 2);
}

#[test]
fn what_follows_a_wait_step_waits() {
    let mut world = World::new();
    let agent = world.agent(&["queue=linux"]);
    let jobs = world.build(vec![linux(), JobSpec::wait(), linux()]);
    assert_eq!(states(&world.get(ACTIVE)), ["assigned", "waiting", "waiting"]);
    world.run(&agent, &jobs[0]);
    world.finish(&agent, &jobs[0], 0);
    world.run(&agent, &jobs[2]);
}

#[test]
fn what_depends_on_a_failed_job_breaks() {
    let mut world = World::new();
    let agent = world.agent(&["queue=linux"]);
    let jobs = world.build(vec![linux(), linux().after(0)]);
    world.run(&agent, &jobs[0]);
    world.finish(&agent, &jobs[0], 1);
    assert_eq!(world.fake.job_of(&jobs[1]).unwrap().state.as_str(), "broken");
    assert_eq!(world.fake.builds().next().unwrap().state.as_str(), "failed");
}

#[test]
fn a_build_that_waits_for_a_human_is_blocked() {
    let mut world = World::new();
    world.build(vec![JobSpec::block(), linux()]);
    assert!(world.get(ACTIVE).rows().is_empty());
    assert_eq!(world.get("/builds?state=blocked").body[0]["blocked"], true);
    world.fake.unblock(world.now, 1);
    assert_eq!(world.get(ACTIVE).rows().len(), 1);
}

#[test]
fn a_retried_job_is_left_out_unless_asked_for() {
    let mut world = World::new();
    let (agent, running) = world.busy_agent();
    world.finish(&agent, &running, 1);
    let retry = world.fake.retry(world.now, &running).unwrap();
    let answer = world.get(ACTIVE);
    assert_eq!(answer.body[0]["jobs"].as_array().unwrap().len(), 1);
    assert_eq!(answer.body[0]["jobs"][0]["id"], retry.as_str());
    let all = world.get("/builds?include_retried_jobs=true");
    assert_eq!(all.body[0]["jobs"][0]["retried_in_job_id"], retry.as_str());
}

#[test]
fn a_cancelled_build_ends_through_its_agent() {
    let mut world = World::new();
    let (agent, running) = world.busy_agent();
    world.fake.cancel_build(world.now, 1);
    assert_eq!(world.get("/builds?state=canceling").rows().len(), 1);
    world.finish(&agent, &running, -1);
    assert_eq!(world.get("/builds?state=canceled").rows().len(), 1);
    assert!(world.fake.truth().interruptions().is_empty());
}

#[test]
fn an_unknown_state_is_a_bad_request() {
    assert_eq!(World::new().get("/builds?state[]=done").status, StatusCode::BAD_REQUEST);
}

#[test]
fn finished_builds_can_be_listed_by_time() {
    let mut world = World::new();
    world.build(vec![linux()]);
    world.pass(3600);
    world.build(vec![linux()]);
    let late = world.get("/builds?created_from=2027-01-15T08:30:00Z");
    assert_eq!((late.rows().len(), &late.body[0]["number"]), (1, &2.into()));
    assert_eq!(
        world.get("/builds?created_to=2027-01-15T08:30:00Z").body[0]["number"],
        1
    );
}
