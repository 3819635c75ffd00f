//! The names things go by outside, each in a type of its own so that a pod's
//! uid cannot be passed where an agent's id is wanted.

use std::borrow::Borrow;
use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Box<str>);

        impl $name {
            /// The name as it is spelt outside.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text.into_boxed_str())
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

name! {
    /// The uid of a Kubernetes object: of a Template or of a pod.
    Uid
}
name! {
    /// A Buildkite queue's key: what links templates, pods, agents and demand.
    Queue
}
name! {
    /// The id of a Buildkite agent.
    AgentId
}
name! {
    /// The id of a Buildkite job, one step run of a build.
    BuildkiteJobId
}
name! {
    /// The fingerprint of a pod template: equal templates, equal hashes.
    TemplateHash
}
