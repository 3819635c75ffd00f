//! What keeps a job waiting.

use buildscaler_core::{BuildkiteJob, JobState};

use super::{Teller, serving};
use crate::status::deed::{Act, Deed};
use crate::status::sights::Sight;
use crate::status::when::{When, length};
use crate::status::words::count;

impl Teller<'_> {
    /// What cannot be seen, and what that means.
    pub(super) fn blindness(&self) -> impl Iterator<Item = String> {
        let sights = &self.notes.sights;
        let of = |what: &str, sight: &Sight, so: &str| match sight {
            Sight::Known { .. } => None,
            Sight::Unseen => Some(format!("{what} not been seen yet{so}")),
            Sight::Unknown { since, why, .. } => {
                let age = length(When(*since).age(self.now));
                Some(format!("{what} been unknown for {age}{so}: {}", self.veil.over(why)))
            }
        };
        [
            of(
                "Buildkite has",
                &sights.buildkite,
                ", so nothing is created, stopped or given up",
            ),
            of("The pods have", &sights.pods, ", so nothing is decided"),
            of(
                "The templates have",
                &sights.templates,
                ", so no pod is created or replaced",
            ),
        ]
        .into_iter()
        .flatten()
    }

    /// Everything that stands between a job and its agent, as far as it shows.
    pub(super) fn keeps_waiting(&self, one: &BuildkiteJob) -> Vec<String> {
        let mut told: Vec<String> = self.blindness().collect();
        told.extend(self.place_in_line(one));
        if serving(self.notes, &one.queue).is_none() && !self.notes.sights.templates.is_unknown() {
            told.push(format!(
                "No Job serves queue {0}: none with parallelism 0 is labelled buildscaler.elotl.co/queue={0}",
                one.queue
            ));
        }
        told.extend(self.on_the_way(one));
        if told.is_empty() {
            told.push("Nothing is known to be in its way: the next look will show more".into());
        }
        told
    }

    fn place_in_line(&self, one: &BuildkiteJob) -> Option<String> {
        let Some(since) = one.runnable_at else {
            return Some("Buildkite does not call it runnable yet: a concurrency limit holds it back, it seems".into());
        };
        let older = |other: &&BuildkiteJob| {
            let at = other
                .runnable_at
                .filter(|_| other.state == JobState::Scheduled && other.queue == one.queue);
            at.is_some_and(|at| (at, &other.id) < (since, &one.id)) && self.notes.look.runner(&other.id).is_none()
        };
        let ahead = self.notes.look.jobs.iter().filter(older).count();
        let wait = length(When(since).age(self.now));
        Some(match ahead {
            0 => format!("It has waited for {wait} and is the oldest of its queue"),
            _ => format!(
                "It has waited for {wait}; {} of its queue waited before it",
                count(ahead, "job", "jobs")
            ),
        })
    }

    /// Pods and agents that could take it.
    fn on_the_way(&self, one: &BuildkiteJob) -> Vec<String> {
        let mut told = Vec::new();
        let report = self.notes.report.queues.get(&one.queue).copied().unwrap_or_default();
        let of_queue = |deed: &Deed| deed.act == Act::Create && deed.queue.as_deref() == Some(one.queue.as_str());
        let pending = self.notes.decisions.iter().filter(|made| made.ended.is_none());
        let number = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        if report.idle > 0 {
            let agents = count(number(report.idle), "agent is idle", "agents are idle");
            told.push(format!("{agents} and could take it, or another job, any moment"));
        }
        if report.starting > 0 {
            let pods = count(number(report.starting), "pod of its queue is", "pods of its queue are");
            told.push(format!("{pods} starting"));
        }
        let asked = pending.filter(|made| of_queue(&made.deed)).count();
        if asked > 0 {
            told.push(format!(
                "{} asked for and not there yet",
                count(asked, "pod of its queue is", "pods of its queue are")
            ));
        }
        if self.notes.settings.config.dry_run {
            let withheld = self.notes.withheld.iter().filter(|deed| of_queue(deed)).count();
            told.push(format!(
                "This is a dry run, which makes no pods: it would create {} of its queue now",
                count(withheld, "pod", "pods")
            ));
        }
        if report.busy > 0 {
            let agents = count(
                number(report.busy),
                "agent of its queue runs a job",
                "agents of its queue run jobs",
            );
            told.push(format!("{agents} now"));
        }
        told
    }
}
