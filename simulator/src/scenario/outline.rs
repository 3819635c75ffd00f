//! Where the parts of a file stand: read only once something is wrong.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

/// A way from the top of a file down to one of its values.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place<'a> {
    Top,
    Key(&'a Self, &'static str),
    Index(&'a Self, usize),
}

impl<'a> Place<'a> {
    /// The field of this name below here.
    pub(super) const fn key(&'a self, key: &'static str) -> Self {
        Self::Key(self, key)
    }

    /// The element at this position below here.
    pub(super) const fn index(&'a self, index: usize) -> Self {
        Self::Index(self, index)
    }

    /// The way down, the topmost part first.
    pub(super) fn parts(&self) -> Vec<Part> {
        let (mut parts, mut here) = (Vec::new(), self);
        loop {
            here = match here {
                Self::Top => break,
                Self::Key(above, key) => {
                    parts.push(Part::Key(key));
                    above
                }
                Self::Index(above, index) => {
                    parts.push(Part::Index(*index));
                    above
                }
            };
        }
        parts.reverse();
        parts
    }
}

/// One part of the way down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Key(&'static str),
    Index(usize),
}

/// A file's values with their places.
#[derive(Debug)]
pub(super) struct Outline(Spanned<Node>);

/// A value: only its parts matter here.
#[derive(Debug)]
enum Node {
    Leaf(Option<u64>),
    List(Vec<Spanned<Self>>),
    Map(Vec<(String, Spanned<Self>)>),
}

impl Outline {
    /// The outline of a text, which has to be YAML at least.
    pub(super) fn of(text: &str, options: serde_saphyr::Options) -> Result<Self, serde_saphyr::Error> {
        serde_saphyr::from_str_with_options(text, options).map(Self)
    }

    /// Line and column of a place, or of what is nearest above it.
    pub(super) fn locate(&self, parts: &[Part]) -> Option<(u64, u64)> {
        let mut here = &self.0;
        let mut found = known(here.referenced);
        for part in parts {
            let next = match (&here.value, part) {
                (Node::List(list), Part::Index(index)) => list.get(*index),
                (Node::Map(map), Part::Key(key)) => map.iter().find(|(name, _)| name == key).map(|(_, node)| node),
                (Node::Leaf(_) | Node::List(_) | Node::Map(_), Part::Key(_) | Part::Index(_)) => None,
            };
            let Some(next) = next else { break };
            found = known(next.referenced).or(found);
            here = next;
        }
        found
    }

    /// The number that a top-level field holds.
    pub(super) fn number(&self, field: &str) -> Option<u64> {
        let Node::Map(map) = &self.0.value else { return None };
        match map.iter().find(|(name, _)| name == field)?.1.value {
            Node::Leaf(number) => number,
            Node::List(_) | Node::Map(_) => None,
        }
    }

    /// By line, where each element of the lists at the top begins, and the
    /// list's name.
    pub(super) fn elements(&self) -> Vec<(u64, &str)> {
        let Node::Map(map) = &self.0.value else {
            return Vec::new();
        };
        let lists = map.iter().filter_map(|(name, node)| match &node.value {
            Node::List(list) => Some((name, list)),
            Node::Leaf(_) | Node::Map(_) => None,
        });
        let elements = lists.flat_map(|(name, list)| list.iter().map(move |node| (name.as_str(), node)));
        elements
            .filter_map(|(name, node)| known(node.referenced).map(|(line, _)| (line, name)))
            .collect()
    }
}

fn known(location: Location) -> Option<(u64, u64)> {
    (location != Location::UNKNOWN).then(|| (location.line(), location.column()))
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Leaf(None))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Node, E> {
        Ok(Node::Leaf(u64::try_from(number).ok()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Node, E> {
        Ok(Node::Leaf(Some(number)))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
        Ok(Node::Leaf(None))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Leaf(None))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Leaf(None))
    }

    fn visit_str<E>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Leaf(None))
    }

    fn visit_bytes<E>(self, _: &[u8]) -> Result<Node, E> {
        Ok(Node::Leaf(None))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(None))
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Leaf(None))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(node) = access.next_element()? {
            list.push(node);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = access.next_key()? {
            map.push((key, access.next_value()?));
        }
        Ok(Node::Map(map))
    }
}
