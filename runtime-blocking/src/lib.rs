//! Buildscaler on threads, without an async runtime.
//!
//! The binary `buildscalerctl` says what the controller would do now and why
//! (`plan`), does it once (`apply`), or keeps doing it (`run`), and whether an
//! installation will work (`doctor`). The core decides; this crate carries its requests and its answers. To read it, begin
//! with `run`, then `crew` and `transport`: that is the whole runtime.

mod access;
mod clock;
mod crew;
mod crier;
mod deed;
mod doctor;
mod exec;
mod history;
mod journal;
mod log;
mod mishap;
mod once;
mod plan;
mod run;
mod show;
mod startup;
mod state;
mod tape;
mod transport;
mod whereabouts;
mod why;

pub use access::AccessError;
pub use crew::Errand;
pub use startup::main;
