//! The three ways to carry out a command, and what each of them asks for.

use buildscaler_args::Token;
use buildscaler_core::{Action, Command, CommandId, Config, Reason};
use buildscaler_runtime_async::Settings;
use buildscaler_runtime_blocking::Errand;
use buildscaler_simulator::buildkite::FakeBuildkite;
use buildscaler_simulator::fault::Service;
use buildscaler_simulator::kubernetes::ADMIN_TOKEN;
use buildscaler_simulator::loopback::wall_clock;
use buildscaler_wire::{Api, Exchange, Request, Surroundings};
use http::header::AUTHORIZATION;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::tap::{Asked, Tap};
use crate::world::{NAMESPACE, World};

/// What the drivers asked for, in order of their values: a set of requests
/// that counts how often each was made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sets {
    pub(crate) simulated: Vec<Asked>,
    pub(crate) threads: Vec<Asked>,
    pub(crate) tokio: Vec<Asked>,
}

/// All three drivers before the same fakes.
pub(crate) struct Drivers {
    world: World,
    surroundings: Surroundings,
    threads: Errand,
    tokio: Settings,
    taps: [Tap; 2],
}

impl Drivers {
    pub(crate) async fn start() -> Self {
        let world = World::start().await;
        let taps = [
            Tap::before(&world.kubernetes.url()),
            Tap::before(&world.buildkite.url()),
        ];
        let [kubernetes, buildkite] = taps.each_ref().map(Tap::url);
        let kubeconfig = Kubeconfig::from_yaml(&world.kubeconfig(kubernetes)).expect("a kubeconfig");
        let options = KubeConfigOptions::default();
        let cluster = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await;
        let cluster = cluster.expect("usable");
        let surroundings = Surroundings {
            organization: FakeBuildkite::ORGANIZATION.to_owned(),
            namespace: Some(NAMESPACE.to_owned()),
        };
        let token = Token::from(FakeBuildkite::ACCESS_TOKEN);
        let tokio = Settings::new(Config::default(), surroundings.clone(), &cluster, buildkite, &token);
        let threads = Errand::new(surroundings.clone(), cluster, buildkite, &token);
        Self {
            tokio: tokio.expect("usable"),
            threads: threads.expect("usable"),
            world,
            surroundings,
            taps,
        }
    }

    /// Has each driver carry out the action, in the same surroundings.
    pub(crate) async fn carry_out(&self, action: &Action) -> Sets {
        let command = || Command {
            id: CommandId(0),
            action: action.clone(),
            reason: Reason::Interval,
            not_after: None,
        };
        let created = match action {
            Action::CreatePod(pod) => Some(pod.name.as_str()),
            Action::ObserveCluster
            | Action::ObserveBuildkite { .. }
            | Action::StopAgent { .. }
            | Action::DeletePod { .. }
            | Action::RegisterUsage { .. }
            | Action::MeterUsage { .. }
            | Action::ReadLease { .. }
            | Action::WriteLease(_) => None,
        };
        let simulated = sorted(self.simulate(command()));
        self.world.begin_anew(created);
        tokio::task::block_in_place(|| drop(self.threads.carry_out(command())));
        let threads = sorted(self.tapped());
        self.world.begin_anew(created);
        drop(self.tokio.carry_out(command()).await);
        let tokio = sorted(self.tapped());
        self.world.begin_anew(created);
        Sets {
            simulated,
            threads,
            tokio,
        }
    }

    fn tapped(&self) -> Vec<Asked> {
        self.taps.iter().flat_map(Tap::take).collect()
    }

    /// As the simulator's wire fidelity does.
    fn simulate(&self, command: Command) -> Vec<Asked> {
        let mut asked = Vec::new();
        let mut exchange = Exchange::begin(command, &self.surroundings, wall_clock());
        while let Some(Request { api, mut http, .. }) = exchange.next_request(wall_clock()) {
            asked.push(Asked::of(&http));
            let token = match api {
                Api::Kubernetes => ADMIN_TOKEN,
                Api::Buildkite => FakeBuildkite::ACCESS_TOKEN,
            };
            let bearer = format!("Bearer {token}").parse().expect("a header");
            http.headers_mut().insert(AUTHORIZATION, bearer);
            let answer = match api {
                Api::Kubernetes => self.world.kubernetes.with(|fake, now| Service::handle(fake, now, http)),
                Api::Buildkite => self.world.buildkite.fake().inner_mut().handle(wall_clock(), http),
            };
            exchange.absorb(Ok(answer), wall_clock());
        }
        asked
    }
}

pub(crate) fn sorted(mut asked: Vec<Asked>) -> Vec<Asked> {
    asked.sort();
    asked
}
