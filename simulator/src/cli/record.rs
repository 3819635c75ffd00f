//! A simulated run, recorded as the runtimes record theirs.

use std::path::{Path, PathBuf};

use buildscaler_core::{Config, Input, Step, Timestamp};
use buildscaler_recording::{Notice, Program, Recorder, Settings};
use buildscaler_simulator::Witness;

use super::say::complain;

/// What a recording of a simulated run may take.
const MOST_BYTES: u64 = 1 << 30;

/// Records the first controller of a world, every life of it.
#[derive(Debug)]
pub(super) struct Tape {
    folder: PathBuf,
    recorder: Option<Recorder>,
    /// When the step under way was begun.
    clock: Timestamp,
}

impl Tape {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            recorder: None,
            clock: Timestamp::default(),
        }
    }

    fn tell(notice: Option<Notice>) {
        if let Some(notice) = notice {
            complain(&notice.to_string());
        }
    }
}

impl Witness for Tape {
    fn starts(&mut self, controller: u8, config: &Config) {
        if controller == 0 {
            let settings = Settings {
                folder: self.folder.clone(),
                most_bytes: MOST_BYTES,
                program: Program {
                    name: env!("CARGO_BIN_NAME").to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                },
            };
            self.recorder = Some(Recorder::new(settings, config.clone()));
        }
    }

    fn input(&mut self, controller: u8, clock: Timestamp, input: &Input) {
        if let (0, Some(recorder)) = (controller, &mut self.recorder) {
            self.clock = clock;
            Self::tell(recorder.input(clock, input));
        }
    }

    fn step(&mut self, controller: u8, step: &Step) {
        if let (0, Some(recorder)) = (controller, &mut self.recorder) {
            Self::tell(recorder.step(self.clock, step));
        }
    }
}
