//! A second controller that is told only what is recorded.
//!
//! It takes the recorded steps, since it is told the recorded inputs. So its
//! state holds no secret, and a file that begins with it replays by itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

use buildscaler_core::{Config, Controller, Input, Timestamp};
use serde_json::Value;

/// The second controller.
#[derive(Debug)]
pub(crate) struct Shadow {
    /// None once it has panicked. The real one will have too, but if not, it
    /// shall not be stopped by a recording.
    controller: Option<Controller>,
    told: Option<(Timestamp, Input)>,
}

impl Shadow {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            controller: Some(Controller::new(config)),
            told: None,
        }
    }

    /// The shadow of a controller that has been told nothing yet, and so knows
    /// no secret, but may recall what an earlier one saw.
    pub(crate) fn of(controller: &Controller) -> Self {
        let copy = serde_json::to_value(controller).and_then(serde_json::from_value);
        Self {
            controller: copy.ok(),
            told: None,
        }
    }

    /// Takes note of what the real one is about to be told.
    pub(crate) fn hear(&mut self, now: Timestamp, input: Input) {
        self.told = Some((now, input));
    }

    /// Follows the step that the real one has taken.
    pub(crate) fn follow(&mut self) {
        let (Some(mut controller), Some((now, input))) = (self.controller.take(), self.told.take()) else {
            return;
        };
        let followed = catch_unwind(AssertUnwindSafe(move || {
            controller.step(now, input);
            controller
        }));
        self.controller = followed.ok();
    }

    /// All that it knows, from which another one can go on.
    pub(crate) fn state(&self) -> Option<Value> {
        self.controller
            .as_ref()
            .and_then(|controller| serde_json::to_value(controller).ok())
    }
}
