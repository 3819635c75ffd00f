//! The two limits of the REST API.

use http::StatusCode;

use buildscaler_simulator::buildkite::AccessToken;

use crate::world::{ORGANIZATION, World};

#[test]
fn both_limits_are_on_every_answer() {
    let mut world = World::new();
    let answer = world.get("/agents");
    assert_eq!(answer.header("ratelimit-scope"), Some("rest"));
    assert_eq!(answer.header("ratelimit-limit"), Some("200"));
    assert_eq!(answer.header("ratelimit-remaining"), Some("199"));
    assert_eq!(answer.header("ratelimit-reset"), Some("60"));
    assert_eq!(answer.header("ratelimit-user-scope"), Some("rest_user"));
    assert_eq!(answer.header("ratelimit-user-remaining"), Some("49"));
    assert_eq!(answer.header("ratelimit-user-warning"), None);
}

#[test]
fn the_fifty_first_request_of_a_user_is_refused() {
    let mut world = World::new();
    for _ in 0..50 {
        assert_eq!(world.get("/agents").status, StatusCode::OK);
    }
    world.pass(18);
    let answer = world.get("/agents");
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.body["scope"], "rest_user");
    assert_eq!(
        (answer.body["limit"].as_u64(), answer.body["current"].as_u64()),
        (Some(50), Some(51))
    );
    assert_eq!(
        (answer.body["reset"].as_u64(), answer.header("ratelimit-user-reset")),
        (Some(42), Some("42"))
    );
    assert!(answer.message().contains("Please wait 42 seconds"));
    assert!(answer.header("ratelimit-user-warning").is_some());
}

#[test]
fn the_window_starts_anew() {
    let mut world = World::new();
    for _ in 0..51 {
        world.get("/agents");
    }
    world.pass(60);
    assert_eq!(world.get("/agents").status, StatusCode::OK);
}

#[test]
fn the_limit_is_the_users_not_the_tokens() {
    let mut world = World::new();
    let scopes = [buildscaler_simulator::buildkite::Scope::ReadAgents].into();
    world.fake.accounts.put_token(AccessToken {
        secret: "second".to_owned(),
        user: "scaler".to_owned(),
        scopes,
        for_this_organization: true,
        expires_at: None,
    });
    for _ in 0..50 {
        world.get("/agents");
    }
    let answer = world.call(
        http::Method::GET,
        &format!("{ORGANIZATION}/agents"),
        "Bearer second",
        "",
    );
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
}

#[test]
fn other_tools_use_up_the_organizations_limit() {
    let mut world = World::new();
    world.fake.spend_requests_of_others(world.now, 200);
    let answer = world.get("/agents");
    assert_eq!(
        (answer.status, answer.body["scope"].as_str()),
        (StatusCode::TOO_MANY_REQUESTS, Some("rest"))
    );
    assert_eq!(answer.header("ratelimit-remaining"), Some("0"));
    assert!(answer.header("ratelimit-warning").is_some());
}

#[test]
fn a_refused_request_changes_nothing() {
    let mut world = World::new();
    let agent = world.agent(&["queue=linux"]);
    for _ in 0..50 {
        world.get("/agents");
    }
    assert_eq!(
        world.stop(&agent, r#"{"force":false}"#).status,
        StatusCode::TOO_MANY_REQUESTS
    );
    assert_eq!(world.fake.agent_of(&agent).unwrap().state.as_str(), "connected");
}
