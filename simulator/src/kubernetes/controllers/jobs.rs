//! The Job controller: whatever carries a Job's labels is the Job's to delete.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use buildscaler_core::Timestamp;
use serde_json::{Value, json};

use super::Touched;
use crate::kubernetes::objects::{
    condition_is_true, controller_of, is_finished_pod, is_terminating, items, set_condition, take, text,
};
use crate::kubernetes::remove::DeleteOptions;
use crate::kubernetes::resource::Resource;
use crate::kubernetes::selector::label_selector_matches;
use crate::kubernetes::store::Key;
use crate::kubernetes::{FakeKubernetes, time};

const TRACKING: &str = "batch.kubernetes.io/job-tracking";
const BUILT_IN: &str = "kubernetes.io/job-controller";
/// Pod events are gathered for this long before the Job is looked at.
const BATCH: Duration = Duration::from_secs(1);
const MOST_DELETES: usize = 500;

/// Claims pods by labels, counts them, and deletes or creates what differs from the Job's wish.
#[derive(Debug, Default)]
pub(super) struct JobController {
    due: BTreeMap<Key, Timestamp>,
}

/// The pods of one Job.
#[derive(Default)]
struct Pods {
    active: Vec<Arc<Value>>,
    succeeded: i64,
    failed: i64,
}

impl JobController {
    pub(super) fn follow(&mut self, fake: &mut FakeKubernetes, touched: &[Touched], now: Timestamp) {
        for Touched { resource, key, object } in touched {
            match (resource, object) {
                (Resource::Jobs, Some(_)) => self.wake(key, now),
                (Resource::Jobs, None) => {
                    self.due.remove(key);
                }
                (Resource::Pods, Some(pod)) => self.follow_pod(fake, pod, now),
                _ => {}
            }
        }
    }

    fn wake(&mut self, key: &Key, at: Timestamp) {
        let due = self.due.entry(key.clone()).or_insert(at);
        *due = at.min(*due);
    }

    fn follow_pod(&mut self, fake: &mut FakeKubernetes, pod: &Arc<Value>, now: Timestamp) {
        let namespace = text(pod, &["metadata", "namespace"]);
        let owner = controller_of(pod);
        let labels = &pod["metadata"]["labels"];
        let concerned = fake
            .objects(Resource::Jobs, namespace)
            .filter(|job| match owner {
                Some(owner) => owner["uid"] == job["metadata"]["uid"],
                None => label_selector_matches(&job["spec"]["selector"], labels),
            })
            .map(|job| Key::of(job))
            .collect::<Vec<_>>();
        for key in &concerned {
            self.wake(key, now.after(BATCH));
        }
        let tracked = items(pod, &["metadata", "finalizers"])
            .iter()
            .any(|finalizer| finalizer == TRACKING);
        if owner.is_none() && concerned.is_empty() && tracked && fake.settings.controllers.jobs {
            release(fake, pod);
        }
    }

    pub(super) fn run(&mut self, fake: &mut FakeKubernetes, now: Timestamp) -> Option<Timestamp> {
        let due = self
            .due
            .iter()
            .filter(|(_, at)| **at <= now)
            .map(|(key, _)| key.clone())
            .collect::<BTreeSet<_>>();
        for key in due {
            self.due.remove(&key);
            if let Some(again) = sync(fake, now, &key) {
                self.wake(&key, again);
            }
        }
        self.due.values().min().copied()
    }
}

