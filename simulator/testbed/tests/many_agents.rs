//! A thousand synthetic agents in one process.

use std::time::Duration;

use buildscaler_simulator::buildkite::{AgentState, BuildSpec, FakeBuildkite, JobSpec, Switches};
use buildscaler_simulator::loopback::buildkite::BuildkiteServer;
use buildscaler_simulator::loopback::wall_clock;
use buildscaler_testbed::agent::Synthetic;
use buildscaler_testbed::kubelet::{PodContext, Signals, Workload};
use futures::future::join_all;
use tokio::time::timeout;

const AGENTS: usize = 1000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_agents_run_two_thousand_builds_and_leave() {
    let switches = Switches {
        ping_interval: Duration::from_secs(1),
        ..Switches::default()
    };
    let server = BuildkiteServer::start(FakeBuildkite::new(switches))
        .await
        .expect("a server");
    for _ in 0..AGENTS / 50 {
        let jobs = (0..100).map(|_| JobSpec::script("linux", Duration::from_millis(500)));
        server
            .fake()
            .inner_mut()
            .create_build(wall_clock(), BuildSpec::new("app", jobs));
    }

    let workload = Synthetic::at(server.agent_endpoint()).expect("agents");
    let mut terminate = Vec::new();
    let agents: Vec<_> = (0..AGENTS)
        .map(|number| {
            let env = [
                ("TOKEN", FakeBuildkite::AGENT_TOKEN),
                ("TAGS", "queue=linux"),
                ("DISCONNECT_AFTER_IDLE_TIMEOUT", "1"),
            ];
            let env = env.map(|(name, value)| (format!("BUILDKITE_AGENT_{name}"), value.to_owned()));
            let hostname = format!("pod-{number}");
            let (sender, signals) = Signals::channel();
            terminate.push(sender);
            tokio::spawn(workload.run(
                PodContext {
                    hostname,
                    env: env.to_vec(),
                    ..PodContext::default()
                },
                signals,
            ))
        })
        .collect();
    let exits = timeout(Duration::from_secs(120), join_all(agents))
        .await
        .expect("all agents leave");

    assert!(
        exits
            .iter()
            .all(|exit| exit.as_ref().is_ok_and(|exit| exit.is_success()))
    );
    let fake = server.fake();
    assert_eq!(fake.inner().truth().finished(), 2 * AGENTS);
    assert!(fake.inner().truth().interruptions().is_empty());
    assert!(
        fake.inner()
            .agents()
            .all(|agent| agent.state == AgentState::Disconnected)
    );
}
