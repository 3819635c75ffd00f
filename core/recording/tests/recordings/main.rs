//! Recordings, written by a real recorder of a real controller.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test may fail")]

mod bounds;
mod damage;
mod explaining;
mod odd;
mod promises;
mod support;
