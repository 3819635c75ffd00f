//! Lists as what changed in them: ten thousand pods that stay as they are take
//! twenty letters.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The longest list that is put together again. A line of a few letters could
/// otherwise ask for more memory than there is.
const LONGEST_LIST: usize = 500_000;

/// A list, in pieces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Delta<T>(Vec<Piece<T>>);

/// Some rows of a list that follow each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Piece<T> {
    /// So many rows of the last list, from this place on.
    Same(usize, usize),
    /// Rows that were not in it, or looked different.
    New(Vec<T>),
}

/// Why a list cannot be put together again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum Unfit {
    #[error("it refers to rows {from} to {to} of a list that has {rows}")]
    Beyond { from: usize, to: usize, rows: usize },
    #[error("it describes a list of more than {LONGEST_LIST} rows")]
    TooLong,
}

impl<T: Clone + PartialEq> Delta<T> {
    /// What makes `now` out of `last`. Rows are found again by `id`, and are
    /// written as `shown` shows them.
    pub(crate) fn between(last: &[T], now: &[T], id: impl Fn(&T) -> &str, mut shown: impl FnMut(&T) -> T) -> Self {
        let mut places: Option<BTreeMap<&str, usize>> = None;
        let mut pieces = Vec::new();
        let mut next = 0;
        for row in now {
            let same = if last.get(next) == Some(row) {
                Some(next)
            } else {
                let places = places.get_or_insert_with(|| index(last, &id));
                places.get(id(row)).copied().filter(|place| last[*place] == *row)
            };
            match (same, pieces.last_mut()) {
                (Some(place), Some(Piece::Same(from, count))) if *from + *count == place => *count += 1,
                (Some(place), _) => pieces.push(Piece::Same(place, 1)),
                (None, Some(Piece::New(rows))) => rows.push(shown(row)),
                (None, _) => pieces.push(Piece::New(vec![shown(row)])),
            }
            next = same.map_or(next, |place| place + 1);
        }
        Self(pieces)
    }

    /// The list that this makes out of `last`.
    pub(crate) fn apply(self, last: &[T]) -> Result<Vec<T>, Unfit> {
        let mut rows = Vec::new();
        for piece in self.0 {
            match piece {
                Piece::Same(from, count) => {
                    let to = from.saturating_add(count);
                    let same = last.get(from..to).ok_or(Unfit::Beyond {
                        from,
                        to,
                        rows: last.len(),
                    })?;
                    if rows.len() + same.len() > LONGEST_LIST {
                        return Err(Unfit::TooLong);
                    }
                    rows.extend_from_slice(same);
                }
                Piece::New(new) => rows.extend(new),
            }
        }
        Ok(rows)
    }
}

fn index<'l, T>(last: &'l [T], id: &impl Fn(&T) -> &str) -> BTreeMap<&'l str, usize> {
    let mut places = BTreeMap::new();
    for (place, row) in last.iter().enumerate() {
        places.entry(id(row)).or_insert(place);
    }
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rows() -> impl Strategy<Value = Vec<String>> {
        proptest::collection::vec("[a-e][0-2]", 0..12)
    }

    proptest! {
        /// Seen to fail when a row that had changed was taken for the same.
        #[test]
        fn a_list_comes_back_with_its_order_and_repetitions(last in rows(), now in rows()) {
            let delta = Delta::between(&last, &now, |row| &row[..1], String::clone);
            let written = serde_json::to_string(&delta).unwrap();
            let read: Delta<String> = serde_json::from_str(&written).unwrap();
            prop_assert_eq!(read.apply(&last).unwrap(), now);
        }
    }

    #[test]
    fn a_list_that_stays_as_it_was_takes_a_few_letters() {
        let rows: Vec<String> = (0..10_000).map(|number| format!("pod {number}")).collect();
        let delta = Delta::between(&rows, &rows, String::as_str, String::clone);
        assert_eq!(serde_json::to_string(&delta).unwrap(), r#"[{"same":[0,10000]}]"#);
    }
}
