//! The real binary against the fakes of both APIs on loopback.

#![expect(clippy::expect_used, reason = "a test may fail")]

mod applying;
mod doctor;
mod dry_run;
mod explaining;
mod history;
mod manifests;
mod options;
mod planning;
mod recording;
mod remembering;
mod running;
mod tap;
mod terminal;
mod world;
