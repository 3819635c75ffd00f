//! Pages that show how a run went: one HTML file each, which needs nothing
//! else. Charts are SVG drawn here, readable without JavaScript and in print;
//! the little script only tells the values under the pointer.
//!
//! A page stays small however long the run was: lines are thinned so that
//! each peak and each dip is kept, and stories are cut in the middle.
//! Whatever comes from a scenario is escaped, since [`maud`] escapes everything.

mod comparison;
mod frontier;
mod labels;
mod page;
mod plot;
mod run;
mod scale;
mod spread;
mod story;
mod table;
mod thin;
mod timeline;
mod waits;
mod words;

use crate::compare::Comparison;
use crate::measure::Run;
use crate::scenario::Scenario;

/// The page of one run of `scenario`, its fleet kept by `keeper`.
pub fn run_page(scenario: &Scenario, keeper: &str, run: &Run) -> String {
    run::page(scenario, keeper, run)
}

/// The page of a comparison: each scenario's table, and wait against cost.
pub fn comparison_page(comparison: &Comparison) -> String {
    comparison::page(comparison)
}
