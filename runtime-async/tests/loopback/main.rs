//! The real binary against the fakes of both APIs on loopback.
//!
//! What it does with real parts is tested beside this; here are the things
//! that real servers do too rarely: refusals, cut watches, forgotten versions.

#![expect(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod creating;
mod dry_run;
mod ending;
mod logs;
mod measuring;
mod monitoring;
mod options;
mod outages;
mod recording;
mod rights;
mod serving;
mod watching;
mod world;
