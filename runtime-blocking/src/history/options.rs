//! The options of `history`: of the controller's, those about Buildkite.

use buildscaler_args::ControllerArgs;
use clap::{ArgMatches, Args, Command, Error, FromArgMatches};
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// What of the controller's options is of use here.
const USED: [&str; 3] = ["token", "buildkite_org", "buildkite_api_url"];

/// Where Buildkite is and as whom to talk to it.
#[derive(Clone, Debug)]
pub(crate) struct Whereabouts(pub(super) ControllerArgs);

impl FromArgMatches for Whereabouts {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        ControllerArgs::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl Args for Whereabouts {
    fn augment_args(command: Command) -> Command {
        ControllerArgs::augment_args(command).mut_args(|arg| {
            let unused = !USED.contains(&arg.get_id().as_str());
            arg.hide(unused)
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        ControllerArgs::augment_args_for_update(command)
    }
}

/// A point in time, or the beginning of a day, in milliseconds since the Unix
/// epoch.
pub(super) fn time(text: &str) -> Result<i64, String> {
    let text = text.trim();
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(time.as_millisecond());
    }
    let day = text
        .parse::<Date>()
        .ok()
        .and_then(|day| day.to_zoned(TimeZone::UTC).ok());
    day.map(|day| day.timestamp().as_millisecond())
        .ok_or_else(|| "it is no time such as 2026-11-01 or 2026-11-01T08:00:00Z".to_owned())
}
