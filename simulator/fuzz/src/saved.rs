//! Memory that an earlier process is said to have left (`apply --state`).

use buildscaler_core::{Config, Controller, Saved};
use serde::Deserialize;
use serde_json::json;

use crate::life::{Life, running_pod, template_of};
use crate::replies::NOW;

/// The file, as far as the core reads it.
#[derive(Deserialize)]
struct Contents {
    memory: Saved,
}

/// A state file. A controller that recalls it goes on from there.
pub(crate) fn saved(bytes: &[u8]) {
    let Ok(Contents { memory }) = serde_json::from_slice(bytes) else {
        return;
    };
    let mut controller = Controller::new(Config::default());
    if let Err(why) = controller.recall(memory, NOW) {
        assert!(why.to_string().len() < 500);
        return;
    }
    let mut life = Life::of(controller, NOW);
    life.show(vec![template_of("linux", json!({}))], (0..3).map(running_pod).collect());
    life.go_on();
}
