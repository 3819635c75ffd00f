//! Comparisons: who takes part, what is computed, how it is shown.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod command_line;
mod contest;
mod contestants;
mod figures;
mod frontier;
mod lines;
mod shown;
