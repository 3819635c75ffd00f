//! Chaos on the real parts: a seeded schedule of faults while builds keep coming.
//!
//! `BUILDSCALER_CHAOS_SEED` repeats a schedule, `BUILDSCALER_CHAOS_SECONDS` sets
//! its length; how requests and faults meet is the machine's, so that a seed
//! repeats the faults and not each interleaving. Requests to Kubernetes are
//! behind TLS: they are cut and late, but the moment of a create or delete is
//! taken from the controller's log, or from the pod itself. Clocks are not skewed:
//! all parts share the machine's, and nothing here gives one process another.

#[path = "../../../chaos/dice.rs"]
mod dice;
mod road;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use buildscaler_core::BuildkiteJobId;
use libtest_mimic::Trial;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::harness::{Controller, Launch, Template, World, within};
use dice::Dice;
use road::{Moment, Road};

/// For how long, in seconds, faults are to happen.
const LENGTH: &str = "BUILDSCALER_CHAOS_SECONDS";

/// How long everything may take once nothing goes wrong any more.
const RECOVERY: Duration = Duration::from_secs(150);

/// How long a moment is waited for; without it the fault did not happen.
const MOMENT_WITHIN: Duration = Duration::from_secs(12);

/// What a controller asks Buildkite, as its requests begin.
const LOOK: (&str, &str) = ("GET ", "/agents");
const STOP: (&str, &str) = ("PUT ", "/stop");

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    ApiServerRestarted,
    AllConnectionsCut,
    AnswersLate,
    AnswerOfStopLost,
    KillBeforeLook,
    KillAfterLook,
    KillBeforeStop,
    KillAfterStop,
    KillAtCreate,
    KillAtDelete,
    Paused,
}

/// Each of them comes once before one comes again, but for the restart of the API
/// server, which comes once.
const FAULTS: [Fault; 11] = [
    Fault::ApiServerRestarted,
    Fault::AllConnectionsCut,
    Fault::AnswersLate,
    Fault::AnswerOfStopLost,
    Fault::KillBeforeLook,
    Fault::KillAfterLook,
    Fault::KillBeforeStop,
    Fault::KillAfterStop,
    Fault::KillAtCreate,
    Fault::KillAtDelete,
    Fault::Paused,
];

/// The case, ignored unless a length is given: it is long, and by chance as long
/// as its seed makes it.
pub(crate) fn if_wanted(trial: Trial) -> Trial {
    if std::env::var_os(LENGTH).is_some() {
        trial
    } else {
        trial
            .with_kind("long: set BUILDSCALER_CHAOS_SECONDS")
            .with_ignored_flag(true)
    }
}

/// Whatever happens, every build passes, is run once, and no pod is left.
pub(crate) async fn survived(world: &World) {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse().ok());
    let seed = number("BUILDSCALER_CHAOS_SEED").unwrap_or_else(dice::from_the_clock);
    let seconds = number(LENGTH).unwrap_or(45);
    eprintln!("chaos: seed {seed}, {seconds} s");
    let _told = Told(seed);

    let mut story = Story::begin(world, seed).await;
    let over = Cell::new(false);
    let faults = async {
        story.unfold(Duration::from_secs(seconds)).await;
        over.set(true);
    };
    let ((), mut builds) = tokio::join!(faults, keep_building(world, Dice::new(seed ^ 1), &over));

    builds.append(&mut story.bursts);
    within(RECOVERY, "all builds pass", async || world.all_passed(&builds)).await;
    within(RECOVERY, "no pod is left", async || world.home.pods.none_left()).await;
    let interruptions = world.fake().inner().truth().interruptions();
    assert_eq!(interruptions, [], "seed {seed}: builds were interrupted");
    for id in &builds {
        let runs = world.agent_runs(id);
        assert_eq!(runs, 1, "seed {seed}: {id:?} was run {runs} times");
    }
    let survived: Vec<String> = story
        .survived
        .iter()
        .map(|(fault, n)| format!("{fault:?} {n}"))
        .collect();
    eprintln!(
        "chaos: seed {seed}, {seconds} s, {} builds, {} interrupted, {} replaced templates, faults survived: {} ({}); not met: {:?}",
        builds.len(),
        interruptions.len(),
        story.replaced,
        story.survived.values().sum::<usize>(),
        survived.join(", "),
        story.missed,
    );
}

/// Tells the seed of a case that fails.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("chaos: failed with BUILDSCALER_CHAOS_SEED={}", self.0);
        }
    }
}

async fn keep_building(world: &World, mut dice: Dice, over: &Cell<bool>) -> Vec<BuildkiteJobId> {
    let mut builds = Vec::new();
    while !over.get() {
        let queue = dice.one(&["steady", "changing"]);
        let count = usize::try_from(dice.within(1, 2)).unwrap_or(1);
        builds.extend(world.build(queue, count, dice.millis(2_000, 15_000)));
        sleep(dice.millis(1_000, 5_000)).await;
    }
    builds
}

struct Story<'a> {
    world: &'a World,
    dice: Dice,
    kubernetes: Road,
    buildkite: Road,
    launch: Launch,
    controller: Arc<Controller>,
    changing: Template,
    replaced: u32,
    bursts: Vec<BuildkiteJobId>,
    survived: BTreeMap<Fault, usize>,
    missed: Vec<Fault>,
    _kubeconfig: TempDir,
}

