//! One command, carried out on records.

use std::sync::Arc;
use std::time::Duration;

use buildscaler_core::{
    Action, AgentId, ClusterView, Command, CommandId, CreatePod, Failure, Input, Outcome, Pod, Spending, Template,
    Timestamp, Uid, View,
};

use super::Domain;
use super::look::Look;
use super::strike::strike;
use crate::buildkite::{Refusal, Stop};
use crate::scenario::{FaultKind, RequestKind};
use crate::world::fidelity::{Outside, Passage};

/// How long a 429 of a proxy asks to wait.
const PROXY_WAIT: Duration = Duration::from_secs(5);

/// What lists showed the last time, where that may be shown again.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    templates: Option<Vec<Arc<Template>>>,
    pods: Option<Vec<Arc<Pod>>>,
    pub(super) pages: super::look::Pages,
}

/// A command on its way.
#[derive(Debug)]
pub(crate) enum Talk {
    Cluster(Cluster),
    Look(Look),
    Write(Write),
    /// Nothing to ask.
    Over(Input),
}

/// Both lists, one after the other.
#[derive(Debug)]
pub(crate) struct Cluster {
    id: CommandId,
    begun_at: Timestamp,
    templates: Option<View<Vec<Arc<Template>>>>,
    pods: Option<View<Vec<Arc<Pod>>>>,
    answer: Option<Answer<Rows>>,
}

#[derive(Debug)]
enum Rows {
    Templates(Vec<Arc<Template>>),
    Pods(Vec<Arc<Pod>>),
}

/// A request that changes something.
#[derive(Debug)]
pub(crate) struct Write {
    id: CommandId,
    action: Deed,
    sent: bool,
    answer: Option<Answer<()>>,
    outcome: Option<Outcome>,
    spending: Spending,
}

#[derive(Debug)]
enum Deed {
    Create(Box<CreatePod>),
    Delete(String, Uid, Option<u32>),
    Stop(AgentId),
}

/// What comes back of a request.
#[derive(Clone, Debug)]
pub(super) enum Answer<T> {
    /// A success.
    Good(T),
    /// A refusal that Kubernetes or Buildkite itself makes.
    No(Failure),
    /// Silence.
    Nothing,
    /// A proxy's refusal.
    Status(u16),
    /// No JSON.
    Garbled,
}

impl Talk {
    pub(super) fn begin(command: Command, clock: Timestamp) -> Self {
        let id = command.id;
        let deed = match command.action {
            Action::ObserveCluster => {
                return Self::Cluster(Cluster {
                    id,
                    begun_at: clock,
                    templates: None,
                    pods: None,
                    answer: None,
                });
            }
            Action::ObserveBuildkite { grant, from } => return Self::Look(Look::begin(id, grant, from, clock)),
            Action::CreatePod(create) => Deed::Create(Box::new(create)),
            Action::StopAgent { agent } => Deed::Stop(agent),
            Action::DeletePod {
                namespace: _,
                name,
                uid,
                grace_seconds,
            } => Deed::Delete(name, uid, grace_seconds),
            Action::RegisterUsage { .. } | Action::MeterUsage { .. } => {
                return Self::Over(buildscaler_wire::unmetered(id));
            }
        };
        Self::Write(Write {
            id,
            action: deed,
            sent: false,
            answer: None,
            outcome: None,
            spending: Spending::default(),
        })
    }

    /// Whether the next request goes to Buildkite; none if there is none.
    pub(super) fn send(&mut self, clock: Timestamp) -> Option<bool> {
        match self {
            Self::Cluster(talk) => {
                if talk.templates.is_none() {
                    talk.begun_at = clock;
                }
                talk.pods.is_none().then_some(false)
            }
            Self::Look(look) => look.send(clock).then_some(true),
            Self::Write(write) => (!std::mem::replace(&mut write.sent, true)).then(|| write.to_buildkite()),
            Self::Over(_) => None,
        }
    }

    pub(super) fn serve(&mut self, domain: &mut Domain, outside: &mut Outside, now: Timestamp) -> Passage {
        match self {
            Self::Cluster(talk) => talk.serve(domain, outside, now),
            Self::Look(look) => look.serve(&mut domain.shown, outside, now),
            Self::Write(write) => write.serve(domain, outside, now),
            Self::Over(_) => Passage {
                buildkite: false,
                late: Duration::ZERO,
            },
        }
    }

