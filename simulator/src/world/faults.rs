//! The faults that are in force, and which requests they strike.

use std::time::Duration;

use buildscaler_core::Timestamp;

use crate::scenario::{FaultKind, FaultSpec, RequestKind};

/// How long a client waits for an answer, as both runtimes do.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// What the API server says when a quota is used up.
pub(crate) const QUOTA_EXCEEDED: &str =
    "pods is forbidden: exceeded quota: few, requested: pods=1, used: pods=8, limited: pods=8";

/// The schedule of faults. It depends on nothing but the requests and the
/// time, so it does the same to either fidelity.
#[derive(Clone, Debug)]
pub(crate) struct Faults {
    active: Vec<Active>,
    /// Whether answers have to be remembered, for some may be repeated later.
    pub(crate) may_repeat: bool,
}

#[derive(Clone, Debug)]
struct Active {
    spec: FaultSpec,
    until: Option<Timestamp>,
    skip: u64,
    left: u64,
}

impl Faults {
    pub(crate) fn new(may_repeat: bool) -> Self {
        Self {
            active: Vec::new(),
            may_repeat,
        }
    }

    pub(crate) fn begin(&mut self, spec: FaultSpec, now: Timestamp) {
        self.active.push(Active {
            until: spec.lasts.map(|span| now.after(span.0)),
            skip: spec.skip,
            left: spec.times.unwrap_or(u64::MAX),
            spec,
        });
    }

    /// Ends all of them.
    pub(crate) fn mend(&mut self) {
        self.active.clear();
    }

    /// What goes wrong with a request that arrives now. Of several faults that
    /// strike it, the first one begun does.
    pub(crate) fn strike(&mut self, kind: RequestKind, now: Timestamp) -> Option<FaultKind> {
        self.active
            .retain(|fault| fault.left > 0 && fault.until.is_none_or(|until| now < until));
        self.active
            .iter_mut()
            .find_map(|fault| fault.strikes(kind).then_some(fault.spec.with))
    }

    /// Whether lists of Kubernetes go wrong now, and so would a watch.
    pub(crate) fn watch_is_broken(&self, now: Timestamp) -> bool {
        self.active.iter().any(|fault| {
            let lists = [RequestKind::Templates, RequestKind::Pods].iter();
            fault.left > 0
                && fault.until.is_none_or(|until| now < until)
                && lists.into_iter().any(|kind| covers(fault.spec.on, *kind))
        })
    }
}

impl Active {
    fn strikes(&mut self, kind: RequestKind) -> bool {
        if !covers(self.spec.on, kind) || self.left == 0 {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.left -= 1;
        true
    }
}

fn covers(on: RequestKind, kind: RequestKind) -> bool {
    on == kind
        || match on {
            RequestKind::Buildkite => matches!(kind, RequestKind::Builds | RequestKind::Agents | RequestKind::Stops),
            RequestKind::Kubernetes => matches!(
                kind,
                RequestKind::Templates
                    | RequestKind::Pods
                    | RequestKind::Creates
                    | RequestKind::Deletes
                    | RequestKind::Leases
            ),
            RequestKind::Builds
            | RequestKind::Agents
            | RequestKind::Stops
            | RequestKind::Templates
            | RequestKind::Pods
            | RequestKind::Creates
            | RequestKind::Deletes
            | RequestKind::Leases => false,
        }
}
