//! Recordings: what a controller saw and decided, written down step by step.
//!
//! A recording is a folder of JSON Lines. [`Recorder`] writes it: each input
//! before the controller is told of it, each step before its commands are
//! carried out, and nothing that could be a secret. [`Recording`] reads it
//! back, moment by moment; [`replay`] feeds it to a new controller and compares
//! every step, byte for byte; [`why()`] tells the story of one Buildkite job, agent
//! or pod.
//!
//! Nothing here reads a clock: the times are those that the controller was
//! given. Only [`Recorder`] and [`Recording`] touch files.

mod decode;
mod delta;
mod difference;
mod encode;
mod error;
mod folder;
mod format;
mod part;
mod reading;
mod recorder;
mod redact;
mod replay;
mod shadow;
mod why;

pub use error::{Problem, ReadError};
pub use format::{Header, Program, Start};
pub use part::{Ending, Moment, Part};
pub use reading::{Moments, Recording};
pub use recorder::{Notice, Recorder, Settings};
pub use replay::{Difference, Replay, Unwritten, replay};
pub use why::{Event, Kind, Mark, Story, why};
