//! What the API server sends to those who watch, read piece by piece: pages of
//! the first list, then one event per line. Who watches, and when, is for a
//! runtime.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use buildscaler_core::{Failure, Pod, Template, Uid};
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};
use serde_json::Value;

use super::list::Pages;
use super::{pod, template};

/// The longest line of a watch that is worth waiting for. etcd holds objects
/// of up to 1.5 MiB.
const LONGEST_LINE: usize = 16 * 1024 * 1024;

/// A kind of object that can be watched.
pub trait Watched: Sized {
    /// What the API calls them, as logs name them.
    const PLURAL: &'static str;

    /// The object as the core knows it.
    ///
    /// # Errors
    /// The reason, where that cannot be made of it.
    fn decode(object: &Value) -> Result<Self, String>;

    /// Its uid.
    fn uid(&self) -> &Uid;
}

impl Watched for Template {
    const PLURAL: &'static str = "jobs";

    fn decode(object: &Value) -> Result<Self, String> {
        template(object).map_err(|error| error.to_string())
    }

    fn uid(&self) -> &Uid {
        &self.uid
    }
}

impl Watched for Pod {
    const PLURAL: &'static str = "pods";

    fn decode(object: &Value) -> Result<Self, String> {
        pod(object).map_err(|error| error.to_string())
    }

    fn uid(&self) -> &Uid {
        &self.uid
    }
}

/// Where the reading of a paged list is. It ends, whatever the server says of
/// further pages (Invariant 24).
#[derive(Debug, Default)]
pub struct Paging(Pages);

impl Paging {
    /// Takes note of a page; the token of the next one, if there is one.
    ///
    /// # Errors
    /// If the list has no end.
    pub fn turn(&mut self, page: &ListMeta) -> Result<Option<String>, Failure> {
        self.0.turn(page.next.clone())
    }
}

/// One page of a list, its objects already trimmed.
#[derive(Deserialize)]
#[serde(bound = "T: Watched")]
pub struct Page<T: Watched> {
    /// What it says about the list.
    pub metadata: ListMeta,
    /// What is on it.
    #[serde(default)]
    pub items: Items<T>,
}

/// What a page says about the list.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListMeta {
    /// The version that a watch goes on from.
    pub resource_version: String,
    /// The token of the next page.
    #[serde(rename = "continue")]
    pub next: Option<String>,
}

/// The objects of a page, by uid, and why others were left out.
pub struct Items<T> {
    /// Those that make sense.
    pub objects: BTreeMap<Uid, Arc<T>>,
    /// Why each of the others does not.
    pub malformed: Vec<String>,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self {
            objects: BTreeMap::new(),
            malformed: Vec::new(),
        }
    }
}

impl<'de, T: Watched> Deserialize<'de> for Items<T> {
    /// Holds one whole object at a time, since a page of them is large.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Trimming<T>(PhantomData<T>);

        impl<'de, T: Watched> Visitor<'de> for Trimming<T> {
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
pub struct Event {
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// To what, as it is now.
    pub object: Value,
}

/// What an event says about its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EventKind {
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
pub struct Lines {
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// Up to where no line ends.
    searched: usize,
}

impl Lines {
    /// Takes in what arrived; false where a line is too long to go on.
    pub fn push(&mut self, chunk: &[u8]) -> bool {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(chunk);
        self.buffer.len() <= LONGEST_LINE || self.buffer.contains(&b'\n')
    }

    /// The next whole line that is not empty.
    pub fn next_line(&mut self) -> Option<&[u8]> {
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
        while let Some(line) = lines.next_line() {
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
