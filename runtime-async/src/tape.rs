//! The recording of a run, if one is wanted.

use buildscaler_core::{Config, Input, Step, Timestamp};
use buildscaler_recording::{Notice, Recorder, Settings};

/// Records, and logs what an operator should know of that.
#[derive(Debug)]
pub(crate) struct Tape(Option<Recorder>);

impl Tape {
    /// A tape for a new controller with these settings; without any of its own
    /// it records nothing.
    pub(crate) fn new(settings: Option<Settings>, config: &Config) -> Self {
        Self(settings.map(|settings| Recorder::new(settings, config.clone())))
    }

    /// Records what the controller is about to be told.
    pub(crate) fn input(&mut self, now: Timestamp, input: &Input) {
        tell(self.0.as_mut().and_then(|recorder| recorder.input(now, input)));
    }

    /// Records what it decided.
    pub(crate) fn step(&mut self, now: Timestamp, step: &Step) {
        tell(self.0.as_mut().and_then(|recorder| recorder.step(now, step)));
    }
}

fn tell(notice: Option<Notice>) {
    match notice {
        None => {}
        Some(notice @ Notice::Interrupted { .. }) => tracing::error!("{notice}"),
        Some(notice @ Notice::Resumed { .. }) => tracing::info!("{notice}"),
    }
}
