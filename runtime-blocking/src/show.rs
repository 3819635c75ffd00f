//! Writes plans and endings to a terminal, a pipe or a program.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use serde::Serialize;

use crate::deed::Deed;
use crate::doctor::{Check, Health};
use crate::once::Ending;
use crate::plan::{FindingLine, Plan, QueueLine};

/// How a plan is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
    /// For programs that people read too.
    Yaml,
}

/// Standard output, in colours if it is a terminal.
#[derive(Debug)]
pub(crate) struct Paper {
    out: io::Stdout,
    colours: bool,
}

const BOLD: &str = "1";
const RED: &str = "31";
const GREEN: &str = "32";
const YELLOW: &str = "33";

const HEADINGS: [&str; 8] = [
    "QUEUE",
    "WAITING",
    "BUSY",
    "IDLE",
    "STARTING",
    "PODS",
    "DESIRED",
    "TO CREATE",
];

impl Paper {
    /// The standard output of this process.
    pub(crate) fn stdout() -> Self {
        let out = io::stdout();
        let colours = out.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { out, colours }
    }

    /// Writes a plan.
    pub(crate) fn plan(&mut self, plan: &Plan, format: Format) -> io::Result<()> {
        match format {
            Format::Table => self.table(plan),
            Format::Json => self.json(plan),
            Format::Yaml => self.yaml(plan),
        }
    }

    /// Writes what the doctor found.
    pub(crate) fn checks(&mut self, checks: &[Check], format: Format) -> io::Result<()> {
        match format {
            Format::Table => checks.iter().try_for_each(|check| self.check(check)),
            Format::Json => self.json(&checks),
            Format::Yaml => self.yaml(&checks),
        }
    }

    fn check(&mut self, check: &Check) -> io::Result<()> {
        let (colour, word) = match check.result {
            Health::Ok => (GREEN, "ok    "),
            Health::Note => (YELLOW, "note  "),
            Health::Failed => (RED, "FAILED"),
        };
        let mark = self.painted(colour, word);
        let words = printable(&format!("{}: {}: {}", check.about, check.check, check.detail));
        writeln!(self.out, "{mark}  {words}")
    }

    /// Writes something for programs.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut self.out, value)?;
        writeln!(self.out)
    }

    /// Writes something for programs that people read too.
    pub(crate) fn yaml(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = serde_saphyr::to_string(value).map_err(io::Error::other)?;
        writeln!(self.out, "{}", text.trim_end())
    }

    fn table(&mut self, plan: &Plan) -> io::Result<()> {
        self.queues(plan)?;
        for deed in &plan.commands {
            self.deed(deed, "")?;
        }
        self.findings(&plan.findings)?;
        for later in &plan.later {
            writeln!(self.out, "later    {later}")?;
        }
        match plan.commands.len() {
            0 => writeln!(self.out, "nothing to do"),
            count => writeln!(self.out, "{count} to do"),
        }
    }

    fn queues(&mut self, plan: &Plan) -> io::Result<()> {
        let longest = plan.queues.keys().map(|queue| queue.chars().count()).max();
        let width = longest.unwrap_or_default().max(HEADINGS[0].len());
        if plan.queues.is_empty() {
            return writeln!(self.out, "no template, no pod and no waiting job");
        }
        let [queue, numbers @ ..] = HEADINGS;
        let headings: String = numbers.iter().map(|heading| format!("  {heading}")).collect();
        let line = self.painted(BOLD, &format!("{queue:width$}{headings}"));
        writeln!(self.out, "{line}")?;
        for (queue, line) in &plan.queues {
            let QueueLine {
                waiting,
                busy,
                idle,
                starting,
                pods,
                desired,
                to_create,
            } = line;
            let values = [waiting, busy, idle, starting, pods, desired, to_create];
            let cells = numbers.iter().zip(values);
            let cells: String = cells
                .map(|(heading, value)| format!("  {value:>length$}", length = heading.len()))
                .collect();
            writeln!(self.out, "{:width$}{cells}", printable(queue))?;
        }
        writeln!(self.out)
    }

    /// Writes what an operator should mend.
    pub(crate) fn findings(&mut self, findings: &[FindingLine]) -> io::Result<()> {
        for FindingLine { kind, subject, detail } in findings {
            let mark = self.painted(YELLOW, "finding");
            writeln!(self.out, "{mark}  {kind} {}: {}", printable(subject), printable(detail))?;
        }
        Ok(())
    }

    /// Writes how a command ended.
    pub(crate) fn ending(&mut self, ending: &Ending) -> io::Result<()> {
        match &ending.failure {
            None => self.deed(&ending.deed, ": done"),
            Some(failure) => self.deed(&ending.deed, &format!(": failed: {failure}")),
        }
    }

    /// Writes a line as it is.
    pub(crate) fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{line}")
    }

    /// Writes a line with names from outside in it.
    pub(crate) fn words(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.out, "{}", printable(line))
    }

    fn deed(&mut self, deed: &Deed, ending: &str) -> io::Result<()> {
        let Deed {
            verb,
            subject,
            queue,
            reason,
        } = deed;
        let colour = match *verb {
            "create" => GREEN,
            "delete" => RED,
            _ => YELLOW,
        };
        let mark = self.painted(colour, &format!("{verb:7}"));
        let queue = queue
            .as_ref()
            .map(|queue| format!(" for queue {queue}"))
            .unwrap_or_default();
        let words = printable(&format!("{subject}{queue} ({reason}){ending}"));
        writeln!(self.out, "{mark}  {words}")
    }

    fn painted(&self, colour: &str, text: &str) -> String {
        if self.colours {
            format!("\u{1b}[{colour}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// The text without what would steer a terminal: names come from outside.
fn printable(text: &str) -> String {
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(visible).collect()
}
