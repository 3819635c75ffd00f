//! What both benchmarks need.

mod controller;
mod orders;

pub(crate) use controller::{Controller, Launch};
pub(crate) use orders::{orders, template};
