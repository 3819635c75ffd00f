//! AWS' own SDK, as this program uses it, against a fake of the services that
//! enforces what their documentation says, and against moto's STS.

#![expect(clippy::expect_used, clippy::panic, reason = "a test may fail")]

mod moto;
mod records;
mod registering;
mod running;
mod scene;
