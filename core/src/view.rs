//! What was seen of the outside world, and what could not be seen.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::pod::Pod;
use crate::template::Template;
use crate::time::Timestamp;

/// What a look returned: all of it, or why there is nothing to rely on.
///
/// There is no third value. A list that failed half way is `Unknown`, because
/// half a list of agents looks exactly like dead agents (Invariant 4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum View<T> {
    /// Everything there is.
    Complete(T),
    /// Nothing can be said, for this reason.
    Unknown(Failure),
}

impl<T> View<T> {
    /// The value, if everything was seen.
    pub fn complete(&self) -> Option<&T> {
        match self {
            Self::Complete(value) => Some(value),
            Self::Unknown(_) => None,
        }
    }

    /// The reason, if nothing can be said.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Complete(_) => None,
            Self::Unknown(failure) => Some(failure),
        }
    }
}

/// What was seen of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterView {
    /// When the look began, or for a watch: when its state was last known to
    /// be current.
    pub begun_at: Timestamp,
    /// The templates: Jobs with the label `app.elotl.co=buildscaler`.
    pub templates: View<Vec<Arc<Template>>>,
    /// The pods with the label `app.elotl.co=buildscaler`.
    pub pods: View<Vec<Arc<Pod>>>,
}
