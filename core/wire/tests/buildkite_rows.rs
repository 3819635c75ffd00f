//! What the rows of Buildkite's lists mean.

mod support;

use buildscaler_core::{Action, AgentId, Cursor, Failure, JobState, Look, LookEnd, Queue};
use serde_json::json;
use support::{answer, begin, look, talk};

const BUILDS: &str = include_str!("fixtures/builds.json");
const AGENTS: &str = include_str!("fixtures/agents.json");

/// The look at one page of this body.
fn see(from: Cursor, body: &str) -> Look {
    let observe = Action::ObserveBuildkite { grant: 1, from };
    look(talk(begin(observe), |_| Ok(answer(200, body))).0)
}

fn builds(body: &str) -> Look {
    see(Cursor::START, body)
}

fn agents(body: &str) -> Look {
    see(Cursor::Agents { page: 1 }, body)
}

fn job_ids(look: &Look) -> Vec<&str> {
    look.jobs.iter().map(|one| one.id.as_str()).collect()
}

#[test]
fn documented_builds_are_read() {
    let look = builds(BUILDS);
    insta::assert_json_snapshot!(look.jobs);
}

#[test]
fn documented_agents_are_read() {
    let look = agents(AGENTS);
    insta::assert_json_snapshot!(look.agents);
}

#[test]
fn every_state_of_a_job_is_known_by_what_it_means() {
    let states = [
        (Some(JobState::Scheduled), "scheduled"),
        (
            Some(JobState::Limited),
            "limiting limited platform_limiting platform_limited",
        ),
        (Some(JobState::Active), "assigned accepted running canceling timing_out"),
        (
            None,
            "pending waiting waiting_failed blocked blocked_failed unblocked unblocked_failed reserved finished passed \
             failed canceled timed_out skipped broken expired unheard_of",
        ),
    ];
    for (expected, spelt) in states {
        for state in spelt.split(' ') {
            let body = json!([{"state": "running", "jobs": [{"id": "a", "type": "script", "state": state}]}]);
            let look = builds(&body.to_string());
            assert_eq!(look.jobs.first().map(|one| one.state), expected, "{state}");
        }
    }
}

/// Seen to fail when the state of the build was not looked at.
#[test]
fn a_build_that_is_being_canceled_is_no_demand() {
    let body = json!([{"state": "canceling", "jobs": [
        {"id": "a", "type": "script", "state": "scheduled"}, {"id": "b", "type": "script", "state": "limited"},
        {"id": "c", "type": "script", "state": "running"}]}]);
    let look = builds(&body.to_string());
    assert_eq!(job_ids(&look), ["c"]);
}

#[test]
fn an_unreadable_build_or_job_costs_only_itself() {
    let body = json!([
        {"jobs": 7}, {"state": []},
        {"state": {}, "jobs": [7, null, {"type": "script"}, {"id": 7, "type": "script"},
            {"id": "nowhere", "type": "script", "state": "scheduled", "agent_query_rules": 7},
            {"id": "good", "type": "script", "state": "scheduled", "agent_query_rules": [7], "runnable_at": []}]},
    ]);
    let look = builds(&body.to_string());
    assert_eq!(job_ids(&look), ["good"]);
    assert_eq!(
        (look.jobs[0].queue.as_str(), look.jobs[0].runnable_at),
        ("default", None)
    );
}

/// An agent that was left out would look like one that is dead (Invariant 4).
/// Seen to fail when such rows were skipped.
#[test]
fn an_agent_that_cannot_be_told_makes_the_page_malformed() {
    for row in [
        json!({"connection_state": "connected"}),
        json!({"id": null}),
        json!({"id": 7}),
    ] {
        let body = json!([{"id": "good"}, row]).to_string();
        let look = agents(&body);
        assert!(
            matches!(look.end, LookEnd::Failed(_, Failure::Malformed { .. })),
            "{body}"
        );
    }
}

/// Seen to fail when a held job without an id counted as none: its agent was
/// idle then.
#[test]
fn an_agent_with_any_job_is_busy() {
    for held in [
        json!({"id": "job-1"}),
        json!({}),
        json!({"id": 7}),
        json!("job-1"),
        json!(true),
    ] {
        let body = json!([{"id": "a", "connection_state": "connected", "job": held}]).to_string();
        let look = agents(&body);
        assert!(!look.agents[0].is_idle(), "{body}");
    }
}

#[test]
fn an_agent_is_paused_unless_it_says_otherwise() {
    for (paused, expected) in [
        (json!(true), true),
        (json!("yes"), true),
        (json!(false), false),
        (json!(null), false),
    ] {
        let body = json!([{"id": "a", "paused": paused}]).to_string();
        let look = agents(&body);
        assert_eq!(look.agents[0].paused, expected, "{body}");
    }
}

/// Seen to fail when one odd tag cost them all, and so the link to the pod.
#[test]
fn an_odd_tag_costs_only_itself() {
    let body = json!([{"id": "a", "meta_data": [7, "queue=x", null, "pod-uid=u", "gpu=yes"]}]).to_string();
    let look = agents(&body);
    let agent = &look.agents[0];
    assert_eq!(
        agent.tags,
        ["gpu=yes"],
        "the tags that have fields of their own are not kept twice"
    );
    assert_eq!(agent.queues, [Queue::from("x")]);
    assert_eq!(agent.pod_uid.as_ref().map(|uid| uid.as_str()), Some("u"));
}

/// The hostname is the fallback: a variable that nobody filled in links to no
/// pod, and must not take the fallback's place.
#[test]
fn the_hostname_links_where_no_tag_does() {
    for (tag, expected) in [
        ("pod-uid=u", None),
        ("pod-uid=$(BUILDSCALER_POD_UID)", Some("pod-1")),
        ("pod-uid=", Some("pod-1")),
        ("linux", Some("pod-1")),
    ] {
        let look = agents(&json!([{"id": "a", "hostname": "pod-1", "meta_data": [tag]}]).to_string());
        assert_eq!(look.agents[0].hostname.as_deref(), expected, "{tag}");
    }
}

#[test]
fn a_missing_hostname_is_read_off_the_agents_name() {
    for (name, expected) in [
        ("pod-1-2", Some("pod-1")),
        ("pod-one", None),
        ("-1", None),
        ("pod", None),
    ] {
        let look = agents(&json!([{"id": "a", "name": name, "hostname": null}]).to_string());
        assert_eq!(look.agents[0].hostname.as_deref(), expected, "{name}");
    }
}

#[test]
fn an_agent_serves_the_queues_of_its_tags_and_of_its_field() {
    for (row, expected) in [
        (json!({"meta_data": ["queue=b", "queue=a", "queue=b"]}), vec!["a", "b"]),
        (json!({"meta_data": ["queue=a"], "queue": "c"}), vec!["a", "c"]),
        (
            json!({"meta_data": ["linux", "queues=x", "queue="], "queue": null}),
            vec!["default"],
        ),
        (json!({}), vec!["default"]),
    ] {
        let mut row = row;
        row["id"] = json!("a");
        let look = agents(&json!([row]).to_string());
        let queues: Vec<&str> = look.agents[0].queues.iter().map(|queue| queue.as_str()).collect();
        assert_eq!(queues, expected);
        assert_eq!(look.agents[0].id, AgentId::from("a"));
    }
}