impl<'a> Story<'a> {
    async fn begin(world: &'a World, seed: u64) -> Self {
        let direct = world.launch();
        let text = fs::read_to_string(&direct.kubeconfig).expect("a kubeconfig");
        let server = port_in(&text, "https://");
        let kubernetes = Road::to(server).await;
        let buildkite = Road::to(port_in(&direct.buildkite, "http://")).await;
        let folder = TempDir::with_prefix("buildscaler-chaos-").expect("a folder");
        let kubeconfig = folder.path().join("kubeconfig");
        let text = text.replace(&format!(":{server}"), &format!(":{}", kubernetes.port));
        fs::write(&kubeconfig, text).expect("written");
        let launch = Launch {
            kubeconfig,
            buildkite: format!("http://127.0.0.1:{}", buildkite.port),
            ..direct
        };
        world.apply(&Template::new("steady-job", "steady")).await;
        let changing = Template::new("changing-job", "changing");
        world.apply(&changing).await;
        Self {
            world,
            dice: Dice::new(seed),
            controller: world.start(launch.clone()).await,
            kubernetes,
            buildkite,
            launch,
            changing,
            replaced: 0,
            bursts: Vec::new(),
            survived: BTreeMap::new(),
            missed: Vec::new(),
            _kubeconfig: folder,
        }
    }

    async fn unfold(&mut self, length: Duration) {
        let begun = Instant::now();
        let mut left: Vec<Fault> = Vec::new();
        while begun.elapsed() < length {
            sleep(self.dice.millis(500, 2_500)).await;
            if self.dice.percent(25) {
                self.replace().await;
            }
            if left.is_empty() {
                left.extend(FAULTS);
                // The real scheduler does not come back from a second one for minutes.
                let again = self.survived.contains_key(&Fault::ApiServerRestarted);
                left.retain(|fault| !again || *fault != Fault::ApiServerRestarted);
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
            Fault::ApiServerRestarted
            | Fault::AllConnectionsCut
            | Fault::AnswersLate
            | Fault::KillBeforeLook
            | Fault::KillAfterLook
            | Fault::Paused => {}
        }
    }

    /// Whether the fault could happen.
    async fn happens(&mut self, fault: Fault) -> bool {
        match fault {
            Fault::ApiServerRestarted => {
                self.world.cluster.stop_api_server().await;
                sleep(self.dice.millis(500, 2_500)).await;
                self.world.cluster.start_api_server().await;
                true
            }
            Fault::AllConnectionsCut => {
                self.kubernetes.cut();
                self.buildkite.cut();
                true
            }
            Fault::AnswersLate => {
                for by in [self.dice.millis(1_000, 4_000), Duration::ZERO] {
                    self.kubernetes.delay(by);
                    self.buildkite.delay(by);
                    sleep(by * 2).await;
                }
                true
            }
            Fault::AnswerOfStopLost => {
                self.buildkite
                    .trap(STOP, Moment::After, MOMENT_WITHIN, async || {})
                    .await
            }
            Fault::KillBeforeLook => self.kill_at(LOOK, Moment::Before).await,
            Fault::KillAfterLook => self.kill_at(LOOK, Moment::After).await,
            Fault::KillBeforeStop => self.kill_at(STOP, Moment::Before).await,
            Fault::KillAfterStop => self.kill_at(STOP, Moment::After).await,
            Fault::KillAtCreate => {
                self.kill_when("creating a pod", |world| world.home.pods.ours().len())
                    .await
            }
            Fault::KillAtDelete => {
                let leaving = |world: &World| {
                    let pods = world.home.pods.ours();
                    pods.iter().filter(|pod| pod.leaving.is_some()).count()
                };
                self.kill_when("deleting a pod", leaving).await
            }
            Fault::Paused => {
                self.controller.pause();
                sleep(self.dice.millis(1_000, 6_000)).await;
                self.controller.wake();
                true
            }
        }
    }

    async fn kill_at(&mut self, request: (&'static str, &'static str), moment: Moment) -> bool {
        let controller = &self.controller;
        let kill = async || controller.kill().await;
        let killed = self.buildkite.trap(request, moment, MOMENT_WITHIN, kill).await;
        if killed {
            self.restart().await;
        }
        killed
    }

    /// Kills the controller when it says something, or when something is seen of it.
    async fn kill_when(&mut self, says: &str, seen: impl Fn(&World) -> usize) -> bool {
        let before = (self.controller.count(&[says]), seen(self.world));
        let begun = Instant::now();
        while (self.controller.count(&[says]), seen(self.world)) == before {
            if begun.elapsed() > MOMENT_WITHIN {
                return false;
            }
            sleep(Duration::from_millis(1)).await;
        }
        self.controller.kill().await;
        self.restart().await;
        true
    }

    async fn restart(&mut self) {
        self.controller = self.world.start(self.launch.clone()).await;
    }
}

/// The port of the first address after this.
fn port_in(text: &str, scheme: &str) -> u16 {
    let (_, address) = text.split_once(scheme).expect("an address");
    let (_, port) = address.split_once(':').expect("a port");
    let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a port")
}
