//! What a dry run keeps back: everything that would change something.
//!
//! A dry run looks, decides, finds and plans as ever, and sends nothing but
//! looks. Since nothing is asked for, nothing is waited for either: what is
//! kept back is kept back anew with each plan, and told only when it appears
//! and when it is no longer wanted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::reason::Reason;
use crate::step::Action;

/// A command that was decided on and not sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Withheld {
    /// What would be done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
}

/// A change of what is kept back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum WithheldChange {
    /// It would be done from now on.
    Appeared(Withheld),
    /// It would no longer be done.
    Gone(Withheld),
}

/// Why, and what is done to what: who differs in neither is the same.
type Key = (Reason, String);

/// All that is kept back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Withholding {
    #[serde(with = "crate::pairs")]
    now: BTreeMap<Key, Withheld>,
}

impl Withholding {
    /// Replaces what is kept back by what a newer plan wants, and returns what
    /// changed: what went away, then what appeared.
    pub(crate) fn replace(&mut self, wanted: impl Iterator<Item = Withheld>) -> Vec<WithheldChange> {
        let fresh: BTreeMap<Key, Withheld> = wanted
            .filter_map(|withheld| Some(((withheld.reason, subject(&withheld.action)?), withheld)))
            .collect();
        let old = std::mem::replace(&mut self.now, fresh);
        let appeared = self.now.iter().filter(|(key, _)| !old.contains_key(key));
        let appeared: Vec<_> = appeared.map(|(_, one)| WithheldChange::Appeared(one.clone())).collect();
        let gone = old.into_iter().filter(|(key, _)| !self.now.contains_key(key));
        gone.map(|(_, one)| WithheldChange::Gone(one)).chain(appeared).collect()
    }

    /// What is kept back, by reason.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Withheld> {
        self.now.values()
    }
}

/// What is done to what; none for what is never kept back.
fn subject(action: &Action) -> Option<String> {
    match action {
        Action::ObserveCluster | Action::ObserveBuildkite { .. } | Action::ReadLease { .. } => None,
        // A dry run is no candidate and meters nothing, so these do not wait.
        Action::RegisterUsage { .. } | Action::MeterUsage { .. } | Action::WriteLease(_) => None,
        Action::CreatePod(create) => Some(format!("create {}/{}", create.namespace, create.name)),
        Action::StopAgent { agent } => Some(format!("stop {agent}")),
        Action::DeletePod { uid, grace_seconds, .. } => Some(format!("delete {uid} {grace_seconds:?}")),
    }
}

/// Names that a line shows before it only counts.
const NAMES: usize = 5;

/// Changes of one kind in words, so that a burst is one line of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WithheldLine {
    /// `would create pods`, or `would no longer create pods`, and the like.
    pub what: &'static str,
    /// The queue, where the commands say it.
    pub queue: Option<String>,
    /// Why.
    pub reason: Reason,
    /// How many.
    pub count: usize,
    /// The first few of them by name.
    pub names: String,
}

/// The changes of one step, those of one kind together.
pub fn in_words(changes: &[WithheldChange]) -> Vec<WithheldLine> {
    let mut lines: BTreeMap<(&'static str, Option<String>, Reason), Vec<String>> = BTreeMap::new();
    for change in changes {
        let (appeared, Withheld { action, reason }) = match change {
            WithheldChange::Appeared(withheld) => (true, withheld),
            WithheldChange::Gone(withheld) => (false, withheld),
        };
        if let Some((what, queue, name)) = words(action, appeared) {
            lines.entry((what, queue, *reason)).or_default().push(name);
        }
    }
    let line = |((what, queue, reason), names): (_, Vec<String>)| WithheldLine {
        what,
        queue,
        reason,
        count: names.len(),
        names: names
            .iter()
            .take(NAMES)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ")
            + if names.len() > NAMES { ", …" } else { "" },
    };
    lines.into_iter().map(line).collect()
}

fn words(action: &Action, appeared: bool) -> Option<(&'static str, Option<String>, String)> {
    let of = |now: &'static str, no_longer: &'static str| if appeared { now } else { no_longer };
    match action {
        Action::CreatePod(create) => Some((
            of("would create pods", "would no longer create pods"),
            Some(create.queue.to_string()),
            format!("{}/{}", create.namespace, create.name),
        )),
        Action::StopAgent { agent } => Some((
            of("would stop agents", "would no longer stop agents"),
            None,
            agent.to_string(),
        )),
        Action::DeletePod { namespace, name, .. } => Some((
            of("would delete pods", "would no longer delete pods"),
            None,
            format!("{namespace}/{name}"),
        )),
        Action::ObserveCluster
        | Action::ObserveBuildkite { .. }
        | Action::ReadLease { .. }
        | Action::RegisterUsage { .. }
        | Action::MeterUsage { .. }
        | Action::WriteLease(_) => None,
    }
}
