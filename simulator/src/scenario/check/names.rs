//! Names, as files, Kubernetes and Buildkite take them.

use super::Complaints;
use crate::scenario::outline::Place;
use crate::scenario::problem::Rule;

/// A scenario's own name.
pub(super) fn file(name: &str, place: &Place<'_>, complaints: &mut Complaints) {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if !short(name, 100) || !name.chars().all(good) || name.starts_with('.') {
        let message = format!(
            "\"{}\" is no name: write at most 100 of a-z, A-Z, 0-9, -, _ and .",
            clip(name)
        );
        complaints.add(place, Rule::Name, message);
    }
}

/// The name of a Job.
pub(super) fn job(name: &str, place: &Place<'_>, complaints: &mut Complaints) {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !short(name, 63) || !name.chars().all(good) || name.starts_with('-') || name.ends_with('-') {
        let message = format!(
            "\"{}\" is no name of a Job: write at most 63 of a-z, 0-9 and -, none of them - at an end",
            clip(name)
        );
        complaints.add(place, Rule::Name, message);
    }
}

/// The name of a queue, which is the value of a label in Kubernetes.
pub(super) fn queue(name: &str, place: &Place<'_>, complaints: &mut Complaints) {
    let inner = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let end = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    if !short(name, 63) || !name.chars().all(inner) || !end(name.chars().next()) || !end(name.chars().last()) {
        let message = format!(
            "\"{}\" is no queue: write at most 63 letters, digits, -, _ and ., the ends letters or digits",
            clip(name)
        );
        complaints.add(place, Rule::Name, message);
    }
}

/// A word of any characters that can be seen.
pub(super) fn text(text: &str, what: &str, place: &Place<'_>, complaints: &mut Complaints) {
    if !short(text, 500) || text.chars().any(char::is_control) {
        let message = format!("{what} has to be 1 to 500 visible characters, not \"{}\"", clip(text));
        complaints.add(place, Rule::Name, message);
    }
}

/// A tag of an agent or a rule of a job, `key=value`, other than the queue's.
pub(super) fn tag(tag: &str, place: &Place<'_>, complaints: &mut Complaints) {
    text(tag, "a tag", place, complaints);
    match tag.split_once('=') {
        Some(("queue", _)) => {
            complaints.add(place, Rule::Name, "the queue is no tag here: write it as `queue`");
        }
        Some((key, value)) if !key.is_empty() && !value.is_empty() => {}
        Some(_) | None => complaints.add(place, Rule::Name, format!("\"{}\" is not key=value", clip(tag))),
    }
}

fn short(text: &str, most: usize) -> bool {
    !text.is_empty() && text.len() <= most
}

/// The beginning of a text, for messages.
fn clip(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}
