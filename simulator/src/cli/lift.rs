//! `lift`: recordings as scenarios.

use std::path::PathBuf;

use buildscaler_recording::Recording;
use buildscaler_simulator::lift::lift as lift_moments;
use clap::Args;

use super::input::write_scenario;
use super::say::complain;
use super::{BadInput, Verdict};

#[derive(Debug, Args)]
pub(super) struct LiftArguments {
    /// The recording: the folder that was given to --record, or one file of it.
    #[arg(value_name = "PATH")]
    recording: PathBuf,
    /// Where to write the scenario; standard output if left out.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The scenario's name.
    #[arg(long, value_name = "TEXT", default_value = "lifted")]
    name: String,
}

pub(super) fn lift(arguments: &LiftArguments) -> Result<Verdict, BadInput> {
    let recording = Recording::find(&arguments.recording).map_err(|error| BadInput(vec![error.to_string()]))?;
    let file = arguments.recording.display().to_string();
    let lifted = lift_moments(&file, &arguments.name, recording.moments())
        .map_err(|problems| BadInput(problems.iter().map(ToString::to_string).collect()))?;
    complain(&format!("{} jobs", lifted.scenario.jobs()));
    for note in &lifted.notes {
        complain(note);
    }
    write_scenario(&lifted.scenario, arguments.output.as_deref())?;
    Ok(Verdict::Well)
}
