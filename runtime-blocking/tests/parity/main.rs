//! The simulated driver, the blocking runtime and the async runtime send equal
//! request sets for the commands of every step of every committed scenario
//! (Invariant 33), so that what is found out about one holds for the others.
//!
//! The commands come from running the scenario in the simulator. Each is then
//! given to all three before the same fakes; equal commands are given once.
//! The fakes hold other things than the scenario does, several pages of each:
//! what is compared is what is asked, and how paging goes on.
//!
//! Left out: that the async runtime answers `ObserveCluster` from its watches
//! for as long as they last. What is compared here are the lists that it falls
//! back on. The lists that its watches begin with ask for smaller pages.
//!
//! Seen to fail when the blocking runtime stopped agents with another body, and
//! when the async one asked for agents with a further parameter.

#![expect(clippy::expect_used, reason = "a test may panic")]

mod drivers;
mod tap;
mod world;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use buildscaler_core::{Action, Input, Step, Timestamp};
use buildscaler_simulator::scenario::Scenario;
use buildscaler_simulator::{Options, Witness, run};

use crate::drivers::{Drivers, Sets, sorted};

/// What was to be done, step by step.
#[derive(Default)]
struct Orders(Vec<Vec<Action>>);

impl Witness for Orders {
    fn input(&mut self, _controller: u8, _clock: Timestamp, _input: &Input) {}

    fn step(&mut self, _controller: u8, step: &Step) {
        let actions: Vec<_> = step.commands.iter().map(|command| command.action.clone()).collect();
        if !actions.is_empty() {
            self.0.push(actions);
        }
    }
}

fn orders_of(path: &Path) -> Vec<Vec<Action>> {
    let text = std::fs::read_to_string(path).expect("readable");
    let scenario = Scenario::read(&path.display().to_string(), &text).expect("a scenario");
    let mut orders = Orders::default();
    let options = Options {
        story: false,
        witness: Some(&mut orders),
        ..Options::default()
    };
    run(&scenario, options, &mut |_| {});
    orders.0
}

fn committed_scenarios() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../simulator/scenarios");
    let files = [folder.clone(), folder.join("recorded")]
        .into_iter()
        .flat_map(|folder| std::fs::read_dir(folder).expect("a folder"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_drivers_ask_for_the_same_in_every_step_of_every_committed_scenario() {
    let drivers = Drivers::start().await;
    let mut known: BTreeMap<String, Sets> = BTreeMap::new();
    let (mut scenarios, mut steps, mut deepest) = (0, 0, 0);
    let (mut reads, mut claims, mut renewals) = (0, 0, 0);
    for path in committed_scenarios() {
        for actions in orders_of(&path) {
            let mut sets = Sets::default();
            for action in &actions {
                reads += usize::from(matches!(action, Action::ReadLease { .. }));
                if let Action::WriteLease(write) = action {
                    let count = if write.over.is_none() {
                        &mut claims
                    } else {
                        &mut renewals
                    };
                    *count += 1;
                }
                let key = serde_json::to_string(action).expect("JSON");
                if !known.contains_key(&key) {
                    known.insert(key.clone(), drivers.carry_out(action).await);
                }
                let of_command = &known[&key];
                deepest = deepest.max(of_command.simulated.len());
                sets.simulated.extend_from_slice(&of_command.simulated);
                sets.threads.extend_from_slice(&of_command.threads);
                sets.tokio.extend_from_slice(&of_command.tokio);
            }
            let [simulated, threads, tokio] = [sets.simulated, sets.threads, sets.tokio].map(sorted);
            assert!(simulated.len() >= actions.len(), "{}: {actions:?}", path.display());
            assert_eq!(threads, simulated, "blocking, {}: {actions:?}", path.display());
            assert_eq!(tokio, simulated, "async, {}: {actions:?}", path.display());
            steps += 1;
        }
        scenarios += 1;
    }
    println!(
        "{scenarios} scenarios, {steps} steps, {} different commands",
        known.len()
    );
    println!("of the Lease: {reads} reads, {claims} creations, {renewals} updates");
    let leads = reads > 0 && claims > 0 && renewals > 0;
    assert!(leads, "no leader was elected: {reads}, {claims}, {renewals}");
    assert!(scenarios > 30 && steps > 1_000, "{scenarios} scenarios, {steps} steps");
    // Three pages of each of two lists.
    assert!(deepest >= 6, "no look needed more than {deepest} requests");
}
