//! Worlds run from their beginning to their end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests may panic")]

mod fidelity;
