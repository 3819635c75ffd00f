//! Templates that fail: what became of the pods of each version of a template
//! that serves. Where starts fail in a row no more pods are made of it but one
//! at a time, to try; an agent that connects is the end of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::failing::FailedStart;
use crate::memory::known_tags::KnownTags;
use crate::names::{TemplateHash, Uid};
use crate::template::Template;
use crate::time::Timestamp;

/// So many failed starts in a row are the template's doing. One or two may be
/// that of a node or of the moment.
const MOST_FAILURES: u32 = 3;
/// From the first trial to the second. The first one is made at once: what
/// failed may have been mended while the pods of a burst were still failing.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
/// The longest pause between two trials: as long as the kubelet waits at most
/// between two pulls of one image.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// What is remembered of each version of a template that serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Breakers {
    /// By the template's uid: of one Job only one version can serve.
    versions: BTreeMap<Uid, Version>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Version {
    hash: TemplateHash,
    breaker: Breaker,
}

/// How the pods of one version have started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Breaker {
    /// Starts that failed since one last went well.
    pub(crate) failed: u32,
    /// Pods that have been counted, well or badly, and are still there.
    counted: BTreeSet<Uid>,
    /// The latest of the failed starts.
    pub(crate) last: Option<FailedStart>,
    /// Set as long as pods are made one at a time only.
    pub(crate) trials: Option<Trials>,
    /// The tags that agents of this version really had.
    pub(crate) tags: KnownTags,
}

/// The pods made of a version that fails, to try it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trials {
    /// When it was found to fail.
    pub(crate) since: Timestamp,
    /// How many have been asked for.
    sent: u32,
    /// When the next may be.
    pub(crate) next_at: Timestamp,
}

impl Breakers {
    /// Forgets templates that no longer serve.
    pub(crate) fn retain(&mut self, serves: impl Fn(&Uid) -> bool) {
        self.versions.retain(|uid, _| serves(uid));
    }

    /// What is remembered of this version, to learn more; nothing of one that
    /// is new.
    pub(crate) fn learn(&mut self, template: &Template) -> &mut Breaker {
        let fresh = || Version {
            hash: template.hash.clone(),
            breaker: Breaker::default(),
        };
        let version = self.versions.entry(template.uid.clone()).or_insert_with(fresh);
        if version.hash != template.hash {
            *version = fresh();
        }
        &mut version.breaker
    }

    /// What is remembered of this version.
    pub(crate) fn of(&self, template: &Template) -> Option<&Breaker> {
        let version = self.versions.get(&template.uid)?;
        (version.hash == template.hash).then_some(&version.breaker)
    }

    /// Books that a pod of this version was asked for.
    pub(crate) fn sent(&mut self, uid: &Uid, hash: &TemplateHash, now: Timestamp) {
        let version = self.versions.get_mut(uid).filter(|version| version.hash == *hash);
        if let Some(trials) = version.and_then(|version| version.breaker.trials.as_mut()) {
            let pause = FIRST_PAUSE.saturating_mul(1 << trials.sent.min(16)).min(LONGEST_PAUSE);
            trials.next_at = now.after(pause);
            trials.sent = trials.sent.saturating_add(1);
        }
    }

    /// The same without the words of servers, to be written down.
    pub(crate) fn without_words(&self) -> Self {
        let mut breakers = self.clone();
        for version in breakers.versions.values_mut() {
            if let Some(last) = &mut version.breaker.last {
                last.message = None;
            }
        }
        breakers
    }

    /// Whether nothing in them is later than `end`, but for the next trial.
    pub(crate) fn are_consistent(&self, end: Timestamp) -> bool {
        self.versions.values().all(|Version { breaker, .. }| {
            let trials = breaker
                .trials
                .is_none_or(|trials| trials.since <= end && trials.next_at <= end.after(LONGEST_PAUSE));
            trials && breaker.tags.are_consistent(end)
        })
    }
}

impl Breaker {
    /// Forgets pods that are not there any more.
    pub(crate) fn keep_counted(&mut self, is_there: impl Fn(&Uid) -> bool) {
        if !self.counted.is_empty() {
            self.counted.retain(is_there);
        }
    }

    /// Whether the pod has been counted.
    pub(crate) fn has_counted(&self, pod: &Uid) -> bool {
        !self.counted.is_empty() && self.counted.contains(pod)
    }

    /// Counts a pod whose start failed.
    pub(crate) fn count_failed(&mut self, pod: &Uid, start: FailedStart, now: Timestamp) {
        self.counted.insert(pod.clone());
        self.failed = self.failed.saturating_add(1);
        self.last = Some(start);
        if self.failed >= MOST_FAILURES {
            self.trials.get_or_insert(Trials {
                since: now,
                sent: 0,
                next_at: now,
            });
        }
    }

    /// Counts a pod that ended well without an agent having been seen: it may
    /// have come, worked and left between two looks.
    pub(crate) fn count_well(&mut self, pod: &Uid) {
        self.counted.insert(pod.clone());
        self.work();
    }

    /// An agent of this version is at work: whatever failed before is over.
    pub(crate) fn work(&mut self) {
        self.failed = 0;
        self.last = None;
        self.trials = None;
    }

    /// How many pods may be created of a version that fails while `coming` are
    /// on their way; none if it does not fail.
    pub(crate) fn room(&self, coming: u32, now: Timestamp) -> Option<u32> {
        self.trials
            .map(|trials| u32::from(coming == 0 && trials.next_at <= now))
    }
}
