//! The live picture as lines of inked words; [`crate::screen`] puts them somewhere.

use std::time::Duration;

use buildscaler_core::{Queue, Timestamp};
use buildscaler_simulator::buildkite::FakeBuildkite;

use crate::decisions::Said;
use crate::scenario::{QUEUES, Scenario};
use crate::survey::{Cell, Doing, Row, Survey};

/// What a user may ask of Buildkite in a minute.
pub(crate) const BUDGET: usize = 50;

/// How many decisions stay in sight.
const IN_SIGHT: usize = 6;

/// How a word is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    Plain,
    Bold,
    Dim,
    Green,
    Yellow,
    Cyan,
    Magenta,
    Red,
}

/// One line of the picture.
pub(crate) type Line = Vec<(Ink, String)>;

/// Everything that the picture shows.
pub(crate) struct Scene<'a> {
    pub(crate) survey: &'a Survey,
    pub(crate) scenario: &'a Scenario,
    pub(crate) fake: &'a FakeBuildkite,
    pub(crate) said: &'a [Said],
    pub(crate) began: Timestamp,
    pub(crate) now: Timestamp,
}

impl Scene<'_> {
    /// The whole picture.
    pub(crate) fn lines(&self) -> Vec<Line> {
        let mut lines = vec![
            vec![(Ink::Bold, self.clock()), (Ink::Dim, self.phase().into())],
            Vec::new(),
            vec![(
                Ink::Dim,
                "queue  waiting  starting  idle  busy    done  oldest wait  pods".into(),
            )],
        ];
        lines.extend(QUEUES.map(|queue| self.row(queue)));
        lines.push(vec![
            (Ink::Dim, "pods: ".into()),
            (Ink::Green, "█".into()),
            (Ink::Dim, " busy  ".into()),
            (Ink::Yellow, "░".into()),
            (Ink::Dim, " starting  ".into()),
            (Ink::Cyan, "▒".into()),
            (Ink::Dim, " idle  ".into()),
            (Ink::Magenta, "▓".into()),
            (Ink::Dim, " of the template that was replaced".into()),
        ]);
        lines.push(Vec::new());
        lines.push(vec![(Ink::Dim, "last decisions, and why".into())]);
        let first = self.said.len().saturating_sub(IN_SIGHT);
        let shown = &self.said[first..];
        lines.extend(shown.iter().map(|said| self.decision(said)));
        lines.extend(std::iter::repeat_n(Vec::new(), IN_SIGHT - shown.len() + 1));
        lines.push(vec![(Ink::Plain, self.totals())]);
        lines.push(vec![self.interrupted()]);
        lines
    }

    /// The same in one line without ink.
    pub(crate) fn brief(&self) -> String {
        let queues = QUEUES.map(|queue| {
            let row = self.survey.rows.get(&Queue::from(queue)).cloned().unwrap_or_default();
            format!(
                "{queue} {} waiting, {} starting, {} idle, {} busy, {}/{} done",
                row.waiting,
                row.count(Doing::Starting),
                row.count(Doing::Idle),
                row.count(Doing::Busy),
                row.done,
                self.scenario.jobs_of(queue)
            )
        });
        format!(
            "{} {} | {} | {}",
            self.clock(),
            queues.join(" | "),
            self.totals(),
            self.interrupted().1
        )
    }

    /// A decision in one line without ink.
    pub(crate) fn tell(&self, said: &Said) -> String {
        self.decision(said).into_iter().map(|(_, word)| word).collect()
    }

    fn clock(&self) -> String {
        format!("{:5.1} s", self.now.since(self.began).as_secs_f64())
    }

    fn phase(&self) -> &'static str {
        if !self.scenario.is_over() {
            "   builds arrive"
        } else if self.all_done() {
            "   all jobs are done; idle agents leave"
        } else {
            "   all builds are there"
        }
    }

    /// Whether each job of the scenario has ended.
    pub(crate) fn all_done(&self) -> bool {
        QUEUES
            .iter()
            .all(|queue| self.done(queue) == self.scenario.jobs_of(queue))
    }

    fn done(&self, queue: &str) -> usize {
        self.survey.rows.get(&Queue::from(queue)).map_or(0, |row| row.done)
    }

    fn row(&self, queue: &str) -> Line {
        let row = self.survey.rows.get(&Queue::from(queue)).cloned().unwrap_or_default();
        let number = |ink, count: usize, width: usize| {
            let ink = if count == 0 { Ink::Dim } else { ink };
            (ink, format!("{count:>width$}"))
        };
        let done = format!("{}/{}", row.done, self.scenario.jobs_of(queue));
        let oldest = match row.waiting {
            0 => "-".to_owned(),
            _ => format!("{:.1} s", row.oldest_wait.as_secs_f64()),
        };
        let mut line = vec![
            (Ink::Bold, format!("{queue:<6}")),
            number(Ink::Red, row.waiting, 8),
            number(Ink::Yellow, row.count(Doing::Starting), 10),
            number(Ink::Cyan, row.count(Doing::Idle), 6),
            number(Ink::Green, row.count(Doing::Busy), 6),
            (Ink::Plain, format!("{done:>8}")),
            (Ink::Plain, format!("{oldest:>13}")),
            (Ink::Plain, "  ".into()),
        ];
        line.extend(bar(&row));
        line
    }

    fn decision(&self, said: &Said) -> Line {
        let at = said.at.since(self.began).as_secs_f64();
        vec![
            (Ink::Dim, format!("{at:5.1} s  ")),
            (Ink::Plain, format!("{:<46} ", said.what)),
            (Ink::Cyan, said.why.clone()),
        ]
    }

    fn totals(&self) -> String {
        let minute_ago = self.now.before(Duration::from_secs(60));
        let requests = self.fake.observed().requests();
        let recent = requests.iter().filter(|request| request.at > minute_ago).count();
        format!(
            "pods created {}, graceful stops {}, requests to Buildkite {recent}/min of {BUDGET}",
            self.survey.pods_created(),
            self.fake.observed().stops().count()
        )
    }

    fn interrupted(&self) -> (Ink, String) {
        let interrupted = self.fake.truth().interruptions().len();
        let ink = if interrupted == 0 { Ink::Green } else { Ink::Red };
        (ink, format!("builds interrupted by scaling: {interrupted}"))
    }
}

/// One glyph for each pod.
fn bar(row: &Row) -> Line {
    row.pods
        .iter()
        .map(|cell| (ink(*cell), glyph(*cell).to_owned()))
        .collect()
}

fn glyph(cell: Cell) -> &'static str {
    match cell.doing {
        _ if cell.old => "▓",
        Doing::Busy => "█",
        Doing::Idle => "▒",
        Doing::Starting => "░",
        Doing::Leaving => "·",
    }
}

fn ink(cell: Cell) -> Ink {
    match cell.doing {
        _ if cell.old => Ink::Magenta,
        Doing::Busy => Ink::Green,
        Doing::Idle => Ink::Cyan,
        Doing::Starting => Ink::Yellow,
        Doing::Leaving => Ink::Dim,
    }
}
