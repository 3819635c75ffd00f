//! The built-in controllers that a controller of pods meets, each with a switch.
//!
//! They look at what was written since they last ran, so that a cluster of
//! thousands of pods costs no more than what happens in it.

mod garbage;
mod jobs;
mod namespaces;
mod pod_gc;
mod scheduler;
mod taints;

use std::sync::Arc;

use buildscaler_core::Timestamp;
use serde_json::Value;

use super::FakeKubernetes;
use super::resource::Resource;
use super::store::Key;

/// Which built-in controllers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Controllers {
    /// Binds pods to nodes.
    pub scheduler: bool,
    /// The Job controller: claims pods by labels, deletes what is too many.
    pub jobs: bool,
    /// The garbage collector: deletes what only absent objects own.
    pub garbage: bool,
    /// Removes pods whose node object is gone.
    pub pod_gc: bool,
    /// Deletes pods from nodes that they do not tolerate.
    pub taints: bool,
    /// Empties and removes namespaces that are being deleted.
    pub namespaces: bool,
}

impl Controllers {
    /// None of them: an API server all by itself.
    pub const NONE: Self = Self {
        scheduler: false,
        jobs: false,
        garbage: false,
        pod_gc: false,
        taints: false,
        namespaces: false,
    };
}

impl Default for Controllers {
    fn default() -> Self {
        Self {
            scheduler: true,
            jobs: true,
            garbage: true,
            pod_gc: true,
            taints: true,
            namespaces: true,
        }
    }
}

/// What the controllers remember between two runs.
#[derive(Debug, Default)]
pub(super) struct Progress {
    scheduler: scheduler::Scheduler,
    jobs: jobs::JobController,
    garbage: garbage::GarbageCollector,
    pod_gc: pod_gc::PodGc,
    taints: taints::TaintManager,
    namespaces: namespaces::Namespaces,
}

/// An object that was written, as it is now; none if it is gone.
struct Touched {
    resource: Resource,
    key: Key,
    object: Option<Arc<Value>>,
}

/// One controller may cause work for another, but not for ever.
const MOST_ROUNDS: usize = 100;

/// Runs the controllers until they have nothing to do at this time.
pub(super) fn run(fake: &mut FakeKubernetes, now: Timestamp) -> Option<Timestamp> {
    let mut progress = std::mem::take(&mut fake.progress);
    let mut wake = None;
    for _ in 0..MOST_ROUNDS {
        let touched = take_touched(fake);
        let version = fake.store.version();
        wake = progress.round(fake, &touched, now);
        if fake.store.version() == version {
            break;
        }
    }
    fake.progress = progress;
    wake
}

fn take_touched(fake: &mut FakeKubernetes) -> Vec<Touched> {
    let touched = fake.store.take_touched();
    touched
        .into_iter()
        .map(|(resource, key)| {
            let object = fake.store.read(resource, &key).map(Arc::clone);
            Touched { resource, key, object }
        })
        .collect()
}

impl Progress {
    /// Lets each controller act once; returns the earliest time at which one wants to act again.
    fn round(&mut self, fake: &mut FakeKubernetes, touched: &[Touched], now: Timestamp) -> Option<Timestamp> {
        let on = fake.settings.controllers;
        // Even a controller that is off has to follow what happens, for the day it is switched on.
        self.scheduler.follow(touched);
        self.jobs.follow(fake, touched, now);
        self.garbage.follow(touched);
        self.pod_gc.follow(fake, touched, now);
        self.taints.follow(fake, touched, now);
        self.namespaces.follow(touched);
        if on.scheduler {
            self.scheduler.run(fake, now);
        }
        let jobs = if on.jobs { self.jobs.run(fake, now) } else { None };
        if on.garbage {
            self.garbage.run(fake, now);
        }
        let pods = if on.pod_gc { self.pod_gc.run(fake, now) } else { None };
        let taints = if on.taints { self.taints.run(fake, now) } else { None };
        if on.namespaces {
            self.namespaces.run(fake, now);
        }
        [jobs, pods, taints].into_iter().flatten().min()
    }
}
