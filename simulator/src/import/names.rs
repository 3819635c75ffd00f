//! Names of the outside world as ones that scenarios may use.

use std::collections::BTreeSet;

use buildscaler_core::labels;

/// A text as the value of a label, which is good for a pipeline's slug too.
pub(crate) fn label(text: &str) -> String {
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let text: String = text.chars().map(|c| if good(c) { c } else { '-' }).take(63).collect();
    let trimmed = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if trimmed.is_empty() {
        "unnamed".to_owned()
    } else {
        trimmed.to_owned()
    }
}

/// The name of a template for a queue: as a Job may be called, and not taken.
pub(crate) fn template(queue: &str, taken: &mut BTreeSet<String>) -> String {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let plain: String = queue
        .to_lowercase()
        .chars()
        .map(|c| if good(c) { c } else { '-' })
        .take(50)
        .collect();
    let plain = plain.trim_matches('-');
    let mut name = plain.to_owned();
    let mut number = 1_u64;
    while name.is_empty() || !taken.insert(name.clone()) {
        number += 1;
        name = format!("{plain}-{number}").trim_matches('-').to_owned();
    }
    name
}

/// Whether a text can stand in a scenario as it is.
pub(crate) fn is_text(text: &str) -> bool {
    (1..=500).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Whether it is a tag or rule `key=value` other than the queue's.
pub(crate) fn is_tag(tag: &str) -> bool {
    let pair = tag.split_once('=');
    is_text(tag) && pair.is_some_and(|(key, value)| !key.is_empty() && !value.is_empty() && key != labels::QUEUE_TAG)
}