    pub(super) fn absorb(&mut self, clock: Timestamp) {
        match self {
            Self::Cluster(talk) => talk.absorb(clock),
            Self::Look(look) => look.absorb(clock),
            Self::Write(write) => write.absorb(clock),
            Self::Over(_) => {}
        }
    }

    pub(super) fn finish(self) -> Input {
        match self {
            Self::Cluster(talk) => talk.finish(),
            Self::Look(look) => look.finish(),
            Self::Write(write) => write.finish(),
            Self::Over(end) => end,
        }
    }
}

impl<T> Answer<T> {
    /// The answer to a read, as the wire reads it.
    pub(super) fn read(self, clock: Timestamp) -> Result<T, Failure> {
        match self {
            Self::Good(rows) => Ok(rows),
            Self::No(failure) => Err(failure),
            Self::Nothing => Err(Failure::Unavailable {
                message: "timed out".into(),
            }),
            Self::Status(429) => Err(proxy_limit(clock)),
            Self::Status(status) => Err(Failure::Unavailable {
                message: format!("status {status}"),
            }),
            Self::Garbled => Err(Failure::Malformed {
                message: "no JSON".into(),
            }),
        }
    }
}

fn proxy_limit(clock: Timestamp) -> Failure {
    Failure::RateLimited {
        until: clock.after(PROXY_WAIT),
        message: "status 429".into(),
    }
}

impl Cluster {
    fn serve(&mut self, domain: &mut Domain, outside: &mut Outside, now: Timestamp) -> Passage {
        outside.kubernetes_requests += 1;
        let kind = match self.templates {
            None => RequestKind::Templates,
            Some(_) => RequestKind::Pods,
        };
        let fault = outside.faults.strike(kind, now);
        let struck = strike(fault);
        let stale = fault == Some(FaultKind::Stale);
        let repeats = outside.faults.may_repeat;
        let answer = struck.instead.unwrap_or_else(|| {
            Answer::Good(if kind == RequestKind::Templates {
                let fresh = domain.list_templates();
                Rows::Templates(list(fresh, fault, stale, repeats, &mut domain.shown.templates))
            } else {
                let fresh = domain.list_pods();
                Rows::Pods(list(fresh, fault, stale, repeats, &mut domain.shown.pods))
            })
        });
        self.answer = Some(answer);
        Passage {
            buildkite: false,
            late: struck.late,
        }
    }

    fn absorb(&mut self, clock: Timestamp) {
        let Some(answer) = self.answer.take() else { return };
        match (answer.read(clock), &self.templates) {
            (Ok(Rows::Templates(rows)), _) => self.templates = Some(View::Complete(rows)),
            (Ok(Rows::Pods(rows)), _) => self.pods = Some(View::Complete(rows)),
            (Err(failure), None) => {
                if matches!(failure, Failure::RateLimited { .. }) {
                    self.pods = Some(View::Unknown(failure.clone()));
                }
                self.templates = Some(View::Unknown(failure));
            }
            (Err(failure), Some(_)) => self.pods = Some(View::Unknown(failure)),
        }
    }

    fn finish(self) -> Input {
        let cut_short = || Failure::Unavailable {
            message: "the look ended before the list was read".into(),
        };
        Input::Cluster {
            id: Some(self.id),
            view: ClusterView {
                begun_at: self.begun_at,
                templates: self.templates.unwrap_or_else(|| View::Unknown(cut_short())),
                pods: self.pods.unwrap_or_else(|| View::Unknown(cut_short())),
            },
        }
    }
}

/// The rows that a list shows, and what is kept of them to be shown again.
fn list<T>(
    mut fresh: Vec<Arc<T>>,
    fault: Option<FaultKind>,
    stale: bool,
    repeats: bool,
    shown: &mut Option<Vec<Arc<T>>>,
) -> Vec<Arc<T>> {
    if stale {
        return shown.clone().unwrap_or(fresh);
    }
    if fault == Some(FaultKind::Truncated) {
        fresh.truncate(fresh.len() / 2);
        return fresh;
    }
    if repeats && fault.is_none() {
        *shown = Some(fresh.clone());
    }
    fresh
}

