//! `buildscaler-sim`: the controller in recorded and invented worlds.

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    cli::main()
}
