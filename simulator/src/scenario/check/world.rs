//! How the outside world is made.

use super::{Complaints, MOST_THINGS};
use crate::scenario::outline::Place;
use crate::scenario::problem::Rule;
use crate::scenario::{BuildkiteSettings, NodeSettings, PodSettings, Replies, WorldSettings};

pub(super) fn check(world: &WorldSettings, place: &Place<'_>, complaints: &mut Complaints) {
    nodes(&world.nodes, &place.key("nodes"), complaints);
    pods(&world.pods, &place.key("pods"), complaints);
    buildkite(&world.buildkite, &place.key("buildkite"), complaints);
    replies(&world.replies, &place.key("replies"), complaints);
}

fn nodes(nodes: &NodeSettings, place: &Place<'_>, complaints: &mut Complaints) {
    let most = u64::from(MOST_THINGS);
    complaints.bounds(&place.key("count"), nodes.count.into(), 0, most);
    complaints.bounds(&place.key("max"), nodes.max.into(), 0, most);
    complaints.bounds(&place.key("pods-each"), nodes.pods_each.into(), 1, u32::MAX.into());
    complaints.range(&place.key("startup"), nodes.startup);
}

fn pods(pods: &PodSettings, place: &Place<'_>, complaints: &mut Complaints) {
    complaints.range(&place.key("scheduling"), pods.scheduling);
    complaints.range(&place.key("image-pull"), pods.image_pull);
    complaints.range(&place.key("agent-start"), pods.agent_start);
    complaints.range(&place.key("exit"), pods.exit);
    complaints.bounds(&place.key("failing-percent"), pods.failing_percent.into(), 0, 100);
    complaints.bounds(&place.key("hanging-percent"), pods.hanging_percent.into(), 0, 100);
    let both = pods.failing_percent.saturating_add(pods.hanging_percent);
    if both > 100 && pods.failing_percent <= 100 && pods.hanging_percent <= 100 {
        let message = format!("failing and hanging pods are {both} of each 100: write at most 100 in all");
        complaints.add(&place.key("hanging-percent"), Rule::Number, message);
    }
}

fn buildkite(buildkite: &BuildkiteSettings, place: &Place<'_>, complaints: &mut Complaints) {
    let limits = [
        ("requests-a-minute", buildkite.requests_a_minute),
        (
            "organization-requests-a-minute",
            buildkite.organization_requests_a_minute,
        ),
    ];
    for (name, limit) in limits {
        complaints.bounds(&place.key(name), limit.into(), 1, 1_000_000);
    }
    complaints.some_time(&place.key("ping-interval"), buildkite.ping_interval);
    complaints.stage(&place.key("agent-list-lag"), buildkite.agent_list_lag);
    complaints.some_time(&place.key("lost-after"), buildkite.lost_after);
}

fn replies(replies: &Replies, place: &Place<'_>, complaints: &mut Complaints) {
    complaints.range(&place.key("buildkite"), replies.buildkite);
    complaints.range(&place.key("kubernetes"), replies.kubernetes);
    if let Some(watch) = replies.watch {
        complaints.stage(&place.key("watch"), watch);
    }
}
