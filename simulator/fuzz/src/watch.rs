//! What an API server may send to those who watch: pages of the first list,
//! then events.

use buildscaler_core::{Pod, Template};
use buildscaler_wire::told;
use buildscaler_wire::watch::{Event, EventKind, Lines, ListMeta, Page, Paging, Watched};

use crate::replies::{assert_short, split};

/// More pages than any list has that is read to its end.
const MOST_PAGES: usize = 200;

/// Pages, divided by `%%`, which are read over and over until they end; what
/// follows the last `%%` are the lines of a watch. All of it as templates, and
/// as pods.
pub(crate) fn watch(bytes: &[u8]) {
    let mut pieces = split(bytes, b"\n%%\n");
    let events = pieces.pop().unwrap_or_default();
    list::<Template>(&pieces);
    list::<Pod>(&pieces);
    let whole = lines(&[events]);
    for length in [1, 7, 64] {
        let chunks: Vec<&[u8]> = events.chunks(length).collect();
        assert_eq!(lines(&chunks), whole, "it does not matter how lines arrive");
    }
    for line in whole {
        read(&line);
    }
}

fn list<T: Watched>(pages: &[&[u8]]) {
    let mut paging = Paging::default();
    for (number, page) in pages.iter().cycle().enumerate() {
        assert!(number < MOST_PAGES, "a list without end (Invariant 24)");
        let Ok(Page::<T> { metadata, items }) = serde_json::from_slice(page) else {
            return;
        };
        assert!(items.objects.len() + items.malformed.len() <= page.len());
        items.malformed.iter().for_each(|why| assert_short(why));
        // A server that counts on, so that no two tokens are equal.
        let next = metadata.next.map(|token| token.replace("{next}", &number.to_string()));
        match paging.turn(&ListMeta { next, ..metadata }) {
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(failure) => return assert_short(&failure.to_string()),
        }
    }
}

fn lines(chunks: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut lines = Lines::default();
    let mut found = Vec::new();
    for chunk in chunks {
        assert!(lines.push(chunk), "nothing here is too long");
        while let Some(line) = lines.next_line() {
            found.push(line.to_vec());
        }
    }
    found
}

fn read(line: &[u8]) {
    match serde_json::from_slice::<Event>(line) {
        Err(error) => assert_short(&told(&error)),
        Ok(Event { kind, object }) => match kind {
            EventKind::Added | EventKind::Modified => {
                let refused = [Template::decode(&object).err(), Pod::decode(&object).err()];
                refused.iter().flatten().for_each(|why| assert_short(why));
            }
            EventKind::Deleted | EventKind::Bookmark | EventKind::Error => {}
        },
    }
}
