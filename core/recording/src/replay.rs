//! Feeds a recording to a new controller, and compares what comes out.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use buildscaler_core::{Controller, Input, Step, Timestamp};
use serde_json::Value;

use crate::difference;
use crate::error::ReadError;
use crate::format::{Header, Program, Start};
use crate::part::Moment;
use crate::reading::Recording;
use crate::redact::Redactor;

/// What a replay came to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Replay {
    /// Steps that were taken again and were the same.
    pub steps: usize,
    /// Files that could not be replayed: what the controller knew at their
    /// beginning is not in them, or is of another version.
    pub skipped: Vec<PathBuf>,
    /// Steps that the recorded program did not live to write, and what became
    /// of them this time.
    pub unwritten: Vec<Unwritten>,
    /// The first step that was not the same; nothing was replayed after it.
    pub difference: Option<Difference>,
    /// What wrote the recording, where it was not this version.
    pub others: Vec<Program>,
}

/// A step in whose midst the recorded program ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Unwritten {
    /// In which file.
    pub file: PathBuf,
    /// The line of its input.
    pub line: usize,
    /// Whether the step panics.
    pub panics: bool,
}

/// A step that is not as it was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// In which file.
    pub file: PathBuf,
    /// The line of the step.
    pub line: usize,
    /// When it was taken.
    pub at: Timestamp,
    /// The JSON that was recorded.
    pub recorded: String,
    /// The JSON that came out this time; none if the step panicked.
    pub replayed: Option<String>,
}

impl Replay {
    /// Whether something was replayed, and all of it was the same.
    pub fn is_equal(&self) -> bool {
        self.steps > 0 && self.difference.is_none()
    }
}

/// Replays a recording, up to its end or the first difference.
///
/// A file that follows the one before it goes on with its controller. Any other
/// begins with what its own header says the controller knew.
///
/// # Errors
/// If a file cannot be read.
pub fn replay(recording: &Recording) -> Result<Replay, ReadError> {
    let mut replay = Replay::default();
    let mut player = Player {
        redactor: Redactor::of_replay(),
        controller: None,
        last: None,
    };
    let mut moments = recording.moments();
    while let Some(next) = moments.next() {
        let (header, moment) = next?;
        let file = moments.file().map(PathBuf::from).unwrap_or_default();
        if player.begin(&header) {
            replay.note(&header.program);
            if player.controller.is_none() {
                replay.skipped.push(file.clone());
            }
        }
        let Some(controller) = &mut player.controller else {
            continue;
        };
        let Moment {
            line,
            at,
            input,
            step,
            written,
        } = moment;
        let again = take(controller, at, input);
        if step.is_none() {
            replay.unwritten.push(Unwritten {
                file,
                line,
                panics: again.is_none(),
            });
            player.controller = None;
            continue;
        }
        let replayed = again.and_then(|step| serde_json::to_string(&player.redactor.step(&step)).ok());
        if replayed.as_ref() != Some(&written) {
            replay.difference = Some(Difference {
                file,
                line: line + 1,
                at,
                recorded: written,
                replayed,
            });
            return Ok(replay);
        }
        replay.steps += 1;
    }
    Ok(replay)
}

/// The controller that is fed, if it has been from its beginning.
struct Player {
    redactor: Redactor,
    controller: Option<Controller>,
    last: Option<Arc<Header>>,
}

impl Player {
    /// Takes note of the file that a moment is from; whether it is another one.
    fn begin(&mut self, header: &Arc<Header>) -> bool {
        if self.last.as_ref().is_some_and(|last| Arc::ptr_eq(last, header)) {
            return false;
        }
        let follows = self
            .last
            .as_ref()
            .is_some_and(|last| last.run == header.run && last.part + 1 == header.part);
        if header.start != Start::Continued || !follows || self.controller.is_none() {
            self.controller = header.controller();
        }
        self.last = Some(Arc::clone(header));
        true
    }
}

/// The step, unless it panics: the recording may have been made to find that out.
fn take(controller: &mut Controller, at: Timestamp, input: Input) -> Option<Step> {
    catch_unwind(AssertUnwindSafe(|| controller.step(at, input))).ok()
}

impl Replay {
    fn note(&mut self, program: &Program) {
        if program.version != env!("CARGO_PKG_VERSION") && !self.others.contains(program) {
            self.others.push(program.clone());
        }
    }
}

impl fmt::Display for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Program { name, version } in &self.others {
            writeln!(
                f,
                "recorded by {name} {version}; only the version that recorded it is sure to decide alike"
            )?;
        }
        for file in &self.skipped {
            writeln!(
                f,
                "skipped {}: what the controller knew at its beginning is not in it, or is of another version",
                file.display()
            )?;
        }
        for Unwritten { file, line, panics } in &self.unwritten {
            let ended = if *panics {
                "and it panics"
            } else {
                "which does not panic"
            };
            let file = file.display();
            writeln!(f, "{file}, line {line}: the program ended within this step, {ended}")?;
        }
        match &self.difference {
            Some(difference) => write!(f, "{} steps are the same, then: {difference}", self.steps),
            None if self.steps == 0 => write!(f, "nothing could be replayed"),
            None => write!(f, "{} steps, no difference", self.steps),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, line {}, at {}:", self.file.display(), self.line, self.at)?;
        let Some(replayed) = &self.replayed else {
            return write!(f, " the step panicked when it was replayed");
        };
        let values = serde_json::from_str::<Value>(&self.recorded).and_then(|recorded| {
            let replayed = serde_json::from_str(replayed)?;
            Ok(difference::places(&recorded, &replayed))
        });
        match values {
            Ok(places) if !places.is_empty() => places.iter().try_for_each(|place| write!(f, "\n  {place}")),
            Ok(_) | Err(_) => write!(f, "\n  recorded {}\n  replayed {replayed}", self.recorded),
        }
    }
}
