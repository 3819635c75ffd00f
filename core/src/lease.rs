//! The Lease by which several controllers agree on the one that commands.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// A Lease as it was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The object's `resourceVersion`: whoever writes names the one it read, so
    /// of two who read the same, one is refused.
    pub version: String,
    /// What it says.
    pub record: LeaseRecord,
}

/// What a Lease says, as all of Kubernetes writes it.
///
/// Its times are for people. Whether a claim has run out is judged by how long
/// one has not seen it renewed, by one's own clock.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRecord {
    /// Who commands; none once it was given back.
    pub holder: Option<String>,
    /// For how long nobody else may after the last renewal.
    pub duration_seconds: u32,
    /// Since when the holder has it.
    pub acquired_at: Option<Timestamp>,
    /// When it was last renewed.
    pub renewed_at: Option<Timestamp>,
    /// How often it went from one holder to another.
    pub transitions: u32,
}

/// A Lease to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriteLease {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The version that it replaces; none creates it.
    pub over: Option<String>,
    /// What it shall say.
    pub record: LeaseRecord,
    /// For how long the answer is worth waiting for.
    pub within: Duration,
}

/// Whether this controller commands, and who does if not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leadership {
    /// Its part.
    pub role: Role,
    /// Since when.
    pub since: Timestamp,
    /// Who holds the Lease, as far as was seen.
    pub holder: Option<String>,
    /// Until when a leader may command without another renewal.
    pub valid_until: Option<Timestamp>,
    /// Why it does not command any more, if it ever did.
    pub lost: Option<Loss>,
}

/// The part that one of several controllers plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Role {
    /// It alone commands.
    Leader,
    /// It waits until it may.
    Follower,
}

/// Why a leader stepped down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Loss {
    /// It could not renew its claim in time.
    Expired,
    /// The Lease names somebody else.
    Taken,
    /// It is ending and gave the Lease back.
    Released,
}

impl Role {
    /// The role in lower case, as metrics and logs show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
        }
    }
}

impl Loss {
    /// The reason in snake case, as metrics and logs show it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Taken => "taken",
            Self::Released => "released",
        }
    }
}
