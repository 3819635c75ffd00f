//! From notes to what is told of them.

use std::collections::BTreeMap;

use buildscaler_core::{Leadership, LimitScope, Loss, Outcome, Queue, Reason, Timestamp};

use super::decisions::Decision;
use super::deed::{Act, Deed};
use super::history::{History, Sample};
use super::model::{
    About, Counts, DecisionStatus, FindingStatus, HistoryStatus, LeadershipStatus, Limit, QueueStatus, Series, Status,
    VERSION, ViewStatus, WithheldStatus,
};
use super::notes::Notes;
use super::sights::Sight;
use super::veil::Veil;
use super::when::{When, seconds};
use super::words;

/// How much later than it said a loop may step before it counts as stuck.
const PATIENCE: u64 = 60;
/// Names of what a dry run would do; the rest are counted.
const SUBJECTS: usize = 5;

impl Status {
    /// Puts together what is known at `now`.
    pub(crate) fn of(notes: &Notes, now: When) -> Self {
        let veil = Veil::of(&notes.templates);
        let queues = queues(notes, now);
        Self {
            version: VERSION,
            at: now,
            controller: About::of(notes, now),
            views: views(notes, &veil, now),
            limits: limits(notes),
            fleet: Counts::sum(queues.iter().map(|queue| &queue.counts), now),
            queues,
            findings: findings(notes, &veil),
            withheld: withheld(notes.withheld.iter()),
            decisions: notes
                .decisions
                .iter()
                .map(|made| DecisionStatus::of(made, &veil))
                .collect(),
            history: HistoryStatus::of(&notes.history),
        }
    }
}

impl About {
    fn of(notes: &Notes, now: When) -> Self {
        let (settings, pace) = (&notes.settings, notes.pace);
        let config = &settings.config;
        let late = pace.wake_at.is_some_and(|wake| seconds(now.0.since(wake)) > PATIENCE);
        let state = match pace.stepped_at {
            None => "starting",
            Some(_) if late => "stuck",
            Some(_) if pace.is_ending => "ending",
            Some(_) => "running",
        };
        Self {
            program: "buildscaler",
            program_version: env!("CARGO_PKG_VERSION"),
            organization: settings.organization.clone(),
            namespace: settings.namespace.clone(),
            started_at: pace.begun_at.map(When),
            uptime_seconds: pace.begun_at.map_or(0, |begun| seconds(now.0.since(begun))),
            steps: pace.steps,
            last_step_at: pace.stepped_at.map(When),
            state,
            dry_run: config.dry_run,
            leadership: notes.leadership.as_ref().map(LeadershipStatus::of),
            sync_interval_seconds: seconds(config.sync_interval),
            idle_timeout_seconds: seconds(config.idle_timeout),
            agent_startup_timeout_seconds: seconds(config.agent_startup_timeout),
            max_active_builds: config.max_active_builds,
            max_pods: config.max_pods,
        }
    }
}

impl LeadershipStatus {
    fn of(leadership: &Leadership) -> Self {
        Self {
            role: leadership.role.as_str(),
            since: When(leadership.since),
            holder: leadership.holder.clone(),
            valid_until: leadership.valid_until.map(When),
            lost: leadership.lost.map(Loss::as_str),
        }
    }
}

fn views(notes: &Notes, veil: &Veil, now: When) -> Vec<ViewStatus> {
    let sights = &notes.sights;
    [
        ("kubernetes-jobs", &sights.templates),
        ("kubernetes-pods", &sights.pods),
        ("buildkite", &sights.buildkite),
    ]
    .map(|(name, sight)| {
        let (state, since, seen_at, why) = match sight {
            Sight::Unseen => ("unseen", None, None, None),
            Sight::Known { since, seen_at } => ("known", Some(*since), Some(*seen_at), None),
            Sight::Unknown { since, seen_at, why } => ("unknown", Some(*since), *seen_at, Some(veil.over(why))),
        };
        ViewStatus {
            name,
            state,
            since: since.map(When),
            seen_at: seen_at.map(When),
            age_seconds: seen_at.map(|at| seconds(now.0.since(at))),
            why,
        }
    })
    .into()
}

fn limits(notes: &Notes) -> Vec<Limit> {
    let limits = notes.sights.limits.values();
    limits
        .map(|reading| Limit {
            scope: match reading.scope {
                LimitScope::User => "user",
                LimitScope::Organization => "organization",
            },
            limit: reading.limit,
            remaining: reading.remaining,
            reset_at: When(reading.reset_at),
        })
        .collect()
}

