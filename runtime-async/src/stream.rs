//! What the API server sends on lists and watches, read piece by piece.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use buildscaler_core::Uid;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::Value;

use crate::mirror::Kind;

/// The longest line of a watch that is worth waiting for. etcd holds objects
/// of up to 1.5 MiB.
const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// One page of a list, its objects already trimmed.
#[derive(Deserialize)]
#[serde(bound = "T: Kind")]
pub(crate) struct Page<T: Kind> {
    pub(crate) metadata: ListMeta,
    #[serde(default)]
    pub(crate) items: Items<T>,
}

/// What a page says about the list.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ListMeta {
    pub(crate) resource_version: String,
    #[serde(rename = "continue")]
    pub(crate) next: Option<String>,
}

/// The objects of a page, by uid, and why others were left out.
pub(crate) struct Items<T> {
    pub(crate) objects: BTreeMap<Uid, Arc<T>>,
    pub(crate) malformed: Vec<String>,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            malformed: Vec::new(),
        }
    }
}

impl<'de, T: Kind> Deserialize<'de> for Items<T> {
    /// Holds one whole object at a time, since a page of them is large.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Trimming<T>(PhantomData<T>);

        impl<'de, T: Kind> Visitor<'de> for Trimming<T> {
            type Value = Items<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of {}", T::PLURAL)
            }

            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Items::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Items::default();
                while let Some(object) = seq.next_element::<Value>()? {
                    match T::decode(&object) {
                        Ok(object) => drop(items.objects.insert(object.uid().clone(), Arc::new(object))),
                        Err(why) => items.malformed.push(why),
                    }
                }
                Ok(items)
            }
        }

        deserializer.deserialize_any(Trimming(PhantomData))
    }
}

/// One event of a watch.
#[derive(Debug, Deserialize)]
pub(crate) struct Event {
    #[serde(rename = "type")]
    pub(crate) kind: EventKind,
    pub(crate) object: Value,
}

/// What an event says about its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum EventKind {
    /// It is new to this watch.
    Added,
    /// It has changed.
    Modified,
    /// It is gone, or no longer selected.
    Deleted,
    /// Nothing has changed up to its version.
    Bookmark,
    /// The watch has failed; the object says why.
    Error,
}

/// Cuts a stream of bytes into lines.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// Up to where no line ends.
    searched: usize,
}

impl Lines {
    /// Takes in what arrived; false where a line is too long to go on.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> bool {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(chunk);
        self.buffer.len() <= LONGEST_LINE || self.buffer.contains(&b'\n')
    }

    /// The next whole line that is not empty.
    pub(crate) fn next(&mut self) -> Option<&[u8]> {
        loop {
            let length = self.buffer.get(self.searched..)?.iter().position(|byte| *byte == b'\n');
            let Some(length) = length else {
                self.searched = self.buffer.len();
                return None;
            };
            let (begin, end) = (self.start, self.searched + length);
            self.start = end + 1;
            self.searched = self.start;
            if end > begin {
                return self.buffer.get(begin..end);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lines: &mut Lines) -> Vec<String> {
        let mut found = Vec::new();
        while let Some(line) = lines.next() {
            found.push(String::from_utf8_lossy(line).into_owned());
        }
        found
    }

    #[test]
    fn lines_may_arrive_in_any_pieces() {
        let text = b"one\ntwo\n\nthree\nrest";
        for size in 1..=text.len() {
            let mut lines = Lines::default();
            let mut found = Vec::new();
            for chunk in text.chunks(size) {
                assert!(lines.push(chunk));
                found.extend(all(&mut lines));
            }
            assert_eq!(found, ["one", "two", "three"], "in pieces of {size}");
        }
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let mut lines = Lines::default();
        assert!(lines.push(&vec![b'x'; LONGEST_LINE]));
        assert!(!lines.push(b"x"));
    }
}
