//! The command line. Each subcommand is one file.

mod compare;
mod explore;
mod import;
mod input;
mod lift;
mod record;
mod replay;
mod run;
mod say;
mod serve;
mod validate;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use say::complain;

/// Runs the controller that would run in the cluster through recorded and
/// invented worlds, a thousand times faster.
#[derive(Debug, Parser)]
#[command(name = "buildscaler-sim", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Goes every way through small worlds, and shows the shortest one to
    /// something that must never happen.
    Explore(explore::ExploreArguments),
    /// Runs scenarios: their story, what they came to, and whether that is
    /// what they expect.
    Run(run::RunArguments),
    /// Lets several policies keep the fleet in the same scenarios, and shows
    /// waits and pod-hours side by side.
    Compare(compare::CompareArguments),
    /// Makes a scenario of a recorded workload.
    Import(import::ImportArguments),
    /// Makes a scenario of a recording.
    Lift(lift::LiftArguments),
    /// Takes a recording through this program's core again, and shows the first
    /// step that is not the same.
    Replay(replay::ReplayArguments),
    /// Serves the fakes on loopback, for trying clients by hand.
    Serve(serve::ServeArguments),
    /// Says what is wrong with scenario files.
    Validate(validate::ValidateArguments),
}

/// How a subcommand ended, where it could be carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// As it should be.
    Well,
    /// Something is not as expected: exit code 1.
    Unmet,
}

/// What was given cannot be used: exit code 2. One message for each thing.
#[derive(Debug)]
struct BadInput(Vec<String>);

pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match arguments.command {
        Command::Explore(arguments) => explore::run(&arguments),
        Command::Run(arguments) => run::run(&arguments),
        Command::Compare(arguments) => compare::run(&arguments),
        Command::Import(arguments) => import::import(&arguments),
        Command::Lift(arguments) => lift::lift(&arguments),
        Command::Replay(arguments) => replay::replay(&arguments),
        Command::Serve(arguments) => serve::serve(&arguments),
        Command::Validate(arguments) => validate::validate(&arguments),
    };
    match ended {
        Ok(Verdict::Well) => ExitCode::SUCCESS,
        Ok(Verdict::Unmet) => ExitCode::from(1),
        Err(BadInput(messages)) => {
            for message in messages {
                complain(&message);
            }
            ExitCode::from(2)
        }
    }
}
