//! What measuring costs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use buildscaler_core::{
    Agent, BuildkiteJob, ClusterView, CommandId, Input, Look, LookEnd, Pod, PodStage, Spending, Uid, View,
};

use super::stage::{Story, a_job, agent, pod};
use crate::run::Observer;

/// What the meter adds to a look at a large fleet, of all that the look takes:
/// printed, and held to a bound that leaves room for slow machines.
#[test]
fn measuring_a_large_fleet_costs_little_beside_deciding_on_it() {
    const FLEET: usize = 10_000;
    let mut story = Story::begin();
    let pods: Vec<Arc<Pod>> = (0..FLEET)
        .map(|number| {
            let one = Pod::clone(&pod(&story, PodStage::Running));
            Arc::new(Pod {
                uid: Uid::from(format!("pod-{number:05}")),
                name: format!("pod-{number:05}"),
                ..one
            })
        })
        .collect();
    let agents: Vec<Agent> = (0..FLEET)
        .map(|number| Agent {
            id: format!("agent-{number:05}").into(),
            pod_uid: Some(Uid::from(format!("pod-{number:05}"))),
            running: Some(format!("job-{number:05}").into()),
            ..agent(&story)
        })
        .collect();
    let jobs: Vec<BuildkiteJob> = (0..FLEET)
        .map(|number| a_job(&story, &format!("job-{number:05}"), "linux", 1.0, Some(2.0)))
        .collect();
    story.see_pods(0.1, pods.clone());
    let (mut metering, mut all) = (Duration::ZERO, Duration::ZERO);
    for round in 0..10 {
        let seconds = 30.0 * f64::from(round) + 1.0;
        let begun = Instant::now();
        story.look(seconds, &pods, jobs.clone(), agents.clone(), LookEnd::Complete);
        all += begun.elapsed();
        let now = story.at(seconds);
        let view = ClusterView {
            begun_at: now,
            templates: View::Complete(vec![Arc::clone(&story.template)]),
            pods: View::Complete(pods.clone()),
        };
        let look = Look {
            begun_at: now,
            jobs: jobs.clone(),
            agents: agents.clone(),
            end: LookEnd::Complete,
            spending: Spending::default(),
        };
        let (view, look) = (
            Input::Cluster { id: None, view },
            Input::Buildkite {
                id: CommandId(u64::MAX),
                look,
            },
        );
        let begun = Instant::now();
        story.meter.told(now, &view);
        story.meter.told(now, &look);
        metering += begun.elapsed();
    }
    println!("ten rounds: metering took {metering:?} of {all:?}");
    // In tests the core is compiled to be fast and the meter is not, which makes
    // it ten times as slow. This is for what grows with the fleet's square.
    assert!(metering < 5 * (all - metering.min(all)), "{metering:?} of {all:?}");
}
