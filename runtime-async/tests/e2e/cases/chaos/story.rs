//! One fault after another.

use std::collections::BTreeMap;
use std::time::Duration;

use buildscaler_core::BuildkiteJobId;
use tokio::time::{Instant, sleep};

use super::dice::Dice;
use super::fault::{FAULTS, Fault};
use super::fleet::Fleet;
use super::road::Moment;
use crate::harness::{Change, Cluster, Template, World};

/// What a controller asks Buildkite, as its requests begin.
const LOOK: (&str, &str) = ("GET ", "/agents");
const STOP: (&str, &str) = ("PUT ", "/stop");

/// How far a clock that jumps is off afterwards, in seconds.
const JUMPS: [i64; 6] = [-7_200, -90, 0, 90, 900, 7_200];

pub(super) struct Story<'a> {
    world: &'a World,
    dice: Dice,
    fleet: Fleet<'a>,
    changing: Template,
    replaced: u32,
    /// The builds that faults brought with them.
    pub(super) bursts: Vec<BuildkiteJobId>,
    survived: BTreeMap<Fault, usize>,
    missed: Vec<Fault>,
}

impl<'a> Story<'a> {
    pub(super) async fn begin(world: &'a World, seed: u64, replicas: usize) -> Self {
        world.apply(&Template::new("steady-job", "steady")).await;
        let changing = Template::new("changing-job", "changing");
        world.apply(&changing).await;
        Self {
            world,
            dice: Dice::new(seed),
            fleet: Fleet::start(world, replicas).await,
            changing,
            replaced: 0,
            bursts: Vec::new(),
            survived: BTreeMap::new(),
            missed: Vec::new(),
        }
    }

    /// Lets things go wrong for so long.
    pub(super) async fn unfold(&mut self, length: Duration) {
        let begun = Instant::now();
        let mut left: Vec<Fault> = Vec::new();
        while begun.elapsed() < length {
            sleep(self.dice.millis(500, 2_500)).await;
            if self.dice.percent(25) {
                self.replace().await;
            }
            if left.is_empty() {
                left.extend(FAULTS);
                left.retain(|fault| *fault != Fault::ClockJumps || self.fleet.clock.is_some());
            }
            let last = left.len() as u64 - 1;
            let fault = left.swap_remove(usize::try_from(self.dice.within(0, last)).unwrap_or(0));
            self.provoke(fault).await;
            if self.happens(fault).await {
                *self.survived.entry(fault).or_default() += 1;
            } else {
                self.missed.push(fault);
            }
            let at = begun.elapsed().as_secs_f64();
            eprintln!("chaos: {at:.1} s: {fault:?}");
        }
    }

    /// What happened, in a line.
    pub(super) fn summary(&self) -> String {
        let counts = self.survived.iter().map(|(fault, count)| format!("{fault:?} {count}"));
        let counts: Vec<String> = counts.collect();
        let clock = match self.fleet.clock {
            Some(_) => "",
            None => "; clocks did not jump, for want of libfaketime",
        };
        format!(
            "{} replaced templates, faults survived: {} ({}); not met: {:?}{clock}",
            self.replaced,
            self.survived.values().sum::<usize>(),
            counts.join(", "),
            self.missed,
        )
    }

    async fn replace(&mut self) {
        self.replaced += 1;
        self.world.remove(&self.changing).await;
        self.changing = self.changing.clone().generation(self.replaced + 1);
        self.world.apply(&self.changing).await;
    }

    /// Gives the controller a reason for the command that the fault is about.
    async fn provoke(&mut self, fault: Fault) {
        match fault {
            Fault::AnswerOfStopLost | Fault::KillBeforeStop | Fault::KillAfterStop | Fault::KillAtDelete => {
                self.replace().await;
            }
            Fault::KillAtCreate => {
                let length = self.dice.millis(2_000, 15_000);
                self.bursts.extend(self.world.build("steady", 4, length));
            }
            Fault::ApiServerKilled
            | Fault::ApiServerRestarted
            | Fault::EtcdKilled
            | Fault::AllConnectionsCut
            | Fault::AnswersLate
            | Fault::KillBeforeLook
            | Fault::KillAfterLook
            | Fault::Paused
            | Fault::ClockJumps => {}
        }
    }

    /// Whether the fault could happen.
    async fn happens(&mut self, fault: Fault) -> bool {
        match fault {
            Fault::ApiServerKilled => self.without_api_server(Cluster::kill_api_server).await,
            Fault::ApiServerRestarted => self.without_api_server(Cluster::stop_api_server).await,
            Fault::EtcdKilled => self.without_etcd().await,
            Fault::AllConnectionsCut => {
                self.fleet.kubernetes.cut();
                self.fleet.buildkite.cut();
            }
            Fault::AnswersLate => {
                for by in [self.dice.millis(1_000, 4_000), Duration::ZERO] {
                    self.fleet.kubernetes.delay(by);
                    self.fleet.buildkite.delay(by);
                    sleep(by * 2).await;
                }
            }
            Fault::AnswerOfStopLost => return self.fleet.lose(STOP).await,
            Fault::KillBeforeLook => return self.fleet.kill_at(LOOK, Moment::Before).await,
            Fault::KillAfterLook => return self.fleet.kill_at(LOOK, Moment::After).await,
            Fault::KillBeforeStop => return self.fleet.kill_at(STOP, Moment::Before).await,
            Fault::KillAfterStop => return self.fleet.kill_at(STOP, Moment::After).await,
            Fault::KillAtCreate => {
                let there = |world: &World| world.home.pods.ours().len();
                return self.fleet.kill_when(Change::CreatePod, there).await;
            }
            Fault::KillAtDelete => {
                let leaving = |world: &World| {
                    let pods = world.home.pods.ours();
                    pods.iter().filter(|pod| pod.leaving.is_some()).count()
                };
                return self.fleet.kill_when(Change::DeletePod, leaving).await;
            }
            Fault::Paused => self.fleet.pause(self.dice.millis(1_000, 6_000)).await,
            Fault::ClockJumps => {
                let to = self.dice.one(&JUMPS);
                if let Some(clock) = &self.fleet.clock {
                    clock.set(to);
                }
            }
        }
        true
    }

    /// Takes the API server away for a while.
    async fn without_api_server(&mut self, go: impl AsyncFnOnce(&Cluster)) {
        let cluster = &self.world.cluster;
        go(cluster).await;
        sleep(self.dice.millis(500, 2_500)).await;
        cluster.start_api_server().await;
        // The scheduler would be minutes in coming back from a second outage.
        cluster.restart_controllers().await;
    }

    /// The API server is there and can neither read nor write.
    async fn without_etcd(&mut self) {
        let cluster = &self.world.cluster;
        cluster.kill_etcd().await;
        sleep(self.dice.millis(500, 2_500)).await;
        cluster.start_etcd().await;
        cluster.restart_controllers().await;
    }
}
