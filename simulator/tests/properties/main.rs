//! What holds in every world: the invariants that span steps (25 to 32, 34).
//!
//! Worlds are random and come from seeds, which are printed. A world in which
//! something does not hold is made smaller while it still does not, and
//! printed as a scenario that can be put into `simulator/scenarios/regressions`.
//!
//! `BUILDSCALER_WORLDS` says how many worlds each property looks at,
//! `BUILDSCALER_SEED` at which seed they begin.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests may"
)]

mod corpus;
mod leading;
mod liveness;
mod restarts;
mod safety;
mod sometimes;
mod support;
