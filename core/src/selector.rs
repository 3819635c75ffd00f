//! Label selectors, to tell whether a Job would adopt a pod of ours.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A Kubernetes label selector. The empty one matches everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelSelector {
    /// Keys and the values they must have.
    pub match_labels: BTreeMap<String, String>,
    /// Further conditions, all of which must hold.
    pub match_expressions: Vec<Requirement>,
}

/// One condition of a selector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// How the label's value is tested.
    pub operator: Operator,
    /// The values that `In` and `NotIn` name.
    pub values: Vec<String>,
}

/// How a label's value is tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    /// The label's value is one of those named.
    In,
    /// It is none of them, or the label is absent.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
    /// An operator of the future: taken to match, since a pod that might be
    /// adopted must not be started.
    Unknown,
}

impl LabelSelector {
    /// Whether an object with these labels would be selected.
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels
            .iter()
            .all(|(key, value)| labels.get(key) == Some(value))
            && self
                .match_expressions
                .iter()
                .all(|requirement| requirement.holds(labels))
    }

    /// The keys the selector speaks of, in order, without repetition.
    pub fn keys(&self) -> Vec<&str> {
        let mut keys: Vec<&str> = self
            .match_labels
            .keys()
            .map(String::as_str)
            .chain(
                self.match_expressions
                    .iter()
                    .map(|requirement| requirement.key.as_str()),
            )
            .collect();
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

impl Requirement {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match self.operator {
            Operator::In => value.is_some_and(|value| self.values.contains(value)),
            Operator::NotIn => value.is_none_or(|value| !self.values.contains(value)),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Unknown => true,
        }
    }
}