impl Write {
    fn to_buildkite(&self) -> bool {
        matches!(self.action, Deed::Stop(_))
    }

    fn serve(&mut self, domain: &mut Domain, outside: &mut Outside, now: Timestamp) -> Passage {
        let kind = match self.action {
            Deed::Create(_) => RequestKind::Creates,
            Deed::Delete(..) => RequestKind::Deletes,
            Deed::Stop(_) => RequestKind::Stops,
        };
        let struck = strike(outside.faults.strike(kind, now));
        let mut answer = Answer::Nothing;
        if self.to_buildkite() {
            outside.buildkite_requests += 1;
            self.spending.requests += 1;
        } else {
            outside.kubernetes_requests += 1;
        }
        if struck.carried_out {
            answer = match &self.action {
                Deed::Create(create) => follow(domain.create(now, create), outside),
                Deed::Delete(name, uid, grace) => follow(domain.delete(name, uid, *grace), outside),
                Deed::Stop(agent) => stop(agent, outside, &mut self.spending, now),
            };
        }
        self.answer = Some(match struck.instead {
            // A success needs no body, and a refusal is told by its status.
            Some(Answer::Garbled) | None => answer,
            Some(instead) => instead,
        });
        Passage {
            buildkite: self.to_buildkite(),
            late: struck.late,
        }
    }

    fn absorb(&mut self, clock: Timestamp) {
        let Some(answer) = self.answer.take() else { return };
        let unknown = |message: &str| {
            Outcome::Failed(Failure::FateUnknown {
                message: message.into(),
            })
        };
        for limit in &mut self.spending.limits {
            limit.reset_at = clock.after(limit.reset_at.since(Timestamp::default()));
        }
        self.outcome = Some(match answer {
            Answer::Good(()) | Answer::Garbled => Outcome::Done,
            Answer::No(Failure::RateLimited { until, message }) => Outcome::Failed(Failure::RateLimited {
                until: clock.after(until.since(Timestamp::default())),
                message,
            }),
            Answer::No(failure) => Outcome::Failed(failure),
            Answer::Nothing => unknown("timed out"),
            Answer::Status(429) => Outcome::Failed(proxy_limit(clock)),
            Answer::Status(500) if !self.to_buildkite() => unknown("status 500"),
            Answer::Status(status) => Outcome::Failed(Failure::Unavailable {
                message: format!("status {status}"),
            }),
        });
    }

    fn finish(self) -> Input {
        Input::Outcome {
            id: self.id,
            outcome: self.outcome.unwrap_or_else(|| {
                Outcome::Failed(Failure::FateUnknown {
                    message: "nobody waited for the answer".into(),
                })
            }),
            spending: self.spending,
        }
    }
}

fn follow(done: Result<super::Effect, Failure>, outside: &mut Outside) -> Answer<()> {
    match done {
        Ok(effect) => {
            outside.effects.push(effect);
            Answer::Good(())
        }
        Err(failure) => Answer::No(failure),
    }
}

/// Stops an agent. Times in what is told are counted from zero until the
/// answer arrives.
fn stop(agent: &AgentId, outside: &mut Outside, spending: &mut Spending, now: Timestamp) -> Answer<()> {
    let (within, allowances) = outside.buildkite.spend_request(now);
    let zero = Timestamp::default();
    spending.limits = allowances.iter().map(|allowance| allowance.reading(zero)).collect();
    if let Err(wait) = within {
        let waits = spending.limits.iter().filter(|limit| limit.remaining == 0);
        let until = waits.map(|limit| limit.reset_at).fold(zero.after(wait), Timestamp::max);
        return Answer::No(Failure::RateLimited {
            until,
            message: "rate limited".into(),
        });
    }
    match outside.buildkite.stop(now, agent, Stop::Graceful) {
        Ok(()) => Answer::Good(()),
        Err(refusal @ (Refusal::UnknownAgent | Refusal::NotConnected)) => Answer::No(Failure::NotFound {
            message: refusal.to_string(),
        }),
        Err(refusal) => Answer::No(Failure::Rejected {
            status: 400,
            message: refusal.to_string(),
        }),
    }
}
