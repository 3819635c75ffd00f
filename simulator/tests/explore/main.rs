//! Small worlds are explored.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may panic")]

mod bugs;
mod worlds;
