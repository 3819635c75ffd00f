//! The calls of a real agent, in its order.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use buildscaler_simulator::buildkite::{FakeBuildkite, LifeEvent};

use crate::world::{Answer, World, linux};

fn agent_call(world: &mut World, method: Method, path: &str, token: &str, body: &str) -> Answer {
    world.call(method, &format!("/v3{path}"), &format!("Token {token}"), body)
}

fn register(world: &mut World) -> Answer {
    let body = json!({
        "name": "%hostname-1", "hostname": "pod-7", "os": "alpine", "arch": "amd64", "script_eval_enabled": true,
        "ignore_in_dispatches": false, "version": "3.137.2", "build": "x", "pid": 7, "machine_id": "",
        "meta_data": ["queue=linux", "pod-uid=1234"], "features": ["k8s"],
    });
    agent_call(
        world,
        Method::POST,
        "/register",
        FakeBuildkite::AGENT_TOKEN,
        &body.to_string(),
    )
}

#[test]
fn an_agent_lives_from_register_to_disconnect() {
    let mut world = World::new();
    let assigned = world.build(vec![linux()]).remove(0);

    let registered = register(&mut world);
    assert_eq!(registered.status, StatusCode::OK);
    assert_eq!(registered.body["name"], "pod-7-1");
    let session = registered.body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(
        agent_call(&mut world, Method::POST, "/connect", &session, "").status,
        StatusCode::OK
    );
    let heartbeat = agent_call(&mut world, Method::POST, "/heartbeat", &session, r#"{"sent_at":"now"}"#);
    assert_eq!(heartbeat.body["sent_at"], "now");

    let ping = agent_call(&mut world, Method::GET, "/ping", &session, "");
    assert_eq!(ping.body["job"]["id"], assigned.as_str());
    let path = format!("/jobs/{assigned}");
    let accepted = agent_call(&mut world, Method::PUT, &format!("{path}/accept"), &session, "");
    assert_eq!(accepted.body["env"]["BUILDSCALER_TEST_DURATION_SECONDS"], "60");
    assert!(accepted.body["chunks_max_size_bytes"].as_u64().unwrap() > 0);
    let token = accepted.body["token"].as_str().unwrap().to_owned();
    assert_eq!(
        agent_call(&mut world, Method::PUT, &format!("{path}/start"), &token, "{}").status,
        StatusCode::OK
    );
    assert_eq!(
        agent_call(&mut world, Method::GET, &path, &token, "").body["state"],
        "running"
    );
    let finished = agent_call(
        &mut world,
        Method::PUT,
        &format!("{path}/finish"),
        &token,
        r#"{"exit_status":"0"}"#,
    );
    assert_eq!(finished.status, StatusCode::OK);
    assert_eq!(world.last_event(&assigned), LifeEvent::Finished(0));

    assert_eq!(
        agent_call(&mut world, Method::GET, "/ping", &session, "").body,
        json!({})
    );
    assert_eq!(
        agent_call(&mut world, Method::POST, "/disconnect", &session, "").status,
        StatusCode::OK
    );
    assert!(world.listed_agents().is_empty());
}

#[test]
fn a_wrong_agent_token_is_refused() {
    let mut world = World::new();
    let answer = agent_call(&mut world, Method::POST, "/register", "wrong", "{}");
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[test]
fn an_agent_token_does_not_open_a_session() {
    let mut world = World::new();
    let answer = agent_call(&mut world, Method::GET, "/ping", FakeBuildkite::AGENT_TOKEN, "");
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[test]
fn an_unknown_path_is_404_in_json() {
    let mut world = World::new();
    let session = register(&mut world).body["access_token"].as_str().unwrap().to_owned();
    let answer = agent_call(&mut world, Method::GET, "/jobs/1/artifacts", &session, "");
    assert_eq!((answer.status, answer.message()), (StatusCode::NOT_FOUND, "Not Found"));
}

#[test]
fn an_exit_status_that_is_no_string_is_refused() {
    let mut world = World::new();
    let (agent, running) = world.busy_agent();
    let path = format!("/jobs/{running}/finish");
    let answer = agent_call(
        &mut world,
        Method::PUT,
        &path,
        &format!("bkaa_{agent}"),
        r#"{"exit_status":0}"#,
    );
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[test]
fn a_log_that_is_not_compressed_is_refused() {
    let mut world = World::new();
    let (agent, running) = world.busy_agent();
    let path = format!("/jobs/{running}/chunks?sequence=1&offset=0&size=5");
    let answer = agent_call(&mut world, Method::POST, &path, &format!("bkaa_{agent}"), "hello");
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
}

#[test]
fn a_scheduled_job_can_be_acquired_once() {
    let mut world = World::new();
    let wanted = world.build(vec![linux()]).remove(0);
    let first = world.agent(&["queue=other"]);
    let second = world.agent(&["queue=other"]);
    let path = format!("/jobs/{wanted}/acquire");
    let acquired = agent_call(&mut world, Method::PUT, &path, &format!("bkaa_{first}"), "");
    assert_eq!(acquired.status, StatusCode::OK);
    let refused = agent_call(&mut world, Method::PUT, &path, &format!("bkaa_{second}"), "");
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
}

#[test]
fn metrics_count_agents_and_jobs_by_queue() {
    let mut world = World::new();
    world.busy_agent();
    world.agent(&["queue=windows"]);
    world.build(vec![linux(), linux()]);
    let token = FakeBuildkite::AGENT_TOKEN;
    let answer = agent_call(&mut world, Method::GET, "/metrics", token, "");
    assert_eq!(answer.header("buildkite-agent-metrics-poll-duration"), Some("10"));
    assert_eq!(
        answer.body["jobs"]["queues"]["linux"],
        json!({"scheduled":2,"running":1,"waiting":0,"total":3})
    );
    assert_eq!(answer.body["agents"]["total"], 2);
    let one = agent_call(&mut world, Method::GET, "/metrics/queue?name=windows", token, "");
    assert_eq!(one.body["agents"], json!({"idle":1,"busy":0,"total":1}));
    assert_eq!(one.body["agents"].get("queues"), None::<&Value>);
}
