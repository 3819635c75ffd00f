//! The recording of a run, if one is wanted.

use buildscaler_args::ControllerArgs;
use buildscaler_core::{Config, Controller, Input, Step, Timestamp};
use buildscaler_recording::{Notice, Program, Recorder, Settings};

/// Records, and logs what an operator should know of that.
#[derive(Debug, Default)]
pub(crate) struct Tape(Option<Recorder>);

impl Tape {
    /// The tape that the options ask for, for a new controller.
    pub(crate) fn new(args: &ControllerArgs, config: &Config) -> Self {
        Self(args.record.clone().map(|folder| {
            let settings = Settings {
                folder,
                most_bytes: args.record_max_bytes,
                program: Program {
                    name: "buildscalerctl".into(),
                    version: env!("CARGO_PKG_VERSION").into(),
                },
            };
            Recorder::new(settings, config.clone())
        }))
    }

    /// The same for a controller that recalls what an earlier one saw.
    pub(crate) fn recalling(self, controller: &Controller) -> Self {
        Self(self.0.map(|recorder| recorder.recalling(controller)))
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
