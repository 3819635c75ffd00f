//! Reading a scenario from text. Whatever is wrong is said with its place, as
//! much of it at once as can be told apart; nothing makes it panic.

use serde_saphyr::{Error, MessageFormatter, Options, UserMessageFormatter};

use super::check::{Complaint, check};
use super::outline::{Outline, Part};
use super::problem::{Problem, Rule};
use super::{Scenario, VERSION};

/// The longest text that is looked at, in bytes.
pub const LONGEST_TEXT: usize = 64 << 20;
/// How many values of the wrong kind are looked for in one file.
const MOST_SHAPES: usize = 20;

impl Scenario {
    /// Reads the text of a scenario file; `name` is how messages call it.
    ///
    /// Syntax comes first, then names and kinds of fields, then what they
    /// mean: each of these is looked at only once the one before is right, and
    /// all that is wrong with it is told at once, by line.
    pub fn read(name: &str, text: &str) -> Result<Self, Vec<Problem>> {
        if text.len() > LONGEST_TEXT {
            let message = format!(
                "the file has {} bytes, at most {LONGEST_TEXT} are read: split it or sample it",
                text.len()
            );
            return Err(vec![problem(name, None, Rule::Size, message)]);
        }
        if text.trim().is_empty() {
            let message = "the file is empty: a scenario has at least `version`, `name` and `lasts`".to_owned();
            return Err(vec![problem(name, Some((1, 1)), Rule::Shape, message)]);
        }
        let scenario: Self =
            serde_saphyr::from_str_with_options(text, options()).map_err(|error| misshapen(name, text, &error))?;
        let complaints = check(&scenario);
        if complaints.is_empty() {
            Ok(scenario)
        } else {
            Err(locate(name, text, complaints))
        }
    }
}

/// Large traces are welcome, alias bombs are not, nor a depth that the format
/// does not have and the stack may not bear.
fn options() -> Options {
    let events = 1 << 24;
    let budget = serde_saphyr::budget! {
        max_events: events,
        max_nodes: events,
        max_total_scalar_bytes: LONGEST_TEXT,
        max_documents: 1,
        max_depth: 16,
    };
    let aliases = serde_saphyr::alias_limits! { max_total_replayed_events: 1 << 16, max_replay_stack_depth: 8 };
    serde_saphyr::options! { budget: budget, alias_limits: aliases, with_snippet: false }
}

/// The problems of a text that is no scenario: the first as it was found, and
/// those in other elements of its lists.
fn misshapen(name: &str, text: &str, first: &Error) -> Vec<Problem> {
    let outline = match Outline::of(text, options()) {
        Ok(outline) => outline,
        Err(error) => return vec![shape(name, &error, Rule::Syntax)],
    };
    let version = outline.number("version");
    if let Some(version) = version.filter(|version| *version != u64::from(VERSION)) {
        let place = outline.locate(&[Part::Key("version")]);
        return vec![problem(name, place, Rule::Version, other_version(version))];
    }
    let mut problems = vec![shape(name, first, Rule::Shape)];
    let elements = outline.elements();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    while problems.len() < MOST_SHAPES
        && let Some(line) = problems.last().and_then(|problem| problem.line)
        && mend(&mut lines, &elements, line)
    {
        match serde_saphyr::from_str_with_options::<Scenario>(&lines.join("\n"), options()) {
            Ok(_) => break,
            Err(error) => {
                let next = shape(name, &error, Rule::Shape);
                // An element that is not on lines of its own cannot be left out.
                if problems.iter().any(|known| known.line == next.line) {
                    break;
                }
                problems.push(next);
            }
        }
    }
    problems.sort();
    problems
}

/// Puts a right element in the place of the one that holds `line`: the rest of
/// the file keeps its lines. False if no element of its own lines is there.
fn mend(lines: &mut [String], elements: &[(u64, &str)], line: u64) -> bool {
    let before = elements.iter().filter(|(begins, _)| *begins <= line);
    let Some((begins, list)) = before.max_by_key(|(begins, _)| *begins) else {
        return false;
    };
    let Some(first) = usize::try_from(*begins).ok().and_then(|begins| begins.checked_sub(1)) else {
        return false;
    };
    let Some(indent) = lines.get(first).and_then(|line| dash(line)) else {
        return false;
    };
    let rest = lines.iter().skip(first + 1);
    let further = rest
        .take_while(|line| line.trim().is_empty() || width(line) > indent)
        .count();
    let last = first + further;
    if usize::try_from(line).is_ok_and(|line| line > last + 1) {
        return false;
    }
    let element = match *list {
        "timeline" => "- {at: 0s, faults-end: null}",
        "templates" => "- {name: a}",
        _ => "- a",
    };
    lines.iter_mut().take(last + 1).skip(first).for_each(String::clear);
    if let Some(line) = lines.get_mut(first) {
        *line = format!("{:indent$}{element}", "");
    }
    true
}

/// The indentation of the dash that begins a line.
fn dash(line: &str) -> Option<usize> {
    line.trim_start().starts_with("- ").then(|| width(line))
}

fn width(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn shape(name: &str, error: &Error, rule: Rule) -> Problem {
    let place = error.location().map(|location| (location.line(), location.column()));
    let message = UserMessageFormatter
        .format_message(error.without_snippet())
        .into_owned();
    problem(name, place, rule, message)
}

/// Gives complaints their lines, in the order of the file.
fn locate(name: &str, text: &str, complaints: Vec<Complaint>) -> Vec<Problem> {
    let outline = Outline::of(text, options()).ok();
    let place = |parts: &[Part]| outline.as_ref().and_then(|outline| outline.locate(parts));
    let mut problems: Vec<Problem> = complaints
        .into_iter()
        .map(|complaint| problem(name, place(&complaint.parts), complaint.rule, complaint.message))
        .collect();
    problems.sort();
    problems
}

fn problem(name: &str, place: Option<(u64, u64)>, rule: Rule, message: String) -> Problem {
    Problem {
        file: name.to_owned(),
        line: place.map(|(line, _)| line),
        column: place.map(|(_, column)| column),
        rule,
        message,
    }
}

/// What to say of a file of another version.
pub(super) fn other_version(version: u64) -> String {
    if version > u64::from(VERSION) {
        format!("version {version} is newer than this program, which reads version {VERSION}: use a newer one")
    } else {
        format!("there is no version {version}: write `version: {VERSION}`")
    }
}
