//! What is left out: every text in which somebody may have put a secret.
//!
//! What the controller decides upon is kept, or replaced by something that
//! leads to the same decision: tags, rules and labels only have to be equal or
//! not, so each of their values becomes a pseudonym. A controller that is told
//! the redacted inputs therefore takes the redacted steps.
//!
//! Names are kept: of queues, templates, namespaces, pods, hosts, labels and
//! tags, and ids. So are numbers, times and states.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};

use buildscaler_core::{Template, annotations, labels};

mod inputs;
mod pod_template;
mod steps;

/// Stands for a text that was left out.
pub(crate) const LEFT_OUT: &str = "(left out)";

/// Refers to tags that another definition of the variable gives.
const TAG_REFERENCES: [&str; 2] = ["$(BUILDKITE_AGENT_TAGS)", "$(BUILDKITE_AGENT_META_DATA)"];
/// Letters of the longest key of a tag that is taken for a name.
const KEY_LENGTH: usize = 128;
/// Letters of the longest annotation that is taken for a number.
const NUMBER_LENGTH: usize = 12;

/// Leaves out of inputs and steps what may be secret.
///
/// The pseudonyms of one redactor are equal where the texts are. They are made
/// with a random key that is written nowhere, so a guess at the text cannot be
/// tested.
#[derive(Debug)]
pub(crate) struct Redactor {
    /// None: what comes in has its pseudonyms already.
    key: Option<RandomState>,
}

impl Redactor {
    /// A redactor for what a running controller sees and does.
    pub(crate) fn new() -> Self {
        Self {
            key: Some(RandomState::new()),
        }
    }

    /// A redactor for steps that follow from redacted inputs.
    pub(crate) fn of_replay() -> Self {
        Self { key: None }
    }

    fn pseudonym(&self, text: &str) -> String {
        match &self.key {
            Some(key) if !text.is_empty() => format!("~{:016x}", key.hash_one(text)),
            Some(_) | None => text.to_owned(),
        }
    }

    /// A tag of an agent or a rule of a job: `key=value`, `key=*` or a word.
    /// What names a queue or a pod is kept.
    fn tag(&self, tag: &str) -> String {
        match tag.split_once('=') {
            Some((labels::QUEUE_TAG | labels::POD_UID_TAG, _)) => tag.to_owned(),
            Some((key, "*")) => format!("{}=*", self.key(key)),
            Some((key, value)) => match value.strip_suffix("=*") {
                // To a rule it means any value, of a key that no tag can have.
                Some(value) => format!("{}={}=*", self.key(key), self.pseudonym(value)),
                None => format!("{}={}", self.key(key), self.pseudonym(value)),
            },
            // The controller writes that itself, where tags come from elsewhere.
            None if TAG_REFERENCES.contains(&tag) => tag.to_owned(),
            None => self.pseudonym(tag),
        }
    }

    fn tags(&self, tags: &[String]) -> Vec<String> {
        tags.iter().map(|tag| self.tag(tag)).collect()
    }

    /// The key of a tag or label, which is a name unless it looks like none.
    fn key(&self, key: &str) -> String {
        let is_name = key.len() <= KEY_LENGTH
            && key
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "-_./:".contains(letter));
        if is_name { key.to_owned() } else { self.pseudonym(key) }
    }

    /// The value of a label. Those by which things know each other are uids
    /// and names.
    fn label(&self, key: &str, value: &str) -> String {
        let links = [labels::APP, labels::QUEUE, labels::JOB_UID, labels::TEMPLATE_HASH];
        if links.contains(&key) || labels::CONTROLLER_LABELS.contains(&key) {
            value.to_owned()
        } else {
            self.pseudonym(value)
        }
    }

    fn labels(&self, labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        labels
            .iter()
            .map(|(key, value)| (self.key(key), self.label(key, value)))
            .collect()
    }

    /// The reason of a pod's trouble: a word, unless it comes from somewhere
    /// unheard of.
    fn trouble(&self, trouble: &str) -> String {
        let is_word = trouble.len() <= KEY_LENGTH && trouble.chars().all(|letter| letter.is_ascii_alphanumeric());
        if is_word {
            trouble.to_owned()
        } else {
            self.pseudonym(trouble)
        }
    }
}

/// Annotations of ours: what they decide, and not their words.
fn annotations(template: &Template) -> BTreeMap<String, String> {
    let unusable = annotations::unusable(template);
    template
        .annotations
        .iter()
        .map(|(key, value)| (key.clone(), annotation(key, value, unusable.contains(key))))
        .collect()
}

/// The value of an annotation: a number, or another one that can be used just
/// as well, or else left out, which nothing can be.
fn annotation(key: &str, value: &str, is_unusable: bool) -> String {
    let stand_in = match key {
        annotations::PVC_SIZE => "1Gi",
        annotations::PVC_MOUNT_PATH => "/left-out",
        annotations::PVC_STORAGE_CLASS_NAME => "left-out",
        _ if is_number(value) => value,
        _ => LEFT_OUT,
    };
    if is_unusable && !is_number(value) {
        LEFT_OUT
    } else {
        stand_in
    }
    .to_owned()
}

fn is_number(value: &str) -> bool {
    value.len() <= NUMBER_LENGTH
        && value
            .chars()
            .all(|letter| letter.is_ascii_digit() || " +-.".contains(letter))
}