/// The queues that have a template or pods, and those that only have jobs.
fn queues(notes: &Notes, now: When) -> Vec<QueueStatus> {
    let mut names: Vec<&Queue> = notes.report.queues.keys().chain(notes.look.waits.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let one = |queue: &Queue| {
        let report = notes.report.queues.get(queue).copied();
        let wait = notes.look.waits.get(queue);
        let alone = report.is_none().then(|| wait.map_or(0, |(count, _)| *count));
        let report = report.unwrap_or_default();
        let since = wait.map(|(_, since)| When(*since));
        QueueStatus {
            queue: queue.to_string(),
            template: serving(notes, queue),
            counts: Counts {
                waiting: alone.unwrap_or(report.waiting),
                waiting_since: since,
                longest_wait_seconds: since.map(|since| seconds(since.age(now))),
                desired: report.desired,
                pods: report.pods,
                starting: report.starting,
                idle: report.idle,
                busy: report.busy,
            },
        }
    };
    names.into_iter().map(one).collect()
}

/// The template that serves a queue: the oldest with parallelism 0.
pub(crate) fn serving(notes: &Notes, queue: &Queue) -> Option<String> {
    let claims = notes
        .templates
        .iter()
        .filter(|template| template.queue.as_ref() == Some(queue) && !template.deleting && template.parallelism == 0);
    let first = claims.min_by_key(|template| (template.created_at, &template.uid))?;
    Some(format!("{}/{}", first.namespace, first.name))
}

/// The findings that stand.
pub(crate) fn findings(notes: &Notes, veil: &Veil) -> Vec<FindingStatus> {
    let findings = notes.findings.iter();
    findings
        .map(|((kind, subject), standing)| FindingStatus {
            kind: kind.as_str(),
            title: words::kind(*kind),
            subject: veil.over(subject),
            detail: veil.over(&standing.detail),
            since: When(standing.since),
        })
        .collect()
}

/// What a dry run would do, in the order of what is done; a burst is one.
pub(crate) fn withheld<'d>(deeds: impl Iterator<Item = &'d Deed>) -> Vec<WithheldStatus> {
    let mut alike: BTreeMap<(Act, Option<&str>, Reason), Vec<&Deed>> = BTreeMap::new();
    for deed in deeds {
        let kind = (deed.act, deed.queue.as_deref(), deed.reason);
        alike.entry(kind).or_default().push(deed);
    }
    let one = |((act, queue, reason), deeds): ((Act, Option<&str>, Reason), Vec<&Deed>)| WithheldStatus {
        action: act.as_str(),
        title: words::would(act, deeds.len()),
        queue: queue.map(str::to_owned),
        reason: reason.as_str(),
        because: words::reason(reason),
        count: deeds.len(),
        subjects: deeds.iter().take(SUBJECTS).map(|deed| deed.subject()).collect(),
    };
    alike.into_iter().map(one).collect()
}

impl Counts {
    fn sum<'q>(all: impl Iterator<Item = &'q Self>, now: When) -> Self {
        let mut sum = all.fold(Self::default(), |sum, one| Self {
            waiting: sum.waiting.saturating_add(one.waiting),
            waiting_since: sum.waiting_since.into_iter().chain(one.waiting_since).min(),
            longest_wait_seconds: None,
            desired: sum.desired.saturating_add(one.desired),
            pods: sum.pods.saturating_add(one.pods),
            starting: sum.starting.saturating_add(one.starting),
            idle: sum.idle.saturating_add(one.idle),
            busy: sum.busy.saturating_add(one.busy),
        });
        sum.longest_wait_seconds = sum.waiting_since.map(|since| seconds(since.age(now)));
        sum
    }
}

impl DecisionStatus {
    /// The decision in words.
    pub(crate) fn of(made: &Decision, veil: &Veil) -> Self {
        let (outcome, ended_at, failure) = match &made.ended {
            None => ("pending", None, None),
            Some((at, Outcome::Done)) => ("done", Some(*at), None),
            Some((at, Outcome::Failed(failure))) => ("failed", Some(*at), Some(veil.over(&failure.to_string()))),
        };
        let deed = &made.deed;
        Self {
            at: When(made.at),
            action: deed.act.as_str(),
            title: words::act(deed.act),
            subject: deed.subject(),
            queue: deed.queue.clone(),
            reason: deed.reason.as_str(),
            because: words::reason(deed.reason),
            outcome,
            ended_at: ended_at.map(When),
            failure,
        }
    }
}

impl HistoryStatus {
    fn of(history: &History) -> Self {
        let queues = history.queues.iter();
        Self {
            every_seconds: 60,
            last_at: history.last_at().map(When),
            fleet: Series::of(&history.fleet),
            queues: queues
                .map(|(queue, series)| (queue.clone(), Series::of(series)))
                .collect(),
        }
    }

    /// When the minute of this place began.
    pub(crate) fn at(&self, place: usize) -> Option<When> {
        let after = self.fleet.pods.len().checked_sub(place + 1)?;
        let millis = i64::try_from(after).unwrap_or(i64::MAX).saturating_mul(60_000);
        let last = self.last_at?.0.as_millis();
        Some(When(Timestamp::from_millis(last.saturating_sub(millis))))
    }
}

impl Series {
    fn of<'s>(samples: impl IntoIterator<Item = &'s Sample>) -> Self {
        let mut series = Self::default();
        for sample in samples {
            series.waiting.push(sample.waiting);
            series.pods.push(sample.pods);
            series.busy.push(sample.busy);
        }
        series
    }
}
