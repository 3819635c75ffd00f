//! The Lease by which several controllers agree on the one that commands.

use std::fmt;
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

/// What is worth a line of the log: somebody else commands than before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeadershipNews {
    /// This controller commands from now on.
    Leads,
    /// It does not any more.
    StepsDown,
    /// Another one commands, or yet another.
    Follows,
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

impl Leadership {
    /// What is new since `before`, if anything is; nothing was told yet if that
    /// is none.
    ///
    /// Renewals are no news, and neither is a Lease that nobody holds.
    pub fn news(&self, before: Option<&Self>) -> Option<LeadershipNews> {
        let led = before.is_some_and(|before| before.role == Role::Leader);
        let known = before.and_then(|before| before.holder.as_ref());
        match self.role {
            Role::Leader => (!led).then_some(LeadershipNews::Leads),
            Role::Follower if led => Some(LeadershipNews::StepsDown),
            Role::Follower => {
                let is_another = self.holder.is_some() && self.holder.as_ref() != known;
                is_another.then_some(LeadershipNews::Follows)
            }
        }
    }
}

impl fmt::Display for LeadershipNews {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Leads => "leading: this controller commands",
            Self::StepsDown => "not leading any more: this controller does not command",
            Self::Follows => "following: another controller commands",
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(role: Role, holder: Option<&str>, since: i64) -> Leadership {
        Leadership {
            role,
            since: Timestamp::from_millis(since),
            holder: holder.map(str::to_owned),
            valid_until: Some(Timestamp::from_millis(since + 15_000)),
            lost: None,
        }
    }

    /// What is told of all these, one after the other.
    fn news(all: &[Leadership]) -> Vec<Option<LeadershipNews>> {
        let before = std::iter::once(None).chain(all.iter().map(Some));
        before.zip(all).map(|(before, now)| now.news(before)).collect()
    }

    /// Seen to fail when a leader's renewals were told, and when a holder that
    /// is not known yet was told as another controller.
    #[test]
    fn each_change_of_who_commands_is_told_once() {
        use LeadershipNews::{Follows, Leads, StepsDown};
        use Role::{Follower, Leader};

        let own = [
            told(Follower, None, 0),
            told(Follower, None, 1),
            told(Leader, Some("me"), 2),
            told(Leader, Some("me"), 3),
            told(Follower, Some("me"), 4),
            told(Follower, Some("me"), 5),
            told(Leader, Some("me"), 6),
        ];
        assert_eq!(
            news(&own),
            [None, None, Some(Leads), None, Some(StepsDown), None, Some(Leads)]
        );
        let others = [
            told(Follower, Some("one"), 0),
            told(Follower, Some("one"), 1),
            told(Follower, None, 2),
            told(Follower, Some("two"), 3),
            told(Leader, Some("me"), 4),
            told(Follower, Some("one"), 5),
            told(Follower, Some("one"), 6),
        ];
        assert_eq!(
            news(&others),
            [
                Some(Follows),
                None,
                None,
                Some(Follows),
                Some(Leads),
                Some(StepsDown),
                None
            ]
        );
    }
}
