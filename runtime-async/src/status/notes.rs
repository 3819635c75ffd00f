//! What the loop shows, noted as it passes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use buildscaler_core::verdict::Verdict;
use buildscaler_core::{
    Command, Config, Controller, FindingKind, Input, Leadership, Pod, Reason, Report, Step, Template, Timestamp,
};

use super::decisions::{Decision, Decisions};
use super::deed::Deed;
use super::history::History;
use super::look::{Pages, Sighted};
use super::sights::Sights;
use crate::run::Observer;
use crate::serve::About;

/// Looks on, and keeps what the page is made of.
///
/// The loop waits for this, so it copies and does not think: what was seen is
/// shared, not copied, and everything is put into words by those who ask.
#[derive(Debug)]
pub(crate) struct Onlooker {
    notes: Notebook,
    /// What the pages of a look have shown that is not over.
    pages: Pages,
    /// Whether pods may have been judged anew.
    judged: bool,
}

/// The notes, where those who ask find them.
#[derive(Clone, Debug)]
pub(crate) struct Notebook(Arc<Mutex<Notes>>);

/// Everything that is known. A copy of it is cheap.
#[derive(Clone, Debug)]
pub(crate) struct Notes {
    pub(crate) settings: Arc<Settings>,
    pub(crate) pace: Pace,
    pub(crate) sights: Sights,
    pub(crate) look: Arc<Sighted>,
    /// In the order of their uids.
    pub(crate) pods: Arc<[Judged]>,
    pub(crate) templates: Arc<[Arc<Template>]>,
    pub(crate) report: Report,
    pub(crate) findings: BTreeMap<(FindingKind, String), Standing>,
    pub(crate) decisions: Decisions,
    /// What a dry run would do now, by reason.
    pub(crate) withheld: Arc<[Deed]>,
    pub(crate) history: History,
    /// None: there are no others.
    pub(crate) leadership: Option<Leadership>,
}

/// What does not change.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) organization: String,
    pub(crate) namespace: Option<String>,
    pub(crate) config: Config,
}

/// How the loop goes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Pace {
    pub(crate) begun_at: Option<Timestamp>,
    pub(crate) steps: u64,
    pub(crate) stepped_at: Option<Timestamp>,
    /// When the next step comes at the latest.
    pub(crate) wake_at: Option<Timestamp>,
    pub(crate) is_ending: bool,
}

/// A pod with the verdict that was passed on it.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    pub(crate) pod: Arc<Pod>,
    pub(crate) verdict: Option<(Verdict, Reason)>,
}

/// A finding that stands.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) since: Timestamp,
    pub(crate) detail: String,
}

impl Onlooker {
    /// One who has seen nothing yet.
    pub(crate) fn new(about: &About<'_>) -> Self {
        let settings = Settings {
            organization: about.organization.to_owned(),
            namespace: about.namespace.map(str::to_owned),
            config: about.config.clone(),
        };
        Self {
            notes: Notebook(Arc::new(Mutex::new(Notes::new(settings)))),
            pages: Pages::default(),
            judged: false,
        }
    }

    /// Where the notes are found.
    pub(crate) fn notebook(&self) -> Notebook {
        self.notes.clone()
    }
}

impl Notebook {
    /// The notes as they are now.
    pub(crate) fn read(&self) -> Notes {
        self.open().clone()
    }

    fn open(&self) -> MutexGuard<'_, Notes> {
        // Changed in whole steps: after a panic elsewhere they are still sound.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Onlooker {
    fn told(&mut self, now: Timestamp, input: &Input) {
        let whole = match input {
            Input::Buildkite { look, .. } => self.pages.add(look),
            Input::Cluster { .. } | Input::Outcome { .. } | Input::Lease { .. } | Input::Tick | Input::Shutdown => None,
        };
        self.judged = match input {
            Input::Cluster { .. } | Input::Buildkite { .. } => true,
            Input::Outcome { .. } | Input::Lease { .. } | Input::Tick | Input::Shutdown => false,
        };
        let mut notes = self.notes.open();
        notes.told(now, input);
        // What was known before is let go of when nobody has to wait for it.
        let before = whole.map(|whole| std::mem::replace(&mut notes.look, Arc::new(whole)));
        drop(notes);
        drop(before);
    }

