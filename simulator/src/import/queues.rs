//! Names of queues in traces.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::names::label;

/// Other names for queues: `old=new`, and `*=new` for those not named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueMap {
    names: BTreeMap<String, String>,
    others: Option<String>,
}

impl QueueMap {
    /// What a queue is called in the scenario: its new name, if it has one,
    /// with what Kubernetes does not take in a label replaced by `-`.
    pub(super) fn name(&self, queue: &str) -> String {
        let renamed = self.names.get(queue).or(self.others.as_ref());
        label(renamed.map_or(queue, String::as_str))
    }
}

impl FromStr for QueueMap {
    type Err = String;

    /// Reads `old=new,old2=new,*=rest`.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut map = Self::default();
        for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
            match pair.split_once('=').map(|(old, new)| (old.trim(), new.trim())) {
                Some(("*", new)) if !new.is_empty() => map.others = Some(new.to_owned()),
                Some((old, new)) if !old.is_empty() && !new.is_empty() => {
                    map.names.insert(old.to_owned(), new.to_owned());
                }
                Some(_) | None => return Err(format!("\"{}\" is not old=new", pair.escape_debug())),
            }
        }
        Ok(map)
    }
}

/// The queue of a job of Bitcoin Core's CI, from what it is called: the kind
/// of machine that it needs. What is built for another system is built on Linux.
pub(super) fn of_bitcoin_core(name: &str) -> &'static str {
    let name = name.to_lowercase();
    let crossed = name.starts_with("linux->") || name.contains("-cross") || name.ends_with(" cross");
    if crossed && !name.contains("cross-built") {
        "linux"
    } else if name.starts_with("win") {
        "windows"
    } else if name.starts_with("macos") {
        "macos"
    } else if name.split(|c: char| !c.is_alphanumeric()).any(|word| word == "arm") {
        "arm"
    } else if ["lint", "tidy", "determine runners"].contains(&name.as_str()) {
        "lint"
    } else {
        "linux"
    }
}
