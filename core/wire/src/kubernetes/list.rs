//! Paging through one list, to its end or not at all.

use buildscaler_core::{Failure, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::request::{self, Kind};
use super::status::{self, Verb};
use crate::answer::unread;
use crate::malformed::{Malformed, told};
use crate::transport::{Reply, Request};

/// The most pages read of one list: 100,000 objects are no fleet of ours, but
/// a server that goes round in circles.
const MOST_PAGES: u32 = 200;

/// A list being read.
#[derive(Debug)]
pub(super) struct Listing<T> {
    kind: Kind,
    found: Vec<T>,
    pages: Pages,
}

/// The pages of a list that have been read.
#[derive(Debug, Default)]
pub(super) struct Pages {
    token: Option<String>,
    read: u32,
}

/// What a page did to the list.
#[derive(Debug)]
pub(super) enum Progress {
    More,
    Complete,
    Failed(Failure),
}

/// A row of a list, as it is written and as it is kept.
pub(super) trait Row: DeserializeOwned {
    type Kept;
    /// The list's `kind`: an answer of another kind answers something else.
    const LIST: &'static str;
    fn keep(self) -> Result<Self::Kept, Malformed>;
}

#[derive(Deserialize)]
#[serde(bound = "T: Row")]
struct Page<T> {
    kind: String,
    #[serde(default)]
    metadata: PageMetadata,
    // Go writes an empty list as null at times.
    #[serde(deserialize_with = "null_is_empty")]
    items: Vec<T>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PageMetadata {
    r#continue: Option<String>,
}

impl<T> Listing<T> {
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            found: Vec::new(),
            pages: Pages::default(),
        }
    }

    /// Asks for the next page.
    pub(super) fn request(&self, namespace: Option<&str>) -> Result<Request, Failure> {
        request::list(self.kind, namespace, self.pages.token.as_deref())
            .map_err(|message| Failure::Malformed { message })
    }

    /// Hands everything found over. Of use only when the list is complete.
    pub(super) fn take_found(&mut self) -> Vec<T> {
        std::mem::take(&mut self.found)
    }

    /// Takes a page.
    pub(super) fn absorb<R: Row<Kept = T>>(&mut self, reply: Reply, now: Timestamp) -> Progress {
        match self.read::<R>(reply, now) {
            Ok(progress) => progress,
            Err(failure) => Progress::Failed(failure),
        }
    }

    fn read<R: Row<Kept = T>>(&mut self, reply: Reply, now: Timestamp) -> Result<Progress, Failure> {
        let answer = reply.map_err(|error| unread(&error))?;
        if let Some(failure) = status::failure(Verb::List, &answer, now) {
            return Err(failure);
        }
        let page: Page<R> = serde_json::from_slice(answer.body())
            .map_err(|error| malformed(format!("a page of a list: {}", told(&error))))?;
        if page.kind != R::LIST {
            return Err(malformed(format!("a {} was asked for", R::LIST)));
        }
        for row in page.items {
            let kept = row.keep();
            self.found
                .push(kept.map_err(|error| malformed(format!("a row of a {}: {error}", R::LIST)))?);
        }
        Ok(match self.pages.turn(page.metadata.r#continue)? {
            Some(_) => Progress::More,
            None => Progress::Complete,
        })
    }
}

impl Pages {
    /// Takes note of a page and of the token for the next one, if there is one.
    pub(super) fn turn(&mut self, token: Option<String>) -> Result<Option<String>, Failure> {
        let token = token.filter(|token| !token.is_empty());
        self.read += 1;
        if token.is_some() && (self.read >= MOST_PAGES || token == self.token) {
            return Err(malformed(format!("a list without end after {} pages", self.read)));
        }
        self.token.clone_from(&token);
        Ok(token)
    }
}

fn malformed(message: String) -> Failure {
    Failure::Malformed { message }
}

fn null_is_empty<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
