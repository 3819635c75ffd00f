//! The controllers of a story: one, or several of which one leads.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use super::road::{Moment, Road};
use crate::harness::{Change, Controller, Launch, OwnClock, World};

/// The controllers, and the roads that lead them to both servers.
pub(super) struct Fleet<'a> {
    world: &'a World,
    pub(super) kubernetes: Road,
    pub(super) buildkite: Road,
    pub(super) clock: Option<OwnClock>,
    launch: Launch,
    controllers: Vec<Arc<Controller>>,
    /// How long a moment is waited for; without it the fault did not happen.
    moment_within: Duration,
    _folder: TempDir,
}

impl<'a> Fleet<'a> {
    pub(super) async fn start(world: &'a World, replicas: usize) -> Self {
        let direct = world.launch();
        let text = fs::read_to_string(&direct.kubeconfig).expect("a kubeconfig");
        let server = port_in(&text, "https://");
        let kubernetes = Road::to(server).await;
        let buildkite = Road::to(port_in(&direct.buildkite, "http://")).await;
        let folder = TempDir::with_prefix("buildscaler-chaos-").expect("a folder");
        let kubeconfig = folder.path().join("kubeconfig");
        let text = text.replace(&format!(":{server}"), &format!(":{}", kubernetes.port));
        fs::write(&kubeconfig, text).expect("written");
        let clock = OwnClock::in_folder(folder.path());
        let ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(clock.is_some() || !ci, "CI needs libfaketime");
        let launch = Launch {
            kubeconfig,
            buildkite: format!("http://127.0.0.1:{}", buildkite.port),
            leader_elect: replicas > 1,
            clock: clock.clone(),
            ..direct
        };
        let mut controllers = Vec::new();
        for _ in 0..replicas {
            controllers.push(world.start(launch.clone()).await);
        }
        // A crash of the leader is followed after the lease duration of 15 s.
        let moment_within = Duration::from_secs(if replicas > 1 { 30 } else { 12 });
        Self {
            world,
            kubernetes,
            buildkite,
            clock,
            launch,
            controllers,
            moment_within,
            _folder: folder,
        }
    }

    /// Waits for a request to Buildkite, and lets its answer be lost.
    pub(super) async fn lose(&self, request: (&'static str, &'static str)) -> bool {
        let lost = self
            .buildkite
            .trap(request, Moment::After, self.moment_within, async || {});
        lost.await
    }

    /// Kills the controller that sends this to Buildkite.
    pub(super) async fn kill_at(&mut self, request: (&'static str, &'static str), moment: Moment) -> bool {
        let at_work = async || self.controllers[self.at_work()].kill().await;
        let killed = self.buildkite.trap(request, moment, self.moment_within, at_work).await;
        if killed {
            self.replace_dead().await;
        }
        killed
    }

    /// Kills the controller that says that it begins such a change, or of which it is seen.
    pub(super) async fn kill_when(&mut self, change: Change, seen: impl Fn(&World) -> usize) -> bool {
        let state = |fleet: &Self| {
            let said: usize = fleet
                .controllers
                .iter()
                .map(|controller| controller.begun(&[change]))
                .sum();
            (said, seen(fleet.world))
        };
        let before = state(self);
        let begun = Instant::now();
        while state(self) == before {
            if begun.elapsed() > self.moment_within {
                return false;
            }
            sleep(Duration::from_millis(1)).await;
        }
        self.controllers[self.at_work()].kill().await;
        self.replace_dead().await;
        true
    }

    /// Lets the controller that works stand still for a while.
    pub(super) async fn pause(&self, time: Duration) {
        let controller = &self.controllers[self.at_work()];
        controller.pause();
        sleep(time).await;
        controller.wake();
    }

    /// Which one commands, or did so last: the only one, or the last that said that it leads.
    fn at_work(&self) -> usize {
        let mut controllers = self.controllers.iter();
        controllers.position(|controller| controller.leads()).unwrap_or(0)
    }

    async fn replace_dead(&mut self) {
        for controller in &mut self.controllers {
            if !controller.runs().await {
                *controller = self.world.start(self.launch.clone()).await;
            }
        }
    }
}

/// The port of the first address after this.
fn port_in(text: &str, scheme: &str) -> u16 {
    let (_, address) = text.split_once(scheme).expect("an address");
    let (_, port) = address.split_once(':').expect("a port");
    let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().expect("a port")
}
