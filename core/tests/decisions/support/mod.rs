//! Worlds to show to a controller, a driver that shows them, and a witness
//! that knows what was shown and objects to commands that do not follow.

pub(crate) mod build;
pub(crate) mod driver;
pub(crate) mod story;
pub(crate) mod witness;
pub(crate) mod world;
pub(crate) mod worlds;
