//! Recordings, written by a real recorder of a real controller.

#![expect(clippy::unwrap_used, reason = "a test may fail")]

mod bounds;
mod damage;
mod odd;
mod promises;
mod support;
