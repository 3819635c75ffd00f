//! What is known of one Buildkite job, agent or pod, and why it is as it is.

use buildscaler_core::{BuildkiteJob, JobState, Queue};
use serde::Serialize;

use super::deed::{Act, Deed};
use super::look::Seat;
use super::model::{DecisionStatus, FindingStatus, VERSION, WithheldStatus};
use super::notes::{Judged, Notes};
use super::telling::{findings, serving, withheld};
use super::veil::Veil;
use super::when::{When, length};
use super::words;

mod links;
mod pod;
mod waiting;

use links::{belongs, fact, lower, pod_of, related, seat_in_words};

/// The answer to `/why`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explanation {
    pub(crate) version: u32,
    pub(crate) at: When,
    /// `job`, `agent` or `pod`.
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) queue: Option<String>,
    /// What it is and does, in a sentence.
    pub(crate) summary: String,
    /// What the controller makes of a pod, and why.
    pub(crate) verdict: Option<VerdictStatus>,
    /// What keeps it as it is, a sentence each.
    pub(crate) because: Vec<String>,
    pub(crate) facts: Vec<Fact>,
    /// What belongs to it: ask for that in turn.
    pub(crate) related: Vec<Related>,
    /// Findings that concern it.
    pub(crate) findings: Vec<FindingStatus>,
    /// Nothing but looks is sent.
    pub(crate) dry_run: bool,
    /// What a dry run would do about it now.
    pub(crate) withheld: Vec<WithheldStatus>,
    /// What was decided about it, of the last two hundred decisions.
    pub(crate) decisions: Vec<DecisionStatus>,
}

/// A verdict in words.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerdictStatus {
    pub(crate) verdict: &'static str,
    pub(crate) reason: &'static str,
    #[serde(skip)]
    pub(crate) what: String,
    pub(crate) because: &'static str,
}

/// Something that is known.
#[derive(Debug, Serialize)]
pub(crate) struct Fact {
    pub(crate) name: &'static str,
    pub(crate) value: String,
}

/// Something else that belongs to it.
#[derive(Debug, Serialize)]
pub(crate) struct Related {
    pub(crate) kind: &'static str,
    pub(crate) name: String,
}

/// Explains what goes by this name; none if nothing does.
pub(crate) fn explain(notes: &Notes, name: &str, now: When) -> Option<Explanation> {
    let name = name.trim().trim_matches('/');
    if name.is_empty() {
        return None;
    }
    let teller = Teller {
        notes,
        veil: Veil::of(&notes.templates),
        now,
    };
    let goes_by = |judged: &&Judged| judged.pod.uid.as_str() == name || is_named(judged, name);
    if let Some(judged) = notes.pods.iter().find(goes_by) {
        return Some(teller.pod(judged));
    }
    let hosts = |seat: &&Seat| seat.id.as_str() == name || seat.hostname.as_deref() == Some(name);
    if let Some(seat) = notes.look.agents.iter().find(hosts) {
        return Some(teller.agent(seat));
    }
    if let Some(one) = notes.look.jobs.iter().find(|one| one.id.as_str() == name) {
        return Some(teller.buildkite_job(one));
    }
    if let Some(seat) = notes.look.agents.iter().find(|seat| runs(seat, name)) {
        return Some(teller.running(name, seat));
    }
    teller.remembered(name)
}

fn is_named(judged: &Judged, name: &str) -> bool {
    let pod = &judged.pod;
    pod.name == name || name.split_once('/') == Some((&pod.namespace, &pod.name))
}

fn runs(seat: &Seat, id: &str) -> bool {
    seat.running.as_ref().is_some_and(|running| running.as_str() == id)
}

/// Tells of one moment.
struct Teller<'n> {
    notes: &'n Notes,
    veil: Veil,
    now: When,
}

