//! Resource versions, their expiry, and older servers.

use std::time::Duration;

use buildscaler_simulator::kubernetes::{Controllers, ExpiredWatch, Settings};
use http::StatusCode;

use crate::world::{PODS, World, pod};

#[test]
fn an_expired_watch_is_refused_in_either_shape() {
    let mut world = World::without_controllers();
    world.create(pod("p"));
    world.fake.compact();
    let mut watch = world.watch("resourceVersion=1");
    let events = world.events(&mut watch);
    assert_eq!(
        (&events[0]["type"], &events[0]["object"]["code"]),
        (&"ERROR".into(), &410.into())
    );
    assert!(watch.has_ended());
    world.fake.settings_mut().expired_watch = ExpiredWatch::Status;
    let (code, status) = world.get(&format!("{PODS}?watch=true&resourceVersion=1"));
    assert_eq!((code, &status["reason"]), (StatusCode::GONE, &"Expired".into()));
}

#[test]
fn a_watch_that_falls_behind_the_history_expires() {
    let mut world = World::without_controllers();
    let mut watch = world.watch(&format!("resourceVersion={}", world.fake.version()));
    world.create(pod("p"));
    world.fake.compact();
    let events = world.events(&mut watch);
    assert_eq!(events[0]["object"]["reason"], "Expired");
}

#[test]
fn a_watch_from_the_newest_version_survives_a_compaction() {
    let mut world = World::without_controllers();
    world.create(pod("p"));
    world.fake.compact();
    let mut watch = world.watch(&format!("resourceVersion={}", world.fake.version()));
    world.create(pod("q"));
    let events = world.events(&mut watch);
    assert_eq!(events[0]["object"]["metadata"]["name"], "q");
}

#[test]
fn the_history_is_bounded() {
    let settings = Settings {
        history_limit: 10,
        controllers: Controllers::NONE,
        ..Settings::default()
    };
    let mut world = World::with(settings);
    let old = world.fake.version();
    for number in 0..11 {
        world.create(pod(&format!("p{number}")));
    }
    let mut watch = world.watch(&format!("resourceVersion={old}"));
    assert_eq!(world.events(&mut watch)[0]["object"]["code"], 410);
}

#[test]
fn an_older_server_refuses_to_begin_a_watch_with_what_is_there() {
    let mut world = World::with(Settings {
        streaming_lists: false,
        ..Settings::default()
    });
    let query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let (code, status) = world.get(&format!("{PODS}?{query}"));
    assert_eq!(
        (code, &status["reason"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &"Invalid".into())
    );
    assert_eq!(status["details"]["causes"][0]["field"], "sendInitialEvents");
}

#[test]
fn a_watch_ends_at_its_timeout_with_a_bookmark_of_what_it_did_not_show() {
    let mut world = World::without_controllers();
    let query = format!(
        "resourceVersion={}&timeoutSeconds=10&allowWatchBookmarks=true",
        world.fake.version()
    );
    let mut watch = world.watch(&format!("{query}&labelSelector=no%3Done"));
    world.create(pod("p"));
    assert_eq!(world.events(&mut watch), Vec::<serde_json::Value>::new());
    world.now = world.now.after(Duration::from_secs(10));
    let events = world.events(&mut watch);
    assert_eq!(events[0]["type"], "BOOKMARK");
    assert_eq!(
        events[0]["object"]["metadata"]["resourceVersion"],
        world.fake.version().to_string()
    );
    assert!(watch.has_ended());
}

#[test]
fn a_version_of_the_future_is_a_timeout() {
    let mut world = World::new();
    let (code, status) = world.get(&format!("{PODS}?resourceVersion=999999"));
    assert_eq!(
        (code, &status["reason"]),
        (StatusCode::GATEWAY_TIMEOUT, &"Timeout".into())
    );
}

#[test]
fn a_body_that_is_no_object_is_refused_and_does_no_harm() {
    let mut world = World::new();
    for body in [
        "x",
        "[]",
        "\"text\"",
        "{\"metadata\": 7}",
        "{\"metadata\":{\"labels\":{\"a\":1}}}",
        "{\"spec\":[]}",
    ] {
        for method in ["POST", "PUT", "PATCH", "DELETE"] {
            let path = if method == "POST" {
                PODS.to_owned()
            } else {
                format!("{PODS}/p")
            };
            world.create(pod("p"));
            let request = http::Request::builder().method(method).uri(&path);
            let request = request.header("content-type", "application/merge-patch+json");
            let request = request.body(body.as_bytes().to_vec()).unwrap();
            world.fake.handle(world.now, &request);
            drop(world.fake.delete(
                world.now,
                buildscaler_simulator::kubernetes::Resource::Pods,
                "default",
                "p",
                &buildscaler_simulator::kubernetes::DeleteOptions::default(),
            ));
        }
    }
}
