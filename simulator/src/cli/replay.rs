//! `replay`: a recording, taken through this program's core again.

use std::path::PathBuf;

use buildscaler_recording::{Recording, replay as replay_recording};
use clap::Args;

use super::say::say;
use super::{BadInput, Verdict};

#[derive(Debug, Args)]
pub(super) struct ReplayArguments {
    /// The recording: the folder that was given to --record, or one file of it.
    #[arg(value_name = "PATH")]
    recording: PathBuf,
}

pub(super) fn replay(arguments: &ReplayArguments) -> Result<Verdict, BadInput> {
    let bad = |error: buildscaler_recording::ReadError| BadInput(vec![error.to_string()]);
    let recording = Recording::find(&arguments.recording).map_err(bad)?;
    let replayed = replay_recording(&recording).map_err(bad)?;
    say(replayed.to_string().trim_end());
    Ok(if replayed.is_equal() {
        Verdict::Well
    } else {
        Verdict::Unmet
    })
}