/// Brings one Job closer to its wish; returns when a deadline of it falls due.
fn sync(fake: &mut FakeKubernetes, now: Timestamp, key: &Key) -> Option<Timestamp> {
    let old = fake.store.read(Resource::Jobs, key).map(Arc::clone)?;
    let managed = old["spec"]["managedBy"]
        .as_str()
        .is_some_and(|manager| manager != BUILT_IN);
    if managed || is_terminating(&old) {
        return None;
    }
    if is_finished(&old) {
        return expire(fake, now, &old);
    }
    let mut job = Value::clone(&old);
    let suspended = job["spec"]["suspend"] == true;
    if !suspended && job["status"]["startTime"].is_null() {
        job["status"]["startTime"] = json!(time::to_text(now));
    }
    let pods = claim(fake, &job);
    let deadline = deadline(&job).filter(|_| !suspended);
    let wanted = if let Some(reason) = failure(&job, &pods, deadline, now) {
        finish(&mut job, "Failed", reason, now);
        0
    } else {
        let (wanted, complete) = wanted(&job, &pods);
        if complete {
            finish(&mut job, "Complete", "CompletionsReached", now);
        }
        wanted
    };
    shrink(fake, now, &pods.active, wanted);
    if !is_finished(&job) && !suspended {
        grow(fake, now, &job, wanted.saturating_sub(pods.active.len()));
    }
    job["status"]["active"] = json!(pods.active.len().min(wanted));
    job["status"]["succeeded"] = json!(pods.succeeded);
    job["status"]["failed"] = json!(pods.failed);
    for count in ["active", "succeeded", "failed"] {
        if job["status"][count] == 0 {
            take(&mut job["status"], count);
        }
    }
    if job != *old {
        fake.store.write(Resource::Jobs, job);
    }
    deadline.filter(|&at| at > now)
}

fn is_finished(job: &Value) -> bool {
    condition_is_true(job, "Complete") || condition_is_true(job, "Failed")
}

fn finish(job: &mut Value, kind: &str, reason: &str, now: Timestamp) {
    let now = time::to_text(now);
    let condition =
        json!({ "type": kind, "status": "True", "reason": reason, "lastTransitionTime": now, "lastProbeTime": now });
    set_condition(job, condition);
    if kind == "Complete" {
        job["status"]["completionTime"] = json!(now);
    }
}

/// The end of a finished Job with `ttlSecondsAfterFinished`.
fn expire(fake: &mut FakeKubernetes, now: Timestamp, job: &Value) -> Option<Timestamp> {
    let ttl = job["spec"]["ttlSecondsAfterFinished"].as_i64()?;
    let ended = items(job, &["status", "conditions"])
        .iter()
        .find_map(|condition| time::from_text(condition["lastTransitionTime"].as_str()?))?;
    let at = ended.after(time::seconds(ttl));
    if at > now {
        return Some(at);
    }
    let options = DeleteOptions {
        propagation: Some(crate::kubernetes::Propagation::Foreground),
        ..DeleteOptions::default()
    };
    let key = Key::of(job);
    drop(fake.delete(now, Resource::Jobs, &key.namespace, &key.name, &options));
    None
}

fn deadline(job: &Value) -> Option<Timestamp> {
    let started = time::from_text(job["status"]["startTime"].as_str()?)?;
    Some(started.after(time::seconds(job["spec"]["activeDeadlineSeconds"].as_i64()?)))
}

fn failure(job: &Value, pods: &Pods, deadline: Option<Timestamp>, now: Timestamp) -> Option<&'static str> {
    if pods.failed > job["spec"]["backoffLimit"].as_i64().unwrap_or(6) {
        return Some("BackoffLimitExceeded");
    }
    deadline.filter(|&at| at <= now).map(|_| "DeadlineExceeded")
}

/// How many pods should be active, and whether the Job is complete.
fn wanted(job: &Value, pods: &Pods) -> (usize, bool) {
    let parallelism = job["spec"]["parallelism"]
        .as_u64()
        .and_then(|count| usize::try_from(count).ok())
        .unwrap_or(1);
    if job["spec"]["suspend"] == true {
        return (0, false);
    }
    match job["spec"]["completions"].as_i64() {
        // A work queue: once one pod has succeeded, the rest are left to finish.
        None if pods.succeeded > 0 => (pods.active.len(), pods.active.is_empty()),
        None => (parallelism, false),
        Some(completions) => {
            let missing = usize::try_from(completions - pods.succeeded).unwrap_or(0);
            (parallelism.min(missing), missing == 0)
        }
    }
}

/// Adopts and releases pods by their labels, and counts the Job's own.
fn claim(fake: &mut FakeKubernetes, job: &Value) -> Pods {
    let namespace = text(job, &["metadata", "namespace"]);
    let candidates = fake.objects(Resource::Pods, namespace).cloned().collect::<Vec<_>>();
    let recorded = |field: &str| job["status"][field].as_i64().unwrap_or(0);
    let mut pods = Pods {
        active: Vec::new(),
        succeeded: recorded("succeeded"),
        failed: recorded("failed"),
    };
    for pod in candidates {
        let matches = label_selector_matches(&job["spec"]["selector"], &pod["metadata"]["labels"]);
        match controller_of(&pod) {
            Some(owner) if owner["uid"] != job["metadata"]["uid"] => {}
            Some(_) if matches => count(fake, &mut pods, pod),
            Some(_) => release(fake, &pod),
            None if matches && !is_terminating(&pod) => {
                let pod = adopt(fake, job, &pod);
                count(fake, &mut pods, pod);
            }
            None => {}
        }
    }
    pods
}

