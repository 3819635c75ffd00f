//! What the controller remembers from step to step, split by concern. All of
//! it can be lost at any time: fresh memory waits before it acts on absence
//! or idleness (Invariant 20). It can also be saved and recalled by a later
//! process ([`saved`]).

mod breaker;
mod budget;
mod holds;
mod known_tags;
mod lanes;
mod leadership;
mod looks;
mod metering;
mod pod_run;
pub mod saved;
mod sightings;

pub(crate) use breaker::Breakers;
pub(crate) use budget::{Account, Budget};
pub(crate) use holds::{Holds, pod_key};
pub(crate) use known_tags::KnownTags;
pub(crate) use lanes::{Backlog, Closure, LaneKey, Lanes, Planned};
pub(crate) use leadership::{Candidacy, Errand};
pub(crate) use looks::{Looks, Seen};
pub(crate) use metering::{Metering, passes};
pub(crate) use pod_run::PodRun;
pub(crate) use sightings::{Glimpse, Sighting, Sightings};
