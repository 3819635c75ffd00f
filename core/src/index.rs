//! Places by name, for joins over tens of thousands of rows.

use std::collections::hash_map::{DefaultHasher, Entry};
use std::hash::BuildHasherDefault;

/// Finds the place of a name in constant time.
///
/// It can be asked but not iterated: no order can leak out of it, so equal
/// histories still give equal steps (Invariant 13). The hasher has fixed keys,
/// since the core draws no random numbers.
#[derive(Debug, Default)]
#[expect(
    clippy::disallowed_types,
    reason = "asked by key only, never iterated: its order cannot be seen"
)]
pub(crate) struct Index<'v> {
    places: std::collections::HashMap<&'v str, usize, BuildHasherDefault<DefaultHasher>>,
}

impl<'v> Index<'v> {
    /// The places of these names, in the order in which they come; the first
    /// of equal ones counts.
    pub(crate) fn of(names: impl ExactSizeIterator<Item = &'v str>) -> Self {
        let mut index = Self::default();
        index.places.reserve(names.len());
        for (place, name) in names.enumerate() {
            index.places.entry(name).or_insert(place);
        }
        index
    }

    /// The place of a name; a new one gets the next place, and `true`.
    pub(crate) fn place_of(&mut self, name: &'v str) -> (usize, bool) {
        let next = self.places.len();
        match self.places.entry(name) {
            Entry::Occupied(known) => (*known.get(), false),
            Entry::Vacant(vacant) => (*vacant.insert(next), true),
        }
    }

    /// The place of a name that is there.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.places.get(name).copied()
    }
}
