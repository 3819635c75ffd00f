//! Who may do what.

use http::{Method, StatusCode};

use buildscaler_simulator::buildkite::{AccessToken, FakeBuildkite, Scope, Switches, User};

use crate::world::{ORGANIZATION, World};

fn token(scopes: &[Scope]) -> AccessToken {
    AccessToken {
        secret: FakeBuildkite::ACCESS_TOKEN.to_owned(),
        user: "scaler".to_owned(),
        scopes: scopes.iter().copied().collect(),
        for_this_organization: true,
        expires_at: None,
    }
}

#[test]
fn without_a_good_token_everything_is_401() {
    let mut world = World::new();
    for authorization in ["", "Bearer wrong", "Token bkua_scaler", "Basic bkua_scaler"] {
        let answer = world.call(Method::GET, &format!("{ORGANIZATION}/agents"), authorization, "");
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert!(answer.message().starts_with("Authentication required."));
    }
}

#[test]
fn an_expired_token_is_401() {
    let mut world = World::new();
    let expires_at = Some(world.now);
    world.fake.accounts.put_token(AccessToken {
        expires_at,
        ..token(&[Scope::ReadAgents])
    });
    assert_eq!(world.get("/agents").status, StatusCode::UNAUTHORIZED);
}

#[test]
fn another_organization_is_404() {
    let mut world = World::new();
    let answer = world.call(Method::GET, "/v2/organizations/Acme/agents", "Bearer bkua_scaler", "");
    assert_eq!(
        (answer.status, answer.message()),
        (StatusCode::NOT_FOUND, "No organization found")
    );
}

#[test]
fn a_token_of_another_organization_sees_none() {
    let mut world = World::new();
    world.fake.accounts.put_token(AccessToken {
        for_this_organization: false,
        ..token(&[Scope::ReadAgents])
    });
    assert_eq!(world.get("/agents").message(), "No organization found");
}

#[test]
fn a_missing_scope_is_403() {
    let mut world = World::new();
    world.fake.accounts.put_token(token(&[Scope::ReadBuilds]));
    let answer = world.get("/agents");
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.message(), "Your access token doesn't have the read_agents scope");
}

#[test]
fn or_a_403_that_says_no_more_if_so_switched() {
    let mut world = World::with(Switches {
        scope_error_names_scope: false,
        ..Switches::default()
    });
    world.fake.accounts.put_token(token(&[]));
    assert_eq!(world.get("/agents").message(), "Forbidden");
}

#[test]
fn a_stop_needs_the_users_permission_as_well_as_the_scope() {
    let mut world = World::new();
    let agent = world.agent(&["queue=linux"]);
    world.fake.accounts.put_user(User {
        name: "scaler".to_owned(),
        may_stop_agents: false,
        sees_pipelines: true,
    });
    let answer = world.stop(&agent, r#"{"force":false}"#);
    assert_eq!((answer.status, answer.message()), (StatusCode::FORBIDDEN, "Forbidden"));
}

#[test]
fn a_token_tells_its_scopes() {
    let mut world = World::new();
    let answer = world.call(Method::GET, "/v2/access-token", "Bearer bkua_scaler", "");
    let scopes = answer.body["scopes"].as_array().unwrap();
    assert!(scopes.iter().any(|scope| scope == "write_agents"));
}

#[test]
fn clusters_are_listed_with_their_queues_where_there_are_any() {
    let mut world = World::new();
    assert_eq!(world.get("/clusters").body, serde_json::json!([]));
    world.fake.switches.clustered = true;
    let clusters = world.get("/clusters").body;
    let id = clusters[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(world.get(&format!("/clusters/{id}/queues")).status, StatusCode::OK);
    world.fake.accounts.put_token(token(&[Scope::ReadBuilds]));
    assert_eq!(world.get("/clusters").status, StatusCode::FORBIDDEN);
}