fn count(fake: &mut FakeKubernetes, pods: &mut Pods, pod: Arc<Value>) {
    let tracked = items(&pod, &["metadata", "finalizers"])
        .iter()
        .any(|finalizer| finalizer == TRACKING);
    // Unless the Job says otherwise, a pod that is being deleted counts as one that failed.
    if is_finished_pod(&pod) || is_terminating(&pod) {
        // The finalizer is there so that each end is counted once.
        if tracked {
            if text(&pod, &["status", "phase"]) == "Succeeded" {
                pods.succeeded += 1;
            } else {
                pods.failed += 1;
            }
            untrack(fake, &pod, false);
        }
    } else {
        pods.active.push(pod);
    }
}

fn adopt(fake: &mut FakeKubernetes, job: &Value, pod: &Value) -> Arc<Value> {
    let mut pod = pod.clone();
    own(&mut pod, job);
    fake.store.write(Resource::Pods, pod)
}

fn own(pod: &mut Value, job: &Value) {
    let mut owners = items(pod, &["metadata", "ownerReferences"]).to_vec();
    owners.push(json!({
        "apiVersion": "batch/v1", "kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"],
        "controller": true, "blockOwnerDeletion": true,
    }));
    pod["metadata"]["ownerReferences"] = Value::from(owners);
    let mut finalizers = items(pod, &["metadata", "finalizers"]).to_vec();
    if finalizers.iter().all(|finalizer| finalizer != TRACKING) {
        finalizers.push(json!(TRACKING));
    }
    pod["metadata"]["finalizers"] = Value::from(finalizers);
}

fn release(fake: &mut FakeKubernetes, pod: &Value) {
    untrack(fake, pod, true);
}

/// Takes the finalizer off a pod, and the controller reference too where it is released.
fn untrack(fake: &mut FakeKubernetes, pod: &Value, disown: bool) {
    let mut pod = pod.clone();
    for (list, gone) in [("finalizers", true), ("ownerReferences", disown)] {
        let kept = items(&pod, &["metadata", list])
            .iter()
            .filter(|item| !gone || (**item != TRACKING && item["controller"] != true))
            .cloned()
            .collect::<Vec<_>>();
        if kept.is_empty() {
            take(&mut pod["metadata"], list);
        } else {
            pod["metadata"][list] = Value::from(kept);
        }
    }
    let written = fake.store.write(Resource::Pods, pod);
    fake.remove_if_released(Resource::Pods, &written);
}

/// Deletes active pods beyond the wanted number, those that have come least far first.
fn shrink(fake: &mut FakeKubernetes, now: Timestamp, active: &[Arc<Value>], wanted: usize) {
    let mut victims = active.to_vec();
    victims.sort_by_key(|pod| {
        (
            !text(pod, &["spec", "nodeName"]).is_empty(),
            text(pod, &["status", "phase"]) == "Running",
        )
    });
    for pod in victims
        .iter()
        .take(active.len().saturating_sub(wanted).min(MOST_DELETES))
    {
        let key = Key::of(pod);
        untrack(fake, pod, false);
        drop(fake.delete(
            now,
            Resource::Pods,
            &key.namespace,
            &key.name,
            &DeleteOptions::default(),
        ));
    }
}

/// Creates pods from the template; a refusal ends it, the next event tries again.
fn grow(fake: &mut FakeKubernetes, now: Timestamp, job: &Value, missing: usize) {
    for _ in 0..missing {
        let mut pod =
            json!({ "metadata": job["spec"]["template"]["metadata"], "spec": job["spec"]["template"]["spec"] });
        let name = text(job, &["metadata", "name"]);
        pod["metadata"]["generateName"] = json!(format!("{name}-"));
        own(&mut pod, job);
        if fake
            .create(now, Resource::Pods, text(job, &["metadata", "namespace"]), pod)
            .is_err()
        {
            return;
        }
    }
}