impl Teller<'_> {
    fn blank(&self, kind: &'static str, name: String) -> Explanation {
        Explanation {
            version: VERSION,
            at: self.now,
            kind,
            name,
            queue: None,
            summary: String::new(),
            verdict: None,
            because: Vec::new(),
            facts: Vec::new(),
            related: Vec::new(),
            findings: Vec::new(),
            dry_run: self.notes.settings.config.dry_run,
            withheld: Vec::new(),
            decisions: Vec::new(),
        }
    }

    fn agent(&self, seat: &Seat) -> Explanation {
        let host = self.host(seat);
        let mut told = match host {
            Some(judged) => Explanation {
                related: vec![pod_of(judged)],
                ..self.pod(judged)
            },
            None => self.blank("agent", String::new()),
        };
        told.facts.retain(|fact| fact.name == "Template");
        let mut facts = vec![fact("Id", &seat.id)];
        facts.extend(seat.hostname.as_deref().map(|name| fact("Host", &name)));
        facts.extend(seat.connected_at.map(|at| {
            let age = length(When(at).age(self.now));
            fact("Connected", &format_args!("{} ({age} ago)", When(at)))
        }));
        facts.append(&mut told.facts);
        if host.is_none() {
            told.because
                .push("It belongs to no pod of this controller's, which therefore never stops it".into());
            told.because.extend(self.blindness());
        }
        told.related.extend(seat.running.as_ref().map(|id| related("job", id)));
        Explanation {
            kind: "agent",
            name: seat.id.to_string(),
            queue: told
                .queue
                .take()
                .or_else(|| seat.queue.as_ref().map(ToString::to_string)),
            summary: format!("Agent {} {}", seat.id, seat_in_words(seat)),
            facts,
            decisions: self.decisions(|deed| deed.agent.as_ref() == Some(&seat.id)),
            ..told
        }
    }

    fn buildkite_job(&self, one: &BuildkiteJob) -> Explanation {
        let runner = self.notes.look.runner(&one.id);
        if let Some(seat) = runner {
            return self.running(one.id.as_str(), seat);
        }
        let mut facts = vec![
            fact("Id", &one.id),
            fact("State", &words::state(one.state)),
            fact("Queue", &one.queue),
        ];
        facts.extend(one.runnable_at.map(|at| {
            let wait = length(When(at).age(self.now));
            fact("Runnable", &format_args!("{} ({wait} ago)", When(at)))
        }));
        if !one.rules.is_empty() {
            let keys: Vec<&str> = one
                .rules
                .iter()
                .map(|rule| rule.split('=').next().unwrap_or(rule))
                .collect();
            facts.push(fact("Asks for agents with the tags", &keys.join(", ")));
        }
        let waits = one.state == JobState::Scheduled;
        let of_queue = |deed: &Deed| waits && deed.queue.as_deref() == Some(one.queue.as_str());
        Explanation {
            queue: Some(one.queue.to_string()),
            summary: format!("Job {} of queue {} {}", one.id, one.queue, words::state(one.state)),
            because: if waits {
                self.keeps_waiting(one)
            } else {
                self.blindness().collect()
            },
            facts,
            findings: self.concerning(Some(&one.queue), &[]),
            withheld: self.withheld(|deed| deed.act == Act::Create && of_queue(deed)),
            decisions: self.decisions(of_queue),
            ..self.blank("job", one.id.to_string())
        }
    }

    fn running(&self, id: &str, seat: &Seat) -> Explanation {
        let host = self.host(seat);
        let mut related = vec![related("agent", &seat.id)];
        related.extend(host.map(pod_of));
        let verdict = host.and_then(|judged| self.verdict(judged));
        let because =
            verdict.map(|verdict| format!("Of its pod: {}, because {}", lower(&verdict.what), verdict.because));
        Explanation {
            queue: seat.queue.as_ref().map(ToString::to_string),
            summary: format!("Job {id} runs on agent {}", seat.id),
            because: because.into_iter().chain(self.blindness()).collect(),
            facts: vec![fact("Id", &id)],
            related,
            ..self.blank("job", id.to_owned())
        }
    }

    /// What is not there any more, or not there yet, and was decided about.
    fn remembered(&self, name: &str) -> Option<Explanation> {
        let pod_name = |pod: &str| pod == name || pod.split_once('/').is_some_and(|(_, pod)| pod == name);
        let about = |deed: &Deed| {
            deed.pod.as_deref().is_some_and(pod_name)
                || deed.uid.as_ref().is_some_and(|uid| uid.as_str() == name)
                || deed.agent.as_ref().is_some_and(|agent| agent.as_str() == name)
        };
        let mut withheld = self.notes.withheld.iter();
        let mut decided = self.notes.decisions.iter().map(|made| &made.deed);
        let (deed, so) = match withheld.find(|deed| about(deed)) {
            Some(deed) => (deed, words::would_be(deed.act)),
            None => {
                let newest = decided.find(|deed| about(deed))?;
                (newest, "was decided about, and was not there when last looked at")
            }
        };
        let kind = if deed.pod.is_some() { "pod" } else { "agent" };
        let called = deed.pod.clone().unwrap_or_else(|| name.to_owned());
        Some(Explanation {
            queue: deed.queue.clone(),
            summary: format!("{kind} {called} {so}"),
            because: self.blindness().collect(),
            withheld: self.withheld(about),
            decisions: self.decisions(about),
            ..self.blank(kind, called)
        })
    }

    fn decisions(&self, about: impl Fn(&Deed) -> bool) -> Vec<DecisionStatus> {
        let made = self.notes.decisions.iter().filter(|made| about(&made.deed));
        made.map(|made| DecisionStatus::of(made, &self.veil)).collect()
    }

    fn withheld(&self, about: impl Fn(&Deed) -> bool) -> Vec<WithheldStatus> {
        withheld(self.notes.withheld.iter().filter(|deed| about(deed)))
    }

    /// Findings about the queue, its templates, or one of these names.
    fn concerning(&self, queue: Option<&Queue>, names: &[&str]) -> Vec<FindingStatus> {
        let templates: Vec<String> = self
            .notes
            .templates
            .iter()
            .filter(|template| queue.is_some() && template.queue.as_ref() == queue)
            .map(|template| format!("{}/{}", template.namespace, template.name))
            .collect();
        let queue = queue.map_or("", Queue::as_str);
        let mut found = findings(self.notes, &self.veil);
        found.retain(|finding| {
            let subject = finding.subject.as_str();
            let of_queue = subject
                .strip_prefix(queue)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(": "));
            (of_queue && !queue.is_empty()) || names.contains(&subject) || templates.iter().any(|name| name == subject)
        });
        found
    }

    /// The agents of a pod, by their tag or else by their host's name.
    fn seats(&self, judged: &Judged) -> Vec<&Seat> {
        let seats = self.notes.look.agents.iter();
        seats.filter(|seat| belongs(seat, judged)).collect()
    }

    fn host(&self, seat: &Seat) -> Option<&Judged> {
        self.notes.pods.iter().find(|judged| belongs(seat, judged))
    }
}
