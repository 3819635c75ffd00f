//! The controller's options where servers are asked, and none of them where
//! only files are.

use buildscaler_args::ControllerArgs;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};

/// The argument that makes the others unnecessary.
const OFFLINE: &str = "manifest";
/// The controller's options that have to be given otherwise.
const REQUIRED: [&str; 2] = ["token", "buildkite_org"];

/// The controller's options, unless `--manifest` is given.
#[derive(Clone, Debug)]
pub(crate) struct Online(pub(crate) Option<ControllerArgs>);

impl FromArgMatches for Online {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let offline = matches.contains_id(OFFLINE);
        let controller = (!offline).then(|| ControllerArgs::from_arg_matches(matches));
        Ok(Self(controller.transpose()?))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Online {
    fn augment_args(command: Command) -> Command {
        REQUIRED
            .into_iter()
            .fold(ControllerArgs::augment_args(command), |command, name| {
                command.mut_arg(name, |arg| arg.required(false).required_unless_present(OFFLINE))
            })
    }

    fn augment_args_for_update(command: Command) -> Command {
        ControllerArgs::augment_args_for_update(command)
    }
}
