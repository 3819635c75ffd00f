//! What the last plan thought of each pod, for those who ask.

use std::fmt;
use std::sync::Arc;

use super::Controller;
use crate::plan::Plan;
use crate::pod::Pod;
use crate::reason::Reason;
use crate::template::Template;
use crate::verdict::Verdict;

/// A verdict for each pod, in the order of their uids.
///
/// Nothing is decided by it and every plan makes it anew, so it is neither
/// written down nor shown where controllers are compared.
#[derive(Clone, Default)]
pub(super) struct Judgements(Vec<Option<(Verdict, Reason)>>);

impl Judgements {
    /// Those of this plan, which it loses.
    pub(super) fn taken_from(plan: &mut Plan<'_>) -> Self {
        Self(std::mem::take(&mut plan.verdicts))
    }
}

impl fmt::Debug for Judgements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Judgements(…)")
    }
}

impl Controller {
    /// The pods as last seen, in the order of their uids, each with the verdict
    /// that the last plan passed on it and why.
    ///
    /// There is no verdict on pods that are not ours. There are no pods where
    /// they could not be seen.
    pub fn judged(&self) -> impl Iterator<Item = (&Arc<Pod>, Option<(Verdict, Reason)>)> {
        let pods = self.cluster.as_ref().and_then(|cluster| cluster.pods.complete());
        let verdicts = self.judgements.0.iter().copied().chain(std::iter::repeat(None));
        pods.into_iter().flatten().zip(verdicts)
    }

    /// The templates as last seen, in the order of their uids; none where they
    /// could not be seen.
    pub fn templates(&self) -> &[Arc<Template>] {
        let templates = self.cluster.as_ref().and_then(|cluster| cluster.templates.complete());
        templates.map_or(&[], Vec::as_slice)
    }
}
