//! Places by name, for joins over tens of thousands of rows.

use std::collections::hash_map::Entry;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// Finds the place of a name in constant time.
///
/// It can be asked but not iterated: no order can leak out of it, so equal
/// histories still give equal steps (Invariant 13). The hasher has no
/// random keys, since the core draws no random numbers.
#[derive(Debug, Default)]
#[expect(
    clippy::disallowed_types,
    reason = "asked by key only, never iterated: its order cannot be seen"
)]
pub(crate) struct Index<'v> {
    places: std::collections::HashMap<&'v [u8], usize, BuildHasherDefault<Fold>>,
}

impl<'v> Index<'v> {
    /// An index with room for this many names.
    pub(crate) fn with_room(names: usize) -> Self {
        let mut index = Self::default();
        index.places.reserve(names);
        index
    }

    /// The places of these names, in the order in which they come; the first
    /// of equal ones counts.
    pub(crate) fn of(names: impl ExactSizeIterator<Item = &'v [u8]>) -> Self {
        let mut index = Self::with_room(names.len());
        for (place, name) in names.enumerate() {
            index.places.entry(name).or_insert(place);
        }
        index
    }

    /// The place of a name; a new one gets the next place, and `true`.
    pub(crate) fn place_of(&mut self, name: &'v [u8]) -> (usize, bool) {
        let next = self.places.len();
        match self.places.entry(name) {
            Entry::Occupied(known) => (*known.get(), false),
            Entry::Vacant(vacant) => (*vacant.insert(next), true),
        }
    }

    /// The place of a name that is there.
    pub(crate) fn find(&self, name: &[u8]) -> Option<usize> {
        self.places.get(name).copied()
    }
}

/// Whether two of the names with these fingerprints may be equal; surely not
/// where it says so. Repetitions are rare, and this is a cheap way to know.
pub(crate) fn may_repeat(mut fingerprints: Vec<u64>) -> bool {
    fingerprints.sort_unstable();
    fingerprints.windows(2).any(|pair| pair[0] == pair[1])
}

/// A number that is equal for equal names, and hardly ever for others.
pub(crate) fn fingerprint(name: &[u8]) -> u64 {
    let mut fold = Fold::default();
    name.hash(&mut fold);
    fold.finish()
}

/// Folds eight bytes at a time: names here are uids, which are well mixed
/// already, and there are tens of thousands of them in each step.
#[derive(Debug, Default)]
struct Fold(u64);

impl Fold {
    fn fold(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for Fold {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.fold(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.fold(u64::from_le_bytes(last));
        }
    }

    fn write_usize(&mut self, length: usize) {
        self.fold(length as u64);
    }

    fn finish(&self) -> u64 {
        // The table looks at the top and the bottom bits: mix them.
        self.0 ^ (self.0 >> 29)
    }
}