    fn stepped(&mut self, now: Timestamp, step: &Step, controller: &Controller) {
        let pods: Option<Arc<[Judged]>> = self.judged.then(|| judged(controller));
        let mut notes = self.notes.open();
        let before = pods.map(|pods| std::mem::replace(&mut notes.pods, pods));
        if self.judged {
            notes.seen(now, controller);
        }
        notes.stepped(now, step, controller);
        drop(notes);
        drop(before);
    }
}

fn judged(controller: &Controller) -> Arc<[Judged]> {
    let judged = controller.judged().map(|(pod, verdict)| Judged {
        pod: Arc::clone(pod),
        verdict,
    });
    judged.collect()
}

impl Notes {
    fn new(settings: Settings) -> Self {
        Self {
            settings: Arc::new(settings),
            pace: Pace::default(),
            sights: Sights::default(),
            look: Arc::default(),
            pods: Arc::from([]),
            templates: Arc::from([]),
            report: Report::default(),
            findings: BTreeMap::new(),
            decisions: Decisions::default(),
            withheld: Arc::from([]),
            history: History::default(),
            leadership: None,
        }
    }

    fn told(&mut self, now: Timestamp, input: &Input) {
        self.pace.begun_at.get_or_insert(now);
        self.sights.told(now, input);
        match input {
            Input::Outcome { id, outcome, .. } => self.decisions.settle(*id, outcome, now),
            Input::Shutdown => self.pace.is_ending = true,
            Input::Tick | Input::Cluster { .. } | Input::Buildkite { .. } | Input::Lease { .. } => {}
        }
    }

    /// Takes over what a view has changed.
    fn seen(&mut self, now: Timestamp, controller: &Controller) {
        let known = controller.templates();
        let same = known.len() == self.templates.len()
            && known
                .iter()
                .zip(&*self.templates)
                .all(|(known, noted)| Arc::ptr_eq(known, noted));
        if !same {
            self.templates = known.iter().cloned().collect();
        }
        if self.report != *controller.report() {
            self.report = controller.report().clone();
        }
        if self.look.begun_at.is_some() {
            self.history.note(&self.report, now);
        }
    }

    fn stepped(&mut self, now: Timestamp, step: &Step, controller: &Controller) {
        self.pace.steps += 1;
        self.pace.stepped_at = Some(now);
        self.pace.wake_at = Some(step.wake.at);
        self.leadership = controller.leadership();
        for command in &step.commands {
            self.decided(now, command);
        }
        // Between two plans nothing is kept back or let go of.
        if !step.withheld.is_empty() {
            let withheld = controller.withheld();
            let deeds = withheld.filter_map(|one| Deed::of(&one.action, one.reason, &self.look, &self.pods));
            self.withheld = deeds.collect();
        }
        // The words of a finding may change without its being raised again, so
        // they are read after every view as well.
        if !step.findings.is_empty() || !self.findings.is_empty() {
            let before = std::mem::take(&mut self.findings);
            let standing = controller.findings().map(|finding| {
                let key = (finding.kind, finding.subject);
                let since = before.get(&key).map_or(now, |standing| standing.since);
                let detail = finding.detail;
                (key, Standing { since, detail })
            });
            self.findings = standing.collect();
        }
    }

    fn decided(&mut self, now: Timestamp, command: &Command) {
        if let Some(deed) = Deed::of(&command.action, command.reason, &self.look, &self.pods) {
            self.decisions.note(Decision {
                id: command.id,
                at: now,
                deed,
                ended: None,
            });
        }
    }
}
