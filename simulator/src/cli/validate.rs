//! `validate`: what is wrong with scenario files.

use std::path::PathBuf;

use clap::Args;

use super::input::read_scenario;
use super::say::say;
use super::{BadInput, Verdict};

#[derive(Debug, Args)]
pub(super) struct ValidateArguments {
    /// The scenario files; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    scenarios: Vec<PathBuf>,
}

/// Says what is wrong, as `file:line:column: rule: message`, of all files.
pub(super) fn validate(arguments: &ValidateArguments) -> Result<Verdict, BadInput> {
    let mut wrong = Vec::new();
    for path in &arguments.scenarios {
        match read_scenario(path) {
            Ok(scenario) => say(&format!(
                "{}: {} with {} jobs",
                path.display(),
                scenario.name,
                scenario.jobs()
            )),
            Err(BadInput(problems)) => wrong.extend(problems),
        }
    }
    if wrong.is_empty() {
        Ok(Verdict::Well)
    } else {
        Err(BadInput(wrong))
    }
}
