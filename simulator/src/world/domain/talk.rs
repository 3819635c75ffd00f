//! One command, carried out on records.

use std::sync::Arc;
use std::time::Duration;

use buildscaler_core::{Action, ClusterView, Command, CommandId, Failure, Input, Pod, Template, Timestamp, View};

use super::Domain;
use super::lease::LeaseTalk;
use super::look::Look;
use super::strike::strike;
use super::write::{Deed, Write};
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
    Lease(LeaseTalk),
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
        let not_after = command.not_after;
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
            Action::ReadLease { within, .. } => return Self::Lease(LeaseTalk::read(id, within)),
            Action::WriteLease(write) => return Self::Lease(LeaseTalk::write(id, write)),
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
        Self::Write(Write::begin(id, deed, not_after))
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
            Self::Over(_) => None,
            Self::Write(write) => write.send(clock),
            Self::Lease(lease) => lease.send(),
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
            Self::Lease(lease) => lease.serve(&mut domain.lease, outside, now),
        }
    }

    pub(super) fn absorb(&mut self, clock: Timestamp) {
        match self {
            Self::Cluster(talk) => talk.absorb(clock),
            Self::Look(look) => look.absorb(clock),
            Self::Write(write) => write.absorb(clock),
            Self::Over(_) => {}
            Self::Lease(lease) => lease.absorb(clock),
        }
    }

    pub(super) fn finish(self) -> Input {
        match self {
            Self::Cluster(talk) => talk.finish(),
            Self::Look(look) => look.finish(),
            Self::Write(write) => write.finish(),
            Self::Over(end) => end,
            Self::Lease(lease) => lease.finish(),
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

pub(super) fn proxy_limit(clock: Timestamp) -> Failure {
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
