//! Pages and the way between them.

use std::collections::BTreeSet;

use http::StatusCode;

use buildscaler_simulator::buildkite::{AgentOrder, Switches};

use crate::world::{Answer, World, linux};

fn rels(answer: &Answer) -> Vec<String> {
    let links = answer
        .header("link")
        .unwrap_or_default()
        .split(", ")
        .filter(|link| !link.is_empty());
    links
        .map(|link| link.split("rel=").nth(1).unwrap().trim_matches('"').to_owned())
        .collect()
}

#[test]
fn a_page_has_thirty_rows_unless_told() {
    let mut world = World::new();
    for _ in 0..31 {
        world.agent(&["queue=linux"]);
    }
    assert_eq!(world.get("/agents").rows().len(), 30);
    assert_eq!(world.get("/agents?per_page=5").rows().len(), 5);
}

#[test]
fn a_page_has_a_hundred_rows_at_most() {
    let mut world = World::new();
    for _ in 0..101 {
        world.agent(&["queue=linux"]);
    }
    assert_eq!(world.get("/agents?per_page=500").rows().len(), 100);
}

#[test]
fn following_next_visits_everything_once_and_ends() {
    for agent_order in [AgentOrder::NewestFirst, AgentOrder::OldestFirst, AgentOrder::ById] {
        let mut world = World::with(Switches {
            agent_order,
            ..Switches::default()
        });
        for _ in 0..25 {
            world.agent(&["queue=linux"]);
        }
        let mut seen = BTreeSet::new();
        let mut page = 1;
        loop {
            let answer = world.get(&format!("/agents?per_page=10&page={page}"));
            for row in answer.rows() {
                assert!(seen.insert(row["id"].as_str().unwrap().to_owned()));
            }
            if !rels(&answer).contains(&"next".to_owned()) {
                break;
            }
            page += 1;
        }
        assert_eq!((seen.len(), page), (25, 3));
    }
}

#[test]
fn the_links_keep_the_other_parameters() {
    let mut world = World::new();
    world.build(vec![linux()]);
    world.build(vec![linux()]);
    let answer = world.get("/builds?state[]=scheduled&state%5B%5D=running&per_page=1");
    let link = answer.header("link").unwrap();
    assert!(
        link.contains("state%5B%5D=scheduled&state%5B%5D=running&per_page=1&page=2>; rel=\"next\""),
        "{link}"
    );
    assert_eq!(rels(&answer), ["next", "last"]);
}

#[test]
fn a_list_that_fits_on_one_page_has_no_links() {
    let mut world = World::new();
    world.agent(&["queue=linux"]);
    assert_eq!(world.get("/agents").header("link"), None);
}

#[test]
fn a_page_after_the_last_is_empty() {
    let mut world = World::new();
    world.agent(&["queue=linux"]);
    assert!(world.get("/agents?page=7").rows().is_empty());
}

#[test]
fn a_list_of_builds_can_be_too_deep() {
    let mut world = World::with(Switches {
        deepest_build: 100,
        ..Switches::default()
    });
    assert_eq!(world.get("/builds?per_page=50&page=2").status, StatusCode::OK);
    let answer = world.get("/builds?per_page=50&page=3");
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(
        answer
            .message()
            .starts_with("Listing builds this deep is not supported.")
    );
}
