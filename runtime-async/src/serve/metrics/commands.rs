//! Commands in flight, and how they end.

use std::collections::BTreeMap;

use buildscaler_core::{Action, Command, CommandId, Failure, Input, LookEnd, Outcome, Queue, Reason, Timestamp};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::catalogue;
use super::labels::Queues;
use super::waits::{Part, Waits};

/// What is in flight, and the counts.
#[derive(Debug)]
pub(super) struct Commands {
    flights: BTreeMap<CommandId, Flight>,
    /// When the last complete look was told: what is asked for, it asked for.
    looked_at: Timestamp,
    ended: Family<[(&'static str, &'static str); 3], Counter>,
    in_flight: Family<[(&'static str, &'static str); 1], Gauge>,
}

#[derive(Debug)]
struct Flight {
    action: &'static str,
    reason: Reason,
    /// Of a create: where, and when the look was told that asked for it.
    create: Option<(Queue, Timestamp)>,
}

impl Commands {
    pub(super) fn new(registry: &mut Registry) -> Self {
        let commands = Self {
            flights: BTreeMap::new(),
            looked_at: Timestamp::default(),
            ended: Family::default(),
            in_flight: Family::default(),
        };
        catalogue::COMMANDS.register(registry, commands.ended.clone());
        catalogue::IN_FLIGHT.register(registry, commands.in_flight.clone());
        commands
    }

    /// A complete look was told.
    pub(super) fn looked(&mut self, now: Timestamp) {
        self.looked_at = now;
    }

    /// These are sent.
    pub(super) fn sent(&mut self, commands: &[Command]) {
        for Command { id, action, reason, .. } in commands {
            let create = if let Action::CreatePod(create) = action {
                Some((create.queue.clone(), self.looked_at))
            } else {
                None
            };
            let action = name(action);
            self.in_flight.get_or_create(&[("action", action)]).inc();
            let flight = Flight {
                action,
                reason: *reason,
                create,
            };
            self.flights.insert(*id, flight);
        }
    }

    /// Something was told: the end of a command, perhaps.
    pub(super) fn told(&mut self, input: &Input, now: Timestamp, queues: &Queues, waits: &Waits) {
        let Some((id, outcome)) = end(input) else { return };
        let Some(flight) = self.flights.remove(&id) else { return };
        self.in_flight.get_or_create(&[("action", flight.action)]).dec();
        let labels = [
            ("action", flight.action),
            ("reason", flight.reason.as_str()),
            ("outcome", outcome),
        ];
        self.ended.get_or_create(&labels).inc();
        if let Some((queue, asked_at)) = flight.create.filter(|_| outcome == DONE)
            && let Some(queue) = queues.name(&queue)
        {
            waits.part(queue, Part::Creation, now.since(asked_at));
        }
    }
}

/// The command that this ends, and how.
fn end(input: &Input) -> Option<(CommandId, &'static str)> {
    let outcome = |failure: Option<&Failure>| failure.map_or(DONE, failed);
    match input {
        Input::Cluster { id, view } => {
            let failure = view.templates.failure().or_else(|| view.pods.failure());
            id.map(|id| (id, outcome(failure)))
        }
        Input::Buildkite { id, look } => match &look.end {
            LookEnd::Complete | LookEnd::More(_) => Some((*id, DONE)),
            LookEnd::Failed(_, failure) => Some((*id, failed(failure))),
        },
        Input::Outcome { id, outcome, .. } => match outcome {
            Outcome::Done => Some((*id, DONE)),
            Outcome::Failed(failure) => Some((*id, failed(failure))),
        },
        Input::Lease { id, view } => Some((*id, outcome(view.failure()))),
        Input::Tick | Input::Shutdown => None,
    }
}

const DONE: &str = "done";

fn failed(failure: &Failure) -> &'static str {
    match failure {
        Failure::AlreadyExists { .. } => "already_exists",
        Failure::NotFound { .. } => "not_found",
        Failure::Forbidden { .. } => "forbidden",
        Failure::RateLimited { .. } => "rate_limited",
        Failure::Unavailable { .. } => "unavailable",
        Failure::Rejected { .. } => "rejected",
        Failure::Malformed { .. } => "malformed",
        Failure::FateUnknown { .. } => "fate_unknown",
        Failure::TimeRefused { .. } => "time_refused",
        Failure::OverBudget => "over_budget",
    }
}

fn name(action: &Action) -> &'static str {
    match action {
        Action::ObserveCluster => "observe_cluster",
        Action::ObserveBuildkite { .. } => "observe_buildkite",
        Action::CreatePod(_) => "create_pod",
        Action::StopAgent { .. } => "stop_agent",
        Action::DeletePod { .. } => "delete_pod",
        Action::RegisterUsage { .. } => "register_usage",
        Action::MeterUsage { .. } => "meter_usage",
        Action::ReadLease { .. } => "read_lease",
        Action::WriteLease(_) => "write_lease",
    }
}
