//! What one process remembers for the next: a controller that is run once in a
//! while acts on absence and idleness only if it recalls earlier looks.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::demand::HeldBack;
use crate::memory::{Account, Breakers, Closure, Holds, Sightings};
use crate::names::Queue;
use crate::time::Timestamp;

/// The version of what [`Saved`] holds; another one is not read.
const VERSION: u32 = 1;

/// More commands than any controller can have sent.
const LARGEST_ID: u64 = 1 << 60;

/// A controller's memory, to be written down.
///
/// It holds names, times and counts: no template, no manifest and no token.
/// Whoever recalls it looks at both APIs before anything else, so what was
/// planned and not sent is not in it; what was sent and not answered counts as
/// of unknown fate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    version: u32,
    #[serde(flatten)]
    pub(crate) memory: Memory,
}

/// The memory, by concern.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    pub(crate) saved_at: Timestamp,
    pub(crate) last_id: u64,
    #[serde(default)]
    pub(crate) breakers: Breakers,
    pub(crate) sightings: Sightings,
    pub(crate) held_back: HeldBack,
    pub(crate) holds: Holds,
    pub(crate) closures: Vec<Closure>,
    pub(crate) look_cost: u32,
    pub(crate) look_failures: u32,
    pub(crate) account: Account,
    pub(crate) cluster_blocked_until: Option<Timestamp>,
    pub(crate) wishes: BTreeMap<Queue, u32>,
    #[serde(default)]
    pub(crate) jobs_lack_room: bool,
}

/// Why saved memory cannot be used. Then a controller had better begin with
/// none, which is always safe (Invariant 20).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unusable {
    /// It was written by another version.
    #[error("it is of version {0}, and only version {VERSION} can be read")]
    Version(u32),
    /// It was saved later than now.
    #[error("it was saved in the future: a clock has been set back, or differs from the one it was saved by")]
    Future,
    /// Too much may have happened since.
    #[error(
        "it was saved {} s ago, and after {} s it proves nothing any more; run more often, or give --sync-interval the \
         seconds between two runs",
        age.as_secs(), limit.as_secs()
    )]
    Old {
        /// How long ago it was saved.
        age: Duration,
        /// How old it may be.
        limit: Duration,
    },
    /// It contradicts itself.
    #[error("it contradicts itself, so it was damaged or changed by hand")]
    Inconsistent,
}

impl Saved {
    pub(crate) fn new(memory: Memory) -> Self {
        Self {
            version: VERSION,
            memory,
        }
    }

    /// Whether this program reads memory of this version. What another one
    /// wrote need not have the shape of [`Saved`] at all.
    ///
    /// # Errors
    /// The version, if it is another.
    pub fn check_version(version: u32) -> Result<(), Unusable> {
        if version == VERSION {
            Ok(())
        } else {
            Err(Unusable::Version(version))
        }
    }

    /// The memory, if it can be used at all.
    pub(crate) fn open(self, now: Timestamp) -> Result<Memory, Unusable> {
        Self::check_version(self.version)?;
        let memory = self.memory;
        if now < memory.saved_at {
            return Err(Unusable::Future);
        }
        let end = memory.saved_at;
        let consistent = memory.last_id <= LARGEST_ID
            && memory.breakers.are_consistent(end)
            && memory.sightings.are_consistent(end)
            && memory.held_back.is_consistent(end)
            && memory.holds.are_consistent(end)
            && memory.account.is_consistent(end);
        if consistent {
            Ok(memory)
        } else {
            Err(Unusable::Inconsistent)
        }
    }
}
