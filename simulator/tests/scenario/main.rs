//! Scenario files: reading, writing, the schema, and what is said of bad ones.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may die of what it did not expect"
)]

mod bad_input;
mod collection;
mod command_line;
mod generate;
mod hostile_input;
mod import_buildkite;
mod import_csv;
mod lift;
mod round_trip;
mod schema;
