//! Every interleaving of small worlds, up to a bound.
//!
//! A world runs one way; here every way is gone: at each moment each thing
//! that may happen next does. The controller is the one that is shipped; what
//! surrounds it is a model of its own, small enough that states can be told
//! apart and counted. `docs/exploration.md` says what is in it and what is not.

mod arrive;
mod bugs;
mod calm;
mod fingerprint;
mod happen;
mod lease;
mod lives;
mod outside;
mod replica;
mod retell;
mod safety;
mod search;
mod sights;
mod state;
mod talk;
mod worlds;

pub use bugs::Bug;
pub use outside::Broken;
pub use retell::{Retold, retell};
pub use safety::{Invariant, kind};
pub use search::{Bounds, Counterexample, Exploration, Retraced, explore, retrace};
pub use sights::Sight;
pub use state::Choice;
pub use worlds::{Allowed, FirstPod, SmallWorld, WORLDS};
